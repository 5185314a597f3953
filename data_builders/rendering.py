"""Draws states as soft-edged discs, and the expectation of such drawings under observation noise.

The scene is a square canvas of side `2 * half_width` in the system's units, origin in the middle, y upwards. A disc
covers a pixel at distance d from its centre by

    alpha = sigmoid(edge_temperature * (disc_radius - d) / (2 * half_width)),

and the discs are laid "over" the background one after the other, image <- (1 - alpha) * image + alpha * colour.
Springs, rods and pivots are invisible (Sec. 4 of the paper).
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Colour = tuple[int, int, int]

# Bright ones of Okabe and Ito's palette for the colour-blind; they differ in lightness from each other and from grey.
YELLOW: Colour = (240, 228, 66)
SKY_BLUE: Colour = (86, 180, 233)
VERMILION: Colour = (213, 94, 0)

# Small enough for the intermediate images to stay in a core's cache: about 480 frames of 32 x 32 pixels.
_PIXELS_PER_CALL = 480 * 32 * 32

_PROFILE_POINTS = 4096


@dataclasses.dataclass(frozen=True)
class Canvas:
    """What a scene looks like.

    Attributes:
      layout: a name in `LAYOUTS`: how coordinates become disc centres.
      half_width: half the side of the canvas, in units of the system.
      disc_radius: radius of the discs, in units of the system.
      colours: RGB of each disc, 0 to 255; later discs lie over earlier ones.
      image_size: pixels along a side.
      background: RGB, 0 to 255.
      edge_temperature: steepness of the discs' edge per canvas width.
      rod_length: distance of the pendulum's bob from the centre; other layouts do not use it.
    """

    layout: str
    half_width: float
    disc_radius: float
    colours: tuple[Colour, ...]
    image_size: int = 32
    background: Colour = (81, 88, 93)
    edge_temperature: float = 80.0
    rod_length: float = 1.0


def _vertical(canvas: Canvas, q: jax.Array) -> jax.Array:
    del canvas
    return jnp.stack([jnp.zeros_like(q), q], axis=-1)


def _pendulum(canvas: Canvas, q: jax.Array) -> jax.Array:
    return canvas.rod_length * jnp.stack([jnp.sin(q), -jnp.cos(q)], axis=-1)


def _plane(canvas: Canvas, q: jax.Array) -> jax.Array:
    del canvas
    return q.reshape(*q.shape[:-1], -1, 2)


# How the coordinates [..., d] of a state become the centres [..., n, 2] of its discs.
LAYOUTS: dict[str, Callable[[Canvas, jax.Array], jax.Array]] = {
    "vertical": _vertical,
    "pendulum": _pendulum,
    "plane": _plane,
}


def disc_centres(canvas: Canvas, q: jax.Array) -> jax.Array:
    """Where the discs of a state are.

    Args:
      canvas: the scene.
      q: positions `[..., d]`; d = 2n for n bodies in the plane.

    Returns:
      Centres (x, y) `[..., n, 2]` in units of the system.

    Raises:
      ValueError: for an unknown layout, or if the number of discs is not that of the colours.
    """
    if canvas.layout not in LAYOUTS:
        raise ValueError(f"unknown layout {canvas.layout!r}; choose one of {', '.join(LAYOUTS)}")
    centres = LAYOUTS[canvas.layout](canvas, jnp.asarray(q))
    if centres.shape[-2] != len(canvas.colours):
        raise ValueError(f"{centres.shape[-2]} discs to draw but {len(canvas.colours)} colours")
    return centres


def is_clipped(canvas: Canvas, q: np.ndarray) -> np.ndarray:
    """Whether some disc lies partly outside the canvas: bool `[...]` for positions `[..., d]`."""
    reach = np.max(np.abs(np.asarray(disc_centres(canvas, q))), axis=(-2, -1))
    return reach + canvas.disc_radius > canvas.half_width


def _distance(canvas: Canvas, centres: jax.Array) -> jax.Array:
    """Distances of pixel centres from points `[..., 2]`, as `[..., H, W]`; row 0 is the top of the canvas."""
    pixels = (2.0 * (jnp.arange(canvas.image_size) + 0.5) / canvas.image_size - 1.0) * canvas.half_width
    dx = pixels - centres[..., None, None, 0]
    dy = pixels[::-1, None] - centres[..., None, None, 1]
    return jnp.sqrt(dx**2 + dy**2)


def _coverage(canvas: Canvas, distance: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(canvas.edge_temperature * (canvas.disc_radius - distance) / (2.0 * canvas.half_width))


def _composite(canvas: Canvas, alphas: jax.Array) -> jax.Array:
    """Lays discs of coverage `[..., n, H, W]` over the background: `[..., H, W, 3]` in [0, 255]."""
    image = jnp.asarray(canvas.background, alphas.dtype)
    for disc, colour in enumerate(canvas.colours):
        alpha = alphas[..., disc, :, :, None]
        image = (1.0 - alpha) * image + alpha * jnp.asarray(colour, alphas.dtype)
    return image


@functools.partial(jax.jit, static_argnums=0)
def _render(canvas: Canvas, q: jax.Array) -> jax.Array:
    alphas = _coverage(canvas, _distance(canvas, disc_centres(canvas, q)))
    return jnp.round(_composite(canvas, alphas)).astype(jnp.uint8)


@functools.lru_cache(maxsize=16)
def _quadrature(canvas: Canvas, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for expectations over N(0, 1) of coverages displaced by `noise` times the variable.

    The trapezoidal rule errs by exp(-2 pi a / step) on integrands analytic within a of the real axis. The sigmoid's
    pole is at a = pi / steepness, so this step errs by less than 1e-6 of alpha.
    """
    steepness = canvas.edge_temperature * noise * canvas.rod_length / (2.0 * canvas.half_width)
    step = min(0.6, 1.4 / steepness)
    nodes = np.linspace(-4.5, 4.5, 1 + int(np.ceil(9.0 / step)))
    weights = np.exp(-(nodes**2) / 2.0)
    return nodes, weights / weights.sum()


