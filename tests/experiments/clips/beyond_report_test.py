"""Tests of the words and numbers of `experiments.clips.beyond_report`."""

import dataclasses

from experiments.clips import beyond_report
from experiments.clips import report as frame_report
from tests.experiments import made_up_results


def test_tables_of_a_simulated_system():
    frames, state, samples = beyond_report.beyond_tables(made_up_results.BEYOND)
    assert frames.columns == ("after", "before")
    assert ("skill within the clip", "0.990", "") in frames.rows
    assert ("skill, 30 steps beyond", "0.900", "0.800") in frames.rows
    assert ("skill, 60 steps beyond", "-", "0.700") in frames.rows
    assert "skill, 100 steps beyond" not in [name for name, *_ in frames.rows]
    assert ("horizon, in steps", "31.5 of 59", "- of 60") not in frames.rows
    assert ("horizon, in steps", "31.5 of 59", "60 of 60") in frames.rows
    assert ("true horizon, start 1.0% off, in steps", "20 of 59", "50 of 60") in frames.rows
    assert "expected image given the true state" in frames.meaning
    assert "32 long clips; 3 were left out because float64 cannot follow them." in frames.meaning
    assert ("re-encoding error", "0.002") in state.rows
    assert "a state of 4 numbers known to 1% needs about 18 nats" in state.meaning
    assert ("fraction of right frames", "0.95", "0.9") in samples.rows


def test_tables_of_films():
    films = dataclasses.replace(
        made_up_results.BEYOND, true_dimensions=None, energy_rank_correlation=None, horizon=[None, 60.0], samples=None
    )
    frames, state = beyond_report.beyond_tables(films)
    assert "those of the film" in frames.meaning and "because their films are too short" in frames.meaning
    assert ("horizon, in steps", "-", "60 of 60") in frames.rows
    assert "rank correlation of energies" not in [name for name, _ in state.rows]


def test_the_page_and_the_summary_have_them():
    results = made_up_results.results(beyond_the_clip=made_up_results.BEYOND)
    headings = [table.heading for table in frame_report.number_tables(results, "HGN")]
    assert {"Beyond the clip", "The state", "Samples"} < set(headings)
    *_, unmeasured = frame_report.frame_tables(results, "HGN")
    assert ("beyond the clip: law", "no points") in unmeasured.rows
