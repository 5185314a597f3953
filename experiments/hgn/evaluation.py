"""Measures an HGN: reconstruction errors beside reference rows, reversibility, energy along rollouts, prediction."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from data_builders.rendering import images as rendering
from experiments.clips.prediction import (
    NO_TRUE_STATES,
    LatentDynamics,
    gather,
    has_true_states,
    measure_latents,
    measure_prediction,
)
from experiments.hgn import presets, report
from experiments.hgn.data import build_dataset, load
from experiments.hgn.report import print_summary as print_summary
from experiments.run.experiment import Experiment, describe
from experiments.run.run_directory import RunDirectory, read_config, require_checkpoint, write_json
from hgn_jax.data import datasets as data
from hgn_jax.metrics import rollouts as metrics
from hgn_jax.models.hgn import HGN
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import loop as training
from hgn_jax.training.progress import progress_bar

_NUM_DYNAMICS_EXAMPLES = 64


class Reconstructions(NamedTuple):
    """The model's and the reference frame errors on a split, `[examples, frames]`, and some clips to look at."""

    errors: dict[str, np.ndarray]
    observed: np.ndarray
    predicted: np.ndarray


def reconstruct_split(experiment: Experiment, split: str) -> Reconstructions:
    """Reconstructs the first trajectories of a split from their posterior means.

    Where they are longer than those for training, the frames beyond are predicted and not seen.

    The reference rows are: `mean_image`, the best constant image for these very frames; `first_frame`, the
    observed start held still; and, where the true states are known, `noise_floor`, the expected image given them.
    """
    source, size = experiment.data.splits[split], experiment.config.evaluation.batch_size
    total = min(experiment.config.evaluation.num_examples or len(source), len(source))
    metadata = experiment.data.metadata
    features = ("image", "q", *rendering.scene_features(metadata)) if has_true_states(metadata) else ("image",)
    mean_image = _mean_image(source, total, size)
    reconstruct = _compile_reconstruct(experiment, source)
    parts, clips = [], []
    with progress_bar(total, f"evaluating {split}", "clip") as bar:
        for start in range(0, total, size):
            batch = data.stack(source, range(start, min(start + size, total)), features)
            observed = batch["image"].astype(np.float32) / 255.0
            predicted = reconstruct(batch["image"])
            rivals = {"model": predicted, "mean_image": mean_image, "first_frame": observed[:, :1]}
            if "q" in batch:
                rivals["noise_floor"] = rendering.expected_images(metadata, batch["q"], batch)
            parts.append({rival: metrics.frame_errors(images, observed) for rival, images in rivals.items()})
            if not clips:
                clips = [observed[: report.NUM_CLIPS], predicted[: report.NUM_CLIPS]]
            bar.update(len(observed))
    return Reconstructions({rival: np.concatenate([p[rival] for p in parts]) for rival in parts[0]}, *clips)


def _compile_reconstruct(experiment: Experiment, source) -> Callable[[np.ndarray], np.ndarray]:
    """The model's reconstruction of a batch of clips; a batch that is not full is padded, to be compiled once."""
    params, size = experiment.state.params, experiment.config.evaluation.batch_size
    clip, num_seen = source[0]["image"], frames_of_training(experiment)
    shape = jax.ShapeDtypeStruct((size, num_seen, *clip.shape[1:]), clip.dtype)
    function = jax.jit(experiment.model.reconstruct, static_argnums=2)
    compiled = training.compile_for_backend(function, params, shape, len(clip) - 1)

    def reconstruct(images: np.ndarray) -> np.ndarray:
        padding = [(0, size - len(images))] + [(0, 0)] * 4
        return np.asarray(compiled(params, np.pad(images[:, :num_seen], padding, mode="edge")))[: len(images)]

    return reconstruct


def frames_of_training(experiment: Experiment) -> int:
    """The length of the clips that the model was made for; those of the test split may be longer."""
    return len(experiment.data.splits["train"][0]["image"])


def _mean_image(source, total: int, batch_size: int) -> np.ndarray:
    sums = [
        np.sum(data.stack(source, range(i, min(i + batch_size, total)), ("image",))["image"], (0, 1), dtype=np.float64)
        for i in range(0, total, batch_size)
    ]
    num_frames = total * source[0]["image"].shape[0]
    return (np.sum(sums, axis=0) / num_frames / 255.0).astype(np.float32)


