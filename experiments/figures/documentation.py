"""The pictures that the README and the pages of `docs/` show, each with the function that redraws it.

They are drawn from weights and results in the repository, and from simulations. Nothing is trained.
"""

import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator

from matplotlib.figure import Figure

from data_builders import datasets
from experiments.clips import beyond_pictures
from experiments.clips.beyond import Shown
from experiments.figures import dataset, dataset_summary, integrator, rollouts, screenshot
from experiments.figures.figure import PaperFigure, System
from experiments.hgn import evaluation
from experiments.hgn import report as hgn_report
from experiments.nhf import report as nhf_report
from experiments.reporting import style
from experiments.reporting.names import pretty
from experiments.reporting.pictures import draw_training
from experiments.run import pretrained, trainer
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory
from hgn_jax import data
from hgn_jax.pretrained import files
from hgn_jax.training.logs import read_metrics

ROOT = pathlib.Path(__file__).parents[2]  # of the checkout
_EXPLORED_STEP = 44  # of the film in the picture of the explorer

Drawing = Figure | PaperFigure | bytes  # for a screen, for print, or a picture as it is


def redraw(output: pathlib.Path) -> Iterator[tuple[str, str | None]]:
    """Redraws all pictures at their places below a directory.

    Yields:
      The place of each picture, and the reason if it could not be drawn here.
    """
    for place, draw in PICTURES.items():
        try:
            _write(draw(), output / place)
            yield place, None
        except UserError as error:
            yield place, str(error)


def _write(drawing: Drawing, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(drawing, bytes):
        path.write_bytes(drawing)
    elif isinstance(drawing, PaperFigure):
        style.save_for_print(drawing.figure, path.parent, path.stem)
    else:
        style.save(drawing, path)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="hgn_jax_", ignore_cleanup_errors=True)


@functools.cache
def _run(name: str) -> trainer.Run:
    """Restores a pretrained model by its name, or by the place of its weights in the repository."""
    path = files.locate(ROOT / name if name.endswith(".safetensors") else name)
    directory = RunDirectory(pathlib.Path(_temporary().name, path.stem))
    pretrained.begin_run(path, directory)
    pretrained.finish_run(path, directory)
    return trainer.restore(directory)[1]


@functools.cache
def _shown(name: str) -> Shown:
    """Evaluates a pretrained HGN, for what its report shows."""
    return evaluation.evaluate(_run(name)).shown


def _explorer() -> bytes:
    script = f"time.value = {_EXPLORED_STEP}; time.dispatchEvent(new Event('input'))"
    return screenshot.take(
        ROOT / "docs" / "explorer.html", (1160, 590), f"{{const time = document.getElementById('time'); {script}}}"
    )


def _law(name: str) -> Figure:
    return _shown(name).law()


def _frames(name: str) -> Figure:
    return beyond_pictures.draw_frames(_shown(name).beyond, hgn_report.MODEL)


def _skill(name: str) -> Figure:
    return beyond_pictures.draw_skill(_shown(name).beyond)


def _rollouts(name: str) -> Figure:
    return rollouts.draw(System(name, hgn_report.MODEL, _run(name), {})).figure


def _flow(name: str) -> Figure:
    return nhf_report.draw_figure_9(_run(name))


def _training(results: str) -> Figure:
    return draw_training(read_metrics(ROOT / results / "metrics.csv"), hgn_report.CURVES)


def _films(system: str) -> Figure:
    splits, metadata = data.open_dataset(datasets.ensure_built(system, "small"))
    summaries = {split: dataset_summary.summarise(splits[split], f"{system} {split}") for split in ("train", "test")}
    clips = dataset.shown_clips(splits["test"])
    return dataset.draw_dataset(pretty(system), metadata, summaries, clips)[0]


def _of(draw: Callable[[str], Drawing], source: str) -> Callable[[], Drawing]:
    return functools.partial(draw, source)


# Place in the repository -> what draws the picture.
PICTURES: dict[str, Callable[[], Drawing]] = {
    "docs/explorer.png": _explorer,
    "docs/pictures/rollouts_two_body.png": _of(_rollouts, "two_body"),
    "results/anchored/two_body_noise_free/beyond_frames.png": _of(_frames, "two_body"),
    "results/anchored/two_body_noise_free/beyond_skill.png": _of(_skill, "two_body"),
    "results/anchored/two_body_noise_free/law.png": _of(_law, "two_body"),
    "results/nhf/four_modes_paper_seed_0/figure9.png": _of(
        _flow, "results/nhf/four_modes_paper_seed_0/flow.safetensors"
    ),
    "results/nhf/four_modes_seed_0/figure9.png": _of(_flow, "four_modes"),
    "results/small/figures/figure_10.png": lambda: integrator.draw({}),
    "results/small/figures/figure_5_pendulum.png": _of(_films, "pendulum"),
    "results/two_body_small/training.png": _of(_training, "results/two_body_small"),
}