@functools.lru_cache(maxsize=16)
def _blurred_profile(canvas: Canvas, noise: float) -> tuple[float, np.ndarray]:
    """Expected coverage by a disc whose centre has isotropic Gaussian noise, tabulated over the distance.

    Returns:
      The spacing of the table, and `E[alpha]` at distances 0, spacing, 2 spacing, ... of pixel and mean centre.
    """
    distance = np.linspace(0.0, canvas.disc_radius + 5.0 * noise + 0.5 * canvas.half_width, _PROFILE_POINTS)
    nodes, weights = _quadrature(canvas, noise)
    along, across = noise * nodes[:, None, None], noise * nodes[:, None]
    shifted = np.sqrt((distance + along) ** 2 + across**2)
    edge = canvas.edge_temperature * (canvas.disc_radius - shifted) / (2.0 * canvas.half_width)
    alpha = 0.5 * (1.0 + np.tanh(edge / 2.0))
    return distance[1], np.einsum("i,j,ijr->r", weights, weights, alpha).astype(np.float32)


def _expected_coverage_plane(canvas: Canvas, noise: float, q: jax.Array) -> jax.Array:
    """E[alpha] where both coordinates of a centre are noisy: a function of the distance alone."""
    spacing, profile = _blurred_profile(canvas, noise)
    place = jnp.minimum(_distance(canvas, disc_centres(canvas, q)) / spacing, _PROFILE_POINTS - 1.001)
    left = place.astype(jnp.int32)
    profile = jnp.asarray(profile)
    return profile[left] + (place - left) * (profile[left + 1] - profile[left])


