"""Reconstruction errors of a model of frames, beside reference rows on the same frames."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from data_builders.rendering import images as rendering
from experiments.clips.data import Clips
from experiments.clips.results import Errors, SplitErrors, Videos
from experiments.run.trainer import Run
from hgn_jax import data
from hgn_jax.metrics import rollouts
from hgn_jax.training import compile_for_backend
from hgn_jax.training.progress import progress_bar

SPLITS = ("test", "train")
NUM_CLIPS_SHOWN = 4
NO_TRUE_STATES = "needs the true states, which videos do not tell"


class Reconstructions(NamedTuple):
    """Frame errors on a split, and some clips to look at.

    Attributes:
      errors: Errors `[examples, frames]` of the `model` and of the reference rows.
      observed: Some observed clips, `[clips, frames, size, size, 3]` in [0, 1].
      predicted: Their reconstructions.
    """

    errors: dict[str, np.ndarray]
    observed: np.ndarray
    predicted: np.ndarray


def reconstruct(run: Run, split: str) -> Reconstructions:
    """Reconstructs the first trajectories of a split.

    Where they are longer than the training clips, the model sees as many frames as in training and predicts the rest.
    """
    clips: Clips = run.data
    source = clips.splits[split]
    total = min(run.config.evaluation.num_examples or len(source), len(source))
    size = min(run.config.evaluation.batch_size, total)
    scene_features = ("q", *rendering.scene_features(clips.metadata)) if clips.has_true_states else ()
    mean_image = _mean_image(source, total, size)
    model = _compile_reconstruction(run, source, size)
    parts, shown = [], None
    with progress_bar(total, f"evaluating {split}", "clip") as bar:
        for start in range(0, total, size):
            batch = data.stack(source, range(start, min(start + size, total)), ("image", *scene_features))
            observed = batch["image"].astype(np.float32) / 255.0
            predicted = model(batch["image"])
            images = {"model": predicted, "mean_image": mean_image, "first_frame": observed[:, :1]}
            if clips.has_true_states:
                images["noise_floor"] = rendering.expected_images(clips.metadata, batch["q"], batch)
            parts.append({name: rollouts.frame_errors(values, observed) for name, values in images.items()})
            shown = shown or (observed[:NUM_CLIPS_SHOWN], predicted[:NUM_CLIPS_SHOWN])
            bar.update(len(observed))
    return Reconstructions({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, *shown)


def _compile_reconstruction(run: Run, source: Sequence[Any], size: int) -> Callable[[np.ndarray], np.ndarray]:
    """The reconstruction of a batch of clips; a batch that is not full is padded, so that it is compiled once."""
    params = run.state.params
    clip, num_seen = source[0]["image"], run.data.num_frames
    shape = jax.ShapeDtypeStruct((size, num_seen, *clip.shape[1:]), clip.dtype)
    function = jax.jit(run.model.reconstruct, static_argnums=2)
    compiled = compile_for_backend(function, params, shape, len(clip) - 1)

    def reconstruct_batch(images: np.ndarray) -> np.ndarray:
        padding = [(0, size - len(images))] + [(0, 0)] * 4
        return np.asarray(compiled(params, np.pad(images[:, :num_seen], padding, mode="edge")))[: len(images)]

    return reconstruct_batch


def _mean_image(source: Sequence[Any], total: int, batch_size: int) -> np.ndarray:
    batches = (range(i, min(i + batch_size, total)) for i in range(0, total, batch_size))
    sums = [np.sum(data.stack(source, batch, ("image",))["image"], (0, 1), dtype=np.float64) for batch in batches]
    num_frames = total * source[0]["image"].shape[0]
    return (np.sum(sums, axis=0) / num_frames / 255.0).astype(np.float32)


def split_errors(errors: Mapping[str, np.ndarray], scipy: np.ndarray | None = None) -> SplitErrors:
    """The errors reported of a split.

    Args:
      errors: Errors of the `model` and of the reference rows, `[examples, frames]`.
      scipy: Errors of the model rolled out by scipy.
    """
    rows = {name: Errors(**rollouts.summarise(values)) for name, values in errors.items()}
    model = rows.pop("model")
    floor = rows.get("noise_floor")
    return SplitErrors(
        **vars(model),
        num_examples=len(errors["model"]),
        reference=rows,
        skill=None if floor is None else rollouts.skill(model.mse, floor.mse, rows["mean_image"].mse),
        scipy=None if scipy is None else Errors(**rollouts.summarise(scipy)),
    )


def unmeasured_errors(clips: Clips) -> dict[str, str]:
    """The reasons why some errors cannot be measured on a data set."""
    return {} if clips.has_true_states else dict.fromkeys(("noise_floor", "skill"), NO_TRUE_STATES)


def describe_videos(clips: Clips) -> Videos | None:
    """The user's own videos that a data set was made of; None for a simulated one."""
    if clips.has_true_states:
        return None
    metadata = clips.metadata
    counts = {f"{split}_windows": values["num_trajectories"] for split, values in metadata["splits"].items()}
    counts |= {f"{split}_clips": len(names) for split, names in metadata.get("videos", {}).items()}
    return Videos(
        source=metadata.get("source"),
        fingerprint=metadata.get("fingerprint"),
        left_out=metadata.get("left_out", {}),
        **{field: metadata.get(field) for field in ("crop", "frame_rate", "frame_step", "stride")},
        **counts,
    )
