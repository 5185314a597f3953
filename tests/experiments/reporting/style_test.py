"""Tests of `experiments.reporting.style`."""

import subprocess
import sys

import imageio.v3 as imageio
import numpy as np

from experiments.reporting import style


def _figure():
    figure, axes = style.subplots(figsize=(2, 1))
    axes.plot([1, 2, 3], color=style.BLUE)
    return figure


def test_the_same_figure_gives_the_same_files(tmp_path):
    files = []
    for _ in range(2):
        style.save_for_print(_figure(), tmp_path, "a")
        files.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert files[0] == files[1]
    assert set(files[0]) == {"a.png", "a.pdf"}
    assert b"CreationDate" not in files[0]["a.pdf"]
    assert files[0]["a.pdf"].startswith(b"%PDF")
    assert imageio.imread(tmp_path / "a.png").std() > 0


def test_figures_that_are_none_are_left_out(tmp_path):
    style.save_all(tmp_path, {"a.png": _figure(), "b.png": None})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_pyplot_is_not_imported():
    """Pyplot would choose a window system and keep figures alive."""
    code = "import sys; from experiments.figures import paper; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_zeros_are_hidden_from_logarithmic_axes():
    np.testing.assert_array_equal(style.positive([0.0, 2.0]), [np.nan, 2.0])
