"""The networks: HGN's convolutional ones (App. A.1 of the paper) and MLPs, each a pair of pure functions by Haiku.

Images are `[batch, height, width, channels]`; the latent grid is `LATENT_SIZE` pixels wide throughout.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.networks.convolution import convolve
from hgn_jax.networks.latent_grid import LATENT_SIZE, num_doublings
from hgn_jax.networks.layers import Conv2D, Conv3x3, Linear
from hgn_jax.networks.upsampling import convolve_doubled, double

_INITIAL_LOG_VARIANCE = -4.0

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "none": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}


class ConvLayer(NamedTuple):
    """One convolution: output channels, kernel width, stride and padding."""

    filters: int
    kernel: int = 3
    stride: int = 1
    padding: str = "SAME"


# The Hamiltonian network as the authors described it in correspondence; the last layer yields the energy.
AUTHORS_HAMILTONIAN = (
    ConvLayer(32),
    ConvLayer(64, kernel=2, stride=2, padding="VALID"),
    ConvLayer(64, kernel=2),
    ConvLayer(64, kernel=2),
    ConvLayer(1, kernel=2, stride=2, padding="VALID"),
)


def _convolution(layer: ConvLayer, gain: float, name: str, bias: float = 0.0) -> Conv2D:
    # Variance gain**2 / fan_in: gain sqrt(2) keeps the scale through ReLU, 1 through a linear layer.
    return Conv2D(layer.filters, layer.kernel, layer.stride, padding=layer.padding, **_initial(gain, bias), name=name)


def _initial(gain: float, bias: float = 0.0) -> dict[str, hk.initializers.Initializer]:
    w_init = hk.initializers.VarianceScaling(gain**2, "fan_in", "truncated_normal")
    return {"w_init": w_init, "b_init": hk.initializers.Constant(bias)}


def _stack(
    x: jax.Array, layers: Sequence[ConvLayer], activation: str, gain: float, name: str = "convolution"
) -> jax.Array:
    for i, layer in enumerate(layers):
        x = ACTIVATIONS[activation](_convolution(layer, gain, f"{name}_{i}")(x))
    return x


def _pure(function: Callable[[jax.Array], jax.Array]) -> hk.Transformed:
    return hk.without_apply_rng(hk.transform(function))


def _linear(size: int, gain: float, name: str, b_init: hk.initializers.Initializer | None = None) -> Linear:
    w_init = hk.initializers.VarianceScaling(gain**2, "fan_in", "truncated_normal")
    return Linear(size, w_init=w_init, b_init=b_init, name=name)


def encoder(
    image_size: int, filters: Sequence[int], activation: str, latent_channels: int, vector: bool = False
) -> hk.Transformed:
    """q(z | x): stacked frames `[batch, size, size, frames * 3]` to mean and log-variance.

    The clip is standardised, since small discs on a uniform background hardly differ from one clip to the next. The
    first layers halve the image until it is `LATENT_SIZE` wide. Two 1x1 convolutions read the mean and the
    log-variance, each `[batch, 4, 4, latent_channels]`, off the last features; for a `vector` two linear projections of
    all the features, each `[batch, latent_channels]`. The variance starts small: with that of the prior, the sampling
    noise would drown the mean and training would first have to find it.
    """
    halvings = num_doublings(image_size)
    layers = [ConvLayer(n, stride=2 if i < halvings else 1) for i, n in enumerate(filters)]

    def apply(frames):
        features = _stack(_standardise(frames), layers, activation, gain=2**0.5)

        def head(gain, name, bias=0.0):
            if vector:
                flat = features.reshape(len(features), -1)
                return _linear(latent_channels, gain, name, hk.initializers.Constant(bias))(flat)
            return _convolution(ConvLayer(latent_channels, kernel=1), gain, name, bias)(features)

        return head(1.0, "mean"), head(0.1, "log_variance", _INITIAL_LOG_VARIANCE)

    return _pure(apply)


def _standardise(frames: jax.Array) -> jax.Array:
    """Each channel's mean over space taken away, and the whole clip scaled to unit variance."""
    centred = frames - jnp.mean(frames, axis=(1, 2), keepdims=True)
    variance = jnp.mean(centred**2, axis=(1, 2, 3), keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-6)  # a blank clip stays blank


