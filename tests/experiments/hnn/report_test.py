"""Tests of the words and numbers of `experiments.hnn.report`; `page_test.py` opens its pages in a browser."""

import re

from experiments.clips.results import Dynamics, EnergyStatistics
from experiments.hnn import report
from experiments.hnn.results import FieldErrors, PathErrors, StateResults
from tests.experiments import made_up_results


def test_summary_of_a_model_of_frames(capsys):
    report.print_summary(made_up_results.results(model="pixel", prediction=made_up_results.PREDICTION))
    summary = capsys.readouterr().out
    assert re.search(r"HNN +2\.00 ± 0\.10 +2\.00 ± 0\.10", summary)
    assert re.search(r"60 steps predicted +41\.5 \(69%\) +60 \(100%\)", summary)


def test_summary_of_a_model_of_states(capsys):
    fields = FieldErrors(num_examples=5, field_error=0.1, field_error_of_true_energy=0.0, mean_square_of_field=2.0)
    energy = EnergyStatistics(drift=0.1, mean=None, variance=None)
    errors = PathErrors(mse=1e-3, mse_per_step=[0.0, 1e-3], true_energy=energy, true_energy_mse=0.1)
    results = StateResults(
        train=fields, test=fields, paths={"rk4": errors, "scipy": errors}, run=made_up_results.RUN, model="state",
        dynamics=Dynamics(reversibility=1e-4, energy={"rk4": energy}), published={"test": 0.3, "train": 0.4},
    )  # fmt: skip
    report.print_summary(results)
    summary = capsys.readouterr().out
    for pattern in (r"field error +0\.1 +0\.1\n", r"\(2019\) +0\.3 +0\.4\n", r"rk4 +0\.001\n", r"mean +-\n"):
        assert re.search(pattern, summary), pattern
