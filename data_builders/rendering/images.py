"""Renders the scenes of states, and the expected images under observation noise."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from data_builders.rendering.expected_scenes import expected_composite
from data_builders.rendering.scenes import (
    PALETTE,
    SKY_BLUE,
    VERMILION,
    YELLOW,
    Canvas,
    Colour,
    Look,
    canvas_from_metadata,
    composite,
    coverage,
    disc_centres,
    distance,
    scene_features,
)

__all__ = ["PALETTE", "SKY_BLUE", "VERMILION", "YELLOW", "Canvas", "Colour", "Look", "canvas_from_metadata"]
__all__ += ["disc_centres", "expected_images", "expected_render", "frames_per_call", "is_clipped", "render"]
__all__ += ["scene_features"]

# Small enough for the intermediate images to stay in a core's cache: 480 frames of 32 x 32 pixels.
_PIXELS_PER_CALL = 480 * 32 * 32


def is_clipped(canvas: Canvas, q: np.ndarray, look: Look | None = None) -> np.ndarray:
    """Returns whether a disc lies partly outside the canvas, bool `[..., T]`; see `render` for the arguments."""
    if look is None:
        centres = disc_centres(canvas, q)
    else:
        states, looks = _frame_by_frame(q, look)
        centres = jax.vmap(lambda q, look: disc_centres(look.on(canvas), q))(states, looks)
        centres = centres.reshape(*np.shape(q)[:-1], *centres.shape[1:])
    reach = np.max(np.abs(np.asarray(centres)), axis=(-2, -1))
    return reach + canvas.disc_radius > canvas.half_width


def _draw(canvas: Canvas, q: jax.Array) -> jax.Array:
    alphas = coverage(canvas, distance(canvas, disc_centres(canvas, q)))
    return jnp.round(composite(canvas, alphas)).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnums=0)
def _render(canvas: Canvas, q: jax.Array, look: Look | None) -> jax.Array:
    if look is None:
        return _draw(canvas, q)
    return jax.vmap(lambda q, look: _draw(look.on(canvas), q))(q, look)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _expected_render(canvas: Canvas, noise: float, q: jax.Array, look: Look | None) -> jax.Array:
    if look is None:
        return expected_composite(canvas, canvas, noise, q)
    return jax.vmap(lambda q, look: expected_composite(canvas, look.on(canvas), noise, q))(q, look)


def _frame_by_frame(q: np.ndarray, look: Look | None) -> tuple[np.ndarray, Look | None]:
    """Flattens positions `[..., T, d]` to `[frames, d]`, and repeats looks `[...]` for the frames of each."""
    q = np.asarray(q, np.float32)
    if look is None:
        return q.reshape(-1, q.shape[-1]), None
    batch = q.shape[:-2]
    parts = (np.asarray(x, np.float32).reshape(int(np.prod(batch)), *np.shape(x)[len(batch) :]) for x in look)
    return q.reshape(-1, q.shape[-1]), Look(*(np.repeat(x, q.shape[-2], axis=0) for x in parts))


def frames_per_call(canvas: Canvas) -> int:
    """Returns the number of frames drawn at once. Smaller calls are padded to it and take as long."""
    return max(1, _PIXELS_PER_CALL // canvas.image_size**2)


def _in_batches(
    function: Callable[..., jax.Array], canvas: Canvas, q: np.ndarray, look: Look | None, dtype: Any
) -> np.ndarray:
    """Applies `function` to batches of states `[..., d]`. All have one size, with padding, to compile once."""
    states, looks = _frame_by_frame(q, look)
    batch = frames_per_call(canvas)
    images = np.empty((len(states), canvas.image_size, canvas.image_size, 3), dtype)
    for begin in range(0, len(states), batch):
        number = min(batch, len(states) - begin)
        part = jax.tree.map(lambda x, begin=begin: _padded(x[begin : begin + batch], batch), (states, looks))
        images[begin : begin + batch] = np.asarray(function(*part))[:number]
    return images.reshape(*np.shape(q)[:-1], *images.shape[1:])


def _padded(rows: np.ndarray, number: int) -> np.ndarray:
    return np.pad(rows, [(0, number - len(rows)), *[(0, 0)] * (rows.ndim - 1)])


def render(canvas: Canvas, q: np.ndarray, look: Look | None = None) -> np.ndarray:
    """Renders states.

    Args:
      canvas: The scene.
      q: Positions, `[..., d]`.
      look: Look of each trajectory, `[...]`, if the looks differ; `q` is then `[..., T, d]`.

    Returns:
      Images, uint8 `[..., image_size, image_size, 3]`.

    Raises:
      ValueError: For an unknown layout, or if the numbers of discs and colours differ.
    """
    return _in_batches(functools.partial(_render, canvas), canvas, q, look, np.uint8)


def expected_render(canvas: Canvas, q: np.ndarray, observation_noise: float, look: Look | None = None) -> np.ndarray:
    """E[image | noise-free state]: the mean image of `q + observation_noise * N(0, I)`.

    Among all predictions from the true state without knowledge of the noise, it has the smallest mean squared error
    against the observed frame. `expected_scenes` computes it by quadrature.

    Args:
      canvas: The scene.
      q: Noise-free positions, `[..., d]`.
      observation_noise: Standard deviation of the noise on each coordinate, in its units.
      look: Look of each trajectory, `[...]`, if the looks differ; `q` is then `[..., T, d]`.

    Returns:
      Images scaled to [0, 1], float32 `[..., image_size, image_size, 3]`.

    Raises:
      ValueError: For an unknown layout, or if the numbers of discs and colours differ.
    """
    function = functools.partial(_expected_render, canvas, float(observation_noise))
    return _in_batches(function, canvas, q, look, np.float32)


def expected_images(
    metadata: Mapping[str, Any], q: np.ndarray, examples: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """Returns the expected image of each frame of a data set; its error against the observed one is the noise floor.

    Args:
      metadata: Metadata of the data set.
      q: Its noise-free positions, `[..., T, d]`.
      examples: Other features of the same examples, `[...]`; needed if the metadata have `scene_features`.

    Returns:
      Images scaled to [0, 1], float32 `[..., T, image_size, image_size, 3]`.

    Raises:
      ValueError: If looks differ between examples, and `examples` lacks them.
    """
    names, look = scene_features(metadata), None
    if names:
        missing = [name for name in names if name not in (examples or {})]
        if missing:
            raise ValueError(f"each example of this data set has its own scene; its {', '.join(missing)} are needed")
        look = Look(*(examples[name] for name in names))
    return expected_render(canvas_from_metadata(metadata), q, metadata["observation_noise"], look)
