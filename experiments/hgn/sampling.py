"""The trajectories that `experiments.sample` shows: rollouts of a trained HGN from several starts at several speeds."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reporting import pictures
from experiments.run.trainer import Run
from hgn_jax.data import datasets as data
from hgn_jax.models.hgn import HGN, unit_interval
from hgn_jax.models.hgn_config import latent_shape

_FRAMES_PER_STRIP = 13
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
    shape = (options.num_samples, *latent_shape(hgn.config))
    return jax.random.normal(jax.random.PRNGKey(options.seed), shape)


def _from_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options) -> jax.Array:
    return hgn.infer(params, clips).mean


def _between_clips(hgn: HGN, params: Any, clips: np.ndarray, options: Options) -> jax.Array:
    """From the first clip to the second, in equal steps of z."""
    first, second = hgn.infer(params, clips[:2]).mean
    weights = jnp.linspace(0.0, 1.0, options.num_samples).reshape(-1, *[1] * first.ndim)
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


def write(experiment: Run, options: Options, directory: pathlib.Path) -> Iterator[str]:
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
        pictures.draw_strips(directory / f"{kind}.png", rows, caption, step, _FRAMES_PER_STRIP)
        for suffix in (".gif", ".mp4"):
            pictures.write_movie(directory / f"{kind}{suffix}", [images for _, images in rows])
        yield kind


def _extended(clips: np.ndarray, num_frames: int) -> np.ndarray:
    """Clips with as many frames as asked for, grey where they have none."""
    clips = clips[:, :num_frames]
    missing = num_frames - clips.shape[1]
    return np.pad(clips, ((0, 0), (0, missing), *[(0, 0)] * 3), constant_values=_GREY)
