"""The configuration of a Hamiltonian Generative Network and the rules for a valid one.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import at_least, check_fields, choice, positive, sizes, within
from hgn_jax.networks.latent_grid import LATENT_SIZE, num_doublings
from hgn_jax.physics.integration_methods import METHODS

_FRAME_COUNTS = ("inference_frames", "loss_frames", "initial_horizon")


@dataclasses.dataclass
class HGNConfig:
    """A Hamiltonian Generative Network. The defaults are the paper's; the alternatives are from HGN++ (2111.05458).

    Attributes:
      image_size: Height and width of a frame in pixels, 4 * 2^k.
      inference_frames: Number of frames that the encoder sees, from the first; the others are predicted. None for all.
      latent: `spatial`: q and p live on a 4x4 grid; `vector`: on a vector, by a linear projection of the encoder's
        features.
      state_channels: Number of channels of q (and of p) on the grid, or the length of q (and of p) for `vector`.
      encoder_filters: Number of filters of each layer of the encoder, at least one layer per halving of the image.
      encoder_activation: Activation of the encoder and of f_psi.
      use_transform: Whether f_psi maps z to the initial state. False gives the paper's variant "no f_psi".
      transform_filters: Number of filters of each hidden layer of f_psi, or their widths for a `vector` latent.
      hamiltonian: `separable`, T(p) + V(q), or `joint`, H(q, p). Leapfrog is symplectic and reversible for the
        separable form only.
      hamiltonian_network: `convolutional`, as printed; `authors`, as described in correspondence; or `mlp`.
      hamiltonian_filters: Number of filters of each layer before the energy, or the widths of an `mlp`. Not used by
        `authors`.
      hamiltonian_activation: Activation of the energy. It must be smooth: training differentiates the energy twice.
      hamiltonian_gain: Scale of the initial weights of the energy; see `hgn_jax.networks.energies.conv_energy`.
      hamiltonian_output_gain: Scale of the initial weights of the last layer of the energy.
      decoder_filters: Number of filters of each residual block of the decoder, one block per doubling of the
        resolution.
      block_activation: Activation that closes each residual block; `sigmoid` as printed.
      output_activation: Activation on the decoded image.
      precision: Precision of the products in the encoder and decoder: `full`, that of their parameters;
        `tensorfloat32`, rounded where the device supports it; or `bfloat16`. Parameters, states, energies and errors
        are always in full precision.
      integrator: Name of an integrator in `hgn_jax.physics.integrators.INTEGRATORS`.
      dt: Time between frames.
      substeps: Number of integration steps between frames.
      rollout_directions: Direction of time in training. With `both`, the encoder sees the last frames instead of the
        first for every second clip of a batch, and the rollout runs backwards from them. The inferred state is then
        that of the middle one of the frames seen, so that both directions look alike; their number must be odd.
      unroll: Number of rollout steps unrolled at a time in training; 0 unrolls all of them, which is much faster on
        a CPU and slower to compile.
      variational: False for the paper's deterministic variant: z is the posterior mean and there is no KL term.
      objective: `geco`, constrained optimisation, or `elbo`, a fixed weight `beta` on the KL.
      tolerance: kappa of GECO: the mean squared error per pixel and colour to be reached, for pixels in [0, 1].
      beta: Weight of the KL in `elbo`; 1 gives Eq. 4.
      loss_frames: Number of frames of each clip decoded per training step, drawn at random, which gives an unbiased
        estimate of the loss. None for all.
      initial_horizon: Number of frames, from the first, in the loss when training starts. None for all.
      horizon_growth: Fraction of the training during which the horizon grows to the whole clip.
    """

    image_size: int = 32
    inference_frames: int | None = at_least(None, 1)
    latent: str = choice("spatial", ("spatial", "vector"))
    state_channels: int = at_least(16, 1)
    encoder_filters: tuple[int, ...] = sizes(32, 64, 64, 64, 64, 64, 64, 48)
    encoder_activation: str = choice("relu", ("relu", "leaky_relu", "swish", "softplus", "tanh"))
    use_transform: bool = True
    transform_filters: tuple[int, ...] = sizes(64, 64, 64)
    hamiltonian: str = choice("separable", ("separable", "joint"))
    hamiltonian_network: str = choice("convolutional", ("convolutional", "authors", "mlp"))
    hamiltonian_filters: tuple[int, ...] = sizes(64, 64, 64, 64, 64, 64)
    hamiltonian_activation: str = choice("softplus", ("softplus", "swish", "tanh", "sigmoid"))
    hamiltonian_gain: float = positive(2.0)
    hamiltonian_output_gain: float = positive(3.0)
    decoder_filters: tuple[int, ...] = sizes(64, 64, 64)
    block_activation: str = choice("sigmoid", ("sigmoid", "none", "leaky_relu"))
    output_activation: str = choice("none", ("none", "sigmoid"))
    precision: str = choice("full", ("full", "tensorfloat32", "bfloat16"))
    integrator: str = choice("leapfrog", (method.name for method in METHODS))
    dt: float = positive(0.125)
    substeps: int = at_least(1, 1)
    rollout_directions: str = choice("forward", ("forward", "both"))
    unroll: int = at_least(0, 0)
    variational: bool = True
    objective: str = choice("geco", ("geco", "elbo"))
    tolerance: float = positive(1e-3)
    beta: float = at_least(1.0, 0)
    loss_frames: int | None = at_least(None, 1)
    initial_horizon: int | None = at_least(None, 1)
    horizon_growth: float = within(0.5, "(0, 1]")


def latent_shape(config: HGNConfig) -> tuple[int, ...]:
    """Shape of z, and of a state: q is the first half of the last axis and p the second."""
    grid = () if config.latent == "vector" else (LATENT_SIZE, LATENT_SIZE)
    return (*grid, 2 * config.state_channels)


def inferred_frame(config: HGNConfig) -> int:
    """Index, among the frames seen by the encoder, of the frame whose state is inferred."""
    return config.inference_frames // 2 if config.rollout_directions == "both" else 0


def validate(config: HGNConfig) -> None:
    """Raises ValueError, naming the field and its allowed values, if no model can be made from `config`."""
    check_fields(config)
    doublings = num_doublings(config.image_size)
    if len(config.decoder_filters) != doublings:
        raise ValueError(
            f"decoder_filters needs {doublings} entries for image_size={config.image_size}, one per doubling of the "
            f"4x4 latent grid; got {config.decoder_filters}"
        )
    if len(config.encoder_filters) < doublings:
        raise ValueError(
            f"encoder_filters needs at least {doublings} entries to halve image_size={config.image_size} down to 4; "
            f"got {config.encoder_filters}"
        )
    if None not in (config.initial_horizon, config.loss_frames) and config.initial_horizon < config.loss_frames:
        raise ValueError(
            f"initial_horizon must be loss_frames={config.loss_frames} or more; got {config.initial_horizon}"
        )
    if config.latent == "vector" and config.hamiltonian_network != "mlp":
        raise ValueError(f"latent=vector needs hamiltonian_network=mlp; got {config.hamiltonian_network}")
    if config.rollout_directions == "both" and not (config.inference_frames or 0) % 2:
        raise ValueError(
            f"rollout_directions=both needs an odd number of inference_frames; got {config.inference_frames}"
        )


def validate_frames(config: HGNConfig, num_frames: int) -> None:
    """Raises ValueError if `config` asks for more frames than the `num_frames` of a clip."""
    for field in _FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value > num_frames:
            raise ValueError(f"{field} is {value}, but the clips have {num_frames} frames")
