"""Measures an HNN: of frames as HGN is measured, of true states by its vector field and its paths."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.clips import reconstruction
from experiments.clips.beyond import Shown, measure_beyond_the_clip
from experiments.clips.prediction import (
    CompiledDynamics,
    LatentDynamics,
    combine,
    measure_latents,
    measure_prediction,
)
from experiments.clips.results import Dynamics, EnergyStatistics, FrameResults
from experiments.hnn.data import STATE_FEATURES, load_states
from experiments.hnn.presets import PUBLISHED_PRESETS
from experiments.hnn.results import FieldErrors, PathErrors, StateResults
from experiments.run.trainer import Run, facts
from experiments.tasks import Evaluation
from hgn_jax import data
from hgn_jax.metrics import rollouts
from hgn_jax.models.hnn import field_error
from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.physics.scipy_rollout import scipy_rollout

_NUM_DYNAMICS_EXAMPLES = 64
_FRAMES_SEEN = 2  # by the encoder


def evaluate(run: Run) -> Evaluation:
    """Measures a trained model on both splits.

    Shows a `Shown`, or for a model of states the paths `true` and by integrator.
    """
    return _evaluate_states(run) if run.config.model == "state" else _evaluate_frames(run)


def _evaluate_frames(run: Run) -> Evaluation:
    start = time.monotonic()
    clips, test = run.data, run.data.splits["test"]
    reconstructions = {split: reconstruction.reconstruct(run, split) for split in reconstruction.SPLITS}
    errors = {
        split: reconstruction.split_errors(shown.errors, _errors_by_scipy(run, split))
        for split, shown in reconstructions.items()
    }
    features = ("image", "q", "p") if clips.has_true_states else ("image",)
    examples = data.stack(test, range(min(_NUM_DYNAMICS_EXAMPLES, len(test))), features)
    images = examples["image"]
    embedded = jax.jit(run.model.encode)(run.state.params, images)
    dynamics, latents = CompiledDynamics(_latent_dynamics(run)), measure_latents(embedded, examples)
    beyond, beyond_shown = measure_beyond_the_clip(run, dynamics, latents.get("latent"))
    fields = combine(
        {"not_measured": reconstruction.unmeasured_errors(clips)}, measure_prediction(run, dynamics), latents
    )
    results = FrameResults(
        **errors,
        **fields,
        beyond_the_clip=beyond,
        dynamics=measure_dynamics(run, _initial_states(run, images), images.shape[1] - 1),
        frames_seen=_FRAMES_SEEN,
        videos=reconstruction.describe_videos(clips),
        model=run.config.model,
        run=facts(run, start),
    )
    return Evaluation(results, Shown(reconstructions, beyond_shown))


def _initial_states(run: Run, images: np.ndarray) -> PhaseState:
    """The states at the first frames of clips, `[clips, d]`."""
    state = jax.jit(run.model.encode)(run.state.params, images[:, :_FRAMES_SEEN])
    return jax.tree.map(lambda x: np.asarray(x[:, 0]), state)


def _errors_by_scipy(run: Run, split: str) -> np.ndarray:
    """Frame errors `[examples, frames]` of rollouts by scipy, for the examples that `reconstruct` takes."""
    source, evaluation = run.data.splits[split], run.config.evaluation
    total = min(evaluation.num_examples or len(source), len(source))
    batches = [
        range(first, min(first + evaluation.batch_size, total)) for first in range(0, total, evaluation.batch_size)
    ]
    starts = [_initial_states(run, data.stack(source, batch, ("image",))["image"]) for batch in batches]
    start = jax.tree.map(lambda *x: np.concatenate(x), *starts)
    path = path_by_scipy(run, start, len(source[0]["image"]) - 1)
    decode = jax.jit(run.model.decode)
    errors = []
    for batch in batches:
        observed = data.stack(source, batch, ("image",))["image"].astype(np.float32) / 255.0
        states = jax.tree.map(lambda x, batch=batch: x[:, batch.start : batch.stop].astype(np.float32), path)
        predicted = np.asarray(decode(run.state.params, states)[..., 0, :, :, :])
        errors.append(rollouts.frame_errors(np.swapaxes(predicted, 0, 1), observed))
    return np.concatenate(errors)


def path_by_scipy(run: Run, start: PhaseState, num_steps: int) -> PhaseState:
    """The path `[num_steps + 1, examples, d]` that scipy integrates in float64."""
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), run.state.params)
        return scipy_rollout(run.model.hamiltonian(params), start, run.config.dt, num_steps)


def _paths(run: Run, start: PhaseState, num_steps: int) -> dict[str, PhaseState]:
    """The rollouts by the model's own integrator and by scipy, float32 `[num_steps + 1, examples, d]`."""
    rollout = jax.jit(run.model.rollout, static_argnums=2)
    paths = {
        run.config.integrator: rollout(run.state.params, start, num_steps),
        "scipy": path_by_scipy(run, start, num_steps),
    }
    return {name: jax.tree.map(lambda x: np.asarray(x, np.float32), path) for name, path in paths.items()}


