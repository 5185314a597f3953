"""The frames of a clip that a model sees, and the frames that its loss compares with its predictions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.models.hgn_config import HGNConfig, latent_shape


class DirectedClips(NamedTuple):
    """Clips in the direction of time in which they are learned.

    Attributes:
      seen: Frames for the encoder in the order of time, `[batch, time, size, size, 3]`; it uses the first ones.
      targets: Frames in the order in which the rollout meets them, `[batch, time, size, size, 3]`.
      dt: Time from one target to the next, a scalar or shaped to multiply states, `[batch, 1, ...]`.
    """

    seen: jax.Array
    targets: jax.Array
    dt: float | jax.Array


class TargetFrames(NamedTuple):
    """The frames in the loss of one step.

    Attributes:
      times: Indices of the frames, `[n]`; None for all of them in order.
      weights: Weights of these frames, `[n]` or `[n, batch]`; their sum over the frames is 1, or 0 for an example that
        is left out.
    """

    times: jax.Array | None
    weights: jax.Array


def unit_interval(images: jax.Array) -> jax.Array:
    """Converts uint8 images to float32 in [0, 1] and leaves floating-point images as they are."""
    images = jnp.asarray(images)
    return images.astype(jnp.float32) / 255.0 if images.dtype == jnp.uint8 else images


def stack_frames(frames: jax.Array, num_frames: int | None) -> jax.Array:
    """Concatenates the first `num_frames` frames along channels, `[batch, size, size, num_frames * 3]`."""
    frames = frames[:, :num_frames]
    batch, time, height, width, channels = frames.shape
    return jnp.moveaxis(frames, 1, 3).reshape(batch, height, width, time * channels)


def direct(config: HGNConfig, frames: jax.Array, slots: jax.Array) -> DirectedClips:
    """Chooses the direction of time for each clip of a batch.

    With `rollout_directions` `both`, the clips of odd slot run backwards: the encoder sees their last frames, and the
    rollout goes from the last frame to the first with -dt.

    Args:
      config: Configuration of the model.
      frames: Clips, `[batch, time, size, size, 3]`.
      slots: Number of each clip within the global batch, `[batch]`.
    """
    if config.rollout_directions == "forward":
        return DirectedClips(frames, frames, config.dt)
    backward = slots % 2 == 1

    def choose(if_backward: jax.Array, if_forward: jax.Array) -> jax.Array:
        return jnp.where(backward.reshape(-1, *[1] * (if_forward.ndim - 1)), if_backward, if_forward)

    dt = jnp.full((len(frames), *[1] * len(latent_shape(config))), config.dt)
    return DirectedClips(
        seen=choose(frames[:, -config.inference_frames :], frames[:, : config.inference_frames]),
        targets=choose(frames[:, ::-1], frames),
        dt=choose(-dt, dt),
    )


def growing_horizon(config: HGNConfig, num_frames: int, progress: float | jax.Array) -> jax.Array:
    """Number of frames that the loss looks at.

    It grows linearly from `initial_horizon` to the whole clip during the first `horizon_growth` of the training.

    Args:
      config: Configuration of the model.
      num_frames: Number of frames of a clip.
      progress: Fraction of the training that is done.
    """
    first_horizon = config.initial_horizon or num_frames
    growth = jnp.minimum(progress / config.horizon_growth, 1.0)
    return first_horizon + (num_frames - first_horizon) * growth


def draw_target_frames(config: HGNConfig, key: jax.Array, num_frames: int, progress: float | jax.Array) -> TargetFrames:
    """Draws the frames in the loss of one step: `loss_frames` of them, within the `growing_horizon`.

    Args:
      config: Configuration of the model.
      key: Random key.
      num_frames: Number of frames of a clip.
      progress: Fraction of the training that is done.
    """
    if config.loss_frames is None and config.initial_horizon is None:
        return TargetFrames(None, jnp.full(num_frames, 1.0 / num_frames))
    within_horizon = jnp.arange(num_frames) < growing_horizon(config, num_frames, progress)
    # Frames within the horizon, in random order, come before all others.
    order = jax.random.uniform(key, num_frames) + within_horizon
    _, times = jax.lax.top_k(order, config.loss_frames or num_frames)
    weights = within_horizon[times].astype(jnp.float32)
    return TargetFrames(times, weights / jnp.sum(weights))
