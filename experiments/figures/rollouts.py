"""Figs. 7 and 8 of the paper as strips of frames: rollouts from clips at several speeds, and from the prior."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt

from experiments.figures import files as figure_files
from experiments.figures.files import Drawn, pretty
from experiments.figures.runs import SPLITS
from experiments.hgn import sampling
from experiments.reporting import pictures
from experiments.run.trainer import Run
from hgn_jax.data import datasets as data
from hgn_jax.models.hgn import HGN, unit_interval

_FRAMES_OF_ROLLOUT, _FRAMES_OF_SAMPLE = 7, 11  # shown of each
_NUM_SAMPLES, _SEED = 4, 0
_RETURNING = "returning"  # beside the kinds of `sampling`
_LABELS = {
    "forward": "HGN forward", _RETURNING: "HGN back from the end", "backward": "HGN before the start",
    "fast": "HGN fast", "slow": "HGN slow",
}  # fmt: skip
_STEPS = {1.0: "+dt", -1.0: "−dt", 2.0: "+2 dt", 0.5: "+½ dt"}  # by speed
_NEAR, _APART = 1, 4  # image pixels between rows


def draw_rollouts(
    experiment: Run, label: str, baselines: Mapping[str, Run], directory: pathlib.Path, system: str
) -> Drawn:
    """Fig. 7: a training and a test clip, rollouts from them by an HGN called `label`, and those of `baselines`."""
    num_frames = experiment.data.num_frames
    splits = experiment.data.splits
    clips = np.concatenate([data.stack(splits[split], [0], ("image",))["image"][:, :num_frames] for split in SPLITS])
    rows = {"original": np.asarray(unit_interval(clips)), **_speeds(experiment.model, experiment.state.params, clips)}
    for baseline, other in baselines.items():
        reconstruct = jax.jit(other.model.reconstruct, static_argnums=2)
        frames = reconstruct(other.state.params, clips, num_frames - 1)
        rows[f"{baseline} forward, {_STEPS[1.0]}"] = np.asarray(frames)
    name = f"figure_7_{system}"
    figure_files.save(_show_rollouts(rows), directory, name)
    caption = (
        f"A clip of the training split (left) and one of the test split (right), and rollouts of {label} from the "
        "states inferred from them: forwards; from the last state of that rollout back to its start; from the inferred "
        "state backwards, into the time before the clip, of which no training tells; and from the inferred state at "
        "twice and at half the speed. Frame n of a row is n of the time steps that are written beside it away from "
        f"where the row starts; dt = {experiment.config.dt:g} is that of the training."
    )
    noise = experiment.data.metadata.get("observation_noise")
    if noise:
        caption += f" The original is drawn with noise of {noise:g} on its positions, which a rollout does not follow."
    if baselines:
        caption += f" {' and '.join(baselines)}: rollouts from the first two frames."
    runs = [experiment.directory.path, *(other.directory.path for other in baselines.values())]
    return Drawn(name, f"Figure 7: rollouts, {pretty(system)}", caption, runs)


def _speeds(hgn: HGN, params: Any, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Rollouts as long as the clips, `[clips, frames, size, size, 3]`, by label."""
    options = sampling.Options(num_samples=len(clips), num_steps=clips.shape[1] - 1)
    rows = {}
    for kind, label in _LABELS.items():
        if kind == _RETURNING:
            rows[f"{label}, {_STEPS[-1.0]}"] = return_to_start(hgn, params, clips)
        else:
            frames = sampling.trajectories(hgn, params, kind, clips, options)
            rows[f"{label}, {_STEPS[sampling.KINDS[kind].speed]}"] = frames
    return rows


def return_to_start(hgn: HGN, params: Any, clips: np.ndarray) -> np.ndarray:
    """Frames of the way back, in time, from the last state of the rollout from each clip to its first."""

    @jax.jit
    def frames(params, clips):
        start, num_steps = hgn.initial_state(params, hgn.infer(params, clips).mean), clips.shape[1] - 1
        end = jax.tree.map(lambda x: x[-1], hgn.rollout(params, start, num_steps))
        images = hgn.decode(params, hgn.rollout(params, end, num_steps, -hgn.config.dt).q)
        return jnp.swapaxes(images, 0, 1)

    return np.asarray(frames(params, clips))


def _show_rollouts(rows: Mapping[str, np.ndarray]) -> Any:
    """Clips `[2, frames, size, size, 3]` by label, the first of each left and the second right."""
    times = pictures.frame_numbers(next(iter(rows.values())).shape[1], _FRAMES_OF_ROLLOUT)
    height = 6.2 * len(rows) / len(times) + 1.0
    figure, axes = plt.subplots(1, 2, figsize=(14.5, height), layout="constrained")
    gaps = [_APART, *[_NEAR] * (len(_LABELS) - 1), *[_APART] * (len(rows) - len(_LABELS))]
    for i, (panel, title) in enumerate(zip(axes, ("training clip", "test clip"), strict=True)):
        pictures.show_strips(panel, [clips[i][times] for clips in rows.values()], list(rows), times, gaps)
        panel.set(title=title, xlabel="frame")
    axes[1].set_yticks([])
    return figure


def draw_samples(experiment: Run, label: str, directory: pathlib.Path, system: str) -> Drawn:
    """Fig. 8: rollouts from samples of the prior."""
    num_steps = experiment.data.num_frames - 1
    sample = jax.jit(experiment.model.sample, static_argnums=(2, 3))
    frames = np.asarray(sample(experiment.state.params, jax.random.PRNGKey(_SEED), _NUM_SAMPLES, num_steps))
    times = pictures.frame_numbers(num_steps + 1, _FRAMES_OF_SAMPLE)
    figure, axes = plt.subplots(figsize=(11, 11 * len(frames) / len(times) + 0.8), layout="constrained")
    labels = [f"sample {i}" for i in range(1, len(frames) + 1)]
    pictures.show_strips(axes, [clip[times] for clip in frames], labels, times, gaps=(_APART,))
    axes.set(title=f"samples of {pretty(system)}", xlabel=f"step, of {experiment.config.dt:g} in time")
    name = f"figure_8_{system}"
    figure_files.save(figure, directory, name)
    caption = (
        f"New trajectories of {label}: rollouts from {len(frames)} samples of the prior N(0, I) of z, the first of "
        f"seed {_SEED}, not chosen."
    )
    if not experiment.config.variational:
        caption += " This model was trained without a prior (variational=False), so that it need not know such z."
    return Drawn(name, f"Figure 8: samples, {pretty(system)}", caption, (experiment.directory.path,))
