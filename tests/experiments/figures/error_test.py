"""Tests of `experiments.figures.error`."""

import pathlib

import numpy as np
import pytest

from experiments.clips.results import Dynamics, EnergyStatistics, Errors
from experiments.comparison.rows import ROWS, FinishedRun, preset
from experiments.figures import error
from experiments.reporting.names import REFERENCES
from experiments.run.presets import pick
from experiments.run.run_directory import RunDirectory
from experiments.tasks import TASKS
from tests.experiments.made_up_results import results, split_errors

_STEPS = 5


def _run(row, system="pendulum", level=1.0, mean=-75.0155, variance=0.0048898):
    config = pick(TASKS[ROWS[row].program].presets, preset(ROWS[row], system, "small"))
    for field, value in ROWS[row].changes.items():
        setattr(config, field, value)
    references = {
        name: Errors(mse=0.0, mse_std=0.0, mse_per_step=[0.0, *[2.0 + i] * 4]) for i, name in enumerate(REFERENCES)
    }
    train, test = (
        split_errors(mse_per_step=[level + i + step for step in range(_STEPS)], reference=references) for i in (0, 1)
    )
    energy = {config.integrator: EnergyStatistics(mean=mean, variance=variance, drift=0.03824)}
    frames_seen = config.inference_frames or _STEPS if ROWS[row].program == "hgn" else 2
    numbers = results(
        train=train, test=test, dynamics=Dynamics(reversibility=0.0, energy=energy), frames_seen=frames_seen
    )
    return FinishedRun(RunDirectory(pathlib.Path(f"runs/{system}_{row}")), config, row, numbers)


@pytest.mark.parametrize(
    "mean, variance, expected",
    [
        (-75.0155, 0.0048898, "HGN (leapfrog), E = -75.0 ± 0.0049"),
        (0.25, 0.0, "HGN (leapfrog), E = 0.250 ± 0.0"),
        (-127.3, 25.4, "HGN (leapfrog), E = -127 ± 25"),
        (None, None, "HGN (leapfrog), E not finite"),
    ],
)
def test_energy_in_the_legend(mean, variance, expected):
    assert error.legend_label(_run("hgn_leapfrog", mean=mean, variance=variance)) == expected


def test_the_energy_is_measured_with_the_models_own_integrator():
    run = _run("hgn_euler")
    run.results.dynamics.energy["leapfrog"] = EnergyStatistics(mean=1.0, variance=1.0, drift=1.0)
    assert "E = -75.0" in error.legend_label(run)
    run.config.integrator = "yoshida4"
    assert error.legend_label(run) == "HGN (Euler)"


def _panels(drawn):
    return {axes.get_title(): axes for axes in drawn.figure.axes}


def test_every_model_has_its_line_in_the_panels_of_its_system():
    groups = {
        "pendulum": [_run(row, level=float(i)) for i, row in enumerate(ROWS)],
        "two_body": [_run("hgn_leapfrog", "two_body", level=9.0)],
    }
    drawn = error.draw(groups)
    panels = _panels(drawn)
    assert set(panels) == {"pendulum, train", "pendulum, test", "two-body, train", "two-body, test"}
    for title, axes in panels.items():
        system, split = title.replace("-", "_").split(", ")
        lines = {line.get_label(): line for line in axes.lines}
        assert len(lines) == len(groups[system]) + 3
        for run in groups[system]:
            errors = lines[error.legend_label(run)].get_ydata()
            np.testing.assert_array_equal(errors, getattr(run.results, split).mse_per_step)
        np.testing.assert_array_equal(lines["first frame held"].get_ydata(), [np.nan, 3, 3, 3, 3])
        assert axes.get_yscale() == "log"
        looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
        assert len(looks) == len(lines)
    legend = [text.get_text() for text in panels["two-body, test"].get_legend().get_texts()]
    assert legend[0] == "HGN (leapfrog), E = -75.0 ± 0.0049"
    for text in ("two-body: HGN (leapfrog) 0.038.", "HGN (5 frames) 5, HGN (leapfrog) 5", "HNN 2, "):
        assert text in drawn.caption
    assert len(drawn.runs) == len(ROWS) + 1


def test_without_true_states():
    run = _run("hgn_leapfrog")._replace(row=None)
    for split in (run.results.train, run.results.test):
        split.reference = {"mean_image": split.reference["mean_image"]}
    drawn = error.draw({"video_folder": [run]})
    labels = [line.get_label() for line in _panels(drawn)["video-folder, test"].lines]
    assert labels == ["HGN, E = -75.0 ± 0.0049", "mean image"]
    assert "sees: HGN 5." in drawn.caption
