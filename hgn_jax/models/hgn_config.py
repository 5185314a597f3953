"""The configuration of a Hamiltonian Generative Network, and what makes one valid.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import require_at_least, require_choice, require_positive, require_sizes
from hgn_jax.networks.latent_grid import LATENT_SIZE, num_doublings
from hgn_jax.physics.integration_methods import METHODS


@dataclasses.dataclass
class HGNConfig:
    """The model; the defaults are the paper's, and the alternatives beyond it those of HGN++ (arXiv 2111.05458).

    Attributes:
      image_size: height and width of a frame in pixels, 4 * 2^k.
      inference_frames: frames the encoder sees, from the first; None for all, the rest is predicted.
      latent: `spatial`, q and p live on a grid of 4x4, or `vector`, by a linear projection of the encoder's features.
      state_channels: channels of q, and of p, on the grid; their lengths where they are vectors.
      encoder_filters: filters of the encoder's layers; one layer per halving of the image or more.
      encoder_activation: of the encoder and of f_psi.
      use_transform: whether f_psi maps z to the initial state (False is the variant `no f_psi`).
      transform_filters: filters of the layers of f_psi; their widths where the latent is a vector.
      hamiltonian: `separable`, T(p) + V(q), or `joint`, H(q, p); leapfrog is symplectic and reversible for
        the separable form only.
      hamiltonian_network: `convolutional`, as printed, `authors`, as described in correspondence, or `mlp`.
      hamiltonian_filters: filters of the layers before the energy, widths in an `mlp`; of no use for `authors`.
      hamiltonian_activation: smooth; the gradient of the energy is itself differentiated.
      hamiltonian_gain: scale of the initial weights of the energy; see `hgn_jax.networks.energies.conv_energy`.
      hamiltonian_output_gain: the same for the layer that yields the energy.
      decoder_filters: filters of the decoder's residual blocks; one block per doubling of the resolution.
      block_activation: closes each residual block, `sigmoid` as printed or `none`.
      output_activation: on the decoded image, `none` or `sigmoid`.
      precision: of the encoder and the decoder: `full`, that of their parameters, `tensorfloat32`, which rounds what is
        multiplied where the device can, or `bfloat16`. Parameters, states, energies and errors are always in full
        precision.
      integrator: a name in `hgn_jax.physics.integrators.INTEGRATORS`.
      dt: time between frames.
      substeps: integration steps between frames.
      rollout_directions: of time in training, `forward`, or `both`: for every second clip of a batch the encoder sees
        the last frames instead of the first, and the rollout runs back from them. What is inferred is then the state at
        the middle one of the frames seen, so that both directions look alike; there must be an odd number of them.
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
    latent: str = "spatial"
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
    precision: str = "full"
    integrator: str = "leapfrog"
    dt: float = 0.125
    substeps: int = 1
    rollout_directions: str = "forward"
    unroll: int = 0
    variational: bool = True
    objective: str = "geco"
    tolerance: float = 1e-3
    beta: float = 1.0
    loss_frames: int | None = None
    initial_horizon: int | None = None
    horizon_growth: float = 0.5


_CHOICES = {
    "latent": ("spatial", "vector"),
    "encoder_activation": ("relu", "leaky_relu", "swish", "softplus", "tanh"),
    "hamiltonian": ("separable", "joint"),
    "hamiltonian_network": ("convolutional", "authors", "mlp"),
    "hamiltonian_activation": ("softplus", "swish", "tanh", "sigmoid"),
    "block_activation": ("sigmoid", "none", "leaky_relu"),
    "output_activation": ("none", "sigmoid"),
    "precision": ("full", "tensorfloat32", "bfloat16"),
    "integrator": tuple(method.name for method in METHODS),
    "rollout_directions": ("forward", "both"),
    "objective": ("geco", "elbo"),
}
_FILTERS = ("encoder_filters", "transform_filters", "hamiltonian_filters", "decoder_filters")
_FRAME_COUNTS = ("inference_frames", "loss_frames", "initial_horizon")
_POSITIVE = ("dt", "tolerance", "hamiltonian_gain", "hamiltonian_output_gain")
_AT_LEAST = {"state_channels": 1, "substeps": 1, "unroll": 0, "beta": 0.0}


def latent_shape(config: HGNConfig) -> tuple[int, ...]:
    """The shape of z, and of the state with q in the first half of the last axis and p in the second."""
    grid = () if config.latent == "vector" else (LATENT_SIZE, LATENT_SIZE)
    return (*grid, 2 * config.state_channels)


def inferred_frame(config: HGNConfig) -> int:
    """Of the frames seen, which one the inferred state belongs to."""
    return config.inference_frames // 2 if config.rollout_directions == "both" else 0


def validate(config: HGNConfig) -> None:
    """Raises ValueError, naming the field and what it may be, if no model can be made from `config`."""
    require_choice(config, _CHOICES)
    require_at_least(config, _AT_LEAST)
    require_positive(config, _POSITIVE)
    require_sizes(config, _FILTERS)
    for field in _FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value < 1:
            raise ValueError(f"{field} must be 1 or more, or None for all frames; got {value}")
    _validate_resolution(config)
    _validate_horizon(config)
    if config.latent == "vector" and config.hamiltonian_network != "mlp":
        raise ValueError(f"latent=vector needs hamiltonian_network=mlp, got {config.hamiltonian_network}")
    if config.rollout_directions == "both" and not (config.inference_frames or 0) % 2:
        raise ValueError(
            f"rollout_directions=both needs an odd number of inference_frames, got {config.inference_frames}"
        )


def _validate_resolution(config: HGNConfig) -> None:
    doublings = num_doublings(config.image_size)
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


def _validate_horizon(config: HGNConfig) -> None:
    if not 0 < config.horizon_growth <= 1:
        raise ValueError(f"horizon_growth must lie in (0, 1], got {config.horizon_growth}")
    if None not in (config.initial_horizon, config.loss_frames) and config.initial_horizon < config.loss_frames:
        raise ValueError(
            f"initial_horizon must be loss_frames={config.loss_frames} or more, got {config.initial_horizon}"
        )


def validate_frames(config: HGNConfig, num_frames: int) -> None:
    """Raises ValueError if `config` asks for more frames than the clips of `num_frames` have."""
    for field in _FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value > num_frames:
            raise ValueError(f"{field} is {value}, but the clips have {num_frames} frames")
