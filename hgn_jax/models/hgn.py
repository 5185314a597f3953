"""The Hamiltonian Generative Network (Sec. 3.2 and App. A.1 of the paper).

frames -> posterior q(z | x) -> initial state (q, p) -> rollout of a learned Hamiltonian -> frames: each arrow is a pure
function in the record `HGN`. Derivatives of the energy and the scan over time are outside Haiku.

HGN++ (Botev et al. 2021, "Which priors matter?", arXiv 2111.05458, and the code released with it) is the same model
with other fields of the configuration: a vector latent, energies by MLPs, and clips that are learned forwards and
backwards in time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.models.frames import TargetFrames, direct, draw_target_frames, stack_frames, unit_interval
from hgn_jax.models.hgn_config import HGNConfig, inferred_frame, latent_shape, validate, validate_frames
from hgn_jax.models.objectives import default_slots, example_keys, geco_lagrangian
from hgn_jax.networks.blocks import ConvLayer
from hgn_jax.networks.chunked_error import squared_error
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.encoder import conv_encoder, state_transform
from hgn_jax.networks.energies import AUTHORS_HAMILTONIAN, conv_energy, mlp_energy
from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision
from hgn_jax.physics import integrators
from hgn_jax.physics.hamiltonian import Hamiltonian, separable
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]


class Posterior(NamedTuple):
    """The diagonal Gaussian q(z | x).

    Attributes:
      mean: `[batch, 4, 4, 2 * channels]`, or `[batch, 2 * channels]` for a vector latent.
      scale: Standard deviation, shaped like `mean`.
    """

    mean: jax.Array
    scale: jax.Array


class HGN(NamedTuple):
    """A Hamiltonian Generative Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]. States are `PhaseState`s whose `q` and `p` are
    `[batch, 4, 4, channels]`, or `[batch, channels]` for a vector latent. Paths have a leading time axis.

    Attributes:
      config: The configuration of the model.
      init: `(key, batch) -> params`; `batch["image"]` gives the number of frames.
      infer: `(params, frames) -> Posterior`, from the first `inference_frames` frames.
      initial_state: `(params, z, dt=config.dt) -> PhaseState`, the state at the first frame, f_psi(z) (Eq. 9). If z
        belongs to a later frame (`rollout_directions` is `both`), f_psi(z) is rolled back to the first, -dt per frame.
      hamiltonian: `(params) -> Hamiltonian`, the learned energy (Eq. 10).
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator, unroll=1) -> path`.
      decode: `(params, q) -> images`, from `[..., 4, 4, channels]` or `[..., channels]` to `[..., size, size, 3]`
        (Eq. 11).
      start: `(params, frames) -> PhaseState`, the state at the first frame, by the posterior mean.
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the decoded rollout
        from `start`.
      sample: `(params, key, num_samples, num_steps, dt=config.dt) -> images`, decoded rollouts from the prior.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_hgn`.
    """

    config: HGNConfig
    init: Callable[[jax.Array, Batch], Params]
    infer: Callable[[Params, jax.Array], Posterior]
    initial_state: Callable[..., PhaseState]
    hamiltonian: Callable[[Params], Hamiltonian]
    rollout: Callable[..., PhaseState]
    decode: Callable[[Params, jax.Array], jax.Array]
    start: Callable[[Params, jax.Array], PhaseState]
    reconstruct: Callable[[Params, jax.Array, int], jax.Array]
    sample: Callable[..., jax.Array]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def make_hgn(config: HGNConfig) -> HGN:
    """Builds a Hamiltonian Generative Network.

    Its loss reads `batch["image"]`, frames `[batch, time, size, size, 3]`; see `hgn_jax.training.model.Model` for the
    other arguments. `progress` sets the horizon where `initial_horizon` is given. With
      mse = mean over frames, pixels, colours and examples of (x - x_hat)^2,
      kl  = KL(q(z) || N(0, I)) in nats, summed over the latent and averaged over examples,
    the loss is `negative_elbo(mse, kl)` or, for GECO, kl + multiplier * (mse - tolerance). So a multiplier of half the
    number of values in a frame weighs the terms as the ELBO does. In the deterministic variant kl is zero. `aux` holds
    the scalars `mse`, `kl` and, for GECO, `constraint` = mse - tolerance.

    Raises:
      ValueError: If no model can be made from `config`.
    """
    validate(config)
    networks = _make_networks(config)
    shape = latent_shape(config)
    training_unroll = config.unroll or True  # True unrolls all steps

    def init(key: jax.Array, batch: Batch) -> Params:
        validate_frames(config, batch["image"].shape[1])
        z = jnp.zeros((1, *shape))
        q = z[..., : config.state_channels]
        inputs = {
            "encoder": stack_frames(unit_interval(batch["image"][:1]), config.inference_frames),
            "transform": z,
            "hamiltonian": z,
            "kinetic": q,
            "potential": q,
            "decoder": q,
        }
        keys = jax.random.split(key, len(networks))
        return {name: network.init(k, inputs[name]) for k, (name, network) in zip(keys, networks.items(), strict=True)}

    def infer(params: Params, frames: jax.Array) -> Posterior:
        chex.assert_shape(frames, (None, None, config.image_size, config.image_size, 3))
        stacked = stack_frames(unit_interval(frames), config.inference_frames)
        mean, log_variance = networks["encoder"].apply(params["encoder"], stacked)
        return Posterior(mean, jnp.exp(0.5 * log_variance))

    def initial_state(params: Params, z: jax.Array, dt: float | jax.Array = config.dt) -> PhaseState:
        s = networks["transform"].apply(params["transform"], z) if config.use_transform else z
        state = PhaseState(*jnp.split(s, 2, axis=-1))
        if not inferred_frame(config):
            return state
        path = rollout(params, state, inferred_frame(config), -dt, unroll=training_unroll)
        return jax.tree.map(lambda x: x[-1], path)

    def hamiltonian(params: Params) -> Hamiltonian:
        if config.hamiltonian == "joint":
            return lambda s: networks["hamiltonian"].apply(params["hamiltonian"], jnp.concatenate(s, axis=-1))
        return separable(
            lambda p: networks["kinetic"].apply(params["kinetic"], p),
            lambda q: networks["potential"].apply(params["potential"], q),
        )

    def rollout(
        params: Params,
        state: PhaseState,
        num_steps: int,
        dt: float | jax.Array = config.dt,
        integrator: str = config.integrator,
        unroll: int | bool = 1,
    ) -> PhaseState:
        return integrators.rollout(hamiltonian(params), state, dt, num_steps, integrator, config.substeps, unroll)

    def decode(params: Params, q: jax.Array) -> jax.Array:
        batch_shape = q.shape[: -len(shape)]
        images = networks["decoder"].apply(params["decoder"], q.reshape(-1, *q.shape[len(batch_shape) :]))
        return images.reshape(*batch_shape, *images.shape[1:])

    def decode_path(params: Params, path: PhaseState) -> jax.Array:
        return jnp.swapaxes(decode(params, path.q), 0, 1)

    def start(params: Params, frames: jax.Array) -> PhaseState:
        return initial_state(params, infer(params, frames).mean)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        return decode_path(params, rollout(params, start(params, frames), num_steps))

    def sample(params: Params, key: jax.Array, num_samples: int, num_steps: int, dt: float = config.dt) -> jax.Array:
        state = initial_state(params, jax.random.normal(key, (num_samples, *shape)))
        return decode_path(params, rollout(params, state, num_steps, dt))

    def loss(params: Params, multiplier, key: jax.Array, batch: Batch, *, progress=1.0, slots=None):
        frames = unit_interval(batch["image"])
        batch_size, num_frames = frames.shape[:2]
        slots = default_slots(slots, batch_size)
        noise_key, frame_key = jax.random.split(key)
        clips = direct(config, frames, slots)
        posterior = infer(params, clips.seen)
        z, kl = posterior.mean, jnp.float32(0.0)
        if config.variational:
            z = draw_latent(posterior, noise_key, slots)
            kl = jnp.mean(kl_to_standard_normal(posterior))
        state = initial_state(params, z, clips.dt)
        path = rollout(params, state, num_frames - 1, clips.dt, unroll=training_unroll)
        chosen = draw_target_frames(config, frame_key, num_frames, progress)
        mse = reconstruction_error(decode, params, path.q, clips.targets, chosen)
        if config.objective == "elbo":
            return negative_elbo(mse, kl, frames[0, 0].size, config.beta), {"mse": mse, "kl": kl}
        constraint = mse - config.tolerance
        return geco_lagrangian(kl, multiplier, constraint), {"mse": mse, "kl": kl, "constraint": constraint}

    return HGN(
        config=config,
        init=init,
        infer=infer,
        initial_state=initial_state,
        hamiltonian=hamiltonian,
        rollout=rollout,
        decode=decode,
        start=start,
        reconstruct=reconstruct,
        sample=sample,
        loss=loss,
    )


def negative_elbo(mse: jax.Array, kl: jax.Array, frame_size: int, beta: float = 1.0) -> jax.Array:
    """Minus Eq. 4, up to a constant: beta * KL + D / 2 * MSE, for a Gaussian likelihood of unit variance.

    Args:
      mse: Mean squared error per value of a frame.
      kl: KL divergence of the posterior from the prior in nats.
      frame_size: D, number of values in a frame.
      beta: Weight of the KL; 1 in Eq. 4.
    """
    return beta * kl + 0.5 * frame_size * mse


def kl_to_standard_normal(posterior: Posterior) -> jax.Array:
    """KL(q(z) || N(0, I)) in nats per example, `[batch]`."""
    mean, scale = posterior
    terms = 0.5 * (mean**2 + scale**2 - 1.0) - jnp.log(scale)
    return jnp.sum(terms, axis=tuple(range(1, mean.ndim)))


def draw_latent(posterior: Posterior, key: jax.Array, slots: jax.Array) -> jax.Array:
    """Draws z ~ q(z | x) by the reparametrisation trick, with the noise of each example given by its slot."""
    draw = lambda example_key: jax.random.normal(example_key, posterior.mean.shape[1:])
    return posterior.mean + posterior.scale * jax.vmap(draw)(example_keys(key, slots))


def reconstruction_error(
    decode: Callable[[Params, jax.Array], jax.Array],
    params: Params,
    q: jax.Array,
    frames: jax.Array,
    chosen: TargetFrames,
) -> jax.Array:
    """Mean squared error over examples, pixels and colours, and weighted mean over the chosen frames.

    Args:
      decode: Decoder, `(params, q) -> images`.
      params: Parameters of the model.
      q: Positions along the rollout, `[time, batch, ...]`.
      frames: Frames that they should be decoded to, `[batch, time, size, size, 3]`.
      chosen: Frames in the loss and their weights.
    """
    if chosen.times is not None:
        q, frames = q[chosen.times], frames[:, chosen.times]
    images = jnp.swapaxes(frames, 0, 1)
    weights = jnp.repeat(chosen.weights / images[0].size, len(frames))
    flat_q, flat_images = (x.reshape(-1, *x.shape[2:]) for x in (q, images))
    return squared_error(decode, params, flat_q, flat_images, weights)


def _make_networks(config: HGNConfig) -> dict[str, hk.Transformed]:
    """The networks by the names of their parameters."""
    state_size = 2 * config.state_channels
    is_vector = config.latent == "vector"
    networks = {
        "encoder": conv_encoder(
            config.image_size, config.encoder_filters, config.encoder_activation, state_size, is_vector
        ),
        "decoder": conv_decoder(
            config.image_size, config.decoder_filters, 3, config.block_activation, config.output_activation
        ),
    }
    if config.use_transform and is_vector:
        networks["transform"] = mlp((*config.transform_filters, state_size), config.encoder_activation)
    elif config.use_transform:
        networks["transform"] = state_transform(config.transform_filters, config.encoder_activation, state_size)
    energies = ("hamiltonian",) if config.hamiltonian == "joint" else ("kinetic", "potential")
    networks |= dict.fromkeys(energies, _energy_network(config))
    # The encoder and the decoder do nearly all the work; energies and states stay in full precision.
    precisions = {"encoder": config.precision, "decoder": config.precision}
    return {name: in_precision(network, precisions.get(name, "full")) for name, network in networks.items()}


def _energy_network(config: HGNConfig) -> hk.Transformed:
    settings = (config.hamiltonian_activation, config.hamiltonian_gain, config.hamiltonian_output_gain)
    if config.hamiltonian_network == "mlp":
        return mlp_energy(config.hamiltonian_filters, *settings)
    if config.hamiltonian_network == "authors":
        return conv_energy(AUTHORS_HAMILTONIAN, *settings)
    return conv_energy([ConvLayer(n) for n in (*config.hamiltonian_filters, 1)], *settings)
