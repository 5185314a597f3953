"""Measures a run; alone, from its newest checkpoint: `python -m experiments.evaluate --workdir=runs/pendulum`."""

import pathlib
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags

from data_builders import build, rendering
from experiments import command_line, presets, report
from experiments.command_line import UserError
from experiments.run_directory import RunDirectory, read_config, write_json
from hgn_jax import data, metrics, training
from hgn_jax.checkpoints import Checkpoints
from hgn_jax.geco import geco
from hgn_jax.hgn import HGN, make_hgn
from hgn_jax.integrators import rollout
from hgn_jax.progress import progress_bar

_NUM_DYNAMICS_EXAMPLES = 64
_VERSIONS = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "scipy", "tensorflow-datasets")


class LoadedRun(NamedTuple):
    """A run read back from its directory: what is needed to use its model."""

    config: presets.Config
    hgn: HGN
    state: training.TrainState
    seconds: dict[str, float]
    splits: dict[str, Any]
    metadata: dict[str, Any]


class Reconstructions(NamedTuple):
    """The model's and the reference frame errors on a split, `[examples, frames]`, and some clips to look at."""

    errors: dict[str, np.ndarray]
    observed: np.ndarray
    predicted: np.ndarray


def reconstruct_split(
    hgn: HGN, params, source, metadata, config: presets.EvaluationConfig, name: str
) -> Reconstructions:
    """Reconstructs the first trajectories of a split from their posterior means.

    The reference rows are: `mean_image`, the best constant image for these very frames; `first_frame`, the
    observed start held still; and, where the data set's metadata tell how it was drawn, `noise_floor`, the expected
    image given the true state.
    """
    total = min(config.num_examples or len(source), len(source))
    mean_image = _mean_image(source, total, config.batch_size)
    reconstruct = jax.jit(hgn.reconstruct, static_argnums=2)
    parts, clips = [], []
    with progress_bar(total, f"evaluating {name}", "clip") as bar:
        for start in range(0, total, config.batch_size):
            indices = range(start, min(start + config.batch_size, total))
            batch = data.stack(source, indices, ("image", "q") if metadata else ("image",))
            observed = batch["image"].astype(np.float32) / 255.0
            padding = config.batch_size - len(observed)  # one shape, hence one compilation
            padded = np.pad(batch["image"], [(0, padding)] + [(0, 0)] * 4, mode="edge")
            if not parts:
                reconstruct = training.compile_for_backend(reconstruct, params, padded, padded.shape[1] - 1)
            predicted = np.asarray(reconstruct(params, padded))[: len(observed)]
            rivals = {"model": predicted, "mean_image": mean_image, "first_frame": observed[:, :1]}
            if metadata:
                rivals["noise_floor"] = rendering.expected_images(metadata, batch["q"])
            parts.append({rival: metrics.frame_errors(images, observed) for rival, images in rivals.items()})
            if not clips:
                clips = [observed[: report.NUM_CLIPS], predicted[: report.NUM_CLIPS]]
            bar.update(len(indices))
    return Reconstructions({rival: np.concatenate([p[rival] for p in parts]) for rival in parts[0]}, *clips)


def _mean_image(source, total: int, batch_size: int) -> np.ndarray:
    sums = [
        np.sum(data.stack(source, range(i, min(i + batch_size, total)), ("image",))["image"], (0, 1), dtype=np.float64)
        for i in range(0, total, batch_size)
    ]
    num_frames = total * source[0]["image"].shape[0]
    return (np.sum(sums, axis=0) / num_frames / 255.0).astype(np.float32)


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
            for integrator in ("leapfrog", "euler")
        }
        return {
            "reversibility": metrics.reversibility(hamiltonian, start, *how),
            "speed": metrics.speed_consistency(hamiltonian, start, *how),
            "energy": energies,
        }

    measured = jax.device_get(measure(params, frames))
    measured["energy"] = {name: metrics.energy_statistics(values) for name, values in measured["energy"].items()}
    return jax.tree.map(float, measured)


def evaluate(run: RunDirectory, loaded: LoadedRun) -> dict[str, Any]:
    """Measures a trained model on both splits, writes `metrics.json` and the pictures, and returns the numbers."""
    config, hgn, state, seconds, splits, metadata = loaded
    start = time.monotonic()
    results, reconstructions = {}, {}
    for split in ("test", "train"):
        reconstructions[split] = reconstruct_split(hgn, state.params, splits[split], metadata, config.evaluation, split)
        results[split] = split_metrics(reconstructions[split].errors)
    num_dynamics = min(_NUM_DYNAMICS_EXAMPLES, len(splits["test"]))
    frames = data.stack(splits["test"], range(num_dynamics), ("image",))["image"]
    results["dynamics"] = dynamics_metrics(hgn, state.params, frames)
    results["run"] = {
        "preset": config.preset,
        "steps": int(state.step),
        "seed": config.training.seed,
        "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
        "versions": report.versions(_VERSIONS),
        "wall_time_s": {**seconds, "evaluation": time.monotonic() - start},
    }
    write_json(run.metrics, results)
    report.write(run, results, reconstructions)
    return results


def load_run(run: RunDirectory) -> LoadedRun:
    """Reads a run's configuration, data set and newest checkpoint; raises UserError or DatasetError if it cannot."""
    config = read_config(run)
    if not run.checkpoints.exists():
        raise UserError(f"no checkpoint in {run.checkpoints}: the run has not come that far")
    path = build.ensure_built(config.data.name, presets.dataset_config(config), config.data.data_dir)
    splits, metadata = data.open_dataset(path)
    hgn = make_hgn(config)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    example = data.stack(splits["train"], [0], ("image",))
    template = training.init_state(hgn.init, optimizer, geco(config.geco), config.training.seed, example)
    checkpoints = Checkpoints(run.checkpoints)
    state, notes = checkpoints.restore(template)
    checkpoints.close()
    return LoadedRun(config, hgn, state, notes["seconds"], splits, metadata)


def evaluate_run(run: RunDirectory) -> dict[str, Any]:
    """Evaluates the newest checkpoint of a run; see `evaluate`."""
    return evaluate(run, load_run(run))


def main(argv: Sequence[str]) -> None:
    del argv
    report.print_summary(evaluate_run(RunDirectory(pathlib.Path(_WORKDIR.value))))


if __name__ == "__main__":
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
    command_line.run(main)
