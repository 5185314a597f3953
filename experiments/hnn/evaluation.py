"""Measures a Hamiltonian Neural Network: an embedding of frames as an HGN, one of true states by its vector field."""

import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.clips.prediction import LatentDynamics, gather, has_true_states, measure_latents, measure_prediction
from experiments.hgn.data import Clips, build_dataset
from experiments.hgn.evaluation import describe_videos, reconstruct_split, split_metrics
from experiments.hnn import data as hnn_data
from experiments.hnn import presets as hnn_presets
from experiments.hnn import report as hnn_report
from experiments.hnn.report import print_summary as print_summary
from experiments.run.experiment import Experiment, describe
from experiments.run.experiment import load as load_experiment
from experiments.run.run_directory import RunDirectory, read_config, require_checkpoint, write_json
from hgn_jax.data import datasets as data
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.models.hnn import field_error, make_hnn
from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.physics.scipy_rollout import scipy_rollout

_NUM_DYNAMICS_EXAMPLES = 64
_SPLITS = ("test", "train")
_FRAMES_SEEN = 2  # by the encoder


def load(run: RunDirectory, config: hnn_presets.Config, dataset: pathlib.Path) -> Experiment:
    """Makes the model and restores the newest checkpoint, if there is one."""
    clips, hnn = Clips(*data.open_dataset(dataset)), make_hnn(config)
    return load_experiment(run, config, hnn, clips, hnn.init, hnn_data.example_batch(config, clips))


def load_run(run: RunDirectory) -> Experiment:
    """Reads a run back from its directory; raises UserError or DatasetError if it or its data set is not there."""
    config = read_config(run, hnn_presets.Config)
    require_checkpoint(run)
    return load(run, config, build_dataset(config))


def evaluate(experiment: Experiment) -> dict[str, Any]:
    """Measures a trained model on both splits, writes `metrics.json` and the report, and returns the numbers."""
    start = time.monotonic()
    measure = _measure_states if experiment.config.model == "state" else _measure_frames
    results, shown = measure(experiment)
    results["model"] = experiment.config.model
    results["run"] = describe(experiment, time.monotonic() - start)
    write_json(experiment.run.metrics, results)
    hnn_report.write(experiment.run, results, shown)
    return results


def _measure_frames(experiment: Experiment) -> tuple[dict[str, Any], Any]:
    """The results of a model of frames, and the reconstructions of each split."""
    reconstructions = {split: reconstruct_split(experiment, split) for split in _SPLITS}
    results = {split: split_metrics(clips.errors) for split, clips in reconstructions.items()}
    for split in _SPLITS:
        results[split]["scipy"] = metrics.summarise(_errors_by_scipy(experiment, split))
    test, metadata = experiment.data.splits["test"], experiment.data.metadata
    features = ("image", "q", "p") if has_true_states(metadata) else ("image",)
    examples = data.stack(test, range(min(_NUM_DYNAMICS_EXAMPLES, len(test))), features)
    start = _start(experiment, examples["image"])
    results["dynamics"] = dynamics_metrics(experiment, start, examples["image"].shape[1] - 1)
    results["frames_seen"] = _FRAMES_SEEN
    embedded = jax.jit(experiment.model.encode)(experiment.state.params, examples["image"])
    results = gather(
        results,
        describe_videos(metadata),
        measure_prediction(experiment, _latent_dynamics(experiment)),
        measure_latents(embedded, examples),
    )
    return results, reconstructions


def _start(experiment: Experiment, images: np.ndarray) -> PhaseState:
    """The states at the first frames, `[examples, d]`."""
    state = jax.jit(experiment.model.encode)(experiment.state.params, images[:, :_FRAMES_SEEN])
    return jax.tree.map(lambda x: np.asarray(x[:, 0]), state)


def _errors_by_scipy(experiment: Experiment, split: str) -> np.ndarray:
    """Frame errors `[examples, frames]` of rollouts by scipy, of the examples that `reconstruct_split` takes."""
    source, config = experiment.data.splits[split], experiment.config
    size = config.evaluation.batch_size
    total = min(config.evaluation.num_examples or len(source), len(source))
    parts = [range(first, min(first + size, total)) for first in range(0, total, size)]
    starts = [_start(experiment, data.stack(source, part, ("image",))["image"]) for part in parts]
    start = jax.tree.map(lambda *x: np.concatenate(x), *starts)
    path = _path_by_scipy(experiment, start, len(source[0]["image"]) - 1)
    decode = jax.jit(experiment.model.decode)
    errors = []
    for part in parts:
        observed = data.stack(source, part, ("image",))["image"].astype(np.float32) / 255.0
        states = jax.tree.map(lambda x, part=part: x[:, part.start : part.stop].astype(np.float32), path)
        predicted = np.asarray(decode(experiment.state.params, states)[..., 0, :, :, :])
        errors.append(metrics.frame_errors(np.swapaxes(predicted, 0, 1), observed))
    return np.concatenate(errors)


def _path_by_scipy(experiment: Experiment, start: PhaseState, num_steps: int) -> PhaseState:
    """The path that scipy integrates in float64."""
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), experiment.state.params)
        return scipy_rollout(experiment.model.hamiltonian(params), start, experiment.config.dt, num_steps)


