"""Measures an HGN: reconstruction beside reference rows, rollouts of the learned Hamiltonian, prediction, SyMetric."""

import time
from typing import Any

import jax
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
from experiments.hgn.law import measure_law
from experiments.hgn.presets import Config
from experiments.hgn.states import affordable_clips, fit_or_load, reading_with_density
from experiments.run.trainer import Run, facts
from experiments.tasks import Evaluation
from hgn_jax import data
from hgn_jax.metrics import rollouts
from hgn_jax.models.hgn import HGN
from hgn_jax.models.hgn_config import inferred_frame, num_seen
from hgn_jax.models.hgn_terms import kl_to_standard_normal
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.training import compile_for_backend

_NUM_DYNAMICS_EXAMPLES = 64


def evaluate(run: Run) -> Evaluation:
    """Measures a trained model on both splits; shows a `Shown`."""
    start = time.monotonic()
    run = reading_with_density(run)
    clips, test = run.data, run.data.splits["test"]
    dynamics = compiled_dynamics(run)
    reconstructions = {split: reconstruction.reconstruct(run, split) for split in reconstruction.SPLITS}
    features = ("image", "q", "p") if clips.has_true_states else ("image",)
    examples = data.stack(test, range(min(_NUM_DYNAMICS_EXAMPLES, len(test))), features)
    frames = examples["image"][:, : clips.num_frames]
    path = dynamics.infer_path(frames[:, : dynamics.num_seen], 0, frames.shape[1])
    states = jax.tree.map(lambda x: x[0], path)
    by_clip = jax.tree.map(lambda x: np.swapaxes(x, 0, 1), dynamics.unwound(path))
    latents = measure_latents(by_clip, examples, posterior_variances(run.model, run.state.params, frames))
    beyond, beyond_shown = measure_beyond_the_clip(run, dynamics, latents.get("latent"))
    law = measure_law(run, dynamics, examples)
    beyond.law = law.law
    beyond.not_measured.pop("law", None)
    if law.not_measured is not None:
        beyond.not_measured["law"] = law.not_measured
    fields = combine(
        {"not_measured": reconstruction.unmeasured_errors(clips)}, measure_prediction(run, dynamics), latents
    )
    results = FrameResults(
        **{split: reconstruction.split_errors(shown.errors) for split, shown in reconstructions.items()},
        **fields,
        beyond_the_clip=beyond,
        dynamics=measure_dynamics(run.model, run.state.params, states, frames.shape[1] - 1),
        frames_seen=dynamics.num_seen,
        videos=reconstruction.describe_videos(clips),
        run=facts(run, start),
    )
    results.notes = geco_notes(run.config, results)
    return Evaluation(results, Shown(reconstructions, beyond_shown, law.draw))


def geco_notes(config: Config, results: FrameResults) -> list[str]:
    """Says what to change if GECO's tolerance, an error per pixel and colour, is too small or too large for the data.

    The multiplier passes its maximum early in most trainings, so only its value at the end is judged, and only if the
    tolerance was not reached.
    """
    if results.run.multiplier is None:
        return []
    train = results.train
    mean_image, floor = train.reference["mean_image"].mse, train.reference.get("noise_floor")
    relative = config.relative_tolerance
    tolerance = config.tolerance if relative is None else relative * mean_image
    if mean_image <= tolerance:
        return [
            f"the tolerance of GECO, {tolerance:.3g}, is not below the error of the best constant image, "
            f"{mean_image:.3g}, so a still picture satisfies it; try --config.tolerance={mean_image / 10:.1g}"
        ]
    if results.run.multiplier.saturated != "maximum" or train.mse <= tolerance:
        return []
    if floor is not None and floor.mse >= tolerance:
        return [
            f"the tolerance of GECO, {tolerance:.3g}, is below the noise floor of the data, {floor.mse:.3g}, so no "
            "model reaches it and the KL counts for little; to change that, set --config.tolerance above the floor"
        ]
    return [
        f"the error of the training clips, {train.mse:.3g}, has not come down to the tolerance of GECO, "
        f"{tolerance:.3g}; more steps help, --config.training.num_steps, or a larger --config.tolerance"
    ]


def measure_dynamics(hgn: HGN, params: Any, start: PhaseState, num_steps: int) -> Dynamics:
    """Measures rollouts from states `[clips, ...]`: reversibility, energy, and errors by step size."""
    config = hgn.config
    others = ("leapfrog", "euler") if config.friction is None else ()  # Euler's method has no friction

    @jax.jit
    def measure(params, start):
        hamiltonian = hgn.hamiltonian(params)
        settings = {"integrator": config.integrator, "substeps": config.substeps, "friction": hgn.friction(params)}
        energies = {
            integrator: rollouts.energies_along(
                hamiltonian, hgn.rollout(params, start, num_steps, integrator=integrator)
            )
            for integrator in dict.fromkeys((config.integrator, *others))
        }
        reversibility = rollouts.reversibility(hamiltonian, start, config.dt, num_steps, **settings)
        speed = rollouts.speed_consistency(hamiltonian, start, config.dt, num_steps, **settings)
        return reversibility, energies, speed

    reversibility, energies, speed = jax.device_get(measure(params, start))
    return Dynamics(
        reversibility=float(reversibility),
        energy={name: EnergyStatistics(**rollouts.energy_statistics(values)) for name, values in energies.items()},
        speed={name: float(error) for name, error in speed.items()},
    )


def compiled_dynamics(run: Run) -> CompiledDynamics:
    """Returns the functions of a trained HGN, with the density that its new trajectories come from."""
    hgn, density = run.model, fit_or_load(run)
    config = hgn.config

    def kl(params: Any, frames: jax.Array) -> jax.Array:
        return kl_to_standard_normal(hgn.infer(params, frames))

    def sample(params: Any, key: jax.Array, number: int) -> PhaseState:
        return density.sample(key, number)

    num_used = num_seen(config) or run.data.num_frames
    has_states = config.variational or density.kind != "prior"
    dynamics = LatentDynamics(
        params=run.state.params,
        num_seen=num_used,
        dt=config.dt,
        infer=hgn.infer_state,
        rollout=hgn.rollout,
        decode=lambda params, states: hgn.decode(params, states.q),
        energy=lambda params, states: hgn.hamiltonian(params)(states),
        kl=kl if config.variational else None,
        sample=sample if has_states else None,
        affordable_clips=affordable_clips(config, num_used),
        angles=config.chart == "rods",
        anchor=inferred_frame(config),
    )
    return CompiledDynamics(dynamics)


def posterior_variances(hgn: HGN, params: Any, frames: np.ndarray) -> np.ndarray | None:
    """The posterior variances of the latents of clips, `[clips, latents]`, q before p.

    They are None where the posterior is not of the state itself.
    """
    if hgn.config.use_transform or not hgn.config.variational:
        return None
    infer = jax.jit(lambda params, frames: hgn.infer(params, frames).scale ** 2)
    variance = compile_for_backend(infer, params, frames)(params, frames)
    halves = np.split(np.asarray(variance), 2, axis=-1)
    return np.concatenate([half.reshape(len(frames), -1) for half in halves], axis=1)
