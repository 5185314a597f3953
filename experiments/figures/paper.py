"""The list of the paper's figures that finished runs can show. Fig. 9 is in the reports of `experiments.nhf`."""

from collections.abc import Iterator

from experiments.figures import dataset, error, integrator, phase_portrait, rollouts, samples
from experiments.figures.figure import PaperFigure, System
from experiments.figures.runs import Groups, full_model
from experiments.hgn.states import reading_with_density
from experiments.run.run_directory import RunDirectory, lock
from experiments.run.trainer import Run, restore

FIGURES_OF_ALL_RUNS = (error.draw, integrator.draw)
FIGURES_OF_EACH_SYSTEM = (dataset.draw, rollouts.draw, samples.draw, phase_portrait.draw)


def draw_all(groups: Groups) -> Iterator[PaperFigure]:
    """Yields the figures, one after the other."""
    for draw in FIGURES_OF_ALL_RUNS:
        yield draw(groups)
    for name, runs in groups.items():
        shown = full_model(runs)
        baselines = {run.label: _restore(run.directory) for run in runs if run.config.program == "hnn"}
        system = System(name, shown.label, reading_with_density(_restore(shown.directory)), baselines)
        for draw in FIGURES_OF_EACH_SYSTEM:
            yield draw(system)


def _restore(directory: RunDirectory) -> Run:
    with lock(directory, only_reads=True):
        return restore(directory)[1]