def _paths(experiment: Experiment, start: PhaseState, num_steps: int) -> dict[str, PhaseState]:
    """The rollouts by the model's own integrator and by scipy, float32 `[num_steps + 1, examples, d]`."""
    unroll = jax.jit(experiment.model.rollout, static_argnums=2)
    paths = {
        experiment.config.integrator: unroll(experiment.state.params, start, num_steps),
        "scipy": _path_by_scipy(experiment, start, num_steps),
    }
    return {name: jax.tree.map(lambda x: np.asarray(x, np.float32), path) for name, path in paths.items()}


def dynamics_metrics(experiment: Experiment, start: PhaseState, num_steps: int) -> dict[str, Any]:
    """Reversibility, and the learned energy along rollouts by the model's own integrator and by scipy."""
    config, hamiltonian = experiment.config, experiment.model.hamiltonian(experiment.state.params)
    how = (config.dt, num_steps, config.integrator, config.substeps)
    energies = {
        name: metrics.energies_along(hamiltonian, path) for name, path in _paths(experiment, start, num_steps).items()
    }
    return {
        "reversibility": float(metrics.reversibility(hamiltonian, start, *how)),
        "energy": {name: metrics.energy_statistics(values) for name, values in energies.items()},
    }


def _latent_dynamics(experiment: Experiment) -> LatentDynamics:
    hnn = experiment.model
    return LatentDynamics(
        experiment.state.params,
        _FRAMES_SEEN,
        hnn.config.dt,
        lambda params, frames: jax.tree.map(lambda x: x[:, 0], hnn.encode(params, frames)),
        hnn.rollout,
        lambda params, states: hnn.decode(params, states)[..., 0, :, :, :],
    )


def _measure_states(experiment: Experiment) -> tuple[dict[str, Any], Any]:
    """The results of a model of states: errors of the field and of paths; and the true and the learned paths."""
    config, clips = experiment.config, experiment.data
    learned, true = experiment.model.hamiltonian(experiment.state.params), _true_hamiltonian(clips.metadata)
    results: dict[str, Any] = {}
    for split in _SPLITS:
        states = hnn_data.load_states(config, clips, split, config.evaluation.num_examples)
        results[split] = {
            "num_examples": len(states["q"]),
            "field_error": _field_error(learned, states),
            "field_error_of_true_energy": _field_error(true, states),
            "mean_square_of_field": float(np.mean([np.mean(states[name] ** 2) for name in ("dq_dt", "dp_dt")])),
        }
    states = hnn_data.load_states(config, clips, "test", _NUM_DYNAMICS_EXAMPLES, noise=False)
    start, num_steps = PhaseState(states["q"][:, 0], states["p"][:, 0]), states["q"].shape[1] - 1
    results["dynamics"] = dynamics_metrics(experiment, start, num_steps)
    true_path = PhaseState(*(np.swapaxes(states[name], 0, 1) for name in ("q", "p")))
    paths = _paths(experiment, start, num_steps)
    results["paths"] = {name: _path_metrics(path, true_path, true) for name, path in paths.items()}
    if config.preset in hnn_presets.NOISY:
        published = hnn_presets.PUBLISHED[hnn_presets.NOISY[config.preset]]
        results["published"] = {"train": published.train_loss, "test": published.test_loss}
    return results, {"true": true_path, **paths}


def _true_hamiltonian(metadata: dict[str, Any]) -> Hamiltonian:
    """The energy that a data set was simulated with, of states `[..., d]`."""
    system = systems.get_system(metadata["system"], **metadata["constants"])

    def hamiltonian(state: PhaseState) -> jax.Array:
        shaped = jax.tree.map(lambda x: jnp.reshape(x, (*x.shape[:-1], *system.state_shape)), state)
        return system.hamiltonian(PhaseState(*shaped))

    return hamiltonian


def _field_error(hamiltonian: Hamiltonian, states: dict[str, np.ndarray]) -> float:
    """Against derivatives without noise, at states with it, as the model is trained."""
    measure: Callable = jax.jit(
        lambda q, p, dq_dt, dp_dt: field_error(hamiltonian, PhaseState(q, p), PhaseState(dq_dt, dp_dt))
    )
    return float(measure(*(states[name] for name in hnn_data.STATE_FEATURES)))


def _path_metrics(path: PhaseState, true_path: PhaseState, true: Hamiltonian) -> dict[str, Any]:
    """Mean squared errors of paths `[steps + 1, examples, d]`, over coordinates and momenta, and their true energy."""
    errors = np.mean([np.mean((a - b) ** 2, axis=-1) for a, b in zip(path, true_path, strict=True)], axis=0)
    energies = np.asarray(metrics.energies_along(true, path), np.float64)
    return {
        "mse": float(errors.mean()),
        "mse_per_step": _floats(errors.mean(axis=1)),
        "true_energy": metrics.energy_statistics(energies),
        "true_energy_mse": float(np.mean((energies - energies[0]) ** 2)),
    }


def _floats(values: np.ndarray) -> Sequence[float]:
    return [float(value) for value in values]
