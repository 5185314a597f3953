"""Networks of an energy: the Hamiltonian H(q, p), or a kinetic or potential energy (Eq. 10 of the paper)."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.networks.blocks import ACTIVATIONS, ConvLayer, conv_stack, convolution, pure
from hgn_jax.networks.kinematics import on_circle
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision
from hgn_jax.physics.phase_space import PhaseState

# The Hamiltonian network as the authors of the paper described it in correspondence; the last layer yields the energy.
AUTHORS_HAMILTONIAN = (
    ConvLayer(32),
    ConvLayer(64, kernel=2, stride=2, padding="VALID"),
    ConvLayer(64, kernel=2),
    ConvLayer(64, kernel=2),
    ConvLayer(1, kernel=2, stride=2, padding="VALID"),
)

# Added to squared distances, so that the force between points at one place is finite.
_SOFTENING = 0.01
_METRIC_GAIN = 0.1  # inertia starts nearly the same everywhere
_SMALLEST_METRIC = 1e-4

_product = functools.partial(jnp.matmul, precision="highest")


class ConvEnergy(NamedTuple):
    """A convolutional energy as pure functions.

    Attributes:
      init: `(key, x [batch, 4, 4, c]) -> params`.
      apply: `(params, x) -> energies [batch]`.
      multiplied_out: `(params) -> function of x`, the same energy with every convolution as one product with a matrix.
        The matrices are made once, for a rollout to use many times: on an accelerator, convolutions of so small a grid
        take much longer to start than to compute.
    """

    init: Callable[[jax.Array, jax.Array], dict]
    apply: Callable[[dict, jax.Array], jax.Array]
    multiplied_out: Callable[[dict], Callable[[jax.Array], jax.Array]]


def conv_energy(layers: Sequence[ConvLayer], activation: str, gain: float, output_gain: float) -> ConvEnergy:
    """A convolutional energy: maps grids `[batch, 4, 4, c]` to energies `[batch]`.

    The activation must be smooth, because training differentiates the gradient of the energy. A softplus halves
    gradients at the origin; a `gain` near 2 keeps them alive through the layers. With a gain of 1 the initial energy is
    so flat that nothing moves.

    Args:
      layers: Convolutions; the last one is linear, and its output is summed over space and channels.
      activation: Name in `ACTIVATIONS` of the activation after each of the other convolutions.
      gain: Scale of the initial weights: their variance is gain² / fan-in.
      output_gain: The same scale for the last layer.
    """
    *hidden_layers, output_layer = layers
    names = [f"convolution_{i}" for i in range(len(hidden_layers))] + ["energy"]

    def energy(x: jax.Array) -> jax.Array:
        features = conv_stack(x, hidden_layers, activation, gain)
        return jnp.sum(convolution(output_layer, output_gain, "energy")(features), axis=(1, 2, 3))

    def multiplied_out(params: dict) -> Callable[[jax.Array], jax.Array]:
        shape = (LATENT_SIZE, LATENT_SIZE, params[names[0]]["w"].shape[2])
        matrices = []
        for name, layer in zip(names, layers, strict=True):
            matrix, bias, shape = _matrix(params[name], layer, shape)
            matrices.append((matrix, bias))

        def multiply(x: jax.Array) -> jax.Array:
            *hidden, (last_matrix, last_bias) = matrices
            x = x.reshape(len(x), -1)
            for matrix, bias in hidden:
                x = ACTIVATIONS[activation](_product(x, matrix) + bias)
            return _product(x, jnp.sum(last_matrix, axis=1)) + jnp.sum(last_bias)

        return multiply

    network = pure(energy)
    return ConvEnergy(network.init, network.apply, multiplied_out)


def _matrix(params: dict, layer: ConvLayer, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array, tuple[int, ...]]:
    """The matrix `[inputs, outputs]` and the bias `[outputs]` of a convolution of grids, and the shape of its result.

    Row i of the matrix is the convolution of the grid whose value i is 1 and all others 0.
    """
    size = math.prod(shape)
    units = jnp.eye(size, dtype=params["w"].dtype).reshape(size, *shape)
    images = jax.lax.conv_general_dilated(
        units, params["w"], (layer.stride, layer.stride), layer.padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest",
    )  # fmt: skip
    shape = images.shape[1:]
    return images.reshape(size, -1), jnp.broadcast_to(params["b"], shape).reshape(-1), shape


def mlp_energy(hidden_sizes: Sequence[int], activation: str, gain: float, output_gain: float) -> hk.Transformed:
    """An energy by a multilayer perceptron over all numbers of a state: maps `[batch, ...]` to energies `[batch]`.

    Args:
      hidden_sizes: Number of units of each hidden layer.
      activation: Name in `ACTIVATIONS` of a smooth activation.
      gain: Scale of the initial weights; see `conv_energy`.
      output_gain: The same scale for the last layer.
    """
    network = mlp((*hidden_sizes, 1), activation, gain, output_gain)

    def flatten(x: jax.Array) -> jax.Array:
        return x.reshape(len(x), -1)

    return hk.Transformed(
        lambda key, x: network.init(key, flatten(x)), lambda params, x: network.apply(params, flatten(x))[:, 0]
    )


def quadratic_kinetic(num_masses: int) -> hk.Transformed:
    """The kinetic energy sum p² / (2 m) with learned masses: maps momenta `[batch, d]` to energies `[batch]`.

    Args:
      num_masses: Number of masses; each belongs to d / num_masses successive coordinates. They start at 1.
    """

    def apply(p: jax.Array) -> jax.Array:
        log_mass = hk.get_parameter("log_mass", (num_masses,), p.dtype, jnp.zeros)
        return jnp.sum(p**2 / (2.0 * jnp.repeat(jnp.exp(log_mass), p.shape[-1] // num_masses)), axis=-1)

    return pure(apply)


def learned_masses(params: dict) -> jax.Array:
    """The masses `[num_masses]` of a `quadratic_kinetic`."""
    return jnp.exp(params["~"]["log_mass"])


class MetricKinetic(NamedTuple):
    """The kinetic energy ½ pᵀ G(q) p with a learned inverse mass matrix G(q), as pure functions.

    Attributes:
      init: `(key, q [batch, d]) -> params`. G starts near the identity, or near that of equal rods.
      apply: `(params, PhaseState) -> energies [batch]`.
      momentum: `(params, q, velocity) -> p [batch, d]`, the solution of G(q) p = velocity.
    """

    init: Callable[[jax.Array, jax.Array], dict]
    apply: Callable[[dict, PhaseState], jax.Array]
    momentum: Callable[[dict, jax.Array, jax.Array], jax.Array]


def metric_kinetic(dim: int, hidden_sizes: Sequence[int], activation: str, angles: bool = False) -> MetricKinetic:
    """The kinetic energy of generalised coordinates whose inertia depends on where the system is.

    The inverse mass matrix is G(q) = L(q) L(q)ᵀ + ε I with a network L.

    Args:
      dim: Number d of coordinates.
      hidden_sizes: Number of units of each hidden layer of the network that gives L(q).
      activation: Name in `ACTIVATIONS` of a smooth activation.
      angles: Whether the coordinates are angles, on which G depends periodically.
    """
    rows, columns = np.tril_indices(dim)
    network = in_precision(mlp((*hidden_sizes, len(rows)), activation, output_gain=_METRIC_GAIN), "full")
    if angles:
        network = periodic(network)

    def factor(params: dict, q: jax.Array) -> jax.Array:
        entries = network.apply(params, q)
        return jnp.eye(dim, dtype=q.dtype) + jnp.zeros((*q.shape, dim), q.dtype).at[..., rows, columns].set(entries)

    def apply(params: dict, state: PhaseState) -> jax.Array:
        scaled = jnp.einsum("...ij,...i->...j", factor(params, state.q), state.p, precision="highest")
        return 0.5 * jnp.sum(scaled**2 + _SMALLEST_METRIC * state.p**2, axis=-1)

    def momentum(params: dict, q: jax.Array, velocity: jax.Array) -> jax.Array:
        lower = factor(params, q)
        metric = jnp.einsum("...ij,...kj->...ik", lower, lower, precision="highest")
        metric += _SMALLEST_METRIC * jnp.eye(dim)
        return jnp.linalg.solve(metric, velocity[..., None])[..., 0]

    return MetricKinetic(network.init, apply, momentum)


def rods_kinetic(num_rods: int) -> MetricKinetic:
    """The kinetic energy of a chain of rods in a plane, whose coordinates are their angles from one direction.

    Whatever the masses and where they sit along the rods, the mass matrix is M_ij(q) = A_ij cos(q_i - q_j) with a
    constant, symmetric A (for point masses m_k at the joints and lengths l_i, A_ij = l_i l_j sum of m_k over
    k >= max(i, j)). The learned A = C Cᵀ is positive definite, hence so is M, by Schur's product theorem.

    Args:
      num_rods: Number of rods, and of coordinates.
    """
    rows, columns = np.tril_indices(num_rods)
    # Of equal rods with equal masses at the joints, with a largest entry of 1.
    equal = 1.0 - np.maximum(*np.indices((num_rods, num_rods))) / num_rods
    initial = np.linalg.cholesky(equal)[rows, columns].astype(np.float32)

    def init(key: jax.Array, q: jax.Array) -> dict:
        del key, q
        return {"inertia_factor": jnp.asarray(initial)}

    def mass_matrix(params: dict, q: jax.Array) -> jax.Array:
        factor = jnp.zeros((num_rods, num_rods), q.dtype).at[rows, columns].set(params["inertia_factor"])
        inertia = jnp.einsum("ik,jk->ij", factor, factor, precision="highest") + _SMALLEST_METRIC * jnp.eye(num_rods)
        return inertia * jnp.cos(q[..., :, None] - q[..., None, :])

    def momentum(params: dict, q: jax.Array, velocity: jax.Array) -> jax.Array:
        return jnp.einsum("...ij,...j->...i", mass_matrix(params, q), velocity, precision="highest")

    def apply(params: dict, state: PhaseState) -> jax.Array:
        velocity = jnp.linalg.solve(mass_matrix(params, state.q), state.p[..., None])[..., 0]
        return 0.5 * jnp.sum(velocity * state.p, axis=-1)

    return MetricKinetic(init, apply, momentum)


def periodic(network: hk.Transformed) -> hk.Transformed:
    """Makes a network of positions on a line a function of angles `[batch, d]`, through points on a circle."""
    return hk.Transformed(
        lambda key, q: network.init(key, on_circle(q)), lambda params, q: network.apply(params, on_circle(q))
    )


def confined(energy: hk.Transformed, stiffness: float) -> hk.Transformed:
    """Adds a learned harmonic potential, ½ sum k_i q_i² with k_i > 0, to an energy of positions `[batch, d]`.

    It closes the surfaces of equal energy, so that rollouts stay where there are data.

    Args:
      energy: The energy.
      stiffness: Initial value of all k_i.
    """

    def init(key: jax.Array, q: jax.Array) -> dict:
        return {"energy": energy.init(key, q), "log_stiffness": jnp.full(q.shape[-1:], jnp.log(stiffness), q.dtype)}

    def apply(params: dict, q: jax.Array) -> jax.Array:
        return energy.apply(params["energy"], q) + 0.5 * jnp.sum(jnp.exp(params["log_stiffness"]) * q**2, axis=-1)

    return hk.Transformed(init, apply)


def pairwise_energy(
    num_points: int, hidden_sizes: Sequence[int], activation: str, gain: float, output_gain: float
) -> hk.Transformed:
    """A potential energy of points that act on each other in pairs: maps `[batch, num_points * 2]` to `[batch]`.

    It is the sum over pairs of a multilayer perceptron of (r, log r), one per pair, with the distance r of its points.

    Args:
      num_points: Number of points, at least two.
      hidden_sizes: Number of units of each hidden layer.
      activation: Name in `ACTIVATIONS` of a smooth activation.
      gain: Scale of the initial weights; see `conv_energy`.
      output_gain: The same scale for the last layer.
    """
    network = mlp((*hidden_sizes, 1), activation, gain, output_gain)
    first, second = np.triu_indices(num_points, k=1)

    def distances(q: jax.Array) -> jax.Array:
        points = q.reshape(-1, num_points, 2)
        squared = jnp.sum((points[:, first] - points[:, second]) ** 2, axis=-1)
        return jnp.sqrt(squared + _SOFTENING)  # [batch, pairs]

    def features(r: jax.Array) -> jax.Array:
        return jnp.stack([r, jnp.log(r)], axis=-1)

    def init(key: jax.Array, q: jax.Array) -> dict:
        return jax.vmap(network.init, in_axes=(0, 1))(jax.random.split(key, len(first)), features(distances(q)))

    def energies(params: dict, r: jax.Array) -> jax.Array:
        return jax.vmap(network.apply, in_axes=(0, 1), out_axes=1)(params, features(r))[..., 0]

    def apply(params: dict, q: jax.Array) -> jax.Array:
        return jnp.sum(_elementwise(energies)(params, distances(q)), axis=-1)

    return hk.Transformed(init, apply)


def _elementwise(function: Callable[[dict, jax.Array], jax.Array]) -> Callable[[dict, jax.Array], jax.Array]:
    """Differentiates a `function(params, x)`, each number of which depends on its own x alone, with its slope.

    The slope is computed once, forwards, and is multiplied by each derivative of x that is asked for, such as those of
    a Jacobian. Otherwise each of them would go through the function again.
    """

    def slope(params: dict, x: jax.Array) -> jax.Array:
        return jax.jvp(lambda x: function(params, x), (x,), (jnp.ones_like(x),))[1]

    with_slope = jax.custom_jvp(function)

    @functools.partial(with_slope.defjvp, symbolic_zeros=True)
    def derivative(primals, tangents):
        (params, x), (dparams, dx) = primals, tangents
        if all(map(_is_zero, jax.tree.leaves(dparams))):
            y, dy = with_slope(params, x), jnp.zeros_like(x)
        else:
            dparams = jax.tree.map(lambda p, dp: jnp.zeros_like(p) if _is_zero(dp) else dp, params, dparams)
            y, dy = jax.jvp(lambda params: function(params, x), (params,), (dparams,))
        return y, dy if _is_zero(dx) else dy + _elementwise(slope)(params, x) * dx

    return with_slope


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)
