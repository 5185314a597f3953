"""Scenes: soft-edged discs on a canvas, placed by the coordinates of a state.

The canvas is a square of side `2 * half_width` in the system's units, with the origin in the middle and y upwards. A
disc covers a pixel at distance d from its centre by

    alpha = sigmoid(edge_temperature * (disc_radius - d) / (2 * half_width)),

and the discs are drawn over the background one after the other, image <- (1 - alpha) * image + alpha * colour.
Springs, rods and pivots are invisible (Sec. 4 of the paper).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Colour = tuple[int, int, int]

# Bright colours of Okabe and Ito's palette for the colour-blind; their lightness differs from each other's and grey's.
YELLOW: Colour = (240, 228, 66)
SKY_BLUE: Colour = (86, 180, 233)
VERMILION: Colour = (213, 94, 0)
PALETTE = (YELLOW, SKY_BLUE, VERMILION, (0, 158, 115), (204, 121, 167), (230, 159, 0))


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Appearance of a scene.

    Attributes:
      layout: Name in `LAYOUTS` of the function from coordinates to disc centres.
      half_width: Half the side of the canvas, in units of the system.
      disc_radius: Radius of the discs, in units of the system.
      colours: RGB of each disc, 0 to 255; later discs lie over earlier ones.
      image_size: Number of pixels along a side.
      background: RGB of the background, 0 to 255.
      edge_temperature: Steepness of the discs' edge per canvas width.
      rod_length: Distance of a pendulum's (upper) bob from the pivot; layouts without rods ignore it.
      second_rod_length: Distance of the double pendulum's lower bob from the upper one.
      offset: Position (x, y) of the origin relative to the middle of the canvas, in units of the system.
    """

    layout: str
    half_width: float
    disc_radius: float
    colours: tuple[Colour, ...]
    image_size: int = 32
    background: Colour = (81, 88, 93)
    edge_temperature: float = 80.0
    rod_length: float = 1.0
    second_rod_length: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)


class Look(NamedTuple):
    """The properties of a scene that may differ between trajectories. They replace those of the canvas.

    Attributes:
      colours: RGB of each disc, 0 to 255, `[..., n, 3]`.
      offset: Position of the origin relative to the middle of the canvas, `[..., 2]`.
      rod_lengths: Lengths of two rods, 1 for a rod that the scene lacks, `[..., 2]`.
    """

    colours: np.ndarray
    offset: np.ndarray
    rod_lengths: np.ndarray

    def on(self, canvas: Canvas) -> Canvas:
        """Returns the canvas with the look of one trajectory."""
        lengths = {"rod_length": self.rod_lengths[0], "second_rod_length": self.rod_lengths[1]}
        return dataclasses.replace(canvas, colours=self.colours, offset=self.offset, **lengths)


def _vertical(canvas: Canvas, q: jax.Array) -> jax.Array:
    del canvas
    return jnp.stack([jnp.zeros_like(q), q], axis=-1)


def _pendulum(canvas: Canvas, q: jax.Array) -> jax.Array:
    return canvas.rod_length * jnp.stack([jnp.sin(q), -jnp.cos(q)], axis=-1)


def _plane(canvas: Canvas, q: jax.Array) -> jax.Array:
    del canvas
    return q.reshape(*q.shape[:-1], -1, 2)


def _double_pendulum(canvas: Canvas, q: jax.Array) -> jax.Array:
    lengths = jnp.stack([jnp.asarray(canvas.rod_length, q.dtype), jnp.asarray(canvas.second_rod_length, q.dtype)])
    rods = lengths[:, None] * jnp.stack([jnp.sin(q), -jnp.cos(q)], axis=-1)
    return jnp.cumsum(rods, axis=-2)


# Functions from the coordinates [..., d] of a state to the centres [..., n, 2] of its discs.
LAYOUTS: dict[str, Callable[[Canvas, jax.Array], jax.Array]] = {
    "vertical": _vertical,
    "pendulum": _pendulum,
    "plane": _plane,
    "double_pendulum": _double_pendulum,
}


def disc_centres(canvas: Canvas, q: jax.Array) -> jax.Array:
    """Computes the centres of the discs of a state.

    Args:
      canvas: The scene.
      q: Positions, `[..., d]`; d = 2n for n bodies in the plane.

    Returns:
      Centres (x, y), `[..., n, 2]`, in units of the system.

    Raises:
      ValueError: For an unknown layout, or if the numbers of discs and colours differ.
    """
    if canvas.layout not in LAYOUTS:
        raise ValueError(f"unknown layout {canvas.layout!r}; choose one of {', '.join(LAYOUTS)}")
    centres = LAYOUTS[canvas.layout](canvas, jnp.asarray(q))
    if centres.shape[-2] != len(canvas.colours):
        raise ValueError(f"{centres.shape[-2]} discs to draw but {len(canvas.colours)} colours")
    return centres + jnp.asarray(canvas.offset, centres.dtype)


def distance(canvas: Canvas, centres: jax.Array) -> jax.Array:
    """Returns the distances of pixels from points `[..., 2]`, `[..., H, W]`; row 0 is the top of the canvas."""
    pixels = (2.0 * (jnp.arange(canvas.image_size) + 0.5) / canvas.image_size - 1.0) * canvas.half_width
    dx = pixels - centres[..., None, None, 0]
    dy = pixels[::-1, None] - centres[..., None, None, 1]
    return jnp.sqrt(dx**2 + dy**2)


def coverage(canvas: Canvas, distance: jax.Array) -> jax.Array:
    """Returns the coverage alpha of pixels by a disc at these distances from its centre."""
    return jax.nn.sigmoid(canvas.edge_temperature * (canvas.disc_radius - distance) / (2.0 * canvas.half_width))


def composite(canvas: Canvas, alphas: jax.Array) -> jax.Array:
    """Draws discs of coverage `[..., n, H, W]` over the background; returns `[..., H, W, 3]` in [0, 255]."""
    image = jnp.asarray(canvas.background, alphas.dtype)
    for disc, colour in enumerate(canvas.colours):
        alpha = alphas[..., disc, :, :, None]
        image = (1.0 - alpha) * image + alpha * jnp.asarray(colour, alphas.dtype)
    return image


def canvas_from_metadata(metadata: Mapping[str, Any]) -> Canvas:
    """Returns the `Canvas` in the metadata of a data set."""
    fields = dict(metadata["canvas"])
    fields["background"] = tuple(fields["background"])
    fields["offset"] = tuple(fields.get("offset", Canvas.offset))
    fields["colours"] = tuple(map(tuple, fields["colours"]))
    return Canvas(**fields)


def scene_features(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the features that describe the look of an example, the fields of `Look`; none if all look alike."""
    return Look._fields if metadata.get("varies_scene") else ()
