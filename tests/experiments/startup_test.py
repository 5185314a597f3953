"""Programs answer `--help` and mistakes in one line, without importing JAX and without making any file.

A clean process imports what all programs share and forks a child for each command, which costs far less than a start
of Python. The children report which modules they imported; time would depend on the machine.
"""

import json
import os
import subprocess
import sys

import pytest

from hgn_jax.physics import integration_methods, integrators
from tests.root import ROOT

_SLOW_PACKAGES = {
    "jax", "jaxlib", "haiku", "optax", "chex", "orbax", "tensorflow_datasets", "scipy", "matplotlib", "imageio",
    "sklearn", "tensorboardX", "pandas",
}  # fmt: skip

_PROGRAMS = (
    "hgn",
    "hnn",
    "nhf",
    "evaluate",
    "sample",
    "table1",
    "figures",
    "dataset_gallery",
    "nhf_table",
    "beyond_table",
    "export",
)
_MISTAKES = {
    "hgn --config=moon": "unknown preset 'moon'; choose one of mass_spring, ",
    "hgn --config.colour=red": "config has no field 'colour'; it has image_size, ",
    "hgn --config=pendulum --config.training.steps=3": "config.training has no field 'steps'; it has num_steps, ",
    "hgn --config=pendulum --config.training=3": "is a group of fields; set one of them: num_steps, ",
    "hgn --config.dt=fast": "--config.dt=fast",
    "hgn --config.dt=0.1 --config=pendulum": "give --config=NAME before the overrides",
    "hgn --config=pendulum_small pendulum": "unexpected argument 'pendulum'",
    "hgn --config.integrator=foo": "integrator must be one of euler, ",
    "hgn --config.image_size=33": "image_size must be 4 times a power of two",
    "hgn --config.geco.decay=2": "geco.decay must be in [0, 1); got 2.0",
    "hgn --config.optimizer.schedule=foo": "schedule must be one of",
    "hgn --config=video": "name the directory of your videos",
    "hgn --coordinator=here": "give all three or none",
    "nhf --config=moon": "unknown preset 'moon'",
    "nhf --config=four_modes --config.objective_samples=0": "objective_samples must be 1 or more; got 0",
    "nhf --config=four_modes --config.colour=red": "config has no field 'colour'",
    "nhf --config=four_modes --config.evaluation.num_samples=3": "power of two",
    "nhf --config.integrator=euler": "integrator must be one of symplectic_euler, ",
    "nhf --config.data.name=moon": "data.name must be one of",
    "nhf --config.training.num_steps=0": "num_steps must be 1 or more",
    "hnn --config.training.num_steps=0": "num_steps must be 1 or more",
    "evaluate --workdir=/nowhere": "no run in --workdir=/nowhere",
    "sample": "give either --workdir=RUN or --pretrained=NAME, one of double_pendulum, ",
    "sample --pretrained=moon": "no pretrained model 'moon'; choose one of double_pendulum, ",
    "sample --pretrained=moon.safetensors": "there is no file moon.safetensors",
    "sample --pretrained=pendulum --score=rows.csv": "--score cannot be used with a run of hgn",
    "export --workdir=/nowhere --name=moon": "no run in --workdir=/nowhere",
    "figures --workdir=/nowhere": "no run in --workdir=/nowhere",
}
_COMMANDS = [f"{program} --help" for program in _PROGRAMS] + list(_MISTAKES)

_FORK_COMMANDS = """
import contextlib, io, json, os, runpy, sys
import experiments.run.command_line, experiments.run.run_directory

for command in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        program, *sys.argv[1:] = command.split()
        with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
            try:
                runpy.run_module(f"experiments.{program}", run_name="__main__", alter_sys=True)
            except SystemExit as end:
                code = end.code
        packages = sorted({name.partition(".")[0] for name in sys.modules})
        print(json.dumps([command, code, stdout.getvalue(), stderr.getvalue(), packages]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def _python(home, *arguments):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    return subprocess.run([sys.executable, *arguments], cwd=home, capture_output=True, text=True, env=env)


@pytest.fixture(scope="module")
def outcomes(home):
    """Exit status, stdout, stderr and imported packages of every command."""
    result = _python(home, "-c", _FORK_COMMANDS, json.dumps(_COMMANDS))
    assert not result.stderr
    return {command: outcome for command, *outcome in map(json.loads, result.stdout.splitlines())}


@pytest.mark.parametrize("program", _PROGRAMS)
def test_help(outcomes, home, program):
    _, printed, _, packages = outcomes[f"{program} --help"]
    assert "--helpfull" in printed
    assert not _SLOW_PACKAGES & set(packages)
    assert not list(home.iterdir())


@pytest.mark.parametrize("command", _MISTAKES)
def test_a_mistake(outcomes, home, command):
    code, printed, errors, packages = outcomes[command]
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert _MISTAKES[command] in errors
    assert not _SLOW_PACKAGES & set(packages)
    assert not list(home.iterdir())


@pytest.mark.parametrize("command", ["hgn --help", "evaluate --workdir=/nowhere"])
def test_a_real_start_is_as_a_forked_one(outcomes, home, command):
    program, *arguments = command.split()
    result = _python(home, "-X", "importtime", "-m", f"experiments.{program}", *arguments)
    lines = result.stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")}
    printed = "".join(f"{line}\n" for line in lines if not line.startswith("import time:"))
    assert [result.returncode, result.stdout, printed] == outcomes[command][:3]
    assert "absl" in imported and not _SLOW_PACKAGES & imported


def test_names_that_are_known_without_jax_are_complete():
    assert [method.name for method in integration_methods.METHODS] == list(integrators.INTEGRATORS)
