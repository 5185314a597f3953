"""The configuration of a Hamiltonian Generative Network and the rules for a valid one.

No JAX here: configurations are checked before it is imported.
"""

import dataclasses

from hgn_jax.config_checks import MAX_STEPS, at_least, check_fields, choice, count, positive, sizes, within
from hgn_jax.networks.latent_grid import LATENT_SIZE, num_doublings
from hgn_jax.physics.integration_methods import METHODS, Splitting

# Kinetic energies that depend on the positions too, each beside a potential energy of its own.
METRIC_KINETICS = ("metric", "rods")
_MAX_UNROLLED = 1000
FRAME_COUNTS = ("inference_frames", "seen_frames", "loss_frames", "initial_horizon")


# Anything that switches a part on.
_ANY = object()

# A field with a value needs another field with one of some values.
_REQUIREMENTS = (
    ("latent", "vector", "hamiltonian_network", ("mlp",)),
    ("latent", "keypoints", "hamiltonian_network", ("mlp", "pairwise")),
    ("latent", "keypoints", "kinetic", ("quadratic", *METRIC_KINETICS)),
    ("latent", "keypoints", "rollout_directions", ("outward",)),
    ("latent", "keypoints", "use_transform", (False,)),
    ("latent", "keypoints", "background", ("colour", "image")),
    ("hamiltonian_network", "pairwise", "latent", ("keypoints",)),
    ("hamiltonian_network", "pairwise", "chart", ("none",)),
    ("kinetic", "quadratic", "hamiltonian", ("separable",)),
    ("kinetic", "quadratic", "latent", ("vector", "keypoints")),
    ("kinetic", "metric", "hamiltonian", ("joint",)),
    ("kinetic", "metric", "latent", ("vector", "keypoints")),
    ("kinetic", "metric", "hamiltonian_network", ("mlp",)),
    ("kinetic", "rods", "hamiltonian", ("joint",)),
    ("kinetic", "rods", "chart", ("rods",)),
    ("confinement", _ANY, "latent", ("vector", "keypoints")),
    ("friction", _ANY, "hamiltonian", ("separable",)),
    ("friction", _ANY, "latent", ("vector", "keypoints")),
    ("friction", _ANY, "integrator", tuple(method.name for method in METHODS if isinstance(method, Splitting))),
    ("time_reversal", _ANY, "latent", ("vector",)),
    ("time_reversal", _ANY, "use_transform", (False,)),
    ("chart", "network", "latent", ("keypoints",)),
    ("chart", "rods", "latent", ("keypoints",)),
    ("chart", "rods", "confinement", (None,)),
    ("painter", "picture", "latent", ("keypoints",)),
    ("painter", "discs", "latent", ("keypoints",)),
    ("position_noise", _ANY, "painter", ("discs",)),
    ("lift_sizes", _ANY, "latent", ("vector", "keypoints")),
    ("sharpen_points", _ANY, "latent", ("keypoints",)),
    ("sharpen_points", _ANY, "painter", ("points", "discs")),
    ("frame_weight", _ANY, "latent", ("keypoints",)),
    ("objective", "relative", "background", ("colour", "image")),
    ("relative_tolerance", _ANY, "background", ("colour", "image")),
    ("seen_frames", _ANY, "rollout_directions", ("outward",)),
    ("refinement_target", "points", "latent", ("keypoints",)),
    ("fit_weight", _ANY, "refinement_target", ("points",)),
    ("fit_weight", _ANY, "objective", ("relative",)),
    ("refinement_steps", _ANY, "rollout_directions", ("outward",)),
    ("refinement_steps", _ANY, "latent", ("vector", "keypoints")),
    ("refinement_steps", _ANY, "use_transform", (False,)),
    ("training_refinement_steps", _ANY, "rollout_directions", ("outward",)),
    ("training_refinement_steps", _ANY, "latent", ("vector", "keypoints")),
    ("training_refinement_steps", _ANY, "use_transform", (False,)),
)


