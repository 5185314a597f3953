"""Keypoints: places in the picture as coordinates of the state.

A detector finds points in frames, and a painter draws a frame from points. Points are (x, y) with the origin in the
middle of the picture, x to the right and y downwards. The centres of the outermost pixels are at ±`HALF_WIDTH`.
"""

import math
from collections.abc import Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.networks.blocks import RELU_GAIN, ConvLayer, conv_stack, convolution, linear, pure
from hgn_jax.networks.upsampling import double

HALF_WIDTH = 3.0
_SELECTIVITY = 0.5  # sharpness of the softmax of distances between colours, in standard deviations of pixels
_SURROUNDINGS_GAIN = 0.02  # colours alone decide at the start
_CLUSTERING_STEPS = 20
_HALVING_KERNEL, _DETECTOR_KERNEL = 4, 5
# Initial widths of the blobs as fractions of half the picture. The wide one reaches objects far from their point.
_BLOB_WIDTH, _WIDE_BLOB = 0.15, 0.5
_PAINTER_GAIN = 0.1  # pictures start nearly uniform
_COLOUR_UNIT = 10.0  # standard deviations of pixels, since colours differ by many and the optimiser takes small steps


def keypoint_detector(image_size: int, filters: Sequence[int], num_points: int) -> hk.Transformed:
    """Shares the pixels of a frame out among the points and the background; a point is the middle of its pixels.

    A pixel goes to the point whose colour it has, or to the background, by a softmax of negative squared distances.
    Convolutions, the first of which halves the resolution, add to these scores what the surroundings tell. The colours
    start at clusters of the pixels that differ most from the mean image, so that every point begins on its own object.

    The network maps normalised frames `[n, size, size, 3]` to points `[n, 2 * num_points]`. Its initialisation takes
    frames that show what there is to be found.

    Args:
      image_size: Width of the square frames in pixels.
      filters: Number of channels of each convolution.
      num_points: Number of points.
    """
    axis = np.linspace(-HALF_WIDTH, HALF_WIDTH, image_size, dtype=np.float32)
    layers = [ConvLayer(filters[0], kernel=_HALVING_KERNEL, stride=2)]
    layers += [ConvLayer(n, kernel=_DETECTOR_KERNEL) for n in filters[1:]]

    def surroundings(frames: jax.Array) -> jax.Array:
        features = conv_stack(frames, layers, "relu", RELU_GAIN)
        scores = convolution(ConvLayer(num_points + 1), _SURROUNDINGS_GAIN, "scores")(features)
        return double(scores)

    network = pure(surroundings)

    def init(key: jax.Array, frames: jax.Array) -> Any:
        return {
            "surroundings": network.init(key, frames[:1]),
            "colours": cluster(frames.reshape(-1, frames.shape[-1]), num_points),
            "log_selectivity": jnp.log(_SELECTIVITY),
        }

    def apply(params: Any, frames: jax.Array) -> jax.Array:
        colours = params["colours"]
        # |x|² - |x - c|²: the score of the background, whose normalised colour is 0, is 0.
        scores = jnp.exp(params["log_selectivity"]) * (2.0 * frames @ colours.T - jnp.sum(colours**2, axis=-1))
        scores = jnp.pad(scores, [(0, 0)] * 3 + [(0, 1)]) + network.apply(params["surroundings"], frames)
        shares = jax.nn.softmax(scores, axis=-1)[..., :num_points]
        weights = shares / (jnp.sum(shares, axis=(1, 2), keepdims=True) + 1e-3)
        x, y = jnp.einsum("bhwn,w->bn", weights, axis), jnp.einsum("bhwn,h->bn", weights, axis)
        return jnp.stack([x, y], axis=-1).reshape(-1, 2 * num_points)

    return hk.Transformed(init, apply)


def cluster(pixels: jax.Array, num_clusters: int) -> jax.Array:
    """Centres `[num_clusters, c]` of clusters of pixels `[n, c]` beside the background, whose colour is 0.

    Lloyd's algorithm, in which a pixel weighs as much as its squared distance from the background. It starts from
    pixels that are as far as possible from the background and from one another.
    """
    centres = jnp.zeros((1, pixels.shape[-1]))

    def distances(centres: jax.Array) -> jax.Array:
        return jnp.sum((pixels[:, None] - centres) ** 2, axis=-1)

    for _ in range(num_clusters):
        farthest = pixels[jnp.argmax(jnp.min(distances(centres), axis=1))]
        centres = jnp.concatenate([centres, farthest[None]])
    weights = jnp.sum(pixels**2, axis=-1, keepdims=True)

    def step(centres: jax.Array, _: None) -> tuple[jax.Array, None]:
        members = weights * jax.nn.one_hot(jnp.argmin(distances(centres), axis=1), num_clusters + 1)
        means = members.T @ pixels / (jnp.sum(members, axis=0)[:, None] + 1e-6)
        return means.at[0].set(0.0), None

    return jax.lax.scan(step, centres, None, length=_CLUSTERING_STEPS)[0][1:]


