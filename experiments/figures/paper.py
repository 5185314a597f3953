"""All figures of the paper that finished runs can show; Fig. 9 is in the reports of `experiments.nhf`."""

import pathlib
from collections.abc import Iterator

from experiments.figures import dataset as dataset_report
from experiments.figures import error as error_figure
from experiments.figures import files as figure_files
from experiments.figures import integrator as integrator_figure
from experiments.figures import phase_portrait
from experiments.figures import rollouts as rollout_figures
from experiments.figures.files import Drawn, pretty
from experiments.figures.runs import SPLITS, Groups, Model, full_model
from experiments.run.run_directory import lock
from experiments.run.trainer import Run, restore

_NUM_CLIPS = 4


def draw_all(groups: Groups, directory: pathlib.Path) -> Iterator[Drawn]:
    """Draws all figures into a directory that there is; yields each when its files are written."""
    yield error_figure.draw(groups, directory)
    yield integrator_figure.draw(directory)
    for system, models in groups.items():
        shown = full_model(models)
        experiment = _load(shown)
        baselines = {model.label: _load(model) for model in models if model.config.program == "hnn"}
        yield draw_data(experiment, directory, system)
        yield rollout_figures.draw_rollouts(experiment, shown.label, baselines, directory, system)
        yield rollout_figures.draw_samples(experiment, shown.label, directory, system)
        yield phase_portrait.draw(experiment, shown.label, directory, system)


def _load(model: Model) -> Run:
    with lock(model.run):
        return restore(model.run)[1]


def draw_data(experiment: Run, directory: pathlib.Path, system: str) -> Drawn:
    """Fig. 5: the true Hamiltonian, or the energies, beside clips."""
    splits, metadata = experiment.data
    summaries = {split: dataset_report.summarise(splits[split], f"{system} {split}") for split in SPLITS}
    clips = splits["test"].__getitems__(range(min(_NUM_CLIPS, len(splits["test"]))))
    name = f"figure_5_{system}"
    for suffix in figure_files.SUFFIXES:
        dataset_report.draw(directory / f"{name}{suffix}", pretty(system), metadata, summaries, clips)
    if "energy" not in clips[0]:
        left = "the mean image of the training split, as the true states of videos are not known"
    elif clips[0]["q"].shape[-1] == 1:
        left = "the true Hamiltonian over the phase plane, and on it the noise-free paths of the clips, by letter"
    else:
        left = "the energies that trajectories start with, those of the clips by letter"
    caption = f"The data set of the run. Left: {left}. Right: clips of the test split, as the model sees them."
    return Drawn(name, f"Figure 5: the data, {pretty(system)}", caption, (experiment.directory.path,))
