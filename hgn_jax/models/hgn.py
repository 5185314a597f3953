"""The Hamiltonian Generative Network (Sec. 3.2 and App. A.1 of the paper).

frames -> posterior q(z | x) -> initial state (q, p) -> rollout of a learned Hamiltonian -> frames: each arrow is a pure
function in the record `HGN`. Derivatives of the energy and the scan over time are outside Haiku.

HGN++ (Botev et al. 2021, "Which priors matter?", arXiv 2111.05458, and the code released with it) is the same model
with other fields of the configuration: a vector latent, energies by MLPs, and clips that are learned forwards and
backwards in time. So is the anchored HGN: a state as small as the system's, often the places of points in the picture,
inferred from a window at a random place of the clip and rolled out both ways.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from hgn_jax.models.frames import TargetFrames, direct, draw_target_frames, unit_interval
from hgn_jax.models.hgn_config import (
    METRIC_KINETICS,
    HGNConfig,
    inferred_frame,
    latent_shape,
    num_seen,
    validate,
    validate_frames,
)
from hgn_jax.models.hgn_networks import bind, make_decoder, make_encoder, make_energies, make_transform, momentum
from hgn_jax.models.hgn_terms import (
    Posterior,
    draw_latent,
    frame_statistics,
    kl_to_standard_normal,
    negative_elbo,
    reconstruction_error,
)
from hgn_jax.models.objectives import default_slots, example_keys, geco_lagrangian
from hgn_jax.models.refinement import (
    LeastSquares,
    central_differences,
    fit_outward,
    forward_derivatives,
    gauss_newton_shift,
)
from hgn_jax.models.windows import Windows, draw_windows
from hgn_jax.physics import integrators
from hgn_jax.physics.hamiltonian import Hamiltonian, separable
from hgn_jax.physics.phase_space import PhaseState

Params = dict[str, Any]
Batch = dict[str, Any]  # of arrays

_REFINED_FROM = 0.5  # fraction of the training: before, the dynamics are not good enough to refine by
_LARGEST_MISFIT = 1.5  # mean square of what a fitted rollout leaves, in units of the variance of the noise
_LARGEST_TRAINING_SHIFT = 0.2  # of a state by the refinement in training; states have a scale of about 1
_LARGEST_SHIFT = 0.1  # of a point when it is sharpened, about half a pixel of a small picture
_INITIAL_STRIDE = 8  # from one frame to the next that keypoints are initialised with
_FRAMES_LOCATED = 2  # frames of a clip that are decoded from their own keypoints in each step


class Fit(NamedTuple):
    """States fitted to what was observed around them.

    Attributes:
      z: The states `[batch, d]`, as q and p side by side.
      observed: Points or pixels of all frames read.
    """

    z: jax.Array
    observed: jax.Array


class Comparison(NamedTuple):
    """The rollouts of a training step, and the frames that they are compared with.

    Attributes:
      posterior: Posterior of the state from which a clip is rolled out; about a fit, if `is_fitted`.
      positions: Positions `[time, batch, ...]` along the rollout of states z.
      targets: Frames of the clips, `[batch, time, size, size, 3]`.
      chosen: The frames in the loss.
      is_fitted: Whether clips are rolled out from states that were fitted, without the noise of the posterior.
      fit_errors: How far points are from the rollouts that are fitted to them, in units of their noise, and the
        encoder's guess of a state from the fit, `[batch]`; 0 for clips that are left out, whose fit has not arrived.
    """

    posterior: Posterior
    positions: Callable[[jax.Array], jax.Array]
    targets: jax.Array
    chosen: TargetFrames
    is_fitted: jax.Array | bool = False
    fit_errors: jax.Array | None = None


class HGN(NamedTuple):
    """A Hamiltonian Generative Network as pure functions of its parameters.

    Frames are `[batch, time, size, size, 3]`, uint8 or floats in [0, 1]. States are `PhaseState`s whose `q` and `p` are
    `[batch, 4, 4, channels]`, or `[batch, channels]` for a vector latent. Paths have a leading time axis.

    Attributes:
      config: The configuration of the model.
      init: `(key, batch) -> params`; `batch["image"]` gives the number of frames, and, with a `background`, the mean
        image and the standard deviation of the pixels.
      infer: `(params, frames) -> Posterior`, from the first `inference_frames` frames, or from the middle ones of the
        first `seen_frames`.
      infer_state: `(params, frames) -> PhaseState`, the state at the frame `inferred_frame(config)`, by the posterior
        mean, refined on the frames seen if the configuration asks for it. A prior in `params` is weighed against the
        points of noisy frames; see `hgn_jax.state_densities.prior`.
      initial_state: `(params, z, dt=config.dt) -> PhaseState`, the state at the first frame, f_psi(z) (Eq. 9). If z
        belongs to a later frame (`rollout_directions` is not `forward`), f_psi(z) is rolled back to the first, -dt per
        frame.
      hamiltonian: `(params) -> Hamiltonian`, the learned energy (Eq. 10).
      friction: `(params) -> rates [d]` at which the momenta decay; None for a conservative system.
      rollout: `(params, state, num_steps, dt=config.dt, integrator=config.integrator, unroll=1) -> path`.
      decode: `(params, q) -> images`, from `[..., 4, 4, channels]` or `[..., channels]` to `[..., size, size, 3]`
        (Eq. 11).
      places: For keypoints, `(params, q [..., d]) -> points [..., num_keypoints, 2]` in the picture: (x, y), x to the
        right and y downwards, with the centres of the outermost pixels at ±`keypoints.HALF_WIDTH`. None otherwise.
      start: `(params, frames) -> PhaseState`, the state at the first frame: that of `infer_state`, rolled back.
      follow: `(params, frames, num_steps, first=0) -> path [num_steps + 1, batch, ...]`, rolled out both ways from
        `infer_state`. The first of the frames is at the index `first` of the path. Rolled back and forwards again, the
        state of a chaotic system would not return, unless the integrator is reversible.
      reconstruct: `(params, frames, num_steps) -> images [batch, num_steps + 1, size, size, 3]`, the decoded path that
        `follow` gives.
      sample: `(params, key, num_samples, num_steps, dt=config.dt) -> images`, decoded rollouts from the prior.
      loss: `(params, multiplier, key, batch, *, progress=1.0, slots=None) -> (loss, aux)`; see `make_hgn`.
    """

    config: HGNConfig
    init: Callable[[jax.Array, Batch], Params]
    infer: Callable[[Params, ArrayLike], Posterior]
    infer_state: Callable[[Params, ArrayLike], PhaseState]
    initial_state: Callable[..., PhaseState]
    hamiltonian: Callable[[Params], Hamiltonian]
    friction: Callable[[Params], jax.Array | None]
    rollout: Callable[..., PhaseState]
    decode: Callable[[Params, ArrayLike], jax.Array]
    places: Callable[[Params, ArrayLike], jax.Array] | None
    start: Callable[[Params, ArrayLike], PhaseState]
    follow: Callable[..., PhaseState]
    reconstruct: Callable[..., jax.Array]
    sample: Callable[..., jax.Array]
    loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def make_hgn(config: HGNConfig) -> HGN:
    """Builds a Hamiltonian Generative Network.

    Its loss reads `batch["image"]`, frames `[batch, time, size, size, 3]`; see `hgn_jax.training.model.Model` for the
    other arguments. `progress` sets the horizon where `initial_horizon` is given. With
      mse = mean over frames, pixels, colours and examples of (x - x_hat)^2,
      kl  = KL(q(z) || N(0, I)) in nats, summed over the latent and averaged over examples,
    the loss is `negative_elbo(mse, kl)`; for GECO, kl + multiplier * (mse - tolerance); or, for `relative`, mse in
    units of the variance of the pixels, plus beta * kl. A multiplier of half the number of values in a frame weighs the
    terms as the ELBO does. In the deterministic variant kl is zero. For keypoints, `frame_weight` times the
    error of frames decoded from their own points is added to mse. With `fit_weight`, that times the errors of
    fits is added to the loss: the distance of points from fitted rollouts, and that of the encoder's guesses from the
    fitted states. Clips whose fit has not arrived count as 0 in mse and in both. `aux` holds the
    scalars `mse`, `kl` and, for GECO, `constraint` = mse - tolerance. With `relative_tolerance` the tolerance is that
    fraction of the variance of the pixels.

    Raises:
      ValueError: If no model can be made from `config`.
    """
    validate(config)
    encoder, decoder, energies = make_encoder(config), make_decoder(config), make_energies(config)
    networks = {"encoder": encoder, "decoder": decoder}
    if config.use_transform:
        networks["transform"] = make_transform(config)
    networks |= energies
    shape, is_keypoints = latent_shape(config), config.latent == "keypoints"
    differentiate = forward_derivatives if config.refinement_target == "points" else central_differences
    half_window = (config.inference_frames or 0) // 2  # which the first guess of a state comes from
    refine = functools.partial(fit_outward, near=half_window, differentiate=differentiate)
    # The anchor's window may be at an end of the frames read.
    most_read_steps = (num_seen(config) or 0) - 1 - half_window
    training_unroll = config.unroll or True  # True unrolls all steps

    def init(key: jax.Array, batch: Batch) -> Params:
        validate_frames(config, batch["image"].shape[1])
        frames = unit_interval(batch["image"])
        statistics = {}
        if config.background != "none":
            statistics["frames"] = frame_statistics(frames, config.background)
        shown = normalised(statistics, frames)
        z = jnp.zeros((1, *shape))
        q = z[..., : config.state_channels]
        inputs = {
            "encoder": shown[:, ::_INITIAL_STRIDE] if is_keypoints else shown[:1, : config.inference_frames],
            "decoder": q,
            "transform": z,
            "hamiltonian": z,
            "kinetic": q,
            "potential": q,
        }
        keys = jax.random.split(key, len(networks))
        params = {
            name: network.init(k, inputs[name]) for k, (name, network) in zip(keys, networks.items(), strict=True)
        }
        if config.friction is not None:
            params["log_friction"] = jnp.full(config.state_channels, jnp.log(config.friction))
        return params | statistics

    def normalised(params: Params, frames: jax.Array) -> jax.Array:
        if config.background == "none":
            return frames
        statistics = jax.lax.stop_gradient(params["frames"])
        return (frames - statistics["mean_image"]) / statistics["pixel_std"]

    def encode(params: Params, window: jax.Array) -> Posterior:
        if not is_keypoints:
            mean, log_variance = encoder.apply(params["encoder"], normalised(params, window))
            return Posterior(mean, jnp.exp(0.5 * log_variance))
        path = encoder.locate(params["encoder"], find_points(params, window.reshape(-1, *window.shape[2:])))
        mean, log_variance = encoder.apply(params["encoder"], path.reshape(*window.shape[:2], -1))
        q, velocity = jnp.split(mean, 2, axis=-1)
        p = momentum(networks["kinetic"], params["kinetic"], q, velocity)
        return Posterior(jnp.concatenate([q, p], axis=-1), jnp.exp(0.5 * log_variance))

    def find_points(params: Params, frames: jax.Array) -> jax.Array:
        """Points `[n, 2 * num_keypoints]` of frames `[n, size, size, 3]`, where the decoder paints the frame best."""
        points = encoder.detect(params["encoder"], normalised(params, frames))
        if not config.sharpen_points:
            return points
        frozen, start, seen = jax.lax.stop_gradient((params, points, frames))
        paint = lambda points: with_background(frozen, decoder.paint(frozen["decoder"], points))
        return points + gauss_newton_shift(paint, start, seen, _LARGEST_SHIFT)

    def seen_by_model(frames: jax.Array) -> jax.Array:
        chex.assert_shape(frames, (None, None, config.image_size, config.image_size, 3))
        return unit_interval(frames)[:, : num_seen(config)]

    def infer(params: Params, frames: jax.Array) -> Posterior:
        seen = seen_by_model(frames)
        first = (seen.shape[1] - config.inference_frames) // 2 if config.seen_frames else 0
        return encode(params, seen[:, first:][:, : config.inference_frames])

    def infer_state(params: Params, frames: jax.Array) -> PhaseState:
        z = infer(params, frames).mean
        if config.refinement_steps:
            seen, half = seen_by_model(frames), num_seen(config) // 2
            steps = jnp.broadcast_to(jnp.arange(-half, half + 1), seen.shape[:2])
            problem = problem_of(params, observe(params, seen), steps, half)
            if "prior" in params and config.refinement_target == "points":
                problem = with_deviations(params, problem, noise_variance(params, z))
            z = refine(problem, z, config.refinement_steps)
        return transform(params, z)

    def fit_windows(params: Params, windows: Windows, z: jax.Array) -> Fit:
        """The states of windows, fitted to the frames read from the first guesses z."""
        observed = observe(params, windows.read)
        problem = problem_of(params, observed, windows.read_steps, most_read_steps)
        return Fit(refine(problem, z, config.training_refinement_steps), observed)

    def no_fit(params: Params, windows: Windows, z: jax.Array) -> Fit:
        observed = jax.eval_shape(observe, params, windows.read)
        return Fit(z, jnp.zeros(observed.shape, observed.dtype))

    def observe(params: Params, frames: jax.Array) -> jax.Array:
        """What a refinement compares with: points of frames `[batch, n, size, size, 3]`, or their pixels."""
        flat = frames.reshape(-1, *frames.shape[2:])
        return find_points(params, flat) if config.refinement_target == "points" else flat

    def problem_of(params: Params, observed: jax.Array, steps: jax.Array, most_steps: int) -> LeastSquares:
        """What a state z does not explain of what was observed at `steps` `[batch, n]` from it."""
        if config.refinement_target == "points":
            predict = lambda q: decoder.places(params["decoder"], q)
        else:
            predict = lambda q: decode(params, q)

        def residuals(z: jax.Array) -> jax.Array:
            q = jnp.swapaxes(positions_at(params, z, steps, most_steps), 0, 1)
            return (predict(q.reshape(-1, q.shape[-1])) - observed).reshape(len(z), -1)

        return LeastSquares(residuals, jnp.repeat(jnp.abs(steps), observed[0].size, axis=1))

    def with_deviations(params: Params, problem: LeastSquares, variance: jax.Array) -> LeastSquares:
        """Adds the deviations of a state from its prior, with the weight of noise of this variance."""
        # Noise moves 2 * num_keypoints numbers by state_channels coordinates.
        deviation = jnp.sqrt(variance * 2 * config.num_keypoints / config.state_channels)
        prior = params["prior"]

        def all_residuals(z: jax.Array) -> jax.Array:
            deviations = (z - prior["mean"]) @ prior["whiten"]
            return jnp.concatenate([problem.residuals(z), deviation[:, None] * deviations], axis=1)

        at_state = jnp.zeros((len(problem.distances), prior["whiten"].shape[1]), problem.distances.dtype)
        return LeastSquares(all_residuals, jnp.concatenate([problem.distances, at_state], axis=1))

    def noise_variance(params: Params, z: jax.Array) -> jax.Array:
        """Mean variance `[batch]` of the coordinates of points of states z, by the noise of positions."""
        covariances = decoder.spread(params["decoder"], z[:, : config.state_channels])
        return jnp.mean(jnp.diagonal(covariances, axis1=-2, axis2=-1), axis=(1, 2))

    def transform(params: Params, z: jax.Array) -> PhaseState:
        s = networks["transform"].apply(params["transform"], z) if config.use_transform else z
        return PhaseState(*jnp.split(s, 2, axis=-1))

    def at_first_frame(params: Params, state: PhaseState, dt: float | jax.Array = config.dt) -> PhaseState:
        if not inferred_frame(config):
            return state
        path = rollout(params, state, inferred_frame(config), -dt, unroll=training_unroll)
        return jax.tree.map(lambda x: x[-1], path)

    def initial_state(params: Params, z: jax.Array, dt: float | jax.Array = config.dt) -> PhaseState:
        return at_first_frame(params, transform(params, z), dt)

    def start(params: Params, frames: jax.Array) -> PhaseState:
        return at_first_frame(params, infer_state(params, frames))

    def hamiltonian(params: Params) -> Hamiltonian:
        bound = {name: bind(networks[name], params[name]) for name in energies}
        if config.kinetic in METRIC_KINETICS:
            return lambda s: bound["kinetic"](s) + bound["potential"](s.q)
        if config.hamiltonian == "joint":
            return lambda s: bound["hamiltonian"](jnp.concatenate(s, axis=-1))
        return separable(bound["kinetic"], bound["potential"])

    def friction(params: Params) -> jax.Array | None:
        return None if config.friction is None else jnp.exp(params["log_friction"])

    def rollout(
        params: Params,
        state: PhaseState,
        num_steps: int,
        dt: float | jax.Array = config.dt,
        integrator: str = config.integrator,
        unroll: int | bool = 1,
    ) -> PhaseState:
        return integrators.rollout(
            hamiltonian(params), state, dt, num_steps, integrator, config.substeps, unroll, friction(params)
        )

    def decode(params: Params, q: jax.Array) -> jax.Array:
        batch_shape = q.shape[: -len(shape)]
        images = with_background(params, decoder.apply(params["decoder"], q.reshape(-1, *q.shape[len(batch_shape) :])))
        return images.reshape(*batch_shape, *images.shape[1:])

    def with_background(params: Params, images: jax.Array) -> jax.Array:
        if config.background == "none":
            return images
        statistics = params["frames"]
        return statistics["background"] + jax.lax.stop_gradient(statistics["pixel_std"]) * images

    def places(params: Params, q: jax.Array) -> jax.Array:
        points = decoder.places(params["decoder"], q.reshape(-1, q.shape[-1]))
        return points.reshape(*q.shape[:-1], config.num_keypoints, 2)

    def decode_path(params: Params, path: PhaseState) -> jax.Array:
        return jnp.swapaxes(decode(params, path.q), 0, 1)

    def follow(params: Params, frames: jax.Array, num_steps: int, first: int = 0) -> PhaseState:
        state, anchor = infer_state(params, frames), first + inferred_frame(config)
        before = rollout(params, state, anchor, -config.dt)
        after = rollout(params, state, max(num_steps - anchor, 0))
        return jax.tree.map(lambda x, y: jnp.concatenate([x[:0:-1], y])[: num_steps + 1], before, after)

    def reconstruct(params: Params, frames: jax.Array, num_steps: int) -> jax.Array:
        return decode_path(params, follow(params, frames, num_steps))

    def sample(params: Params, key: jax.Array, num_samples: int, num_steps: int, dt: float = config.dt) -> jax.Array:
        state = initial_state(params, jax.random.normal(key, (num_samples, *shape)))
        return decode_path(params, rollout(params, state, num_steps, dt))

    def positions_at(params: Params, z: jax.Array, steps: jax.Array, most_steps: int) -> jax.Array:
        """Positions `[n, batch, d]` at numbers of steps `[batch, n]` from the states z, of either sign."""
        both = jax.tree.map(lambda x: jnp.concatenate([x, x]), transform(params, z))
        direction = jnp.repeat(jnp.array([1.0, -1.0]), len(z)).reshape(-1, *[1] * len(shape))
        path = rollout(params, both, most_steps, config.dt * direction, unroll=training_unroll).q
        after, before = path[:, : len(z)], path[:, len(z) :]
        outward = jnp.concatenate([before[:0:-1], after])
        return jax.vmap(lambda q, index: q[index], in_axes=(1, 0), out_axes=1)(outward, steps + most_steps)

    def frame_error(params: Params, frames: jax.Array) -> jax.Array:
        """Mean squared error of frames `[batch, n, size, size, 3]` decoded from their own points, without dynamics."""
        frames = frames.reshape(-1, *frames.shape[2:])
        points = encoder.detect(params["encoder"], normalised(params, frames))
        points = decoder.places(params["decoder"], encoder.locate(params["encoder"], points))
        return jnp.mean((with_background(params, decoder.paint(params["decoder"], points)) - frames) ** 2)

    def misfit(params: Params, fit: Fit, steps: jax.Array) -> jax.Array:
        """Mean squared distances `[batch]` of points from the rollouts fitted to them, in units of their noise."""
        residuals = problem_of(params, fit.observed, steps, most_read_steps).residuals(fit.z)
        return jnp.mean(residuals**2, axis=1) / jax.lax.stop_gradient(noise_variance(params, fit.z))

    def tolerance(params: Params) -> jax.Array | float:
        if config.relative_tolerance is None:
            return config.tolerance
        return config.relative_tolerance * pixel_variance(params)

    def pixel_variance(params: Params) -> jax.Array:
        return jax.lax.stop_gradient(params["frames"]["pixel_std"]) ** 2

    def compare_directed(params: Params, key: jax.Array, frames: jax.Array, progress, slots: jax.Array) -> Comparison:
        """Rollouts through whole clips, forwards or backwards in time."""
        num_frames = frames.shape[1]
        clips = direct(config, frames, slots)

        def positions(z: jax.Array) -> jax.Array:
            start = initial_state(params, z, clips.dt)
            return rollout(params, start, num_frames - 1, clips.dt, unroll=training_unroll).q

        chosen = draw_target_frames(config, key, num_frames, progress)
        return Comparison(infer(params, clips.seen), positions, clips.targets, chosen)

    def compare_outward(params: Params, key: jax.Array, frames: jax.Array, progress, slots: jax.Array) -> Comparison:
        """Rollouts both ways from windows at random places of clips."""
        windows = draw_windows(config, example_keys(key, slots), frames, progress)
        is_refined, has_arrived = progress >= _REFINED_FROM, jnp.full(len(frames), True)
        is_fitted, known, fit_errors = False, params, None
        if config.fit_weight:
            is_fitted = is_refined
            known = params | {"kinetic": held(is_fitted, params["kinetic"])}  # the masses are not the encoder's to fit
        posterior = encode(known, windows.seen)
        if config.training_refinement_steps:
            fixed = jax.lax.stop_gradient((params, windows, posterior.mean))
            fit = jax.lax.cond(is_refined, fit_windows, no_fit, *fixed)
            if config.fit_weight:
                posterior, has_arrived, fit_errors = take_fits(params, windows, posterior, fit, is_fitted)
            else:
                shift = jnp.clip(fit.z - fixed[-1], -_LARGEST_TRAINING_SHIFT, _LARGEST_TRAINING_SHIFT)
                posterior = posterior._replace(mean=posterior.mean + shift)
        positions = lambda z: positions_at(params, z, windows.steps, frames.shape[1] - 1)
        num_targets = windows.steps.shape[1]
        chosen = TargetFrames(None, jnp.outer(jnp.full(num_targets, 1.0 / num_targets), has_arrived))
        return Comparison(posterior, positions, windows.targets, chosen, is_fitted, fit_errors)

    def take_fits(
        params: Params, windows: Windows, posterior: Posterior, fit: Fit, is_fitted: jax.Array
    ) -> tuple[Posterior, jax.Array, jax.Array]:
        """The posterior about fitted states, if `is_fitted`, which of the fits have arrived, and their errors."""
        guess, no_misfit = posterior.mean, jnp.zeros(len(fit.z), fit.z.dtype)
        misfits = jax.lax.cond(is_fitted, misfit, lambda *_: no_misfit, params, fit, windows.read_steps)
        has_arrived = misfits < _LARGEST_MISFIT
        errors = jnp.where(has_arrived, misfits + jnp.mean((guess - fit.z) ** 2, axis=1), 0.0)
        mean = jnp.where(is_fitted & has_arrived[:, None], fit.z, guess)
        return held(is_fitted, posterior._replace(mean=mean)), has_arrived, errors

    def held(is_held: jax.Array, tree: Any) -> Any:
        """The same arrays, without a gradient where `is_held`."""
        return jax.tree.map(lambda x: jnp.where(is_held, jax.lax.stop_gradient(x), x), tree)

    compare = compare_outward if config.rollout_directions == "outward" else compare_directed

    def loss(params: Params, multiplier, key: jax.Array, batch: Batch, *, progress=1.0, slots=None):
        frames = unit_interval(batch["image"])
        slots = default_slots(slots, len(frames))
        noise_key, frame_key = jax.random.split(key)
        posterior, positions, targets, chosen, is_fitted, fit_errors = compare(
            params, frame_key, frames, progress, slots
        )
        z, kl = posterior.mean, jnp.float32(0.0)
        if config.variational:
            z = jnp.where(is_fitted, z, draw_latent(posterior, noise_key, slots))
            kl = jnp.mean(kl_to_standard_normal(posterior))
        mse = reconstruction_error(decode, params, positions(z), targets, chosen)
        error = mse
        if config.frame_weight:
            error += config.frame_weight * frame_error(params, targets[:, :_FRAMES_LOCATED])
        if config.objective == "relative":
            error = error / pixel_variance(params) + config.beta * kl
            if config.fit_weight:
                error += config.fit_weight * jnp.mean(fit_errors)
            return error, {"mse": mse, "kl": kl}
        if config.objective == "elbo":
            return negative_elbo(error, kl, frames[0, 0].size, config.beta), {"mse": mse, "kl": kl}
        allowed = tolerance(params)
        return geco_lagrangian(kl, multiplier, error - allowed), {"mse": mse, "kl": kl, "constraint": mse - allowed}

    return HGN(
        config=config,
        init=init,
        infer=infer,
        infer_state=infer_state,
        initial_state=initial_state,
        hamiltonian=hamiltonian,
        friction=friction,
        rollout=rollout,
        decode=decode,
        places=places if is_keypoints else None,
        start=start,
        follow=follow,
        reconstruct=reconstruct,
        sample=sample,
        loss=loss,
    )