def state_transform(filters: Sequence[int], activation: str, state_channels: int) -> hk.Transformed:
    """f_psi: latent `[batch, 4, 4, c]` to the initial state `[batch, 4, 4, state_channels]`, linear at the end."""

    def apply(z):
        features = _stack(z, [ConvLayer(n) for n in filters], activation, gain=2**0.5)
        return _convolution(ConvLayer(state_channels, kernel=1), 1.0, "state")(features)

    return _pure(apply)


def energy(layers: Sequence[ConvLayer], activation: str, gain: float, output_gain: float) -> hk.Transformed:
    """An energy: `[batch, 4, 4, c]` to `[batch]`, the last layer linear and summed over space (Eq. 10).

    The activation must be smooth, as training differentiates the gradient of the energy. A softplus halves
    gradients at the origin, so `gain` near 2 keeps them alive through the layers; with the usual 1 the energy
    is born so flat that nothing moves.
    """
    *hidden, last = layers

    def apply(x):
        features = _stack(x, hidden, activation, gain)
        return jnp.sum(_convolution(last, output_gain, "energy")(features), axis=(1, 2, 3))

    return _pure(apply)


def mlp_energy(hidden_sizes: Sequence[int], activation: str, gain: float, output_gain: float) -> hk.Transformed:
    """The same by a multilayer perceptron of all the numbers of a state, `[batch, ...]` to `[batch]`."""
    network = mlp((*hidden_sizes, 1), activation, gain, output_gain)

    def flat(x):
        return x.reshape(len(x), -1)

    return hk.Transformed(
        lambda key, x: network.init(key, flat(x)), lambda params, x: network.apply(params, flat(x))[:, 0]
    )


def decoder(
    image_size: int, filters: Sequence[int], image_channels: int, block_activation: str, output_activation: str
) -> hk.Transformed:
    """p(x | q): positions `[batch, 4, 4, c]`, or vectors `[batch, c]`, to images `[batch, size, size, image_channels]`.

    A vector is first spread over the grid, to `[batch, 4, 4, c]`, by a linear layer.
    One residual block per doubling of the resolution, `filters[i]` channels in the i-th: nearest-neighbour
    upsampling, two convolutions with leaky ReLU beside a skip connection, and `block_activation` on their sum.
    """
    if len(filters) != num_doublings(image_size):
        raise ValueError(f"a {image_size}-pixel decoder has {num_doublings(image_size)} blocks, got filters {filters}")

    def conv3x3(function, channels, gain, name):
        return Conv3x3(function, channels, **_initial(gain), name=name)

    def block(x, channels, name):
        skip = x
        if x.shape[-1] != channels:
            skip = _convolution(ConvLayer(channels, kernel=1), 1.0, f"{name}_skip")(x)
        out = jax.nn.leaky_relu(conv3x3(convolve_doubled, channels, 2**0.5, f"{name}_convolution_0")(x))
        out = jax.nn.leaky_relu(conv3x3(convolve, channels, 2**0.5, f"{name}_convolution_1")(out))
        return ACTIVATIONS[block_activation](out + double(skip))

    def apply(q):
        x = q if q.ndim == 4 else _spread(q)
        for i, channels in enumerate(filters):
            x = block(x, channels, f"block_{i}")
        return ACTIVATIONS[output_activation](conv3x3(convolve, image_channels, 0.1, "image")(x))

    return _pure(apply)


def _spread(q: jax.Array) -> jax.Array:
    """A linear map of vectors `[batch, c]` to the latent grid, `[batch, 4, 4, c]`."""
    return _linear(LATENT_SIZE**2 * q.shape[-1], 1.0, "grid")(q).reshape(-1, LATENT_SIZE, LATENT_SIZE, q.shape[-1])


def mlp(
    sizes: Sequence[int], activation: str, gain: float = 2**0.5, output_gain: float = 1.0, bias_scale: float = 0.0
) -> hk.Transformed:
    """A multilayer perceptron, `[..., n]` to `[..., sizes[-1]]`, linear at the end.

    Initial weights have variance gain^2 / fan-in, in the last layer output_gain^2 / fan-in; initial biases of the
    hidden layers are normal with standard deviation `bias_scale`.
    """

    def apply(x):
        for i, size in enumerate(sizes[:-1]):
            biases = hk.initializers.RandomNormal(bias_scale)
            x = ACTIVATIONS[activation](_linear(size, gain, f"linear_{i}", biases)(x))
        return _linear(sizes[-1], output_gain, "output", hk.initializers.RandomNormal(0.0))(x)

    return _pure(apply)
