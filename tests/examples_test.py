"""The programs in `examples/`: they run, are one page long, and use the library alone."""

import ast
import importlib.util
import pathlib

import numpy as np
import pytest

from tests.root import ROOT

PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
OTHERS = {"jax", "numpy", "optax", "sys"}  # that they may import beside the library


def _load(name):
    specification = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _imports(path: pathlib.Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_page_on_the_library_alone(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    assert _imports(path) <= OTHERS | {"hgn_jax"}
    assert f"({path.name})" in (ROOT / "examples" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_constants_of_a_hamiltonian_are_found():
    example = _load("custom_hamiltonian")
    found = example.main()
    for name, value in example.TRUE.items():
        assert found[name] == pytest.approx(value, rel=1e-3)


@pytest.mark.slow
def test_a_model_of_ones_own_finds_potential_and_friction():
    found = _load("custom_model").main()
    assert found["amplitudes"] == pytest.approx([1.0, 0.0, 0.0], abs=0.01)
    assert found["friction"] == pytest.approx(0.3, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
def test_an_hgn_learns_from_an_array(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = _load("train_hgn")
    if own:
        np.save("films.npy", example.pendulum_films(16, 20))
    example.main("films.npy" if own else None, num_steps=2)
    arrays = np.load("prediction.npz")
    assert arrays["forward"].shape == arrays["backward"].shape == (4, 61, 32, 32, 3)
    assert "skill within the clips" in capsys.readouterr().out


@pytest.mark.slow
def test_a_flow_learns_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = _load("density_of_a_table")
    np.savetxt("rows.csv", np.random.default_rng(0).normal(size=(60, 2)), delimiter=",", header="a,b", comments="")
    example.main("rows.csv", num_steps=2, num_samples=4)
    assert "new rows:" in capsys.readouterr().out
