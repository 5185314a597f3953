"""The Hamiltonian Generative Network (Sec. 3.2 and App. A.1 of the paper).

frames -> posterior q(z | x) -> initial state (q, p) -> rollout of a learned Hamiltonian -> frames, each arrow a pure
function gathered in the record `HGN`. Derivatives of the energy and the scan over time stand outside Haiku.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from hgn_jax import networks
from hgn_jax.hamiltonian import Hamiltonian, separable
from hgn_jax.integrators import get_integrator, rollout
from hgn_jax.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, jax.Array]


@dataclasses.dataclass
class HGNConfig:
    """The model; the defaults are the paper's.

    Attributes:
      image_size: height and width of a frame in pixels, 4 * 2^k.
      inference_frames: frames the encoder sees, from the first; None for all, the rest is predicted.
      state_channels: channels of q, and of p, on the 4x4 latent grid.
      encoder_filters: filters of the encoder's layers; one layer per halving of the image or more.
      encoder_activation: of the encoder and of f_psi.
      use_transform: whether f_psi maps z to the initial state (False is the variant `no f_psi`).
      transform_filters: filters of the layers of f_psi.
      hamiltonian: `separable`, T(p) + V(q), or `joint`, H(q, p); leapfrog is symplectic and reversible for
        the separable form only.
      hamiltonian_network: `convolutional`, as printed, or `authors`, as described in correspondence.
      hamiltonian_filters: filters of the layers before the energy (`convolutional` only).
      hamiltonian_activation: smooth; the gradient of the energy is itself differentiated.
      hamiltonian_gain: scale of the initial weights of the energy; see `networks.energy`.
      hamiltonian_output_gain: the same for the layer that yields the energy.
      decoder_filters: filters of the decoder's residual blocks; one block per doubling of the resolution.
      block_activation: closes each residual block, `sigmoid` as printed or `none`.
      output_activation: on the decoded image, `none` or `sigmoid`.
      integrator: a name in `hgn_jax.integrators.INTEGRATORS`.
      dt: time between frames.
      substeps: integration steps between frames.
      unroll: rollout steps unrolled at a time in training; 0 for all of them, much faster on a CPU and slower to
        compile.
      variational: False for the deterministic variant: z is the posterior mean and there is no KL term.
      objective: `geco`, constrained optimisation, or `elbo`, a fixed weight `beta` on the KL.
      tolerance: kappa of GECO, the mean squared error per pixel and colour, pixels in [0, 1], to be reached.
      beta: weight of the KL in `elbo`; 1 is Eq. 4.
      loss_frames: frames of each clip decoded per step, drawn at random, an unbiased estimate of the loss;
        None for all.
      initial_horizon: frames, from the first, that the loss looks at when training starts; None for all.
      horizon_growth: part of the training in which the horizon grows to the whole clip.
    """

    image_size: int = 32
    inference_frames: int | None = None
    state_channels: int = 16
    encoder_filters: tuple[int, ...] = (32, 64, 64, 64, 64, 64, 64, 48)
    encoder_activation: str = "relu"
    use_transform: bool = True
    transform_filters: tuple[int, ...] = (64, 64, 64)
    hamiltonian: str = "separable"
    hamiltonian_network: str = "convolutional"
    hamiltonian_filters: tuple[int, ...] = (64, 64, 64, 64, 64, 64)
    hamiltonian_activation: str = "softplus"
    hamiltonian_gain: float = 2.0
    hamiltonian_output_gain: float = 3.0
    decoder_filters: tuple[int, ...] = (64, 64, 64)
    block_activation: str = "sigmoid"
    output_activation: str = "none"
    integrator: str = "leapfrog"
    dt: float = 0.125
    substeps: int = 1
    unroll: int = 0
    variational: bool = True
    objective: str = "geco"
    tolerance: float = 1e-3
    beta: float = 1.0
    loss_frames: int | None = None
    initial_horizon: int | None = None
    horizon_growth: float = 0.5


CHOICES = {
    "encoder_activation": ("relu", "leaky_relu", "swish", "softplus", "tanh"),
    "hamiltonian": ("separable", "joint"),
    "hamiltonian_network": ("convolutional", "authors"),
    "hamiltonian_activation": ("softplus", "swish", "tanh", "sigmoid"),
    "block_activation": ("sigmoid", "none", "leaky_relu"),
    "output_activation": ("none", "sigmoid"),
    "objective": ("geco", "elbo"),
}


_FRAME_COUNTS = ("inference_frames", "loss_frames", "initial_horizon")


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


def validate(config: HGNConfig) -> None:
    """Raises ValueError, naming the field and what it may be, if no model can be made from `config`."""
    for field, allowed in CHOICES.items():
        if getattr(config, field) not in allowed:
            raise ValueError(f"{field} must be one of {', '.join(allowed)}; got {getattr(config, field)!r}")
    get_integrator(config.integrator)
    doublings = networks.num_doublings(config.image_size)
    if len(config.decoder_filters) != doublings:
        raise ValueError(
            f"decoder_filters needs {doublings} entries for image_size={config.image_size}, one per doubling of the "
            f"4x4 latent grid; got {config.decoder_filters}"
        )
    if len(config.encoder_filters) < doublings:
        raise ValueError(
            f"encoder_filters needs {doublings} entries or more to halve image_size={config.image_size} down to 4; "
            f"got {config.encoder_filters}"
        )
    filters = ("encoder_filters", "transform_filters", "hamiltonian_filters", "decoder_filters")
    for field in filters:
        if any(n < 1 for n in getattr(config, field)):
            raise ValueError(f"{field} must be positive numbers, got {getattr(config, field)}")
    for field in ("state_channels", "substeps"):
        if getattr(config, field) < 1:
            raise ValueError(f"{field} must be 1 or more, got {getattr(config, field)}")
    for field in ("dt", "tolerance", "hamiltonian_gain", "hamiltonian_output_gain"):
        if not 0 < getattr(config, field) < float("inf"):
            raise ValueError(f"{field} must be positive and finite, got {getattr(config, field)}")
    if config.beta < 0:
        raise ValueError(f"beta must be 0 or more, got {config.beta}")
    if config.unroll < 0:
        raise ValueError(f"unroll must be 0 (all steps) or more, got {config.unroll}")
    for field in _FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value < 1:
            raise ValueError(f"{field} must be 1 or more, or None for all frames; got {value}")
    if not 0 < config.horizon_growth <= 1:
        raise ValueError(f"horizon_growth must lie in (0, 1], got {config.horizon_growth}")
    if None not in (config.initial_horizon, config.loss_frames) and config.initial_horizon < config.loss_frames:
        raise ValueError(f"initial_horizon must be loss_frames={config.loss_frames} or more, got {config.initial_horizon}")


def validate_frames(config: HGNConfig, num_frames: int) -> None:
    """Raises ValueError if `config` asks for more frames than the clips of `num_frames` have."""
    for field in _FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value > num_frames:
            raise ValueError(f"{field} is {value}, but the clips have {num_frames} frames")


def unit_interval(images: jax.Array) -> jax.Array:
    """uint8 images as float32 in [0, 1]; floating-point images as they are."""
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
    `aux` holds the scalars `mse`, `kl` and `constraint` = mse - tolerance.

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
        return {name: part.init(k, examples.get(name, half)) for k, (name, part) in zip(keys, parts.items(), strict=True)}

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
        constraint = mse - config.tolerance
        if config.objective == "geco":
            total = kl + multiplier * constraint
        else:
            total = config.beta * kl + 0.5 * frames[0, 0].size * mse
        return total, {"mse": mse, "kl": kl, "constraint": constraint}

    return HGN(config, init, infer, initial_state, hamiltonian, unrolled, decode, reconstruct, loss, sample)


def kl_to_standard_normal(posterior: Posterior) -> jax.Array:
    """KL(q(z) || N(0, I)) in nats per example, `[batch]`."""
    mean, scale = posterior
    terms = 0.5 * (mean**2 + scale**2 - 1.0) - jnp.log(scale)
    return jnp.sum(terms, axis=tuple(range(1, mean.ndim)))


def _make_parts(config: HGNConfig, state_channels: int):
    """The networks by name; the keys are those of the parameters."""
    hidden = [networks.ConvLayer(n) for n in config.hamiltonian_filters]
    layers = networks.AUTHORS_HAMILTONIAN if config.hamiltonian_network == "authors" else [*hidden, networks.ConvLayer(1)]
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