def _expected_coverage_line(canvas: Canvas, noise: float, q: jax.Array) -> jax.Array:
    """E[alpha] where one noisy coordinate places the disc: a sum over quadrature nodes in that coordinate."""

    def add_node(total, node_and_weight):
        node, weight = node_and_weight
        return total + weight * _coverage(canvas, _distance(canvas, disc_centres(canvas, q + noise * node))), None

    nodes, weights = (jnp.asarray(x, q.dtype) for x in _quadrature(canvas, noise))
    start = jnp.zeros((*q.shape, canvas.image_size, canvas.image_size), q.dtype)
    return jax.lax.scan(add_node, start, (nodes, weights))[0]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _expected_render(canvas: Canvas, noise: float, q: jax.Array) -> jax.Array:
    if noise == 0.0:
        alphas = _coverage(canvas, _distance(canvas, disc_centres(canvas, q)))
    elif canvas.layout == "plane":
        alphas = _expected_coverage_plane(canvas, noise, q)
    else:
        alphas = _expected_coverage_line(canvas, noise, q)
    return _composite(canvas, alphas) / 255.0


def _in_chunks(function: Callable[[jax.Array], jax.Array], canvas: Canvas, q: np.ndarray, dtype) -> np.ndarray:
    """Applies `function` to fixed-size batches of the states `[..., d]`, the last one padded, so it compiles once."""
    q = np.asarray(q, np.float32)
    states = q.reshape(-1, q.shape[-1])
    batch = max(1, _PIXELS_PER_CALL // canvas.image_size**2)
    images = np.empty((len(states), canvas.image_size, canvas.image_size, 3), dtype)
    for begin in range(0, len(states), batch):
        part = states[begin : begin + batch]
        padded = np.pad(part, [(0, batch - len(part)), (0, 0)])
        images[begin : begin + batch] = np.asarray(function(padded))[: len(part)]
    return images.reshape(*q.shape[:-1], *images.shape[1:])


def render(canvas: Canvas, q: np.ndarray) -> np.ndarray:
    """Draws states.

    Args:
      canvas: the scene.
      q: positions `[..., d]`.

    Returns:
      Images, uint8 `[..., image_size, image_size, 3]`.

    Raises:
      ValueError: for an unknown layout, or if the number of discs is not that of the colours.
    """
    return _in_chunks(functools.partial(_render, canvas), canvas, q, np.uint8)


def expected_render(canvas: Canvas, q: np.ndarray, observation_noise: float) -> np.ndarray:
    """E[image | noise-free state]: the mean drawing of `q + observation_noise * N(0, I)`.

    It is the best prediction, in mean squared error, of an observed frame by someone who knows the true state but not
    the noise. A composite is linear in the coverage by each disc, and the noises of the discs are independent, so the
    expected image is the composite of the expected coverages. These are integrals over one noisy coordinate, or over
    two that depend on the distance alone.

    Args:
      canvas: the scene.
      q: noise-free positions `[..., d]`.
      observation_noise: standard deviation of the noise on each coordinate, in its units.

    Returns:
      Images scaled to [0, 1], float32 `[..., image_size, image_size, 3]`.

    Raises:
      ValueError: for an unknown layout, or if the number of discs is not that of the colours.
    """
    return _in_chunks(functools.partial(_expected_render, canvas, float(observation_noise)), canvas, q, np.float32)


def canvas_from_metadata(metadata: Mapping[str, Any]) -> Canvas:
    """Returns the `Canvas` written in a data set's metadata under `canvas`."""
    fields = dict(metadata["canvas"])
    fields["background"] = tuple(fields["background"])
    fields["colours"] = tuple(map(tuple, fields["colours"]))
    return Canvas(**fields)


def expected_images(metadata: Mapping[str, Any], q: np.ndarray) -> np.ndarray:
    """The expected image of each frame of a data set; its error against the observed one is the noise floor.

    Args:
      metadata: the data set's metadata, `canvas` and `observation_noise` in particular.
      q: stored noise-free positions `[..., d]`.

    Returns:
      Images scaled to [0, 1], float32 `[..., image_size, image_size, 3]`.
    """
    return expected_render(canvas_from_metadata(metadata), q, metadata["observation_noise"])
