"""A hundred random command lines: each is refused in one line that names what is wrong, or is about to work.

The work itself, training or building, is replaced by a word; see `tests.forked_commands`. So a mistake that is only
noticed while working counts as missed.
"""

import dataclasses
import random
import re
import shlex
import types
import typing

import pytest

from experiments.tasks import TASKS
from tests import forked_commands
from tests.forked_commands import STARTED

_NUM_COMMANDS = 100

# Type of a field -> values that it cannot have.
_WRONG_VALUES = {
    int: ("1.5", "many", "-7", "-1e3"),
    float: ("fast", "nan", "1,2"),
    bool: ("maybe", "3"),
    str: ("nonsense",),
    tuple[int, ...]: ("0,", "a,b", "-1,2", "1.5,"),
}
_WRONG_NAMES = (
    "--config.geo.rate=1",
    "--config.training=3",
    "--config.colour=red",
    "--config=moon",
    "more",
    "--workdir",
)

# Program -> arguments that do not go together or that the data cannot have, a command line each, with the preset
# that is taken without --config.
_CLIPS = """
    --config.data.fields={"image_size":32}
    --config.data.fields={"batch_size":3}
    --config.data.fields={"dt":NaN}
    --config.data.fields={"constants":{"moon":1}}
    --config.data.fields=[1]
    --config.data.fields=damping
    --config.data.split_seed=3
    --config.data.name=moon
    --config.data.config=huge
    --config.data.source=/nowhere
    --config.data.num_train=1
    --config.data.num_test=0
    --config.data.num_steps=0
    --config.data.observation_noise=inf
    --config.training.checkpoint_every=33
"""
_CONFLICTS = {
    "hgn": f"""{_CLIPS}
        --config.latent=vector
        --config.friction=0.1
        --config.image_size=48
        --config.seen_frames=99
        --config.state_density=flow
        --config.rollout_directions=both
        --config.training.batch_size=8000
        --config.image_size=4096 --config.decoder_filters=1,1,1,1,1,1,1,1,1,1
    """,
    "hnn": f"""{_CLIPS}
        --config.model=state
        --config.state_noise=0.1
        --config.image_size=65536
        --config.evaluation.horizons=100000000,
    """,
    "nhf": """
        --config.data.name=file
        --config.data.path=/nowhere/rows.csv
        --config.integrator=euler
        --config.steps_per_link=2
        --config.objective=geco
        --config.evaluation.num_points=1000000000000
        --config.evaluation.num_samples=3
        --config.num_links=200000
    """,
}

# Program -> wrong arguments, a command line each. {place} is a directory that is missing or holds no run.
_OTHERS = {
    "evaluate": """
        --workdir={place}
        --workdir
        --workdir=/nowhere more
        --workdir=/nowhere --colour=red
    """,
    "sample": """
        --workdir={place}
        --workdir=/nowhere --num_steps=many
        --workdir=/nowhere --num_steps=0
        --workdir=/nowhere --num_samples=1
        --workdir=/nowhere --seed=-1
        --workdir=/nowhere --seed=1000000000000000000000000000000
        --workdir=/nowhere --dt_scale=nan
    """,
    "figures": """
        --workdir={place}
        {place} --output={tmp}/output
        /nowhere --workdir=/nowhere
    """,
    "nhf_table": """
        {place}
        /nowhere --colour=red
    """,
    "beyond_table": """
        {place}
        /nowhere --colour=red
    """,
    "table1": """
        {place}
        /nowhere --run
        --run --estimate
        --run --scale=huge
        /nowhere --format=pdf
    """,
    "dataset_gallery": """
        moon
        pendulum moon
        pendulum --config=huge
        pendulum --config.dt=nan
        pendulum --config.dt
        pendulum --config.colour=1
        pendulum --config.constants.g=inf
        pendulum --fields=[1]
        pendulum --colour=1
        video_folder
        video_folder --source=/nowhere
    """,
    "build": """
        moon
        pendulum --config=huge
        pendulum --config={{"name":
        pendulum --config_idx=99
        pendulum --config.dt=nan
        pendulum --config.radius_range=2,1
        pendulum --config.constants.moon=1
        pendulum --config.constants.l=nan
        pendulum --config.image_size=100000
        pendulum --config.num_steps=1000000000
        pendulum --config.num_train=1000000000000000
        pendulum --config.num_test=1000000000000000000000000000000
        pendulum --num_workers=0
        pendulum --num_workers=many
        pendulum --colour=1
        pendulum --data_dir=/proc/nowhere
        video_folder --config.source=/nowhere
    """,
}


