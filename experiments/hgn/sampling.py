"""Trajectories that a trained HGN generates: rollouts from several initial states at several speeds."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.hgn.states import StateDensity, fit_or_load
from experiments.reporting import pictures, style
from experiments.run.trainer import Run
from hgn_jax import data
from hgn_jax.models.hgn import HGN, unit_interval
from hgn_jax.physics.phase_space import PhaseState

NEW = "new"  # the kind that starts from no clip

_MAX_FRAMES = 13  # in a strip
_GREY = 0.85  # fills the place of frames that a clip lacks
_GAP, _GROUP_GAP = 1, 6  # image pixels between clips, and between groups of clips
_MOVIES = (".gif", ".mp4")


class Options(NamedTuple):
    """Options of the trajectories.

    Attributes:
      num_samples: Number of trajectories of each kind.
      num_steps: Number of steps after the first frame.
      dt_scale: Time step relative to that of the training.
      seed: Seed of the new trajectories.
    """

    num_samples: int = 4
    num_steps: int = 60
    dt_scale: float = 1.0
    seed: int = 0


class Kind(NamedTuple):
    """A kind of trajectory.

    Attributes:
      states: `(hgn, params, clips, options, density) -> PhaseState`, the initial states.
      speed: Factor of the time step beside `Options.dt_scale`; negative for a rollout backwards.
      caption: Title of its pictures.
    """

    states: Callable[..., PhaseState]
    speed: float
    caption: str


class Group(NamedTuple):
    """Clips that are drawn together.

    Attributes:
      label: Name of one of the clips.
      source: Origin of the clips in words.
      clips: The clips, `[n, frames, size, size, 3]` in [0, 1].
    """

    label: str
    source: str
    clips: np.ndarray


def _new(hgn: HGN, params: Any, clips: np.ndarray, options: Options, density: StateDensity) -> PhaseState:
    return density.sample(jax.random.PRNGKey(options.seed), options.num_samples)


def _from_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options, density: Any) -> PhaseState:
    return jax.jit(hgn.start)(params, clips)


def _between_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options, density: Any) -> PhaseState:
    """Interpolates linearly between the states of the first two clips."""
    weights = np.linspace(0.0, 1.0, options.num_samples, dtype=np.float32)

    def interpolate(x: jax.Array) -> jax.Array:
        weight = weights.reshape(-1, *[1] * (x.ndim - 1))
        return (1.0 - weight) * x[0] + weight * x[1]

    return jax.tree.map(interpolate, _from_clips(hgn, params, clips[:2], options, density))


KINDS = {
    NEW: Kind(_new, 1.0, "new trajectories"),
    "forward": Kind(
        _from_clips, 1.0, "test clips, and below them the rollouts from the inferred states, past the end of the clips"
    ),
    "backward": Kind(_from_clips, -1.0, "the same states rolled out backwards in time"),
    "fast": Kind(_from_clips, 2.0, "the same states at twice the speed"),
    "slow": Kind(_from_clips, 0.5, "the same states at half the speed"),
    "interpolation": Kind(_between_clips, 1.0, "rollouts from states between those of two test clips"),
}


def trajectories(
    hgn: HGN, params: Any, kind: str, clips: np.ndarray, options: Options, density: StateDensity | None = None
) -> np.ndarray:
    """Returns the frames of trajectories of a kind, `[num_samples, num_steps + 1, size, size, 3]` in [0, 1].

    Args:
      hgn: The model.
      params: Its parameters.
      kind: Name of the kind, from `KINDS`.
      clips: Observed clips, `[num_samples, frames, size, size, 3]`, used by the kinds that start from clips.
      options: Number and length of the trajectories.
      density: Distribution of the states that new trajectories start from; the other kinds need none.
    """
    states, speed, _ = KINDS[kind]
    dt = speed * options.dt_scale * hgn.config.dt
    start = states(hgn, params, clips, options, density)
    return np.asarray(_frames(hgn.rollout, hgn.decode, options.num_steps, params, start, dt))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _frames(
    rollout: Callable[..., PhaseState],
    decode: Callable[..., jax.Array],
    num_steps: int,
    params: Any,
    start: PhaseState,
    dt: float,
) -> jax.Array:
    """Frames of rollouts, `[batch, num_steps + 1, size, size, 3]`; compiled once for all kinds."""
    images = decode(params, rollout(params, start, num_steps, dt).q)
    return jnp.clip(jnp.swapaxes(images, 0, 1), 0.0, 1.0)


def write(run: Run, options: Options, directory: pathlib.Path, beside: Run | None = None) -> Iterator[str]:
    """Writes movies and a strip of each kind into a directory; yields the name of each kind when it is written.

    Args:
      run: The run.
      options: Number and length of the trajectories.
      directory: Directory for the files.
      beside: Another run on frames of the same size, whose new trajectories are shown below those of `run`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    options, clips = _observed(run, options)
    write_new(run, options, directory / NEW, beside)
    yield NEW
    for kind, (_, speed, caption) in KINDS.items():
        if kind == NEW:
            continue
        frames = trajectories(run.model, run.state.params, kind, clips, options)
        rows = [("HGN", frames)]
        if kind == "forward" and options.dt_scale == 1.0:  # the observed clips have this speed
            rows.insert(0, ("observed", _extend(np.asarray(unit_interval(clips)), frames.shape[1])))
        figure = pictures.draw_clips(rows, caption, speed * options.dt_scale, _MAX_FRAMES)
        _write_files(directory / kind, figure, [images for _, images in rows])
        yield kind


