"""The package as a stranger installs it: the wheel, away from the checkout, and the library without the programs."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.root import ROOT

_COMMANDS = {
    "hgn": "experiments.hgn",
    "hnn": "experiments.hnn",
    "nhf": "experiments.nhf",
    "hgn-data": "data_builders.build",
}
_SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
_FOLDERS = ("hgn_jax", "data_builders", "experiments")

_USE = """
import pathlib, sys
import hgn_jax
from data_builders import datasets

assert pathlib.Path(hgn_jax.__file__).is_relative_to(sys.argv[1]), hgn_jax.__file__
assert sorted(hgn_jax.__all__) == sorted(name for name in dir(hgn_jax) if getattr(hgn_jax, name) is not None)
assert pathlib.Path(hgn_jax.__file__).with_name("py.typed").exists()
assert hgn_jax.load_pretrained("pendulum").state_density.kind == "mixture"
for name in datasets.NAMES:
    metadata = datasets.get_builder(name).get_metadata()
    assert metadata.description and metadata.tags, name
    assert metadata.citation or name == "video_folder", name
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory that the wheel is installed to, built without a network from a copy of the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source, target = directory / "source", directory / "target"
    source.mkdir()
    for name in _SOURCES:
        shutil.copy(ROOT / name, source)
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(directory),
        str(source),
    ]
    subprocess.run(build, check=True)
    (wheel,) = directory.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True)
    return target


def _run(installed, tmp_path, *command):
    paths = {"PYTHONPATH": str(installed), "TFDS_DATA_DIR": str(tmp_path / "data")}
    environment = {**os.environ, **paths, "PYTHONHASHSEED": "0"}  # the order of aliases in --help depends on it
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_wheel_has_the_public_names_and_the_descriptions_of_data_sets(installed, tmp_path):
    result = _run(installed, tmp_path, sys.executable, "-c", _USE, str(installed))
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--config=none_such"], ["--wrong"]], ids=lambda words: words[0])
@pytest.mark.parametrize("name", _COMMANDS)
def test_commands_answer_as_their_modules_do(installed, tmp_path, name, arguments):
    command = _run(installed, tmp_path, str(installed / "bin" / name), *arguments)
    module = _run(installed, tmp_path, sys.executable, "-m", _COMMANDS[name], *arguments)
    assert (command.returncode, command.stdout, command.stderr) == (module.returncode, module.stdout, module.stderr)
    assert "Traceback" not in command.stderr
    assert command.stdout or command.stderr


@pytest.mark.slow
def test_a_data_set_is_built_from_the_wheel(installed, tmp_path):
    settings = ("--config=small", "--config.num_train=3", "--config.num_test=2", "--num_workers=2")
    result = _run(installed, tmp_path, str(installed / "bin" / "hgn-data"), "mass_spring", *settings)
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "data" / "mass_spring").rglob("*.array_record*"))


_OF_THE_PROGRAMS = (  # direct dependencies that neither models nor rollouts nor finished runs need
    "array_record av filelock imageio importlib_resources matplotlib ml_collections pandas PIL sklearn tensorboardX "
    "tensorflow_datasets"
).split()

_LIBRARY = f"""
import sys
sys.modules.update(dict.fromkeys({_OF_THE_PROGRAMS}))  # importing one of them fails
import numpy as np
import hgn_jax

for name in hgn_jax.__all__:
    getattr(hgn_jax, name)
start = hgn_jax.PhaseState(q=np.ones(1), p=np.zeros(1))
hgn_jax.rollout(hgn_jax.systems.pendulum().hamiltonian, start, dt=0.1, num_steps=3)
hgn_jax.load_pretrained("pendulum")
"""


@pytest.mark.slow
def test_the_library_needs_no_dependency_of_the_programs():
    subprocess.run([sys.executable, "-c", _LIBRARY], cwd=ROOT, check=True)
