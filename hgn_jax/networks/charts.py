"""Charts: generalised coordinates of points in the picture, such as the angle of a pendulum."""

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.networks.blocks import linear, pure
from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision

_NETWORK_SIZES = (64, 64)
_NETWORK_GAIN = 0.1  # changes of coordinates start nearly linear
_INITIAL_ROD = 1.5  # length, half of half the picture


class Chart(NamedTuple):
    """A change of coordinates between n points and d generalised coordinates, as pure functions.

    Each direction has its own parameters, which belong to the encoder and to the decoder.

    Attributes:
      init_coordinates: `(key) -> params` of `coordinates`.
      coordinates: `(params, points [batch, 2 * n]) -> q [batch, d]`.
      init_points: `(key) -> params` of `points`.
      points: `(params, q [batch, d]) -> points [batch, 2 * n]`.
      angles: Whether the coordinates are angles.
    """

    init_coordinates: Callable[[jax.Array], Any]
    coordinates: Callable[[Any, jax.Array], jax.Array]
    init_points: Callable[[jax.Array], Any]
    points: Callable[[Any, jax.Array], jax.Array]
    angles: bool = False


def make_chart(kind: str, num_points: int, dim: int) -> Chart:
    """Returns the chart `none`, `network` or `rods` of `num_points` points with `dim` coordinates."""
    if kind == "rods":
        return _rods(num_points)
    if kind == "network":
        return _by_networks(num_points, dim)
    keep = lambda params, x: x
    return Chart(lambda key: {}, keep, lambda key: {}, keep)


def _by_networks(num_points: int, dim: int) -> Chart:
    """Two curved maps, each the sum of a linear one and a small network."""
    there, back = _curved(dim), _curved(2 * num_points)
    return Chart(
        init_coordinates=lambda key: there.init(key, jnp.zeros((1, 2 * num_points))),
        coordinates=there.apply,
        init_points=lambda key: back.init(key, jnp.zeros((1, dim))),
        points=back.apply,
    )


def _curved(size: int) -> hk.Transformed:
    network = in_precision(mlp((*_NETWORK_SIZES, size), "swish", output_gain=_NETWORK_GAIN), "full")
    flat = in_precision(pure(lambda x: linear(size, 1.0, "linear")(x)), "full")

    def init(key: jax.Array, x: jax.Array) -> dict:
        flat_key, network_key = jax.random.split(key)
        return {"flat": flat.init(flat_key, x), "curved": network.init(network_key, x)}

    return hk.Transformed(init, lambda params, x: flat.apply(params["flat"], x) + network.apply(params["curved"], x))


def _rods(num_points: int) -> Chart:
    """The angles of a chain of rods, from the vertical downwards; the first hangs from a learned place."""

    def init_coordinates(key: jax.Array) -> dict:
        del key
        return {"pivot": jnp.zeros(2)}

    def coordinates(params: dict, points: jax.Array) -> jax.Array:
        joints = points.reshape(-1, num_points, 2)
        rods = joints - jnp.concatenate(
            [jnp.broadcast_to(params["pivot"], joints[:, :1].shape), joints[:, :-1]], axis=1
        )
        # A point on the pivot has no angle; the small shift keeps the gradient finite.
        return jnp.arctan2(rods[..., 0], rods[..., 1] + 1e-6)

    def init_points(key: jax.Array) -> dict:
        del key
        return {"pivot": jnp.zeros(2), "lengths": jnp.full(num_points, _INITIAL_ROD)}

    def points(params: dict, q: jax.Array) -> jax.Array:
        rods = params["lengths"][:, None] * jnp.stack([jnp.sin(q), jnp.cos(q)], axis=-1)
        return (params["pivot"] + jnp.cumsum(rods, axis=1)).reshape(len(q), -1)

    return Chart(init_coordinates, coordinates, init_points, points, angles=True)
