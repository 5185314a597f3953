"""The names that users import from `hgn_jax` and `hgn_jax.data`."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

import hgn_jax
from hgn_jax import data

_DOCUMENTED = (
    "PhaseState rollout vector_field separable systems make_hgn make_nhf make_hnn HGNConfig NHFConfig HNNConfig data "
    "load_run load_pretrained"
)


def _declared(package) -> list[str]:
    """The value of `__all__` in the stub of a package, which type checkers read."""
    stub = ast.parse(pathlib.Path(package.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return next(ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))


@pytest.mark.parametrize("package", [hgn_jax, data])
def test_names_at_run_time_are_those_of_the_stub(package):
    assert package.__all__ == _declared(package)
    assert dir(package) == _declared(package)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_documented_names_are_public():
    assert set(_DOCUMENTED.split()) <= set(hgn_jax.__all__)
    assert hgn_jax.systems is importlib.import_module("hgn_jax.physics.systems")
    assert data.stack is importlib.import_module("hgn_jax.data.datasets").stack


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="rolout"):
        hgn_jax.rolout  # noqa: B018


def test_a_configuration_is_imported_without_jax():
    code = "import sys; from hgn_jax import HGNConfig, HNNConfig, NHFConfig, data; data.BatchOrder; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "hgn_jax.models.hgn_config" in modules
    assert not {"jax", "haiku", "tensorflow_datasets"} & set(modules)
