"""A hundred random command lines: each is refused in one line that names what is wrong, or is about to work.

A process imports everything that the programs need and forks a child for each command, where the work itself, training
or building or reading a run, is replaced by a word. So a mistake that is only noticed while working counts as missed.
"""

import dataclasses
import json
import os
import random
import subprocess
import sys
import types
import typing

import pytest

from experiments.tasks import TASKS
from tests.root import ROOT

_NUM_COMMANDS = 100
_STARTED = "about to work"

_RUN_COMMANDS = """
import json, os, runpy, sys, warnings
warnings.filterwarnings("ignore")
import experiments.run.program, experiments.run.trainer, experiments.figures.runs, experiments.sample, data_builders.build
from data_builders import datasets
from experiments.run import command_line
from hgn_jax import training

def begin(*args, **kwargs):
    print("about to work", flush=True)
    os._exit(0)

def execute(task, config, workdir):
    import jax
    with command_line.user_errors():
        config = task.resolve(config)
        training.validate(config.optimizer, config.training, jax.device_count())
    begin()

experiments.run.program.execute = execute
datasets.ensure_built = data_builders.tfds_backend.build_command.execute = begin
for number, (module, arguments) in enumerate(json.loads(sys.stdin.read())):
    child = os.fork()
    if not child:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[1]}/{number}.{name}", os.O_CREAT | os.O_WRONLY), stream)
        sys.argv = [module, *arguments]
        try:
            sys.modules.pop(module, None)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            code = 1 if isinstance(end.code, str) else end.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 99
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])), flush=True)
"""


class _Mistakes:
    """Random arguments. Those of `wrong` cannot be accepted; those of `right` can.

    Args:
      rng: Source of the randomness.
      tmp: Directory with things that are no runs.
    """

    def __init__(self, rng, tmp):
        self.rng, self.tmp = rng, tmp

    def fields(self, config, prefix="--config"):
        """All fields of a configuration with their types and rules."""
        for field in dataclasses.fields(config):
            value, name = getattr(config, field.name), f"{prefix}.{field.name}"
            if dataclasses.is_dataclass(value):
                yield from self.fields(value, name)
            else:
                optional = isinstance(field.type, types.UnionType)
                yield name, typing.get_args(field.type)[0] if optional else field.type, field.metadata.get("rule")

    def wrong_value(self, config):
        """A field with a value that is of the wrong type, or out of range."""
        values = {
            int: ("1.5", "many", "-7", "-1e3"),
            float: ("fast", "nan", "1,2"),
            bool: ("maybe", "3"),
            str: ("nonsense",),
            tuple[int, ...]: ("0,", "a,b", "-1,2", "1.5,"),
        }
        fields = [
            (name, kind)
            for name, kind, rule in self.fields(config)
            if kind in values and (rule or kind in (bool, float)) and ".data." not in name
        ]
        name, kind = self.rng.choice(fields)
        return f"{name}={self.rng.choice(values[kind])}"

    def wrong_name(self, config):
        """A field that does not exist, or stands elsewhere."""
        name, _, _ = self.rng.choice(list(self.fields(config)))
        *places, last = name.split(".")
        others = ["--config.geo.rate=1", f"--config.training={self.rng.randrange(9)}", "--config.colour=red"]
        return self.rng.choice(
            [f"{'.'.join(places)}.{last}s=1", f"--config.evaluation.x.{last}=1", f"--{last}_=1", *others]
        )

    def too_large(self, config):
        """A field that is far too large for any machine."""
        names = [
            name for name, kind, rule in self.fields(config) if kind is int and rule and ".evaluation." not in name
        ]
        return f"{self.rng.choice(names)}={self.rng.choice((10**19, 10**30))}"

    def of_task(self, task):
        config = task.presets[task.default_preset]
        wrong = [
            self.wrong_value(config),
            self.wrong_name(config),
            self.too_large(config),
            "--config=moon",
            "more",
            "--workdir",
        ]
        return [wrong[0], wrong[1], self.rng.choice(wrong), self.rng.choice(self.conflicts(task.name))]

    def conflicts(self, name):
        """Combinations that do not go together, each one argument list."""
        clips = [
            '--config.data.fields={"image_size":32}', '--config.data.fields={"batch_size":3}', "--config.data.fields=[1]",
            "--config.data.split_seed=3", "--config.data.fields=damping", '--config.data.fields={"dt":NaN}',
            '--config.data.fields={"constants":{"moon":1}}', "--config.data.name=moon", "--config.data.config=huge",
            "--config.data.source=/nowhere", "--config.data.num_train=1", "--config.data.num_test=0",
            "--config.data.num_steps=0", "--config.training.checkpoint_every=33", "--config.data.observation_noise=inf",
        ]  # fmt: skip
        return {
            "hgn": [*clips, "--config.latent=vector", "--config.friction=0.1", "--config.image_size=48",
                    "--config.seen_frames=99", "--config.state_density=flow", "--config.rollout_directions=both"],
            "hnn": [*clips, "--config.model=state", "--config.state_noise=0.1"],
            "nhf": ["--config.data.name=file", "--config.data.path=/nowhere/rows.csv", "--config.integrator=euler",
                    "--config.steps_per_link=2", "--config.objective=geco"],
        }[name]  # fmt: skip

    def of_program(self, name):
        tmp = self.tmp
        places = ["/nowhere", f"{tmp}/empty", f"{tmp}/file", f"{tmp}/broken", f"{tmp}/strange"]
        run = [[f"--workdir={place}"] for place in places]
        runs = [[place] for place in places]
        return {
            "evaluate": [*run, [], ["--workdir"], ["--workdir=/nowhere", "more"], ["--colour=red", "--workdir=/nowhere"]],
            "sample": [*run, [], *([flag, "--workdir=/nowhere"] for flag in (
                "--num_steps=many", "--num_steps=0", "--num_samples=1", "--seed=-1", f"--seed={10**30}", "--dt_scale=nan"))],
            "figures": [*run, *([*place, f"--output={tmp}/o"] for place in runs), [], ["/nowhere"]],
            "nhf_table": [*runs, ["--colour=red", "/nowhere"]],
            "beyond_table": [*runs, ["--colour=red", "/nowhere"]],
            "table1": [*runs, [], ["--run", "/nowhere"], ["--run", "--estimate"], ["--scale=huge", "--run"],
                       ["--format=pdf", "/nowhere"]],
            "dataset_gallery": [[], ["moon"], ["pendulum", "moon"], ["pendulum", "--config=huge"], ["video_folder"],
                                ["video_folder", "--source=/nowhere"], ["pendulum", "--config.dt=nan"],
                                ["pendulum", "--fields=[1]"], ["pendulum", "--config.colour=1"], ["pendulum", "--colour=1"],
                                ["pendulum", "--config.constants.g=inf"], ["pendulum", "--config.dt"]],
            "build": [[], ["moon"], ["pendulum", "--config=huge"], ["pendulum", "--config.dt=nan"],
                      ["pendulum", "--num_workers=0"], ["pendulum", "--num_workers=many"], ["pendulum", "--colour=1"],
                      ["pendulum", "--config_idx=99"], ["pendulum", "--config.image_size=100000"],
                      ["pendulum", "--config.num_steps=1000000000"], ["pendulum", f"--config.num_train={10**15}"],
                      ["pendulum", f"--config.num_test={10**30}"], ["pendulum", "--config.radius_range=2,1"],
                      ["pendulum", '--config={"name":'], ["pendulum", "--data_dir=/proc/nowhere"],
                      ["pendulum", "--config.constants.moon=1"], ["pendulum", "--config.constants.l=nan"],
                      ["video_folder", "--config.source=/nowhere"]],
        }[name]  # fmt: skip