@dataclasses.dataclass
class HGNConfig:
    """A Hamiltonian Generative Network.

    The defaults are the paper's. The alternatives are from HGN++ (2111.05458), or belong to the anchored HGN, whose
    small state is inferred from a window at a random place of the clip and rolled out both ways.

    Attributes:
      image_size: Height and width of a frame in pixels, 4 * 2^k.
      inference_frames: Number of frames that the encoder sees, from the first; the others are predicted. None for all.
      seen_frames: Number of frames that are seen when a trained model reads a clip. The encoder sees the middle ones,
        and the refinement all of them. The refinement in training takes as many, which contain the encoder's window.
        For `outward` only; None for `inference_frames`.
      refinement_steps: Number of steps by which the inferred state is improved on the frames seen, with the rest of the
        model fixed, when a trained model reads a clip. The first of them count only the nearest frames; see
        `hgn_jax.models.refinement.fit_outward`.
      training_refinement_steps: Number of such steps in the second half of the training. The gradient treats them as
        constant shifts of the states, which are bounded, unless there is a `fit_weight`.
      refinement_target: Data that the refined state should explain: the `pixels` of the frames seen, or, for keypoints,
        the `points` found in them, which is better where the places are noisy.
      latent: `spatial`: q and p live on a 4x4 grid; `vector`: on a vector, by a linear projection of the encoder's
        features; `keypoints`: q holds the places of points in the picture, and p is mass times velocity.
      state_channels: Number of channels of q (and of p) on the grid, or the length of q (and of p) otherwise.
      num_keypoints: Number of points of `keypoints`.
      chart: Generalised coordinates of `keypoints`. `none`: q holds the coordinates of the points themselves, two per
        point. `network`: they are mapped to `state_channels` numbers and back by two small networks. `rods`: the points
        are the joints of a chain of rods, the first of which hangs from a fixed point, and q holds the angle of each.
      window_degree: Degree of the polynomial in time that is fitted to the coordinates of `keypoints` in the window
        that the encoder sees. A higher one follows faster motion, and amplifies the noise of the points more.
      sharpen_points: Whether the points that the encoder finds are moved, by one Gauss-Newton step of at most half a
        pixel, to where the decoder paints the frame best. It makes velocities several times more exact.
      time_reversal: Whether the encoder also sees the window backwards, for `vector`: q is the even and p the odd part
        of the answers, because a film played backwards shows the same places and the opposite velocities. `keypoints`
        have this symmetry anyway.
      background: `none`: frames are encoded and decoded as they are. Otherwise the encoder sees them normalised by the
        mean image and the standard deviation of the pixels of the training data, and the decoder paints, in units of
        that deviation, the difference from a learned `colour` or from a learned `image`, which start at the mean.
      encoder_filters: Number of filters of each layer of the encoder, at least one layer per halving of the image.
      encoder_activation: Activation of the encoder and of f_psi.
      use_transform: Whether f_psi maps z to the initial state. False gives the paper's variant "no f_psi".
      transform_filters: Number of filters of each hidden layer of f_psi, or their widths for a `vector` latent.
      hamiltonian: `separable`, T(p) + V(q), or `joint`, H(q, p). Leapfrog is symplectic and reversible for the
        separable form only.
      hamiltonian_network: `convolutional`, as printed; `authors`, as described in correspondence; `mlp`; or `pairwise`,
        a potential that is a sum over pairs of points of an `mlp` of their distance.
      kinetic: `network`, T(p) by a network like that of V(q); `quadratic`, p² / 2m with learned masses; `metric`,
        ½ pᵀ G(q) p with a network as inverse mass matrix, for coordinates whose inertia depends on the place; or
        `rods`, that of a chain of rods with learned inertia. The last two are for `joint`.
      confinement: Initial stiffness of a learned harmonic potential that is added to V(q) and closes the surfaces of
        equal energy; None for no such potential.
      friction: Initial value of the learned rates at which the momenta decay, one per coordinate; None for a
        conservative system.
      hamiltonian_filters: Number of filters of each layer before the energy, or the widths of an `mlp`. Not used by
        `authors`.
      hamiltonian_activation: Activation of the energy. It must be smooth: training differentiates the energy twice.
      hamiltonian_gain: Scale of the initial weights of the energy; see `hgn_jax.networks.energies.conv_energy`.
      hamiltonian_output_gain: Scale of the initial weights of the last layer of the energy.
      painter: Decoder of `keypoints`: `points` draws something at each point, pixel by pixel; `discs` draws a disc of
        one colour at each, on a background of one colour; `picture` is the convolutional decoder of a vector, which
        draws whatever depends on the points, such as a rod and its shadow.
      position_noise: Initial standard deviation of a learned noise of each coordinate of `keypoints`, independent from
        frame to frame, for films that show things beside their true places: predicted frames are then painted as
        expected over this noise, and points are found where a frame shows them. For `discs`; None for no noise.
      lift_sizes: Number of units of each hidden layer, and at last of channels of the 4x4 grid, of the network that
        lifts a vector to the grid with which the convolutional decoder begins. Empty for a linear map of as many
        channels as the vector has numbers.
      decoder_filters: Number of filters of each residual block of the decoder, one block per doubling of the
        resolution; or, for `points`, of units of each hidden layer. Not used by `discs`.
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
        that of the middle one of the frames seen, so that both directions look alike; their number must be odd. With
        `outward`, the encoder sees a window at a random place of the clip, and the state of its middle frame is rolled
        out both ways, to both ends of the clip.
      unroll: Number of rollout steps unrolled at a time in training; 0 unrolls all of them, which is much faster on
        a CPU and slower to compile.
      variational: False for the paper's deterministic variant: z is the posterior mean and there is no KL term.
      objective: `geco`, constrained optimisation; `elbo`, a fixed weight `beta` on the KL; or `relative`, the squared
        error in units of the variance of the pixels plus `beta` times the KL.
      tolerance: kappa of GECO: the mean squared error per pixel and colour to be reached, for pixels in [0, 1].
      relative_tolerance: kappa of GECO as a fraction of the mean image's error on the training clips, the variance of
        the pixels, instead of `tolerance`. A fraction of 1 or more would be reached by a still picture.
      beta: Weight of the KL in `elbo` and `relative`; 1 in `elbo` gives Eq. 4.
      loss_frames: Number of frames of each clip decoded per training step, drawn at random, which gives an unbiased
        estimate of the loss. None for all.
      initial_horizon: Number of frames, from the first, in the loss when training starts. None for all.
      horizon_growth: Fraction of the training during which the horizon grows to the whole clip. With `outward` the
        horizon is the number of frames on either side of the middle of the window.
      frame_weight: Weight, relative to the reconstruction, of the error of frames decoded from their own keypoints,
        without dynamics. It gets the points started.
      fit_weight: Weight, in the second half of the training, of the mean squared distance between the points of all
        frames read and the rollout of the state fitted to them, in units of the variance of `position_noise`. All of
        these frames then tell of the dynamics, not only the `loss_frames` that are decoded. Rollouts begin with the
        fitted states, without the noise of the posterior, and the encoder learns to guess them: the mean squared
        distance of its guess has the same weight. Clips whose fit has not arrived, so that noise does not explain the
        distance of the points, are left out of the loss.
    """

    image_size: int = 32
    inference_frames: int | None = at_least(None, 1)
    seen_frames: int | None = at_least(None, 1)
    refinement_steps: int = at_least(0, 0, MAX_STEPS)
    training_refinement_steps: int = at_least(0, 0, MAX_STEPS)
    refinement_target: str = choice("pixels", ("pixels", "points"))
    latent: str = choice("spatial", ("spatial", "vector", "keypoints"))
    state_channels: int = at_least(16, 1)
    num_keypoints: int = at_least(1, 1)
    chart: str = choice("none", ("none", "network", "rods"))
    window_degree: int = at_least(2, 1)
    sharpen_points: bool = False
    time_reversal: bool = False
    background: str = choice("none", ("none", "colour", "image"))
    encoder_filters: tuple[int, ...] = sizes(32, 64, 64, 64, 64, 64, 64, 48)
    encoder_activation: str = choice("relu", ("relu", "leaky_relu", "swish", "softplus", "tanh"))
    use_transform: bool = True
    transform_filters: tuple[int, ...] = sizes(64, 64, 64)
    hamiltonian: str = choice("separable", ("separable", "joint"))
    hamiltonian_network: str = choice("convolutional", ("convolutional", "authors", "mlp", "pairwise"))
    kinetic: str = choice("network", ("network", "quadratic", "metric", "rods"))
    confinement: float | None = positive(None)
    friction: float | None = positive(None)
    hamiltonian_filters: tuple[int, ...] = sizes(64, 64, 64, 64, 64, 64)
    hamiltonian_activation: str = choice("softplus", ("softplus", "swish", "tanh", "sigmoid"))
    hamiltonian_gain: float = positive(2.0)
    hamiltonian_output_gain: float = positive(3.0)
    painter: str = choice("points", ("points", "discs", "picture"))
    position_noise: float | None = positive(None)
    lift_sizes: tuple[int, ...] = sizes()
    decoder_filters: tuple[int, ...] = sizes(64, 64, 64)
    block_activation: str = choice("sigmoid", ("sigmoid", "none", "leaky_relu"))
    output_activation: str = choice("none", ("none", "sigmoid"))
    precision: str = choice("full", ("full", "tensorfloat32", "bfloat16"))
    integrator: str = choice("leapfrog", (method.name for method in METHODS))
    dt: float = positive(0.125)
    substeps: int = at_least(1, 1, MAX_STEPS)
    rollout_directions: str = choice("forward", ("forward", "both", "outward"))
    unroll: int = count(0, 0)
    variational: bool = True
    objective: str = choice("geco", ("geco", "elbo", "relative"))
    tolerance: float = positive(1e-3)
    relative_tolerance: float | None = within(None, "(0, 1)")
    beta: float = at_least(1.0, 0)
    loss_frames: int | None = at_least(None, 1)
    initial_horizon: int | None = at_least(None, 1)
    horizon_growth: float = within(0.5, "(0, 1]")
    frame_weight: float = at_least(0.0, 0)
    fit_weight: float = at_least(0.0, 0)