def measure_dynamics(run: Run, start: PhaseState, num_steps: int) -> Dynamics:
    """Measures reversibility, and the learned energy along rollouts by the model's own integrator and by scipy."""
    config, hamiltonian = run.config, run.model.hamiltonian(run.state.params)
    settings = {"integrator": config.integrator, "substeps": config.substeps}
    reversibility = rollouts.reversibility(hamiltonian, start, config.dt, num_steps, **settings)
    energies = {
        name: rollouts.energies_along(hamiltonian, path) for name, path in _paths(run, start, num_steps).items()
    }
    return Dynamics(
        reversibility=float(reversibility),
        energy={name: EnergyStatistics(**rollouts.energy_statistics(values)) for name, values in energies.items()},
    )


def _latent_dynamics(run: Run) -> LatentDynamics:
    hnn = run.model
    return LatentDynamics(
        params=run.state.params,
        num_seen=_FRAMES_SEEN,
        dt=hnn.config.dt,
        infer=lambda params, frames: jax.tree.map(lambda x: x[:, 0], hnn.encode(params, frames)),
        rollout=hnn.rollout,
        decode=lambda params, states: hnn.decode(params, states)[..., 0, :, :, :],
        energy=lambda params, states: hnn.hamiltonian(params)(states),
    )


def _evaluate_states(run: Run) -> Evaluation:
    start_time = time.monotonic()
    config, clips = run.config, run.data
    learned, true = run.model.hamiltonian(run.state.params), true_hamiltonian(clips.metadata)
    errors = {}
    for split in reconstruction.SPLITS:
        states = load_states(config, clips, split, config.evaluation.num_examples)
        errors[split] = FieldErrors(
            num_examples=len(states["q"]),
            field_error=_field_error(learned, states),
            field_error_of_true_energy=_field_error(true, states),
            mean_square_of_field=float(np.mean([np.mean(states[name] ** 2) for name in ("dq_dt", "dp_dt")])),
        )
    states = load_states(config, clips, "test", _NUM_DYNAMICS_EXAMPLES, noise=False)
    start, num_steps = PhaseState(states["q"][:, 0], states["p"][:, 0]), states["q"].shape[1] - 1
    true_path = PhaseState(*(np.swapaxes(states[name], 0, 1) for name in ("q", "p")))
    paths = _paths(run, start, num_steps)
    published = PUBLISHED_PRESETS.get(config.preset)
    results = StateResults(
        **errors,
        dynamics=measure_dynamics(run, start, num_steps),
        paths={name: _path_errors(path, true_path, true) for name, path in paths.items()},
        published=published and {"train": published.train_loss, "test": published.test_loss},
        model=config.model,
        run=facts(run, start_time),
    )
    return Evaluation(results, {"true": true_path, **paths})


def true_hamiltonian(metadata: dict[str, Any]) -> Hamiltonian:
    """The energy that a data set was simulated with, as a function of states `[..., d]`."""
    system = systems.get_system(metadata["system"], **metadata["constants"])

    def hamiltonian(state: PhaseState) -> jax.Array:
        shaped = jax.tree.map(lambda x: jnp.reshape(x, (*x.shape[:-1], *system.state_shape)), state)
        return system.hamiltonian(PhaseState(*shaped))

    return hamiltonian


def _field_error(hamiltonian: Hamiltonian, states: dict[str, np.ndarray]) -> float:
    """Error against the noise-free derivatives at the noisy states, as in training."""
    measure: Callable = jax.jit(
        lambda q, p, dq_dt, dp_dt: field_error(hamiltonian, PhaseState(q, p), PhaseState(dq_dt, dp_dt))
    )
    return float(measure(*(states[name] for name in STATE_FEATURES)))


def _path_errors(path: PhaseState, true_path: PhaseState, true: Hamiltonian) -> PathErrors:
    """Errors of a path `[steps + 1, examples, d]`, and the true energy along it."""
    errors = np.mean([np.mean((a - b) ** 2, axis=-1) for a, b in zip(path, true_path, strict=True)], axis=0)
    energies = np.asarray(rollouts.energies_along(true, path), np.float64)
    return PathErrors(
        mse=float(errors.mean()),
        mse_per_step=_floats(errors.mean(axis=1)),
        true_energy=EnergyStatistics(**rollouts.energy_statistics(energies)),
        true_energy_mse=float(np.mean((energies - energies[0]) ** 2)),
    )


def _floats(values: np.ndarray) -> Sequence[float]:
    return [float(value) for value in values]
