"""New data from a trained model: `python -m experiments.sample --workdir=runs/pendulum --num_steps=120`.

Of an HGN it writes a movie (`.gif` and `.mp4`) and a strip of frames (`.png`) of each kind to `samples/` of the run,
and a page that shows them: new ones, and from test clips reconstructed, carried on past their end, run backwards, fast
and slowly, and blended into one another.
New trajectories begin with samples of the prior or of a density fitted to the states of the training clips, as the
configuration of the run says. `--beside=runs/other` shows those of another run below them.

Of an NHF it writes `samples.csv`, points in the names and units of its table. `--score=FILE` also writes `scores.csv`,
the log-density of each row of a table and its standard error.

With `--pretrained=pendulum` instead of `--workdir`, all this is done with a model that comes with the package, or that
`python -m experiments.export` has written; the files go to `samples_pendulum/`.

With `--clip=my.mp4`, a run of an HGN or HNN is shown a film of your own instead: what it predicts before and after the
window that it sees is drawn below the film, and written to `clip_my.npz`.
"""

import functools
import math
import pathlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from data_builders import overrides
from experiments.hgn import presets
from experiments.nhf import units
from experiments.run import command_line, pretrained
from experiments.run.command_line import UserError
from experiments.run.run_directory import (
    RunDirectory,
    define_moved_data,
    lock,
    read_config,
    read_task,
    require_checkpoint,
    require_writable,
)
from experiments.tasks import Task
from hgn_jax import memory
from hgn_jax.config_checks import MAX_COUNT, MAX_SEED
from hgn_jax.pretrained import files

_BYTES_PER_COLOUR = 6 * memory.FLOAT_BYTES  # of a frame: decoded, clipped, observed, and as a picture of the movie
_NUM_TRAJECTORIES, _NUM_POINTS = 4, 1000  # by default
_FLAGS_OF_ONE = {"beside": "hgn", "num_steps": "hgn", "dt_scale": "hgn", "score": "nhf"}  # the task that they are for


def check() -> None:
    """Raises UserError for what cannot be, before anything slow starts."""
    if bool(_WORKDIR.value) == bool(_PRETRAINED.value):
        raise UserError(f"give either --workdir=RUN or --pretrained=NAME, one of {', '.join(files.names())}")
    if not 0 < _DT_SCALE.value < math.inf:
        raise UserError(f"--dt_scale must be positive and finite, got {_DT_SCALE.value}")
    if _CLIP.value or flags.FLAGS["clip_settings"].present:
        _check_clip(read_task(_runs()[0]))
        return
    task = read_task(_runs()[0]).name
    wrong = [name for name, owner in _FLAGS_OF_ONE.items() if flags.FLAGS[name].present and owner != task]
    if wrong:
        names = ", ".join(f"--{name}" for name in wrong)
        raise UserError(
            f"{names} cannot be used with a run of {task}, which {_WORKDIR.value or _PRETRAINED.value} holds"
        )
    if task == "nhf":
        require_checkpoint(_runs()[0])
        require_writable(_output(), "output", "give another --output")
        units.check_rows(_runs()[0], _SCORE.value)
        return
    sizes = []
    for run in _runs():
        sizes.append(read_config(run, presets.Config).image_size)
        require_checkpoint(run)
    memory.require([_need(max(sizes))])
    require_writable(_output(), "output", "give another --output")
    if len(set(sizes)) > 1:
        raise UserError(f"--beside needs frames of the same size; the runs have {sizes[0]} and {sizes[1]} pixels")


def _check_clip(task: Task) -> None:
    """Raises UserError for what cannot be with `--clip`."""
    if not _CLIP.value:
        raise UserError("--clip_settings are those of --clip=FILM, which is missing")
    wrong = [f"--{name}" for name in (*_FLAGS_OF_ONE, "seed") if name != "num_steps" and flags.FLAGS[name].present]
    if wrong or task.name == "nhf":
        raise UserError(f"--clip cannot be used with {', '.join(wrong) or 'a run of nhf, which knows no frames'}")
    if not pathlib.Path(_CLIP.value).exists():
        raise UserError(f"--clip={_CLIP.value}: there is no such file or directory")
    _clip_settings()
    run = _runs()[0]
    memory.require([_need(read_config(run, task.config_class).image_size)])
    require_checkpoint(run)
    require_writable(_output(), "output", "give another --output")


def _clip_settings() -> dict[str, Any]:
    try:
        return overrides.parse_json(_CLIP_SETTINGS.value)
    except ValueError:
        raise UserError(f'--clip_settings must be JSON, as {{"axes": "NTHWC"}}; got {_CLIP_SETTINGS.value!r}') from None


def _need(image_size: int) -> memory.Need:
    """Memory for the frames of one kind of trajectories."""
    num_bytes = 3 * image_size**2 * _BYTES_PER_COLOUR * (_NUM_SAMPLES.value or _NUM_TRAJECTORIES) * _NUM_STEPS.value
    fields = {"--num_steps": _NUM_STEPS.value, "--num_samples": _NUM_SAMPLES.value or _NUM_TRAJECTORIES}
    return memory.Need("drawing the trajectories", num_bytes, fields)


