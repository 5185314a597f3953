"""Hamiltonian Neural Networks, the baselines (Greydanus et al. 2019; App. A.3 of the HGN paper).

The vector field of a learned H(q, p) is fitted to time derivatives: to the true ones of true states, or to the
differences of an embedding of pairs of frames that is learned with it. Training never integrates; a rollout does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from hgn_jax.models.hgn import unit_interval
from hgn_jax.models.hnn_config import HNNConfig, validate
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.encoder import conv_encoder
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.networks.mlp import mlp
from hgn_jax.physics.hamiltonian import Hamiltonian, vector_field
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]


class HNN(NamedTuple):
    """A Hamiltonian Neural Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]; states are `PhaseState`s with `q` and `p` of
    shape `[..., d]`, paths have a time axis in front.

    Attributes:
      config: what it was made from.
      init: `(key, batch) -> params`.
      hamiltonian: `(params) -> Hamiltonian`, the learned energy, to be used like any other.
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator) -> path`.
      loss: `(params, multiplier, key, batch) -> (loss, aux)`; see `make_hnn`.
      encode: `(params, frames) -> PhaseState`, `[batch, time - 1, d]`, a state for every frame that has a next one.
      decode: `(params, state) -> images [..., 2, size, size, 3]`, the frame of a state and the next one.
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the rollout from the
        first two frames; it ignores the others.

    The last three are None for the model `state`, which sees no frames.
    """

    config: HNNConfig
    init: Callable[..., Params]
    hamiltonian: Callable[[Params], Hamiltonian]
    rollout: Callable[..., PhaseState]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
    encode: Callable[[Params, jax.Array], PhaseState] | None = None
    decode: Callable[[Params, PhaseState], jax.Array] | None = None
    reconstruct: Callable[..., jax.Array] | None = None


def make_hnn(config: HNNConfig) -> HNN:
    """Builds a Hamiltonian Neural Network.

    `loss(params, multiplier, key, batch)` ignores `multiplier`, `key`, `progress` and `slots`. Every term is a mean of
    squares over all of its numbers, and weight decay is half the sum of the squares of all parameters, as in the code
    of Greydanus et al.
    For the model `state`, whose batch holds `q`, `p`, `dq_dt` and `dp_dt`, each `[..., d]`, it is
      field + weight_decay * decay,
      field = 1/2 mean((dH/dp - dq/dt)^2) + 1/2 mean((dH/dq + dp/dt)^2),            Eq. 1 divided by d.
    For the others the batch holds `image`, frames `[batch, time >= 3, size, size, 3]`; with z_t = (q_t, p_t) the
    embedding of frames t and t+1, averaged over all t that have two frames after them, it is Eq. 15,
      autoencoding + canonical + hnn_weight * field + weight_decay * decay,
      autoencoding = mean((x_t - x^_t)^2), x_t the pair of frames t and t+1,         Eq. 14
      canonical    = mean((p_t - (q_{t+1} - q_t))^2),                                Eq. 13
    and `field` as above with (z_{t+1} - z_t) / dt for the derivatives. `aux` holds the terms but for the decay.

    Raises:
      ValueError: if no model can be made from `config`.
    """
    validate(config)
    return _make_state_hnn(config) if config.model == "state" else _make_pixel_hnn(config)


def field_error(hamiltonian: Hamiltonian, state: PhaseState, derivative: PhaseState) -> jax.Array:
    """Mean square over states, coordinates and momenta of what a vector field misses of given time derivatives."""
    chex.assert_equal_shape([*state, *derivative])
    field = vector_field(hamiltonian)(state)
    return 0.5 * (jnp.mean((field.q - derivative.q) ** 2) + jnp.mean((field.p - derivative.p) ** 2))


def _energy(config: HNNConfig):
    """The network of the energy: its `init` of a key, and the Hamiltonian of its parameters."""
    network = mlp((*config.hidden_sizes, 1), config.activation)

    def hamiltonian(params: Params) -> Hamiltonian:
        return lambda s: network.apply(params["hamiltonian"], jnp.concatenate(s, axis=-1))[..., 0]

    return lambda key: network.init(key, jnp.zeros(2 * config.state_size)), hamiltonian


def _rollout(config: HNNConfig, hamiltonian: Callable[[Params], Hamiltonian]) -> Callable[..., PhaseState]:
    def unrolled(params, state, num_steps, dt=config.dt, integrator=config.integrator):
        return rollout(hamiltonian(params), state, dt, num_steps, integrator, config.substeps)

    return unrolled


def _decay(params: Params) -> jax.Array:
    return 0.5 * sum(jnp.sum(x**2) for x in jax.tree.leaves(params))


def _make_state_hnn(config: HNNConfig) -> HNN:
    init_energy, hamiltonian = _energy(config)

    def loss(params: Params, multiplier, key, batch: Batch, *, progress=1.0, slots=None):
        del multiplier, key, progress, slots
        chex.assert_shape(batch["q"], (..., config.state_size))
        state, derivative = PhaseState(batch["q"], batch["p"]), PhaseState(batch["dq_dt"], batch["dp_dt"])
        field = field_error(hamiltonian(params), state, derivative)
        return field + config.weight_decay * _decay(params), {"field": field}

    def init(key: jax.Array, batch: Batch) -> Params:
        del batch
        return {"hamiltonian": init_energy(key)}

    return HNN(config, init, hamiltonian, _rollout(config, hamiltonian), loss)


def _make_pixel_hnn(config: HNNConfig) -> HNN:
    init_energy, hamiltonian = _energy(config)
    parts, embed, draw = (_perceptrons if config.model == "pixel" else _convolutions)(config)
    unrolled = _rollout(config, hamiltonian)

    def init(key: jax.Array, batch: Batch) -> Params:
        del batch
        keys = jax.random.split(key, len(parts) + 1)
        params = {name: part.init(k, x) for k, (name, (part, x)) in zip(keys[1:], parts.items(), strict=True)}
        return {**params, "hamiltonian": init_energy(keys[0])}

    def encode(params: Params, frames: jax.Array) -> PhaseState:
        chex.assert_shape(frames, (None, None, config.image_size, config.image_size, 3))
        frames = unit_interval(frames)
        pairs = jnp.concatenate([frames[:, :-1], frames[:, 1:]], axis=-1)
        z = embed(params, pairs.reshape(-1, *pairs.shape[2:]))
        return PhaseState(*jnp.split(z.reshape(*pairs.shape[:2], -1), 2, axis=-1))

    def decode(params: Params, state: PhaseState) -> jax.Array:
        z = jnp.concatenate(state, axis=-1)
        pairs = draw(params, z.reshape(-1, z.shape[-1]))
        pairs = pairs.reshape(*z.shape[:-1], config.image_size, config.image_size, 2, 3)
        return jnp.moveaxis(pairs, -2, -4)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        start = jax.tree.map(lambda x: x[:, 0], encode(params, frames[:, :2]))
        return jnp.swapaxes(decode(params, unrolled(params, start, num_steps))[..., 0, :, :, :], 0, 1)

    def loss(params: Params, multiplier, key, batch: Batch, *, progress=1.0, slots=None):
        del multiplier, key, progress, slots
        frames = unit_interval(batch["image"])
        chex.assert_axis_dimension_gteq(frames, 1, 3)
        z = encode(params, frames)
        state = jax.tree.map(lambda x: x[:, :-1], z)
        change = jax.tree.map(lambda x: x[:, 1:] - x[:, :-1], z)
        pairs = jnp.stack([frames[:, :-2], frames[:, 1:-1]], axis=2)
        terms = {
            "autoencoding": jnp.mean((decode(params, state) - pairs) ** 2),
            "canonical": jnp.mean((state.p - change.q) ** 2),
            "field": field_error(hamiltonian(params), state, jax.tree.map(lambda x: x / config.dt, change)),
        }
        total = terms["autoencoding"] + terms["canonical"] + config.hnn_weight * terms["field"]
        return total + config.weight_decay * _decay(params), terms

    return HNN(config, init, hamiltonian, unrolled, loss, encode, decode, reconstruct)


def _perceptrons(config: HNNConfig):
    """PixelHNN's networks with an input of each; pairs `[n, size, size, 6]` to z `[n, 2 d]`; z to pairs, flat."""
    pair_size, z_size = config.image_size**2 * 6, 2 * config.state_size
    encoder = mlp((*config.encoder_sizes, z_size), "relu")
    decoder = mlp((*config.decoder_sizes, pair_size), "relu")
    parts = {"encoder": (encoder, jnp.zeros(pair_size)), "decoder": (decoder, jnp.zeros(z_size))}

    def embed(params, pairs):
        return encoder.apply(params["encoder"], pairs.reshape(len(pairs), -1))

    return parts, embed, lambda params, z: decoder.apply(params["decoder"], z)


def _convolutions(config: HNNConfig):
    """The same with HGN's convolutional networks and one linear layer each way."""
    z_size, channels = 2 * config.state_size, config.latent_channels
    grid = (LATENT_SIZE, LATENT_SIZE, channels)
    encoder = conv_encoder(config.image_size, config.encoder_filters, "relu", channels)
    decoder = conv_decoder(config.image_size, config.decoder_filters, 6, config.block_activation, "none")
    to_state = mlp((z_size,), "none")
    from_state = mlp((LATENT_SIZE**2 * channels,), "none")
    parts = {
        "encoder": (encoder, jnp.zeros((1, config.image_size, config.image_size, 6))),
        "to_state": (to_state, jnp.zeros(LATENT_SIZE**2 * channels)),
        "from_state": (from_state, jnp.zeros(z_size)),
        "decoder": (decoder, jnp.zeros((1, *grid))),
    }

    def embed(params, pairs):
        features, _ = encoder.apply(params["encoder"], pairs)  # the variance is of no use here
        return to_state.apply(params["to_state"], features.reshape(len(pairs), -1))

    def draw(params, z):
        return decoder.apply(params["decoder"], from_state.apply(params["from_state"], z).reshape(len(z), *grid))

    return parts, embed, draw