def write_new(
    run: Run, options: Options, stem: pathlib.Path, beside: Run | None = None, movies: Sequence[str] = _MOVIES
) -> None:
    """Writes movies and a strip of new trajectories below clips of the test split.

    Args:
      run: The run.
      options: Number and length of the trajectories.
      stem: Path of the files without suffix.
      beside: Another run on frames of the same size, whose new trajectories are shown below those of `run`.
      movies: Suffixes of the movies.
    """
    options, clips = _observed(run, options)
    groups = [_new_group(run, clips, options)]
    if beside is not None:
        groups.append(_new_group(beside, clips, options))
    if options.dt_scale == 1.0:  # the observed clips have this speed
        observed = _extend(np.asarray(unit_interval(clips)), options.num_steps + 1)
        groups.insert(0, Group("test clip", "test clips", observed))
    _write_files(stem, draw_groups(groups, options.dt_scale), [group.clips for group in groups], movies)


def _new_group(run: Run, clips: np.ndarray, options: Options) -> Group:
    density = fit_or_load(run)
    frames = trajectories(run.model, run.state.params, NEW, clips, options, density)
    name = run.directory.path.name
    return Group(name, f"{KINDS[NEW].caption} of {name}, from {density.description}", frames)


def draw_groups(groups: Sequence[Group], dt_scale: float = 1.0) -> Figure:
    """Draws groups of clips below each other, and says in the title where those of each group are from."""
    times = pictures.frame_numbers(groups[0].clips.shape[1], _MAX_FRAMES)
    clips = [clip[times] for group in groups for clip in group.clips]
    labels = [f"{group.label} {i}" for group in groups for i in range(1, len(group.clips) + 1)]
    gaps = [_GROUP_GAP if i == len(group.clips) else _GAP for group in groups for i in range(1, len(group.clips) + 1)]
    figure, axes = style.subplots(figsize=(11, 11 * len(clips) / len(times) + 1.2))
    pictures.draw_strips(axes, clips, labels, [f"{time * dt_scale:g}" for time in times], gaps)
    axes.set_title("\n".join(group.source for group in groups), fontsize="medium")
    axes.set_xlabel("time, in steps of the training")
    return figure


def _observed(run: Run, options: Options) -> tuple[Options, np.ndarray]:
    """The options with no more samples than there are test clips, and that number of test clips."""
    test = run.data.splits["test"]
    options = options._replace(num_samples=min(options.num_samples, len(test)))
    return options, data.stack(test, range(options.num_samples), ("image",))["image"]


def _write_files(
    stem: pathlib.Path, figure: Figure, rows: Sequence[np.ndarray], movies: Sequence[str] = _MOVIES
) -> None:
    style.save(figure, stem.with_name(f"{stem.name}.png"))
    for suffix in movies:
        pictures.write_movie(stem.with_name(f"{stem.name}{suffix}"), rows)


def _extend(clips: np.ndarray, num_frames: int) -> np.ndarray:
    """Cuts clips to a number of frames, or fills them up with grey frames."""
    clips = clips[:, :num_frames]
    missing = num_frames - clips.shape[1]
    return np.pad(clips, ((0, 0), (0, missing), *[(0, 0)] * 3), constant_values=_GREY)