def _commands(tmp):
    """Random commands that must be refused, and commands that must not."""
    rng = random.Random(16)
    mistakes = _Mistakes(rng, tmp)
    wrong = []
    for number in range(_NUM_COMMANDS):
        program = ("hgn", "hnn", "nhf", rng.choice(list(_OTHERS)))[number % 4]
        if program in TASKS:
            arguments = [rng.choice(mistakes.of_task(TASKS[program])) for _ in range(rng.choice((1, 1, 2)))]
            arguments += [f"--workdir={tmp}/run"]
        else:
            arguments = rng.choice(mistakes.of_program(program))
        wrong.append((program, arguments))
    right = [(name, [f"--config={rng.choice(list(_SIMULATED[name]))}", f"--workdir={tmp}/run"]) for name in TASKS]
    right += [
        ("build", ["pendulum", "--config=small", f"--data_dir={tmp}"]),
        ("dataset_gallery", ["pendulum", f"--output={tmp}/g"]),
    ]
    return wrong, right


_OTHERS = ("evaluate", "sample", "figures", "nhf_table", "beyond_table", "table1", "dataset_gallery", "build", "build")
_SIMULATED = {name: [preset for preset in TASKS[name].presets if preset not in ("video", "file")] for name in TASKS}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Each command with whether it may be accepted, its exit status, and what it printed on stdout and stderr."""
    tmp = tmp_path_factory.mktemp("commands")
    (tmp / "empty").mkdir(), (tmp / "broken").mkdir(), (tmp / "strange").mkdir()
    (tmp / "file").write_text("no run")
    (tmp / "broken" / "config.json").write_text('{"preset": ')
    (tmp / "strange" / "config.json").write_text("[1, 2]")
    wrong, right = _commands(tmp)
    modules = [("data_builders." if name == "build" else "experiments.") + name for name, _ in wrong + right]
    sent = json.dumps([(module, rest) for module, (_, rest) in zip(modules, wrong + right, strict=True)])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-W", "ignore", "-c", _RUN_COMMANDS, str(tmp)]
    result = subprocess.run(arguments, input=sent, cwd=tmp, capture_output=True, text=True, env=env, check=True)
    codes = list(map(json.loads, result.stdout.splitlines()))
    texts = [[(tmp / f"{number}.{name}").read_text() for name in ("out", "err")] for number in range(len(codes))]
    return [
        (command, number >= len(wrong), code, *text)
        for number, (command, code, text) in enumerate(zip(wrong + right, codes, texts, strict=True))
    ]


def _words(arguments):
    """Words of arguments, at least one of which an answer should name: fields, flags and values."""
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        yield from {name.rpartition(".")[2].rstrip("_"), value or name} - {""}


@pytest.mark.slow
def test_random_command_lines(outcomes):
    faults = []
    for (program, arguments), may_work, code, out, err in outcomes:
        print(program, *arguments, "->", code, out.strip(), err.strip())
        if may_work:
            good = code == 0 and _STARTED in out
        else:
            good = code in (1, 2) and err.startswith("error: ") and err.count("\n") == 1 and _STARTED not in out
            good = good and (not arguments or any(word in err for word in _words(arguments)))
        if not good:
            faults.append(f"{program} {' '.join(arguments)}: {code} {out} {err}")
    assert not faults, "\n".join(faults)