def describe_videos(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What `metrics.json` says of a data set without true states: what is not measured and why, and its files."""
    if has_true_states(metadata):
        return {}
    splits = metadata.get("splits", {})
    return {
        "not_measured": dict.fromkeys(("noise_floor", "skill"), NO_TRUE_STATES),
        "videos": {
            "source": metadata.get("source"),
            "fingerprint": metadata.get("fingerprint"),
            **{f"{split}_windows": found["num_trajectories"] for split, found in splits.items()},
            **{f"{split}_clips": len(names) for split, names in metadata.get("videos", {}).items()},
            "left_out": metadata.get("left_out", {}),
        },
    }


def split_metrics(errors: dict[str, np.ndarray]) -> dict[str, Any]:
    """The numbers reported of a split: errors of model and references, and the skill where there is a noise floor."""
    rows = {name: metrics.summarise(values) for name, values in errors.items()}
    model = rows.pop("model")
    result = {"num_examples": len(errors["model"]), **model, "reference": rows}
    if "noise_floor" in rows:
        result["skill"] = metrics.skill(model["mse"], rows["noise_floor"]["mse"], rows["mean_image"]["mse"])
    return result


def dynamics_metrics(hgn: HGN, params, frames: np.ndarray) -> dict[str, Any]:
    """Reversibility, consistency under a change of speed, and the learned energy along rollouts, from `frames`."""
    config, num_steps = hgn.config, frames.shape[1] - 1

    @jax.jit
    def measure(params, frames):
        hamiltonian = hgn.hamiltonian(params)
        start = hgn.initial_state(params, hgn.infer(params, frames).mean)
        how = (config.dt, num_steps, config.integrator, config.substeps)
        energies = {
            integrator: metrics.energies_along(
                hamiltonian, rollout(hamiltonian, start, config.dt, num_steps, integrator, config.substeps)
            )
            for integrator in dict.fromkeys((config.integrator, "leapfrog", "euler"))
        }
        return {
            "reversibility": metrics.reversibility(hamiltonian, start, *how),
            "speed": metrics.speed_consistency(hamiltonian, start, *how),
            "energy": energies,
        }

    measured = jax.device_get(measure(params, frames))
    measured["energy"] = {name: metrics.energy_statistics(values) for name, values in measured["energy"].items()}
    return jax.tree.map(float, measured)


def _latent_dynamics(experiment: Experiment) -> LatentDynamics:
    hgn = experiment.model
    num_seen = hgn.config.inference_frames or frames_of_training(experiment)
    return LatentDynamics(
        experiment.state.params,
        num_seen,
        hgn.config.dt,
        lambda params, frames: hgn.initial_state(params, hgn.infer(params, frames).mean),
        hgn.rollout,
        lambda params, states: hgn.decode(params, states.q),
    )


def _states_along(experiment: Experiment, frames: np.ndarray) -> tuple[PhaseState, np.ndarray | None]:
    """The states `[examples, time, ...]` of the rollout from the posterior mean, at the times of the frames.

    And the variances of the posterior, `[examples, latents]`, q before p, where these are what it is of.
    """
    hgn, params, num_steps = experiment.model, experiment.state.params, frames.shape[1] - 1

    def infer(params, frames):
        posterior = hgn.infer(params, frames)
        path = hgn.rollout(params, hgn.initial_state(params, posterior.mean), num_steps)
        return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), path), posterior.scale**2

    path, variance = training.compile_for_backend(jax.jit(infer), params, frames)(params, frames)
    if hgn.config.use_transform or not hgn.config.variational:
        return path, None
    halves = np.split(np.asarray(variance), 2, axis=-1)
    return path, np.concatenate([half.reshape(len(frames), -1) for half in halves], axis=1)


def evaluate(experiment: Experiment) -> dict[str, Any]:
    """Measures a trained model on both splits, writes `metrics.json` and the pictures, and returns the numbers."""
    start = time.monotonic()
    state, test = experiment.state, experiment.data.splits["test"]
    reconstructions = {split: reconstruct_split(experiment, split) for split in ("test", "train")}
    results = {split: split_metrics(clips.errors) for split, clips in reconstructions.items()}
    metadata, num_frames = experiment.data.metadata, frames_of_training(experiment)
    features = ("image", "q", "p") if has_true_states(metadata) else ("image",)
    examples = data.stack(test, range(min(_NUM_DYNAMICS_EXAMPLES, len(test))), features)
    frames = examples["image"][:, :num_frames]
    results["dynamics"] = dynamics_metrics(experiment.model, state.params, frames)
    results["frames_seen"] = experiment.config.inference_frames or num_frames
    latents, variance = _states_along(experiment, frames)
    results = gather(
        results,
        describe_videos(metadata),
        measure_prediction(experiment, _latent_dynamics(experiment)),
        measure_latents(latents, examples, variance),
    )
    results["run"] = describe(experiment, time.monotonic() - start)
    write_json(experiment.run.metrics, results)
    report.write(experiment.run, results, reconstructions)
    return results


def load_run(run: RunDirectory) -> Experiment:
    """Reads a run back from its directory; raises UserError or DatasetError if it or its data set is not there."""
    config = read_config(run, presets.Config)
    require_checkpoint(run)
    return load(run, config, build_dataset(config))