def main(argv: Sequence[str]) -> None:
    del argv
    if _PRETRAINED.value:
        pretrained.finish_run(files.locate(_PRETRAINED.value), _runs()[0])
    if read_task(_runs()[0]).name == "nhf":
        from experiments.nhf import sampling as flow_sampling

        options = flow_sampling.Options(_NUM_SAMPLES.value or _NUM_POINTS, _SEED.value, _SCORE.value)
        flow_sampling.write(_runs()[0], options, _output())
        return
    if _CLIP.value:
        _show_clip()
        return
    from experiments.hgn import sampling, sampling_report, states
    from experiments.run import trainer

    start = time.monotonic()
    runs = []
    for directory in _runs():
        with lock(directory, only_reads=True):
            run = states.reading_with_density(trainer.restore(directory)[1])
            name = directory.path.name if _PRETRAINED.value else directory.path
            print(f"new trajectories of {name} begin with {states.fit_or_load(run).description}")
        runs.append(run)
    directory = _output()
    options = sampling.Options(_NUM_SAMPLES.value or _NUM_TRAJECTORIES, _NUM_STEPS.value, _DT_SCALE.value, _SEED.value)
    for kind in sampling.write(runs[0], options, directory, *runs[1:]):
        print(f"{kind}: {directory / kind}.gif, .mp4 and .png")
    sampling_report.write(runs, directory, start)
    print(f"all of them: {directory}/index.html")


def _show_clip() -> None:
    from experiments.clips import own_film
    from experiments.hgn import states
    from experiments.run import trainer

    (directory,) = _runs()
    with lock(directory, only_reads=True):
        task, run = trainer.restore(directory)
        if task.name == "hgn":
            run = states.reading_with_density(run)
    lines = own_film.write(
        run, pathlib.Path(_CLIP.value), _NUM_STEPS.value, _output(), _clip_settings(),
        _NUM_SAMPLES.value or _NUM_TRAJECTORIES,
    )  # fmt: skip
    for line in lines:
        print(line, flush=True)


def _runs() -> list[RunDirectory]:
    """The run, and the one beside it if there is one."""
    first = _WORKDIR.value or _unpack(_PRETRAINED.value)
    paths = [path for path in (first, _BESIDE.value) if path]
    return [RunDirectory(path, _OUTPUT.value, _MOVED()) for path in paths]


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="hgn_jax_", ignore_cleanup_errors=True)


@functools.cache
def _unpack(name: str) -> pathlib.Path:
    """Begins the run of a pretrained model in a directory that is deleted with the process."""
    try:
        path = files.locate(name)
        directory = pathlib.Path(_temporary().name, path.stem)
        pretrained.begin_run(path, RunDirectory(directory))
    except (OSError, ValueError) as error:
        raise UserError(f"--pretrained={name}: {error}") from error
    return directory


def _output() -> pathlib.Path:
    default = f"samples_{pathlib.Path(_PRETRAINED.value).stem}" if _PRETRAINED.value else f"{_WORKDIR.value}/samples"
    return pathlib.Path(_OUTPUT.value or default)


if __name__ == "__main__":
    _MOVED = define_moved_data()
    _WORKDIR = command_line.define_path("workdir", None, "Directory of the run.")
    _PRETRAINED = command_line.define_path("pretrained", None, "Pretrained model, instead of a run: name or file.")
    _BESIDE = command_line.define_path("beside", None, "Directory of another run, whose new trajectories are shown.")
    _NUM_SAMPLES = flags.DEFINE_integer(
        "num_samples",
        None,
        f"Trajectories of each kind (by default {_NUM_TRAJECTORIES}), or points of a flow ({_NUM_POINTS}).",
        lower_bound=2,
        upper_bound=MAX_COUNT,
    )
    _NUM_STEPS = flags.DEFINE_integer("num_steps", 60, "Steps after the first frame.", lower_bound=1)
    _DT_SCALE = flags.DEFINE_float("dt_scale", 1.0, "Speed: 2 is twice as fast, 0.5 half as fast as in training.")
    _CLIP = command_line.define_path("clip", None, "Film of your own that the model predicts: a file or a directory.")
    _CLIP_SETTINGS = flags.DEFINE_string(
        "clip_settings", "{}", 'How it is read, if not as the run\'s own films: {"axes": "NTHWC", "fit": "crop"}.'
    )
    _SCORE = command_line.define_path("score", None, "Table whose rows a flow gives their log-densities.")
    _SEED = flags.DEFINE_integer("seed", 0, "Of the new trajectories or points.", lower_bound=0, upper_bound=MAX_SEED)
    _OUTPUT = command_line.define_path(
        "output", None, "Directory for the files; by default samples/ in the run's, or samples_NAME."
    )
    command_line.run(main, check=check)
