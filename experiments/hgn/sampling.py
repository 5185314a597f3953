"""Trajectories that a trained HGN generates: rollouts from several initial states at several speeds."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reporting import pictures, style
from experiments.run.trainer import Run
from hgn_jax import data
from hgn_jax.models.hgn import HGN, unit_interval
from hgn_jax.models.hgn_config import latent_shape

_MAX_FRAMES = 13  # in a strip
_GREY = 0.85  # fills the place of frames that a clip lacks


class Options(NamedTuple):
    """Options of the trajectories.

    Attributes:
      num_samples: Number of trajectories of each kind.
      num_steps: Number of steps after the first frame.
      dt_scale: Time step relative to that of the training.
      seed: Seed of the samples from the prior.
    """

    num_samples: int = 4
    num_steps: int = 60
    dt_scale: float = 1.0
    seed: int = 0


class Kind(NamedTuple):
    """A kind of trajectory.

    Attributes:
      latents: `(hgn, params, clips, options) -> z`, the latent variables of the initial states.
      speed: Factor of the time step beside `Options.dt_scale`; negative for a rollout backwards.
      caption: Title of its pictures.
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
    """Interpolates linearly between the latent variables of the first two clips."""
    first, second = hgn.infer(params, clips[:2]).mean
    weights = jnp.linspace(0.0, 1.0, options.num_samples).reshape(-1, *[1] * first.ndim)
    return (1.0 - weights) * first + weights * second


KINDS = {
    "prior": Kind(_from_prior, 1.0, "new trajectories, from samples of the prior"),
    "forward": Kind(
        _from_clips, 1.0, "test clips, and below them the rollouts from the inferred states, past the end of the clips"
    ),
    "backward": Kind(_from_clips, -1.0, "the same states rolled out backwards in time"),
    "fast": Kind(_from_clips, 2.0, "the same states at twice the speed"),
    "slow": Kind(_from_clips, 0.5, "the same states at half the speed"),
    "interpolation": Kind(_between_clips, 1.0, "rollouts from states between those of two test clips"),
}


def trajectories(hgn: HGN, params: Any, kind: str, clips: np.ndarray, options: Options) -> np.ndarray:
    """Returns the frames of trajectories of a kind, `[num_samples, num_steps + 1, size, size, 3]` in [0, 1].

    Args:
      hgn: The model.
      params: Its parameters.
      kind: Name of the kind, from `KINDS`.
      clips: Observed clips, `[num_samples, frames, size, size, 3]`, used by the kinds that start from clips.
      options: Number and length of the trajectories.
    """
    latents, speed, _ = KINDS[kind]

    @jax.jit
    def frames(params, clips):
        state = hgn.initial_state(params, latents(hgn, params, clips, options))
        dt = speed * options.dt_scale * hgn.config.dt
        images = hgn.decode(params, hgn.rollout(params, state, options.num_steps, dt).q)
        return jnp.clip(jnp.swapaxes(images, 0, 1), 0.0, 1.0)

    return np.asarray(frames(params, clips))


def write(run: Run, options: Options, directory: pathlib.Path) -> Iterator[str]:
    """Writes movies and a strip of each kind into a directory; yields the name of each kind when it is written."""
    directory.mkdir(parents=True, exist_ok=True)
    test = run.data.splits["test"]
    options = options._replace(num_samples=min(options.num_samples, len(test)))
    clips = data.stack(test, range(options.num_samples), ("image",))["image"]
    for kind, (_, speed, caption) in KINDS.items():
        frames = trajectories(run.model, run.state.params, kind, clips, options)
        rows = [("HGN", frames)]
        if kind == "forward" and options.dt_scale == 1.0:  # the observed clips have this speed
            rows.insert(0, ("observed", _extend(np.asarray(unit_interval(clips)), frames.shape[1])))
        figure = pictures.draw_clips(rows, caption, speed * options.dt_scale, _MAX_FRAMES)
        style.save(figure, directory / f"{kind}.png")
        for suffix in (".gif", ".mp4"):
            pictures.write_movie(directory / f"{kind}{suffix}", [images for _, images in rows])
        yield kind


def _extend(clips: np.ndarray, num_frames: int) -> np.ndarray:
    """Cuts clips to a number of frames, or fills them up with grey frames."""
    clips = clips[:, :num_frames]
    missing = num_frames - clips.shape[1]
    return np.pad(clips, ((0, 0), (0, missing), *[(0, 0)] * 3), constant_values=_GREY)