def latent_shape(config: HGNConfig) -> tuple[int, ...]:
    """Shape of z, and of a state: q is the first half of the last axis and p the second."""
    grid = (LATENT_SIZE, LATENT_SIZE) if config.latent == "spatial" else ()
    return (*grid, 2 * config.state_channels)


def num_seen(config: HGNConfig) -> int | None:
    """Number of frames from which a trained model infers a state, from the first; None for all."""
    return config.seen_frames or config.inference_frames


def inferred_frame(config: HGNConfig) -> int:
    """Index, among the frames seen, of the frame whose state is inferred."""
    return 0 if config.rollout_directions == "forward" else num_seen(config) // 2


def validate(config: HGNConfig) -> None:
    """Raises ValueError, naming the field and its allowed values, if no model can be made from `config`."""
    check_fields(config)
    if config.latent == "keypoints":
        _validate_keypoints(config)
    else:
        _validate_encoder(config)
    if config.latent != "keypoints" or config.painter == "picture":
        _validate_decoder(config)
    for field, value, needed_field, needed in _REQUIREMENTS:
        if _matches(getattr(config, field), value) and getattr(config, needed_field) not in needed:
            raise ValueError(
                f"{field}={getattr(config, field)} needs {needed_field}={' or '.join(map(_text, needed))}; "
                f"got {_text(getattr(config, needed_field))}"
            )
    _validate_windows(config)


