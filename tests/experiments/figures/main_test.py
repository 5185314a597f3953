"""Tests of `experiments.figures`: all figures of tiny runs, and mistakes in the command."""

import imageio.v3 as imageio
import numpy as np
import pytest

from experiments.figures import __main__ as program
from experiments.run.command_line import UserError


@pytest.mark.slow
def test_figures_of_several_models(tiny_runs, tmp_path, capsys):
    paths = [str(tiny_runs(name).directory.path) for name in ("hgn", "hnn pixel")]
    directory = tmp_path / "new" / "directory"
    groups, left_out = program.read(paths, None, str(directory))
    assert left_out == []
    program.draw(groups, directory)
    names = [f"{figure}_mass_spring" for figure in ("figure_5", "figure_7", "figure_8", "phase_portrait")]
    names += ["figure_6", "figure_10"]
    files = {f"{name}{suffix}" for name in names for suffix in (".png", ".pdf")}
    assert {path.name for path in directory.iterdir()} == {"captions.md", *files}
    captions, printed = (directory / "captions.md").read_text(), capsys.readouterr().out
    for name in names:
        assert np.std(imageio.imread(directory / f"{name}.png")) > 1.0, name
        assert (directory / f"{name}.pdf").read_bytes().startswith(b"%PDF"), name
        assert f"({name}.png)" in captions
        assert f"{directory / name}.png" in printed
    assert "Drawn from `{}`, `{}`".format(*paths) in captions
    for text in ("HNN: rollouts from the first two frames", "noise of 0.1 on its positions", "Rank correlation",
                 "true Hamiltonian over the phase plane"):  # fmt: skip
        assert text in captions


@pytest.mark.slow
def test_figures_of_an_anchored_run(tiny_runs, tmp_path):
    groups, _ = program.read([], str(tiny_runs("hgn anchored").directory.path), None)
    program.draw(groups, tmp_path)
    for name in ("figure_6", "figure_7_mass_spring", "figure_8_mass_spring", "phase_portrait_mass_spring"):
        assert np.std(imageio.imread(tmp_path / f"{name}.png")) > 1.0, name
    captions = (tmp_path / "captions.md").read_text()
    assert "Gaussians fitted to the states of 24 training clips" in captions
    assert "HGN 7" in captions  # frames seen


@pytest.mark.parametrize(
    "paths, workdir, output, message",
    [
        ([], None, None, "give either the directories of finished runs, or --workdir of a single run"),
        (["somewhere"], "elsewhere", None, "or --workdir of a single run"),
        (["somewhere"], None, None, "give --output, the directory for the figures of several runs"),
        ([], "nowhere", None, "no run in --workdir=nowhere"),
        (["nowhere"], None, "figures", "no run in --workdir=nowhere"),
    ],
)
def test_mistakes(paths, workdir, output, message):
    with pytest.raises(UserError, match=message):
        program.read(paths, workdir, output)