def _lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def _fields(config, prefix="--config"):
    """Yields the name, type and rule of each field of a configuration but of its data set."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value) and field.name != "data":
            yield from _fields(value, name)
        elif field.name != "data":
            optional = isinstance(field.type, types.UnionType)
            yield name, typing.get_args(field.type)[0] if optional else field.type, field.metadata.get("rule")


def _wrong_value(rng, config):
    """A field with a value of the wrong type, or out of range."""
    name, kind, _ = rng.choice([row for row in _fields(config) if row[2] or row[1] in (bool, float)])
    return f"{name}={rng.choice(_WRONG_VALUES[kind])}"


def _wrong_name(rng, config):
    """A field that does not exist, or stands elsewhere, or no field at all."""
    name, _, _ = rng.choice(list(_fields(config)))
    *places, last = name.split(".")
    wrong = [f"{'.'.join(places)}.{last}s=1", f"--config.evaluation.x.{last}=1", f"--{last}_=1"]
    return rng.choice([*wrong, *_WRONG_NAMES])


def _too_large(rng, config):
    """A field that is far too large for any machine; of the evaluation what is there is taken."""
    names = [name for name, kind, rule in _fields(config) if kind is int and rule and ".evaluation." not in name]
    return f"{rng.choice(names)}={rng.choice((10**19, 10**30))}"


def _wrong_command(rng, program, tmp):
    """Random arguments of a program that must be refused."""
    if program not in TASKS:
        place = rng.choice(("/nowhere", f"{tmp}/empty", f"{tmp}/file", f"{tmp}/broken", f"{tmp}/strange"))
        line = rng.choice(_lines(_OTHERS[program])).format(place=place, tmp=tmp)
        return [part.strip("'") for part in shlex.split(line, posix=False)]
    config = TASKS[program].presets[TASKS[program].default_preset]
    mistakes = [
        make(rng, config) for make in rng.sample((_wrong_value, _wrong_name, _too_large), rng.choice((0, 1, 2)))
    ]
    mistakes = mistakes or rng.choice(_lines(_CONFLICTS[program])).split()
    return [*mistakes, f"--workdir={tmp}/run"]


def _module(program):
    return f"{'data_builders' if program == 'build' else 'experiments'}.{program}"


def _right_commands(rng, tmp):
    """Commands that must not be refused: any preset, a data set to build and one to show."""
    for name in TASKS:
        presets = [preset for preset in TASKS[name].presets if preset not in ("video", "file")]
        yield _module(name), [f"--config={rng.choice(presets)}", f"--workdir={tmp}/run"]
    yield _module("build"), ["pendulum", "--config=small", f"--data_dir={tmp}"]
    yield _module("dataset_gallery"), ["pendulum", f"--output={tmp}/pictures"]


def _words(arguments):
    """Words of arguments, at least one of which an answer should name: fields, flags and values."""
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        yield from (name.rpartition(".")[2].rstrip("_"), *re.findall(r"\w+", value))


@pytest.mark.slow
def test_random_command_lines(tmp_path):
    rng = random.Random(16)
    for name in ("empty", "broken", "strange"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("no run")
    (tmp_path / "broken" / "config.json").write_text('{"preset": ')
    (tmp_path / "strange" / "config.json").write_text("[1, 2]")
    programs = rng.choices(
        (*TASKS, "build", *_OTHERS), weights=[4] * (len(TASKS) + 1) + [1] * len(_OTHERS), k=_NUM_COMMANDS
    )
    wrong = [(_module(program), _wrong_command(rng, program, tmp_path)) for program in programs]
    right = list(_right_commands(rng, tmp_path))
    faults = []
    outcomes = forked_commands.run(wrong + right)
    for number, (command, (code, out, err)) in enumerate(zip(wrong + right, outcomes, strict=True)):
        print(*command, "->", code, out, err)
        if number >= len(wrong):
            good = code == 0 and STARTED in out
        else:
            one_line = code in (1, 2) and err.startswith("error: ") and err.count("\n") == 1 and STARTED not in out
            good = one_line and any(word in err for word in _words(command[1]))
        if not good:
            faults.append(f"{command[0]} {shlex.join(command[1])} -> {code} {out} {err}")
    assert not faults, "\n".join(faults)
