"""The trajectories that `experiments.sample` shows: rollouts of a trained HGN from several starts at several speeds."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt

from experiments import report
from experiments.experiment import Experiment
from hgn_jax import data, networks
from hgn_jax.hgn import HGN, unit_interval

_FRAMES_PER_STRIP = 13
_GAPS = (1, 5)  # image pixels below a row of a group, and below its last
_GREY = 0.85  # where a clip has no frame


class Options(NamedTuple):
    """How many trajectories of each kind, for how many steps, how fast against the training, and of which seed."""

    num_samples: int = 4
    num_steps: int = 60
    dt_scale: float = 1.0
    seed: int = 0


class Kind(NamedTuple):
    """A kind of trajectory.

    Attributes:
      latents: `(hgn, params, clips, options) -> z`, where they start.
      speed: of time, against that of `Options`; negative for backwards.
      caption: what its pictures show.
    """

    latents: Callable[..., jax.Array]
    speed: float
    caption: str


def _from_prior(hgn: HGN, params: Any, clips: np.ndarray, options: Options) -> jax.Array:
    size, channels = networks.LATENT_SIZE, 2 * hgn.config.state_channels
    return jax.random.normal(jax.random.PRNGKey(options.seed), (options.num_samples, size, size, channels))


def _from_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options) -> jax.Array:
    return hgn.infer(params, clips).mean


def _between_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options) -> jax.Array:
    """From the first clip to the second, in equal steps of z."""
    first, second = hgn.infer(params, clips[:2]).mean
    weights = jnp.linspace(0.0, 1.0, options.num_samples).reshape(-1, 1, 1, 1)
    return (1.0 - weights) * first + weights * second


KINDS = {
    "prior": Kind(_from_prior, 1.0, "new trajectories, from samples of the prior"),
    "forward": Kind(
        _from_clips, 1.0, "test clips above the rollout from the state inferred from them, and past their end"
    ),
    "backward": Kind(_from_clips, -1.0, "the same states rolled out backwards in time"),
    "fast": Kind(_from_clips, 2.0, "the same states at twice the speed"),
    "slow": Kind(_from_clips, 0.5, "the same states at half the speed"),
    "interpolation": Kind(_between_clips, 1.0, "rollouts from states between those of two test clips"),
}


def trajectories(hgn: HGN, params: Any, kind: str, clips: np.ndarray, options: Options) -> np.ndarray:
    """Frames of a kind, `[num_samples, num_steps + 1, size, size, 3]` in [0, 1].

    Args:
      hgn: the model.
      params: its parameters.
      kind: a name in `KINDS`.
      clips: observed clips, `[num_samples, frames, size, size, 3]`, for the kinds that start from some.
      options: the rest.
    """
    latents, speed, _ = KINDS[kind]

    @jax.jit
    def frames(params, clips):
        state = hgn.initial_state(params, latents(hgn, params, clips, options))
        dt = speed * options.dt_scale * hgn.config.dt
        images = hgn.decode(params, hgn.rollout(params, state, options.num_steps, dt).q)
        return jnp.clip(jnp.swapaxes(images, 0, 1), 0.0, 1.0)

    return np.asarray(frames(params, clips))


def write(experiment: Experiment, options: Options, directory: pathlib.Path) -> Iterator[str]:
    """Writes movie and strip of each kind into a directory; yields its name when it is done."""
    directory.mkdir(parents=True, exist_ok=True)
    test = experiment.data.splits["test"]
    options = options._replace(num_samples=min(options.num_samples, len(test)))
    clips = data.stack(test, range(options.num_samples), ("image",))["image"]
    for kind, (_, speed, caption) in KINDS.items():
        frames = trajectories(experiment.model, experiment.state.params, kind, clips, options)
        step = speed * options.dt_scale
        rows = [("HGN", frames)]
        if kind == "forward" and options.dt_scale == 1.0:  # what was seen has this speed only
            rows.insert(0, ("observed", _extended(np.asarray(unit_interval(clips)), frames.shape[1])))
        write_strip(directory / f"{kind}.png", rows, step, caption)
        for suffix in (".gif", ".mp4"):
            report.write_movie(directory / f"{kind}{suffix}", [images for _, images in rows])
        yield kind


def _extended(clips: np.ndarray, num_frames: int) -> np.ndarray:
    """Clips with as many frames as asked for, grey where they have none."""
    clips = clips[:, :num_frames]
    missing = num_frames - clips.shape[1]
    return np.pad(clips, ((0, 0), (0, missing), *[(0, 0)] * 3), constant_values=_GREY)


def write_strip(path: pathlib.Path, rows: list[tuple[str, np.ndarray]], step: float, caption: str) -> None:
    """Some of the frames of each clip beside each other, `step` of the training's time steps apart."""
    times = report.frame_numbers(rows[0][1].shape[1], _FRAMES_PER_STRIP)
    clips = [clip[times] for group in zip(*(images for _, images in rows), strict=True) for clip in group]
    labels = [label for label, _ in rows] * len(rows[0][1])
    shape = len(clips) / len(times)
    figure, axes = plt.subplots(figsize=(11, 11 * shape + 0.8))
    gaps = (_GAPS[0],) * (len(rows) - 1) + (_GAPS[1],)
    report.show_strips(axes, clips, labels, [f"{time * step:g}" for time in times], gaps)
    axes.set_title(caption)
    axes.set_xlabel("time, in steps of the training")
    report.save(figure, path)