def _matches(value: object, wanted: object) -> bool:
    return bool(value) if wanted is _ANY else value == wanted


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _validate_keypoints(config: HGNConfig) -> None:
    places = 2 * config.num_keypoints
    allowed = {"none": range(places, places + 1), "network": range(1, places + 1)}
    allowed["rods"] = range(config.num_keypoints, config.num_keypoints + 1)
    if config.state_channels not in (widths := allowed[config.chart]):
        bounds = f"{widths[0]}" if len(widths) == 1 else f"from {widths[0]} to {widths[-1]}"
        raise ValueError(
            f"state_channels must be {bounds} for num_keypoints={config.num_keypoints} and chart={config.chart}; "
            f"got {config.state_channels}"
        )
    if config.hamiltonian_network == "pairwise" and config.num_keypoints < 2:
        raise ValueError(f"hamiltonian_network=pairwise needs num_keypoints of 2 or more; got {config.num_keypoints}")


def _validate_windows(config: HGNConfig) -> None:
    if config.rollout_directions != "forward":
        for field in ("inference_frames", "seen_frames"):
            value = getattr(config, field)
            if field == "inference_frames" and not (value or 0) % 2 or value is not None and not value % 2:
                raise ValueError(
                    f"rollout_directions={config.rollout_directions} needs an odd number of {field}; got {value}"
                )
    if config.latent == "keypoints" and config.inference_frames < 3:
        raise ValueError(f"latent=keypoints needs inference_frames of 3 or more; got {config.inference_frames}")
    if config.latent == "keypoints" and config.window_degree >= config.inference_frames:
        raise ValueError(
            f"window_degree must be below inference_frames={config.inference_frames}; got {config.window_degree}"
        )
    if config.seen_frames is not None and config.seen_frames < config.inference_frames:
        raise ValueError(
            f"seen_frames must be inference_frames={config.inference_frames} or more; got {config.seen_frames}"
        )
    if config.fit_weight and not config.training_refinement_steps:
        raise ValueError("fit_weight needs training_refinement_steps of 1 or more; got 0")
    if config.fit_weight and config.position_noise is None:
        raise ValueError("fit_weight needs a position_noise; got None")
    if config.confinement is not None and config.hamiltonian == "joint" and config.kinetic not in METRIC_KINETICS:
        raise ValueError("confinement needs hamiltonian=separable, or kinetic=metric or rods; got joint")
    if None not in (config.initial_horizon, config.loss_frames) and config.initial_horizon < config.loss_frames:
        raise ValueError(
            f"initial_horizon must be loss_frames={config.loss_frames} or more; got {config.initial_horizon}"
        )


