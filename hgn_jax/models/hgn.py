"""The Hamiltonian Generative Network (Sec. 3.2 and App. A.1 of the paper).

frames -> posterior q(z | x) -> initial state (q, p) -> rollout of a learned Hamiltonian -> frames, each arrow a pure
function gathered in the record `HGN`. Derivatives of the energy and the scan over time stand outside Haiku.

HGN++ is the same with other fields of the configuration: a vector latent, energies by MLPs, and clips that are learned
forwards and backwards in time. It is due to Botev et al. 2021, "Which priors matter?" (arXiv 2111.05458), and the code
released with it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from hgn_jax.models.hgn_config import HGNConfig, inferred_frame, latent_shape, validate, validate_frames
from hgn_jax.networks.blocks import ConvLayer
from hgn_jax.networks.chunked_error import squared_error
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.encoder import conv_encoder, state_transform
from hgn_jax.networks.energies import AUTHORS_HAMILTONIAN, conv_energy, mlp_energy
from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision
from hgn_jax.physics.hamiltonian import Hamiltonian, separable
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]

_OF_IMAGES = ("encoder", "decoder")  # what `precision` is about, and nearly all the work


class Posterior(NamedTuple):
    """The diagonal Gaussian q(z | x); `mean` and `scale` (standard deviation) are `[batch, 4, 4, 2 * channels]`.

    Without the grid, `[batch, 2 * channels]`, where the latent is a vector.
    """

    mean: jax.Array
    scale: jax.Array


class HGN(NamedTuple):
    """A Hamiltonian Generative Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]; states are `PhaseState`s with `q` and
    `p` of shape `[batch, 4, 4, channels]`, or `[batch, channels]` where the latent is a vector; paths have a time axis
    in front.

    Attributes:
      config: what it was made from.
      init: `(key, batch) -> params`; the batch gives the number of frames.
      infer: `(params, frames) -> Posterior`; takes the first `inference_frames` and ignores the others.
      initial_state: `(params, z, dt=config.dt) -> PhaseState`, the state at the first frame, f_psi(z) (Eq. 9). Where z
        is of a later frame (`rollout_directions` is `both`) f_psi(z) is rolled back to the first, `-dt` a frame.
      hamiltonian: `(params) -> Hamiltonian`, the learned energy, to be used like any other.
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator, unroll=1) -> path`.
      decode: `(params, q) -> images [..., size, size, 3]` of `[..., 4, 4, channels]` or `[..., channels]` (Eq. 11).
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the rollout from the
        posterior mean.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_hgn`.
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

    `loss(params, multiplier, key, batch, *, progress=1.0, slots=None)` takes `batch["image"]`, frames
    `[batch, time, size, size, 3]`. `slots`, `[batch]` integers, numbers the examples within the global batch, so that
    an example draws the same noise regardless of the number of devices. `progress` is the fraction of the training that
    is done; it sets the horizon where `initial_horizon` is given. With
      mse = mean over frames, pixels, colours and examples of (x - x_hat)^2,
      kl  = KL(q(z) || N(0, I)) in nats, summed over the latent, averaged over examples,
    and D = size * size * 3 numbers per frame, the loss is
      geco:   kl + multiplier * (mse - tolerance)
      elbo:   beta * kl + D / 2 * mse, Eq. 4 up to sign and constant for beta = 1 (unit-variance Gaussian likelihood),
    without kl in the deterministic variant. So a multiplier of D / 2 weighs the terms as the ELBO does.
    `aux` holds the scalars `mse`, `kl` and, for GECO, `constraint` = mse - tolerance.

    With `rollout_directions` `both`, the examples of odd slot run backwards: their posterior is that of the clip's last
    frames, the rollout goes from the last frame to the first with -dt, and "the first frames" of `initial_horizon` are
    those that it meets first.

    Raises:
      ValueError: if no model can be made from `config`.
    """
    validate(config)
    shape = latent_shape(config)
    parts = _make_parts(config)

    def init(key: jax.Array, batch: Batch) -> Params:
        validate_frames(config, batch["image"].shape[1])
        stacked = _stack_frames(unit_interval(batch["image"][:1]), config.inference_frames)
        latent = jnp.zeros((1, *shape))
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

    def initial_state(params: Params, z: jax.Array, dt: float | jax.Array = config.dt) -> PhaseState:
        s = parts["transform"].apply(params["transform"], z) if config.use_transform else z
        state = PhaseState(*jnp.split(s, 2, axis=-1))
        if not inferred_frame(config):
            return state
        back = unrolled(params, state, inferred_frame(config), -dt, unroll=config.unroll or True)
        return jax.tree.map(lambda x: x[-1], back)

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
        outer = q.shape[: -len(shape)]
        images = parts["decoder"].apply(params["decoder"], q.reshape(-1, *q.shape[len(outer) :]))
        return images.reshape(*outer, *images.shape[1:])

    def decode_path(params, path):
        return jnp.swapaxes(decode(params, path.q), 0, 1)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        state = initial_state(params, infer(params, frames).mean)
        return decode_path(params, unrolled(params, state, num_steps))

    def sample(params: Params, key: jax.Array, num_samples: int, num_steps: int, dt: float = config.dt) -> jax.Array:
        state = initial_state(params, jax.random.normal(key, (num_samples, *shape)))
        return decode_path(params, unrolled(params, state, num_steps, dt))

    def loss(params: Params, multiplier: jax.Array, key: jax.Array, batch: Batch, *, progress=1.0, slots=None):
        frames = unit_interval(batch["image"])
        batch_size, num_frames = frames.shape[:2]
        slots = jnp.arange(batch_size) if slots is None else slots
        seen, frames, dt = _directed(config, frames, slots)
        noise_key, frame_key = jax.random.split(key)
        posterior = infer(params, seen)
        z = posterior.mean
        if config.variational:
            z += posterior.scale * _noise(noise_key, slots, z.shape[1:])
        path = unrolled(params, initial_state(params, z, dt), num_frames - 1, dt, unroll=config.unroll or True)
        times, weights = _choose_frames(config, frame_key, num_frames, progress)
        if times is not None:
            path, frames = jax.tree.map(lambda x: x[times], path), frames[:, times]
        mse = _weighted_mse(decode, params, path.q, frames, weights)
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


def _make_parts(config: HGNConfig):
    """The networks by name; the keys are those of the parameters."""
    size, vector = 2 * config.state_channels, config.latent == "vector"
    parts = {
        "encoder": conv_encoder(config.image_size, config.encoder_filters, config.encoder_activation, size, vector),
        "decoder": conv_decoder(
            config.image_size, config.decoder_filters, 3, config.block_activation, config.output_activation
        ),
    }
    if config.use_transform and vector:
        parts["transform"] = mlp((*config.transform_filters, size), config.encoder_activation)
    elif config.use_transform:
        parts["transform"] = state_transform(config.transform_filters, config.encoder_activation, size)
    energies = ("hamiltonian",) if config.hamiltonian == "joint" else ("kinetic", "potential")
    parts |= dict.fromkeys(energies, _energy_network(config))
    return {
        name: in_precision(part, config.precision if name in _OF_IMAGES else "full") for name, part in parts.items()
    }


def _energy_network(config: HGNConfig):
    how = (config.hamiltonian_activation, config.hamiltonian_gain, config.hamiltonian_output_gain)
    if config.hamiltonian_network == "mlp":
        return mlp_energy(config.hamiltonian_filters, *how)
    if config.hamiltonian_network == "authors":
        return conv_energy(AUTHORS_HAMILTONIAN, *how)
    return conv_energy([ConvLayer(n) for n in (*config.hamiltonian_filters, 1)], *how)


def _stack_frames(frames: jax.Array, num_frames: int | None) -> jax.Array:
    """The first `num_frames` frames concatenated along channels, `[batch, size, size, frames * 3]`."""
    frames = frames[:, :num_frames]
    batch, time, height, width, channels = frames.shape
    return jnp.moveaxis(frames, 1, 3).reshape(batch, height, width, time * channels)


def _weighted_mse(decode: Callable, params: Params, q: jax.Array, frames: jax.Array, weights: jax.Array) -> jax.Array:
    """The mean over examples, pixels and colours, and over frames by their weights.

    `q` is `[time, batch, ...]`, the frames `[batch, time, size, size, 3]`, their weights `[time]`.
    """
    images = jnp.swapaxes(frames, 0, 1)
    weights = jnp.repeat(weights / images[0].size, len(frames))
    flat_q, flat_images = (x.reshape(-1, *x.shape[2:]) for x in (q, images))
    return squared_error(decode, params, flat_q, flat_images, weights)


def _directed(config: HGNConfig, frames: jax.Array, slots: jax.Array):
    """In which direction of time the clips of a batch are learned.

    Returns:
      Clips whose first frames the encoder is to see, in the order of time; the clips in the order in which the rollout
      meets their frames; and the time from one of these to the next, shaped to multiply states where it differs.
    """
    if config.rollout_directions == "forward":
        return frames, frames, config.dt
    backward = slots % 2 == 1

    def of_backward(these, others):
        return jnp.where(backward.reshape(-1, *[1] * (others.ndim - 1)), these, others)

    seen = frames[:, : config.inference_frames]
    dt = jnp.full((len(frames), *[1] * len(latent_shape(config))), config.dt)
    return (
        of_backward(frames[:, -config.inference_frames :], seen),
        of_backward(frames[:, ::-1], frames),
        of_backward(-dt, dt),
    )


def _choose_frames(config: HGNConfig, key: jax.Array, num_frames: int, progress: float | jax.Array):
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