def keypoint_painter(image_size: int, filters: Sequence[int], num_points: int, image_channels: int) -> hk.Transformed:
    """Draws points: maps `[n, 2 * num_points]` to images `[n, size, size, image_channels]`.

    Each point gives three maps: a Gaussian and a disc with a soft edge, of learned widths, and a wide Gaussian. These,
    and the coordinates of the pixels, go through a small network, pixel by pixel.

    Args:
      image_size: Width of the square images in pixels.
      filters: Number of units of each hidden layer.
      num_points: Number of points.
      image_channels: Number of channels of the images.
    """
    pixels = _pixel_centres(image_size)
    initial_log_width = hk.initializers.Constant(math.log(_BLOB_WIDTH))
    initial_log_sharpness = hk.initializers.Constant(math.log(image_size))

    def apply(q: jax.Array) -> jax.Array:
        squared = jnp.sum(_offsets(pixels, q, num_points) ** 2, axis=-1)
        width = jnp.exp(hk.get_parameter("log_width", (num_points,), q.dtype, initial_log_width))
        sharpness = jnp.exp(hk.get_parameter("log_sharpness", (num_points,), q.dtype, initial_log_sharpness))
        gaussians = jnp.exp(-squared / (2.0 * width**2))
        discs = jax.nn.sigmoid((width - jnp.sqrt(squared + 1e-6)) * sharpness)
        wide = jnp.exp(-squared / (2.0 * _WIDE_BLOB**2))
        places = jnp.broadcast_to(pixels.astype(q.dtype), (len(q), *pixels.shape))
        maps = jnp.concatenate([gaussians, discs, wide, places], axis=-1)
        features = maps
        for i, n in enumerate(filters):
            features = jax.nn.leaky_relu(linear(n, RELU_GAIN, f"linear_{i}")(features))
        return linear(image_channels, _PAINTER_GAIN, "image")(features)

    return pure(apply)


def disc_painter(image_size: int, num_points: int, image_channels: int) -> hk.Transformed:
    """Draws a disc of one colour at each point: maps `[n, 2 * num_points]` to `[n, size, size, image_channels]`.

    How much of a pixel a disc takes depends on the distance from its point alone, so that it looks the same wherever
    it is and whatever is beside it: what is painted cannot make up for a point that is not in the middle of its disc.
    Where discs overlap, the one with the larger `nearness` covers the other. The colour of the background is 0.

    With covariances `[n, num_points, 2, 2]` as a second input, the picture is the one to be expected if each point is
    drawn from a normal distribution with its covariance. This supposes that the noise is small beside the disc: at a
    pixel, noise towards it makes the edge softer, and noise across moves the point away.

    Args:
      image_size: Width of the square images in pixels.
      num_points: Number of points.
      image_channels: Number of channels of the images.
    """
    pixels = _pixel_centres(image_size)

    def apply(q: jax.Array, covariances: jax.Array | None = None) -> jax.Array:
        def parameter(name: str, initial: float) -> jax.Array:
            return hk.get_parameter(name, (num_points,), q.dtype, hk.initializers.Constant(initial))

        offsets = _offsets(pixels, q, num_points)
        squared = jnp.sum(offsets**2, axis=-1)
        across = 0.0
        if covariances is not None:
            towards, across = _noise_variances(offsets, squared, covariances / HALF_WIDTH**2)
        width = jnp.exp(parameter("log_width", math.log(_BLOB_WIDTH)))
        sharpness = jnp.exp(parameter("log_sharpness", math.log(image_size)))
        scores = sharpness * (width - jnp.sqrt(squared + across + 1e-6)) + parameter("height", 0.0)
        scores += parameter("blob", 0.0) * jnp.exp(-squared / (2.0 * width**2))
        scores += parameter("wide_blob", 0.0) * jnp.exp(-squared / (2.0 * _WIDE_BLOB**2))
        if covariances is not None:
            # The mean of a sigmoid over a normal distribution, by MacKay's approximation (1992, "The evidence framework
            # applied to classification networks").
            scores /= jnp.sqrt(1.0 + math.pi / 8.0 * sharpness**2 * towards)
        colours = hk.get_parameter("colours", (num_points, image_channels), q.dtype, hk.initializers.Constant(0.0))
        shares = jax.nn.sigmoid(scores)
        if num_points > 1:
            shares *= _uncovered(shares, parameter("nearness", 0.0))
        return _COLOUR_UNIT * (shares @ colours)

    return pure(apply)


def _pixel_centres(image_size: int) -> np.ndarray:
    """Centres (x, y) of the pixels, `[size, size, 2]`, with the outermost ones at ±1."""
    axis = np.linspace(-1.0, 1.0, image_size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def _offsets(pixels: np.ndarray, q: jax.Array, num_points: int) -> jax.Array:
    """Pixels minus the points of q, in half widths of the picture, `[n, size, size, points, 2]`."""
    points = q.reshape(-1, 1, 1, num_points, 2) / HALF_WIDTH
    return pixels[None, :, :, None] - points


def _noise_variances(offsets: jax.Array, squared: jax.Array, covariances: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Variances of points towards each pixel and across, `[n, size, size, points]`, in squared half widths."""
    towards = jnp.einsum("nhwki,nkij,nhwkj->nhwk", offsets, covariances, offsets) / (squared + 1e-6)
    total = jnp.sum(covariances * np.eye(2, dtype=np.float32), axis=(-2, -1))
    return towards, total[:, None, None] - towards


def _uncovered(shares: jax.Array, nearness: jax.Array) -> jax.Array:
    """The part of each disc that no other covers, `[..., points]`, of discs that take `shares` of pixels if alone."""
    in_front = jax.nn.sigmoid(nearness[:, None] - nearness) * (1.0 - jnp.eye(len(nearness)))
    return jnp.prod(1.0 - shares[..., :, None] * in_front, axis=-2)