def _validate_decoder(config: HGNConfig) -> None:
    doublings = num_doublings(config.image_size)
    if len(config.decoder_filters) != doublings:
        raise ValueError(
            f"decoder_filters needs {doublings} entries for image_size={config.image_size}, one per doubling of the "
            f"4x4 latent grid; got {config.decoder_filters}"
        )


def _validate_encoder(config: HGNConfig) -> None:
    doublings = num_doublings(config.image_size)
    if len(config.encoder_filters) < doublings:
        raise ValueError(
            f"encoder_filters needs at least {doublings} entries to halve image_size={config.image_size} down to 4; "
            f"got {config.encoder_filters}"
        )


def validate_frames(config: HGNConfig, num_frames: int) -> None:
    """Raises ValueError if `config` asks for more frames than the `num_frames` of a clip."""
    for field in FRAME_COUNTS:
        value = getattr(config, field)
        if value is not None and value > num_frames:
            raise ValueError(f"{field} is {value}, but the clips have {num_frames} frames")
    if not config.unroll and num_frames > _MAX_UNROLLED:
        raise ValueError(
            f"unroll=0 compiles each of the {num_frames - 1} steps of a clip for itself, which takes too long; set "
            f"another, such as unroll=5, or a data.num_steps below {_MAX_UNROLLED}"
        )
