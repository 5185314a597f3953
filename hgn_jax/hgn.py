"""The Hamiltonian Generative Network (Sec. 3.2 and App. A.1 of the paper).

frames -> posterior q(z | x) -> initial state (q, p) -> rollout of a learned Hamiltonian -> frames, each arrow a pure
function gathered in the record `HGN`. Derivatives of the energy and the scan over time stand outside Haiku.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from hgn_jax import networks
from hgn_jax.hamiltonian import Hamiltonian, separable
from hgn_jax.hgn_config import HGNConfig, validate, validate_frames
from hgn_jax.integrators import rollout
from hgn_jax.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]


class Posterior(NamedTuple):
    """The diagonal Gaussian q(z | x); `mean` and `scale` (standard deviation) are `[batch, 4, 4, 2 * channels]`."""

    mean: jax.Array
    scale: jax.Array


class HGN(NamedTuple):
    """A Hamiltonian Generative Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]; states are `PhaseState`s with `q` and
    `p` of shape `[batch, 4, 4, channels]`, paths have a time axis in front.

    Attributes:
      config: what it was made from.
      init: `(key, batch) -> params`; the batch gives the number of frames.
      infer: `(params, frames) -> Posterior`; takes the first `inference_frames` and ignores the others.
      initial_state: `(params, z) -> PhaseState`, f_psi (Eq. 9).
      hamiltonian: `(params) -> Hamiltonian`, the learned energy, to be used like any other.
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator, unroll=1) -> path`.
      decode: `(params, q) -> images`, `[..., 4, 4, channels]` to `[..., size, size, 3]` (Eq. 11).
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the rollout from the
        posterior mean.
      loss: `(params, multiplier, key, batch) -> (loss, aux)`; see `make_hgn`.
      sample: `(params, key, num_samples, num_steps, dt=config.dt) -> images`, from the prior.
    """

    config: HGNConfig
    init: Callable[..., Params]
    infer: Callable[[Params, jax.Array], Posterior]
    initial_state: Callable[[Params, jax.Array], PhaseState]
    hamiltonian: Callable[[Params], Hamiltonian]
    rollout: Callable[..., PhaseState]
    decode: Callable[[Params, jax.Array], jax.Array]
    reconstruct: Callable[..., jax.Array]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
    sample: Callable[..., jax.Array]


def unit_interval(images: jax.Array) -> jax.Array:
    """uint8 images as float32 in [0, 1]; floating-point images as they are."""
    images = jnp.asarray(images)
    return images.astype(jnp.float32) / 255.0 if images.dtype == jnp.uint8 else images


def make_hgn(config: HGNConfig) -> HGN:
    """Builds a Hamiltonian Generative Network.

    `loss(params, multiplier, key, batch)` takes `batch["image"]`, frames `[batch, time, size, size, 3]`, and optionally
    `batch["slot"]`, `[batch]` integers that number the examples of a step across devices, so that each draws the
    same noise however many devices share the step, and `batch["progress"]`, `[batch]`, the part of the training that is
    done (1 if absent), which sets the horizon where `initial_horizon` is given. With
      mse = mean over frames, pixels, colours and examples of (x - x_hat)^2,
      kl  = KL(q(z) || N(0, I)) in nats, summed over the latent, averaged over examples,
    and D = size * size * 3 numbers per frame, the loss is
      geco:   kl + multiplier * (mse - tolerance)
      elbo:   beta * kl + D / 2 * mse, Eq. 4 up to sign and constant for beta = 1 (unit-variance Gaussian likelihood),
    without kl in the deterministic variant. So a multiplier of D / 2 weighs the terms as the ELBO does.
    `aux` holds the scalars `mse`, `kl` and, for GECO, `constraint` = mse - tolerance.

    Raises:
      ValueError: if no model can be made from `config`.
    """
    validate(config)
    state_channels = 2 * config.state_channels
    parts = _make_parts(config, state_channels)

    def init(key: jax.Array, batch: Batch) -> Params:
        validate_frames(config, batch["image"].shape[1])
        stacked = _stack_frames(unit_interval(batch["image"][:1]), config.inference_frames)
        latent = jnp.zeros((1, networks.LATENT_SIZE, networks.LATENT_SIZE, state_channels))
        half = latent[..., : config.state_channels]
        examples = {"encoder": stacked, "transform": latent, "hamiltonian": latent}
        keys = jax.random.split(key, len(parts))
        return {
            name: part.init(k, examples.get(name, half)) for k, (name, part) in zip(keys, parts.items(), strict=True)
        }

    def infer(params: Params, frames: jax.Array) -> Posterior:
        chex.assert_shape(frames, (None, None, config.image_size, config.image_size, 3))
        stacked = _stack_frames(unit_interval(frames), config.inference_frames)
        mean, log_variance = parts["encoder"].apply(params["encoder"], stacked)
        return Posterior(mean, jnp.exp(0.5 * log_variance))

    def initial_state(params: Params, z: jax.Array) -> PhaseState:
        s = parts["transform"].apply(params["transform"], z) if config.use_transform else z
        return PhaseState(*jnp.split(s, 2, axis=-1))

    def hamiltonian(params: Params) -> Hamiltonian:
        if config.hamiltonian == "joint":
            return lambda s: parts["hamiltonian"].apply(params["hamiltonian"], jnp.concatenate(s, axis=-1))
        return separable(
            lambda p: parts["kinetic"].apply(params["kinetic"], p),
            lambda q: parts["potential"].apply(params["potential"], q),
        )

    def unrolled(params, state, num_steps, dt=config.dt, integrator=config.integrator, unroll: int | bool = 1):
        return rollout(hamiltonian(params), state, dt, num_steps, integrator, config.substeps, unroll)

    def decode(params: Params, q: jax.Array) -> jax.Array:
        images = parts["decoder"].apply(params["decoder"], q.reshape(-1, *q.shape[-3:]))
        return images.reshape(*q.shape[:-3], *images.shape[1:])

    def decode_path(params, path):
        return jnp.swapaxes(decode(params, path.q), 0, 1)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        state = initial_state(params, infer(params, frames).mean)
        return decode_path(params, unrolled(params, state, num_steps))

    def sample(params: Params, key: jax.Array, num_samples: int, num_steps: int, dt: float = config.dt) -> jax.Array:
        shape = (num_samples, networks.LATENT_SIZE, networks.LATENT_SIZE, state_channels)
        state = initial_state(params, jax.random.normal(key, shape))
        return decode_path(params, unrolled(params, state, num_steps, dt))

    def loss(params: Params, multiplier: jax.Array, key: jax.Array, batch: Batch):
        frames = unit_interval(batch["image"])
        batch_size, num_frames = frames.shape[:2]
        noise_key, frame_key = jax.random.split(key)
        posterior = infer(params, frames)
        z = posterior.mean
        if config.variational:
            z += posterior.scale * _noise(noise_key, batch.get("slot", jnp.arange(batch_size)), z.shape[1:])
        path = unrolled(params, initial_state(params, z), num_frames - 1, unroll=config.unroll or True)
        times, weights = _choose_frames(config, frame_key, num_frames, batch.get("progress", jnp.ones(1))[0])
        if times is not None:
            path, frames = jax.tree.map(lambda x: x[times], path), frames[:, times]
        mse = jnp.sum(weights * jnp.mean((decode_path(params, path) - frames) ** 2, axis=(0, 2, 3, 4)))
        kl = jnp.mean(kl_to_standard_normal(posterior)) if config.variational else jnp.float32(0.0)
        aux = {"mse": mse, "kl": kl}
        if config.objective == "elbo":
            return config.beta * kl + 0.5 * frames[0, 0].size * mse, aux
        constraint = mse - config.tolerance
        return kl + multiplier * constraint, {**aux, "constraint": constraint}

    return HGN(config, init, infer, initial_state, hamiltonian, unrolled, decode, reconstruct, loss, sample)


def kl_to_standard_normal(posterior: Posterior) -> jax.Array:
    """KL(q(z) || N(0, I)) in nats per example, `[batch]`."""
    mean, scale = posterior
    terms = 0.5 * (mean**2 + scale**2 - 1.0) - jnp.log(scale)
    return jnp.sum(terms, axis=tuple(range(1, mean.ndim)))


def _make_parts(config: HGNConfig, state_channels: int):
    """The networks by name; the keys are those of the parameters."""
    hidden = [networks.ConvLayer(n) for n in config.hamiltonian_filters]
    layers = (
        networks.AUTHORS_HAMILTONIAN if config.hamiltonian_network == "authors" else [*hidden, networks.ConvLayer(1)]
    )
    energy = networks.energy(
        layers, config.hamiltonian_activation, config.hamiltonian_gain, config.hamiltonian_output_gain
    )
    parts = {
        "encoder": networks.encoder(
            config.image_size, config.encoder_filters, config.encoder_activation, state_channels
        ),
        "decoder": networks.decoder(
            config.image_size, config.decoder_filters, 3, config.block_activation, config.output_activation
        ),
    }
    if config.use_transform:
        parts["transform"] = networks.state_transform(
            config.transform_filters, config.encoder_activation, state_channels
        )
    energies = ("hamiltonian",) if config.hamiltonian == "joint" else ("kinetic", "potential")
    return parts | dict.fromkeys(energies, energy)


def _stack_frames(frames: jax.Array, num_frames: int | None) -> jax.Array:
    """The first `num_frames` frames concatenated along channels, `[batch, size, size, frames * 3]`."""
    frames = frames[:, :num_frames]
    batch, time, height, width, channels = frames.shape
    return jnp.moveaxis(frames, 1, 3).reshape(batch, height, width, time * channels)


def _choose_frames(config: HGNConfig, key: jax.Array, num_frames: int, progress: jax.Array):
    """The frames the loss looks at, None for all, and their weights, which sum to one."""
    if config.loss_frames is None and config.initial_horizon is None:
        return None, jnp.full(num_frames, 1.0 / num_frames)
    count = config.loss_frames or num_frames
    first = config.initial_horizon or num_frames
    horizon = first + (num_frames - first) * jnp.minimum(progress / config.horizon_growth, 1.0)
    inside = jnp.arange(num_frames) < horizon
    _, times = jax.lax.top_k(jax.random.uniform(key, num_frames) + inside, count)  # those inside in random order first
    weights = inside[times].astype(jnp.float32)
    return times, weights / jnp.sum(weights)


def _noise(key: jax.Array, slots: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal noise, each example's own by its slot."""
    return jax.vmap(lambda slot: jax.random.normal(jax.random.fold_in(key, slot), shape))(slots)
