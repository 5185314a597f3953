"""Windows at random places of a clip, whose state is rolled out in both directions of time.

The state belongs to the middle frame of the window, the anchor. The same state must explain the frames before and after
it, wherever in the clip the window lies, so it cannot know how long ago the clip began.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hgn_jax.models.frames import growing_horizon
from hgn_jax.models.hgn_config import HGNConfig, num_seen


class Windows(NamedTuple):
    """One window of each clip of a batch, and the frames that its rollout is compared with.

    Attributes:
      seen: Frames of the window, `[batch, inference_frames, size, size, 3]`.
      steps: Number of steps from the anchor to each target, negative before it, `[batch, n]`.
      targets: Frames in the loss, `[batch, n, size, size, 3]`.
      read: Frames that a refinement fits the state to: as many as a trained model sees, with the window among them,
        `[batch, num_seen, size, size, 3]`.
      read_steps: Number of steps from the anchor to each of these, `[batch, num_seen]`.
    """

    seen: jax.Array
    steps: jax.Array
    targets: jax.Array
    read: jax.Array
    read_steps: jax.Array


def draw_windows(config: HGNConfig, keys: jax.Array, frames: jax.Array, progress: float | jax.Array) -> Windows:
    """Draws a window of each clip, and `loss_frames` targets within the `growing_horizon` on either side of its anchor.

    Args:
      config: Configuration of the model.
      keys: Random key of each clip, `[batch]`.
      frames: Clips, `[batch, time, size, size, 3]`.
      progress: Fraction of the training that is done.
    """
    num_frames, length, num_read = frames.shape[1], config.inference_frames, num_seen(config)
    horizon = growing_horizon(config, num_frames, progress)

    def draw(key: jax.Array, clip: jax.Array) -> Windows:
        anchor_key, target_key = jax.random.split(key)
        anchor = jax.random.randint(anchor_key, (), length // 2, num_frames - length // 2)
        # Frames within the horizon, in random order, come before all others.
        order = jax.random.uniform(target_key, (num_frames,)) + (jnp.abs(jnp.arange(num_frames) - anchor) <= horizon)
        times = jax.lax.top_k(order, config.loss_frames or num_frames)[1]
        seen = jax.lax.dynamic_slice_in_dim(clip, anchor - length // 2, length)
        read_times = jnp.clip(anchor - num_read // 2, 0, num_frames - num_read) + jnp.arange(num_read)
        return Windows(seen, times - anchor, clip[times], clip[read_times], read_times - anchor)

    return jax.vmap(draw)(keys, frames)
