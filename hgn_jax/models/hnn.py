"""Hamiltonian Neural Networks, the baselines (Greydanus et al. 2019; App. A.3 of the HGN paper).

The vector field of a learned H(q, p) is fitted to time derivatives: to the true ones of true states, or to the
differences of an embedding of pairs of frames that is learned at the same time. Training never integrates; a rollout
does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from hgn_jax.models.frames import unit_interval
from hgn_jax.models.hnn_config import HNNConfig, validate
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.encoder import conv_encoder
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.networks.mlp import mlp
from hgn_jax.physics import integrators
from hgn_jax.physics.hamiltonian import Hamiltonian, vector_field
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, Any]  # of arrays


class HNN(NamedTuple):
    """A Hamiltonian Neural Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]. States are `PhaseState`s whose `q` and `p` are
    `[..., d]`. Paths have a leading time axis.

    Attributes:
      config: The configuration of the model.
      init: `(key, batch) -> params`.
      hamiltonian: `(params) -> Hamiltonian`, the learned energy.
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator) -> path`.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_hnn`.
      encode: `(params, frames) -> PhaseState`, `[batch, time - 1, d]`, a state for every frame that has a next one.
      decode: `(params, state) -> images [..., 2, size, size, 3]`, the frame of a state and the next one.
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the decoded rollout
        from the first two frames.

    The last three are None for the model `state`, which sees no frames.
    """

    config: HNNConfig
    init: Callable[[jax.Array, Batch], Params]
    hamiltonian: Callable[[Params], Hamiltonian]
    rollout: Callable[..., PhaseState]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
    encode: Callable[[Params, ArrayLike], PhaseState] | None = None
    decode: Callable[[Params, PhaseState], jax.Array] | None = None
    reconstruct: Callable[..., jax.Array] | None = None


def make_hnn(config: HNNConfig) -> HNN:
    """Builds a Hamiltonian Neural Network.

    Its loss ignores all arguments but `params` and `batch`. Every term is a mean of squares over all of its numbers, as
    in the code of Greydanus et al. For the model `state`, whose batch holds `q`, `p`, `dq_dt` and `dp_dt`, each
    `[..., d]`, the loss is
      field_error + weight_decay * decay.
    For the others the batch holds `image`, frames `[batch, time >= 3, size, size, 3]`. With z_t = (q_t, p_t) the
    embedding of frames t and t + 1, averaged over all t that have two frames after them, the loss is (Eq. 15)
      autoencoding_error + canonical_error + hnn_weight * field_error + weight_decay * decay,
    with (z_{t+1} - z_t) / dt for the time derivatives. `aux` holds the terms other than the decay: `field`, and for
    models of frames `autoencoding` and `canonical`.

    Raises:
      ValueError: If no model can be made from `config`.
    """
    validate(config)
    return _make_state_hnn(config) if config.model == "state" else _make_pixel_hnn(config)


def field_error(hamiltonian: Hamiltonian, state: PhaseState, derivative: PhaseState) -> jax.Array:
    """Error of the vector field, L_HNN: 1/2 mean((dH/dp - dq/dt)^2) + 1/2 mean((dH/dq + dp/dt)^2).

    This is Eqs. 1 and 12, divided by the number of coordinates and averaged over states.

    Args:
      hamiltonian: The energy.
      state: States, `[..., d]`.
      derivative: Their time derivatives, `[..., d]`.
    """
    chex.assert_equal_shape([*state, *derivative])
    field = vector_field(hamiltonian)(state)
    return 0.5 * (jnp.mean((field.q - derivative.q) ** 2) + jnp.mean((field.p - derivative.p) ** 2))


def autoencoding_error(decoded: jax.Array, pairs: jax.Array) -> jax.Array:
    """Error of the decoded pairs of frames, L_AE (Eq. 14), `[batch, time, 2, size, size, 3]` both."""
    return jnp.mean((decoded - pairs) ** 2)


def canonical_error(state: PhaseState, change: PhaseState) -> jax.Array:
    """Error of the momenta, L_CC (Eqs. 2 and 13): mean((p_t - (q_{t+1} - q_t))^2)."""
    return jnp.mean((state.p - change.q) ** 2)


def weight_decay(params: Params) -> jax.Array:
    """Half the sum of the squares of all parameters, L_WD."""
    return 0.5 * sum(jnp.sum(x**2) for x in jax.tree.leaves(params))


class _Energy(NamedTuple):
    """The part that all models share.

    Attributes:
      init: `(key) -> params["hamiltonian"]`.
      hamiltonian: As in `HNN`.
      rollout: As in `HNN`.
    """

    init: Callable[[jax.Array], Params]
    hamiltonian: Callable[[Params], Hamiltonian]
    rollout: Callable[..., PhaseState]


def _make_energy(config: HNNConfig) -> _Energy:
    network = mlp((*config.hidden_sizes, 1), config.activation)

    def init(key: jax.Array) -> Params:
        return network.init(key, jnp.zeros(2 * config.state_size))

    def hamiltonian(params: Params) -> Hamiltonian:
        return lambda s: network.apply(params["hamiltonian"], jnp.concatenate(s, axis=-1))[..., 0]

    def rollout(
        params: Params,
        state: PhaseState,
        num_steps: int,
        dt: float | jax.Array = config.dt,
        integrator: str = config.integrator,
    ) -> PhaseState:
        return integrators.rollout(hamiltonian(params), state, dt, num_steps, integrator, config.substeps)

    return _Energy(init, hamiltonian, rollout)


def _make_state_hnn(config: HNNConfig) -> HNN:
    energy = _make_energy(config)

    def init(key: jax.Array, batch: Batch) -> Params:
        del batch
        return {"hamiltonian": energy.init(key)}

    def loss(params: Params, multiplier, key, batch: Batch, *, progress=1.0, slots=None):
        del multiplier, key, progress, slots
        chex.assert_shape(batch["q"], (..., config.state_size))
        state, derivative = PhaseState(batch["q"], batch["p"]), PhaseState(batch["dq_dt"], batch["dp_dt"])
        field = field_error(energy.hamiltonian(params), state, derivative)
        return field + config.weight_decay * weight_decay(params), {"field": field}

    return HNN(config=config, init=init, hamiltonian=energy.hamiltonian, rollout=energy.rollout, loss=loss)


def _make_pixel_hnn(config: HNNConfig) -> HNN:
    energy = _make_energy(config)
    embedding = {"pixel": _perceptrons, "convolutional": _convolutions}[config.model](config)

    def init(key: jax.Array, batch: Batch) -> Params:
        del batch
        energy_key, *keys = jax.random.split(key, 1 + len(embedding.networks))
        named_keys = zip(embedding.networks.items(), keys, strict=True)
        params = {name: network.init(k, x) for (name, (network, x)), k in named_keys}
        return {**params, "hamiltonian": energy.init(energy_key)}

    def encode(params: Params, frames: jax.Array) -> PhaseState:
        chex.assert_shape(frames, (None, None, config.image_size, config.image_size, 3))
        frames = unit_interval(frames)
        pairs = jnp.concatenate([frames[:, :-1], frames[:, 1:]], axis=-1)
        z = embedding.encode(params, pairs.reshape(-1, *pairs.shape[2:]))
        return PhaseState(*jnp.split(z.reshape(*pairs.shape[:2], -1), 2, axis=-1))

    def decode(params: Params, state: PhaseState) -> jax.Array:
        z = jnp.concatenate(state, axis=-1)
        pairs = embedding.decode(params, z.reshape(-1, z.shape[-1]))
        pairs = pairs.reshape(*z.shape[:-1], config.image_size, config.image_size, 2, 3)
        return jnp.moveaxis(pairs, -2, -4)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        start = jax.tree.map(lambda x: x[:, 0], encode(params, frames[:, :2]))
        pairs = decode(params, energy.rollout(params, start, num_steps))
        return jnp.swapaxes(pairs[..., 0, :, :, :], 0, 1)

    def loss(params: Params, multiplier, key, batch: Batch, *, progress=1.0, slots=None):
        del multiplier, key, progress, slots
        frames = unit_interval(batch["image"])
        chex.assert_axis_dimension_gteq(frames, 1, 3)
        z = encode(params, frames)
        state = jax.tree.map(lambda x: x[:, :-1], z)
        change = jax.tree.map(lambda x: x[:, 1:] - x[:, :-1], z)
        pairs = jnp.stack([frames[:, :-2], frames[:, 1:-1]], axis=2)
        terms = {
            "autoencoding": autoencoding_error(decode(params, state), pairs),
            "canonical": canonical_error(state, change),
            "field": field_error(energy.hamiltonian(params), state, jax.tree.map(lambda x: x / config.dt, change)),
        }
        total = terms["autoencoding"] + terms["canonical"] + config.hnn_weight * terms["field"]
        return total + config.weight_decay * weight_decay(params), terms

    return HNN(
        config=config,
        init=init,
        hamiltonian=energy.hamiltonian,
        rollout=energy.rollout,
        loss=loss,
        encode=encode,
        decode=decode,
        reconstruct=reconstruct,
    )


class _Embedding(NamedTuple):
    """Networks between pairs of frames `[n, size, size, 6]` and states z `[n, 2 d]`.

    Attributes:
      networks: Each network and an input of the right shape, by the names of their parameters.
      encode: `(params, pairs) -> z`.
      decode: `(params, z) -> pairs`, in any shape of as many numbers.
    """

    networks: dict[str, tuple[Any, jax.Array]]
    encode: Callable[[Params, jax.Array], jax.Array]
    decode: Callable[[Params, jax.Array], jax.Array]


def _perceptrons(config: HNNConfig) -> _Embedding:
    """The multilayer perceptrons of PixelHNN."""
    pair_size, z_size = config.image_size**2 * 6, 2 * config.state_size
    encoder = mlp((*config.encoder_sizes, z_size), "relu")
    decoder = mlp((*config.decoder_sizes, pair_size), "relu")

    def encode(params: Params, pairs: jax.Array) -> jax.Array:
        return encoder.apply(params["encoder"], pairs.reshape(len(pairs), -1))

    def decode(params: Params, z: jax.Array) -> jax.Array:
        return decoder.apply(params["decoder"], z)

    networks = {"encoder": (encoder, jnp.zeros(pair_size)), "decoder": (decoder, jnp.zeros(z_size))}
    return _Embedding(networks, encode, decode)


def _convolutions(config: HNNConfig) -> _Embedding:
    """HGN's encoder and decoder, with one linear layer each between their grids and z."""
    z_size, channels = 2 * config.state_size, config.latent_channels
    grid = (LATENT_SIZE, LATENT_SIZE, channels)
    grid_size = LATENT_SIZE**2 * channels
    encoder = conv_encoder(config.image_size, config.encoder_filters, "relu", channels)
    decoder = conv_decoder(config.image_size, config.decoder_filters, 6, config.block_activation, "none")
    to_state, from_state = mlp((z_size,), "none"), mlp((grid_size,), "none")

    def encode(params: Params, pairs: jax.Array) -> jax.Array:
        features, _ = encoder.apply(params["encoder"], pairs)  # the mean; HNN does not use the variance
        return to_state.apply(params["to_state"], features.reshape(len(pairs), -1))

    def decode(params: Params, z: jax.Array) -> jax.Array:
        return decoder.apply(params["decoder"], from_state.apply(params["from_state"], z).reshape(len(z), *grid))

    networks = {
        "encoder": (encoder, jnp.zeros((1, config.image_size, config.image_size, 6))),
        "to_state": (to_state, jnp.zeros(grid_size)),
        "from_state": (from_state, jnp.zeros(z_size)),
        "decoder": (decoder, jnp.zeros((1, *grid))),
    }
    return _Embedding(networks, encode, decode)
