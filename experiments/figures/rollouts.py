"""Fig. 7 of the paper: rollouts from a training clip and a test clip, in both directions and at several speeds."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.figures.figure import PaperFigure, System
from experiments.hgn import sampling
from experiments.reporting import pictures, style
from experiments.reporting.names import pretty
from hgn_jax import data
from hgn_jax.models.hgn import HGN, unit_interval

_MAX_FRAMES = 7
_GAP, _GROUP_GAP = 1, 4  # image pixels between rows, and between the HGN's rows and the others
_RETURNING = "returning"  # beside the kinds of `sampling`
_LABELS = {
    "forward": "HGN forward", _RETURNING: "HGN back from the end", "backward": "HGN before the start",
    "fast": "HGN fast", "slow": "HGN slow",
}  # fmt: skip
_TIME_STEPS = {1.0: "+dt", -1.0: "−dt", 2.0: "+2 dt", 0.5: "+½ dt"}  # by speed


def draw(system: System) -> PaperFigure:
    """Draws a training clip and a test clip above the rollouts from them by the HGN and by the baselines."""
    run = system.hgn
    num_frames, splits = run.data.num_frames, run.data.splits
    examples = [data.stack(splits[split], [0], ("image",)) for split in ("train", "test")]
    clips = np.concatenate([example["image"][:, :num_frames] for example in examples])
    rows = {"original": np.asarray(unit_interval(clips)), **hgn_rollouts(run.model, run.state.params, clips)}
    for label, baseline in system.baselines.items():
        reconstruct = jax.jit(baseline.model.reconstruct, static_argnums=2)
        frames = reconstruct(baseline.state.params, clips, num_frames - 1)
        rows[f"{label} forward, {_TIME_STEPS[1.0]}"] = np.asarray(frames)
    caption = (
        f"A clip of the training split (left) and one of the test split (right), and rollouts of {system.label} from "
        "the states inferred from them: forwards; from the last state of that rollout back to its start; from the "
        "inferred state backwards, into the time before the clip, which is never seen in training; and from the "
        "inferred state at twice and at half the speed. Frame n of a row is n time steps away from the start of the "
        f"row; the time step is written beside it, where dt = {run.config.dt:g} is the time step of the training."
    )
    noise = run.data.metadata.get("observation_noise")
    if noise:
        caption += f" The original has noise of {noise:g} on its positions, which no rollout can predict."
    if system.baselines:
        caption += f" {' and '.join(system.baselines)}: rollouts from the first two frames."
    runs = [run.directory.path, *(baseline.directory.path for baseline in system.baselines.values())]
    title = f"Figure 7: rollouts, {pretty(system.name)}"
    return PaperFigure(f"figure_7_{system.name}", title, caption, runs, draw_rows(rows))


def hgn_rollouts(hgn: HGN, params: Any, clips: np.ndarray) -> dict[str, np.ndarray]:
    """Returns rollouts of all kinds by label, each of the shape of the clips, `[clips, frames, size, size, 3]`."""
    options = sampling.Options(num_samples=len(clips), num_steps=clips.shape[1] - 1)
    rows = {}
    for kind, label in _LABELS.items():
        if kind == _RETURNING:
            rows[f"{label}, {_TIME_STEPS[-1.0]}"] = return_to_start(hgn, params, clips)
        else:
            frames = sampling.trajectories(hgn, params, kind, clips, options)
            rows[f"{label}, {_TIME_STEPS[sampling.KINDS[kind].speed]}"] = frames
    return rows


def return_to_start(hgn: HGN, params: Any, clips: np.ndarray) -> np.ndarray:
    """Returns the frames of rollouts backwards from the last state of the rollout of each clip to its first."""

    @jax.jit
    def frames(params, clips):
        start, num_steps = hgn.start(params, clips), clips.shape[1] - 1
        end = jax.tree.map(lambda x: x[-1], hgn.rollout(params, start, num_steps))
        images = hgn.decode(params, hgn.rollout(params, end, num_steps, -hgn.config.dt).q)
        return jnp.swapaxes(images, 0, 1)

    return np.asarray(frames(params, clips))


def draw_rows(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draws pairs of clips `[2, frames, size, size, 3]`, by label: the first of each pair left and the second right."""
    times = pictures.frame_numbers(next(iter(rows.values())).shape[1], _MAX_FRAMES)
    height = 6.2 * len(rows) / len(times) + 1.0
    figure, axes = style.subplots(1, 2, figsize=(14.5, height))
    gaps = [_GROUP_GAP, *[_GAP] * (len(_LABELS) - 1), *[_GROUP_GAP] * (len(rows) - len(_LABELS))]
    for i, (panel, title) in enumerate(zip(axes, ("training clip", "test clip"), strict=True)):
        pictures.draw_strips(panel, [clips[i][times] for clips in rows.values()], list(rows), times, gaps)
        panel.set(title=title, xlabel="frame")
    axes[1].set_yticks([])
    return figure
