"""The notebooks in `notebooks/`: their outputs are committed and small, and each runs and finds what it claims."""

import ast
import base64
import json
import os
import re

import pytest

from tests.root import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OURS = {"data_builders", "hgn_jax"}
OTHERS = {"jax", "matplotlib", "numpy", "pathlib", "subprocess", "sys"}  # that they may import beside ours
MAX_BYTES, MAX_CELLS, TIMEOUT_S = 300_000, 13, 1800

# What holds after the last cell of each, in terms of its own variables.
_CLAIMS = {
    "leapfrog": """
assert all(abs(orders[name] - order) < 0.1 for name, order in zip(INTEGRATORS, (1, 1, 2, 4, 4), strict=True)), orders
assert largest["leapfrog"] < 0.05 and largest["yoshida4"] < 0.005 and largest["euler"] > 1, largest
assert max(gaps["leapfrog"], gaps["yoshida4"]) < 1e-12 and min(gaps["euler"], gaps["rk4"]) > 1e-10, gaps
assert abs(growth["leapfrog"] - 1) < 1e-3 and growth["euler"] > 1.5, growth
""",
    "newton_from_pixels": """
assert abs(newton.exponent + 2) < 0.15 and abs(newton.strength - 1) < 0.1, newton
assert abs(pair.mass_ratio - 1) < 0.02, pair.mass_ratio
assert skill.min() > 0.6 and skill[len(skill) // 2] > 0.98, skill
assert fit.r_squared > 0.999 and abs(fit.slope - 1) < 0.05, fit
""",
    "nhf": """
assert all(abs(integral - 1) < 0.03 for integral in integrals.values()), integrals
assert min(depths.values()) > 0, depths
means = [bound.mean() for bound in bounds.values()]
assert all(low < high + 0.01 for low, high in zip(means, means[1:], strict=False)), means
assert -0.02 < divergence < 0.06, divergence
assert scores.mean() > gaussian.mean() and caught > 0.9, (scores.mean(), gaussian.mean(), caught)
""",
    "own_film": """
assert skill_of_frames[seen].min() > 0.9 and skill_of_frames.min() > 0.5, skill_of_frames
assert np.abs(frequencies / [2.0, 2.9] - 1).max() < 0.1, frequencies
""",
}


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _text(source):
    return source if isinstance(source, str) else "".join(source)


def _code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _imports(code: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def _printed(output) -> str:
    return _text(output.get("text", "")) + "".join(
        _text(content) for kind, content in output.get("data", {}).items() if kind.startswith("text/")
    )


def test_there_are_claims_for_every_notebook():
    assert set(_CLAIMS) == {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_committed_and_small(path):
    notebook = _read(path)
    assert path.stat().st_size < MAX_BYTES
    assert len(notebook["cells"]) <= MAX_CELLS
    counts = [cell["execution_count"] for cell in _code(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run all cells in a fresh kernel, and save"
    for output in (output for cell in _code(notebook) for output in cell["outputs"]):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", _printed(output)
        assert not re.search(r"(?<![\w.])(/\w+){2,}", _printed(output)), "a path of a machine"
        if picture := output.get("data", {}).get("image/png"):
            assert base64.b64decode(picture).startswith(b"\x89PNG")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_needs_the_package_alone(path):
    notebook = _read(path)
    first = notebook["cells"][0]
    assert first["cell_type"] == "markdown" and "pip install" in _text(first["source"])
    assert _imports("\n\n".join(_text(cell["source"]) for cell in _code(notebook))) <= OTHERS | OURS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_finds_what_it_claims(path, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_CLAIMS[path.stem]))
    options = {"timeout": TIMEOUT_S, "kernel_name": "python3", "resources": {"metadata": {"path": str(tmp_path)}}}
    # The notebook finds this checkout, wherever the tests are started from.
    nbclient.NotebookClient(notebook, **options).execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
