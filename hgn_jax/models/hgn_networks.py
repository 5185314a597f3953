"""The networks of an HGN, by its configuration.

Two kinds of encoder and decoder have the same interface: those of the paper, convolutional, whose latent is a grid or a
vector, and those of keypoints.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from hgn_jax.models.frames import stack_frames
from hgn_jax.models.hgn_config import METRIC_KINETICS, HGNConfig
from hgn_jax.networks.blocks import ConvLayer
from hgn_jax.networks.charts import Chart, make_chart
from hgn_jax.networks.decoder import conv_decoder
from hgn_jax.networks.encoder import conv_encoder, state_transform
from hgn_jax.networks.energies import (
    AUTHORS_HAMILTONIAN,
    ConvEnergy,
    MetricKinetic,
    confined,
    conv_energy,
    learned_masses,
    metric_kinetic,
    mlp_energy,
    pairwise_energy,
    periodic,
    quadratic_kinetic,
    rods_kinetic,
)
from hgn_jax.networks.keypoints import disc_painter, keypoint_detector, keypoint_painter
from hgn_jax.networks.kinematics import even_and_odd, middle_of_window
from hgn_jax.networks.latent_grid import LATENT_SIZE
from hgn_jax.networks.mlp import mlp
from hgn_jax.networks.precision import in_precision

Params = Any
Energy = hk.Transformed | ConvEnergy | MetricKinetic

_INITIAL_LOG_VARIANCE = -8.0  # of the posterior of keypoints


class Encoder(NamedTuple):
    """The posterior of a latent given a window of frames, for a grid or a vector.

    Attributes:
      init: `(key, frames [batch, window, size, size, 3]) -> params`.
      apply: `(params, frames) -> (mean, log_variance)`, each shaped `[batch, ...]` like the latent.
    """

    init: Callable[[jax.Array, jax.Array], Params]
    apply: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]


class KeypointEncoder(NamedTuple):
    """The posterior of positions and velocities given the points of a window of frames.

    Attributes:
      init: `(key, frames [batch, time, size, size, 3]) -> params`; the frames show what there is to be found.
      detect: `(params, frames [n, size, size, 3]) -> points [n, 2 * num_keypoints]`.
      locate: `(params, points) -> q [n, d]`.
      apply: `(params, q [batch, window, d]) -> (mean, log_variance)`, each `[batch, 2 * d]`, q before the velocity.
    """

    init: Callable[[jax.Array, jax.Array], Params]
    detect: Callable[[Params, jax.Array], jax.Array]
    locate: Callable[[Params, jax.Array], jax.Array]
    apply: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]


class Decoder(NamedTuple):
    """The mean of the likelihood of a frame given positions.

    Attributes:
      init: `(key, q) -> params`.
      apply: `(params, q [n, ...]) -> images [n, size, size, 3]`.
      places: For keypoints, `(params, q [n, d]) -> points [n, 2 * num_keypoints]`.
      paint: For keypoints, `(params, points) -> images`; `apply` paints the places of q, as they are to be expected
        with the noise of positions if there is any.
      spread: With noise of positions, `(params, q) -> covariances` of the places, `[n, num_keypoints, 2, 2]`.
    """

    init: Callable[[jax.Array, jax.Array], Params]
    apply: Callable[[Params, jax.Array], jax.Array]
    places: Callable[[Params, jax.Array], jax.Array] | None = None
    paint: Callable[[Params, jax.Array], jax.Array] | None = None
    spread: Callable[[Params, jax.Array], jax.Array] | None = None


def make_encoder(config: HGNConfig) -> Encoder | KeypointEncoder:
    """Returns the encoder of a grid, a vector or keypoints."""
    return _keypoint_encoder(config) if config.latent == "keypoints" else _conv_encoder(config)


def make_decoder(config: HGNConfig) -> Decoder:
    """Returns the decoder of positions on a grid, in a vector or as keypoints."""
    if config.latent == "keypoints":
        return _keypoint_decoder(config)
    network = in_precision(_conv_decoder(config), config.precision)
    return Decoder(network.init, network.apply)


def make_transform(config: HGNConfig) -> hk.Transformed:
    """Returns the network f_psi, which maps a latent to the initial state."""
    state_size = 2 * config.state_channels
    if config.latent == "vector":
        network = mlp((*config.transform_filters, state_size), config.encoder_activation)
    else:
        network = state_transform(config.transform_filters, config.encoder_activation, state_size)
    return _full_precision(network)


def make_energies(config: HGNConfig) -> dict[str, Energy]:
    """Returns the energies by the names of their parameters: `hamiltonian`, or `kinetic` and `potential`."""
    if config.hamiltonian == "joint" and config.kinetic not in METRIC_KINETICS:
        return {"hamiltonian": _full_precision(_energy(config))}
    kinetic = potential = _energy(config)
    if config.kinetic == "quadratic":
        points = config.latent == "keypoints" and config.chart == "none"
        kinetic = quadratic_kinetic(config.num_keypoints if points else config.state_channels)
    if config.kinetic == "rods":
        kinetic = rods_kinetic(config.state_channels)
    if config.kinetic == "metric":
        kinetic = metric_kinetic(
            config.state_channels, config.hamiltonian_filters, config.hamiltonian_activation, config.chart == "rods"
        )
    if config.chart == "rods":
        potential = periodic(potential)
    if config.confinement is not None:
        potential = confined(potential, config.confinement)
    if not isinstance(kinetic, MetricKinetic):
        kinetic = _full_precision(kinetic)
    return {"kinetic": kinetic, "potential": _full_precision(potential)}


def momentum(kinetic: Energy, params: Params, q: jax.Array, velocity: jax.Array) -> jax.Array:
    """Momenta `[batch, d]` of velocities, for a quadratic kinetic energy or a `MetricKinetic`."""
    if isinstance(kinetic, MetricKinetic):
        return kinetic.momentum(params, q, velocity)
    masses = learned_masses(params)
    return jnp.repeat(masses, velocity.shape[-1] // len(masses)) * velocity


def _energy(config: HGNConfig) -> hk.Transformed | ConvEnergy:
    settings = (config.hamiltonian_activation, config.hamiltonian_gain, config.hamiltonian_output_gain)
    if config.hamiltonian_network == "pairwise":
        return pairwise_energy(config.num_keypoints, config.hamiltonian_filters, *settings)
    if config.hamiltonian_network == "mlp":
        return mlp_energy(config.hamiltonian_filters, *settings)
    if config.hamiltonian_network == "authors":
        return conv_energy(AUTHORS_HAMILTONIAN, *settings)
    return conv_energy([ConvLayer(n) for n in (*config.hamiltonian_filters, 1)], *settings)


def bind(energy: Energy, params: Params) -> Callable[[Any], jax.Array]:
    """Returns an energy as a function of its input alone, in the form that is fastest on this device.

    Call it once per rollout, outside the loop over time.
    """
    if isinstance(energy, ConvEnergy) and jax.default_backend() != "cpu":
        return energy.multiplied_out(params)
    return functools.partial(energy.apply, params)


def _full_precision(network: hk.Transformed | ConvEnergy) -> hk.Transformed | ConvEnergy:
    return network._replace(apply=in_precision(network, "full").apply)


def _conv_encoder(config: HGNConfig) -> Encoder:
    """The encoder of a grid or a vector, from frames stacked along channels."""
    network = conv_encoder(
        config.image_size,
        config.encoder_filters,
        config.encoder_activation,
        2 * config.state_channels,
        config.latent == "vector",
    )
    network = in_precision(network, config.precision)

    def init(key: jax.Array, frames: jax.Array) -> Params:
        return network.init(key, stack_frames(frames, None))

    def apply(params: Params, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, log_variance = network.apply(params, stack_frames(frames, None))
        if config.time_reversal:
            reversed_mean, reversed_log_variance = network.apply(params, stack_frames(frames[:, ::-1], None))
            mean = even_and_odd(mean, reversed_mean)
            log_variance = 0.5 * (log_variance + reversed_log_variance)
        return mean, log_variance

    return Encoder(init, apply)


def _conv_decoder(config: HGNConfig) -> hk.Transformed:
    """The convolutional decoder, after a network that lifts a vector to its grid if the configuration has one."""
    decoder = conv_decoder(
        config.image_size, config.decoder_filters, 3, config.block_activation, config.output_activation
    )
    if not config.lift_sizes:
        return decoder
    *hidden_sizes, channels = config.lift_sizes
    lift = mlp((*hidden_sizes, LATENT_SIZE**2 * channels), "swish")

    def grid(params: Params, q: jax.Array) -> jax.Array:
        return lift.apply(params, q).reshape(-1, LATENT_SIZE, LATENT_SIZE, channels)

    def init(key: jax.Array, q: jax.Array) -> Params:
        lift_key, decoder_key = jax.random.split(key)
        lifted = lift.init(lift_key, q)
        return {"lift": lifted, "decoder": decoder.init(decoder_key, grid(lifted, q))}

    return hk.Transformed(init, lambda params, q: decoder.apply(params["decoder"], grid(params["lift"], q)))


def _keypoint_encoder(config: HGNConfig) -> KeypointEncoder:
    dim = config.state_channels
    detector = keypoint_detector(config.image_size, config.encoder_filters, config.num_keypoints)
    detector = in_precision(detector, config.precision)
    chart = _chart(config)
    middle = middle_of_window(config.inference_frames, dim, config.dt, config.window_degree, chart.angles)

    def init(key: jax.Array, frames: jax.Array) -> Params:
        detector_key, middle_key, chart_key = jax.random.split(key, 3)
        return {
            "detector": detector.init(detector_key, frames.reshape(-1, *frames.shape[2:])),
            "middle": middle.init(middle_key),
            "chart": chart.init_coordinates(chart_key),
            "log_variance": jnp.full(2 * dim, _INITIAL_LOG_VARIANCE),
        }

    def detect(params: Params, frames: jax.Array) -> jax.Array:
        return detector.apply(params["detector"], frames)

    def locate(params: Params, points: jax.Array) -> jax.Array:
        return chart.coordinates(params["chart"], points)

    def apply(params: Params, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = jnp.concatenate(middle.apply(params["middle"], q), axis=-1)
        return mean, jnp.broadcast_to(params["log_variance"], mean.shape)

    return KeypointEncoder(init, detect, locate, apply)


def _chart(config: HGNConfig) -> Chart:
    return make_chart(config.chart, config.num_keypoints, config.state_channels)


def _keypoint_decoder(config: HGNConfig) -> Decoder:
    if config.painter == "picture":
        painter = _conv_decoder(config)
    elif config.painter == "discs":
        painter = disc_painter(config.image_size, config.num_keypoints, 3)
    else:
        painter = keypoint_painter(config.image_size, config.decoder_filters, config.num_keypoints, 3)
    painter = in_precision(painter, config.precision)
    chart = _chart(config)

    def init(key: jax.Array, q: jax.Array) -> Params:
        del q
        painter_key, chart_key = jax.random.split(key)
        params = {
            "painter": painter.init(painter_key, jnp.zeros((1, 2 * config.num_keypoints))),
            "chart": chart.init_points(chart_key),
        }
        if config.position_noise is not None:
            params["log_noise"] = jnp.full(config.state_channels, jnp.log(config.position_noise))
        return params

    def places(params: Params, q: jax.Array) -> jax.Array:
        return chart.points(params["chart"], q)

    def paint(params: Params, points: jax.Array) -> jax.Array:
        return painter.apply(params["painter"], points)

    def spread(params: Params, q: jax.Array) -> jax.Array:
        along = jax.linearize(lambda q: places(params, q), q)[1]
        moved = jax.vmap(lambda axis: along(jnp.broadcast_to(axis, q.shape)))(jnp.diag(jnp.exp(params["log_noise"])))
        moved = moved.reshape(*moved.shape[:2], config.num_keypoints, 2)
        return jnp.einsum("dnki,dnkj->nkij", moved, moved)

    if config.position_noise is None:
        return Decoder(init, lambda params, q: paint(params, places(params, q)), places, paint)
    paint_expected = lambda params, q: painter.apply(params["painter"], places(params, q), spread(params, q))
    return Decoder(init, paint_expected, places, paint, spread)
