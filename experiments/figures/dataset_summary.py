"""Numbers that describe a data set: sizes, means, noise floor and so on, for each split."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.reporting.tables import Table
from hgn_jax import data
from hgn_jax.training.progress import progress_bar

_BATCH_SIZE = 50
_FEATURES = {"image": "pixels in [0, 1]", "q": "q", "p": "p", "energy": "energy"}
_UNKNOWN = "unknown"


class Summary(NamedTuple):
    """Measurements of a split.

    Attributes:
      num_examples: Number of trajectories.
      num_frames: Number of frames of each.
      moments: Mean and standard deviation of the pixels in [0, 1] (`image`) and of the states, by feature.
      energies: Energies of the first states, `[examples]`; None if they are not known.
      mean_image: Average of all frames, `[height, width, 3]` in [0, 1].
    """

    num_examples: int
    num_frames: int
    moments: dict[str, tuple[float, float]]
    energies: np.ndarray | None
    mean_image: np.ndarray


def summarise(source: Sequence[Mapping[str, Any]], label: str) -> Summary:
    """Reads a split from end to end, with a progress bar that names it `label`."""
    first, image_sum, square_sum = source[0], 0.0, 0.0
    batches: dict[str, list[np.ndarray]] = {name: [] for name in _FEATURES if name in first and name != "image"}
    with progress_bar(len(source), f"reading {label}", "clip") as bar:
        for start in range(0, len(source), _BATCH_SIZE):
            indices = range(start, min(start + _BATCH_SIZE, len(source)))
            batch = data.stack(source, indices, ("image", *batches))
            images = batch["image"] / 255.0
            image_sum = image_sum + images.sum(axis=(0, 1))
            square_sum += np.square(images).sum()
            for name, values in batches.items():
                values.append(batch[name])
            bar.update(len(images))
    states = {name: np.concatenate(values) for name, values in batches.items()}
    mean_image = image_sum / (len(source) * len(first["image"]))
    mean, mean_square = mean_image.mean(), square_sum / (len(source) * first["image"].size)
    moments = {"image": (float(mean), float(np.sqrt(max(mean_square - mean**2, 0.0))))}
    for name, values in states.items():
        moments[name] = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    energies = states["energy"][:, 0] if "energy" in states else None
    return Summary(len(source), len(first["image"]), moments, energies, mean_image)


def table(heading: str, summaries: Mapping[str, Summary], metadata: Mapping[str, Any]) -> Table:
    """Returns the table of a data set, with a column for each split; `unknown` marks missing values."""

    def row(name: str, key: str, text: str, scale: float = 1.0) -> tuple[str, ...]:
        values = [metadata.get("splits", {}).get(split, {}).get(key) for split in summaries]
        return name, *(_UNKNOWN if value is None else text.format(value * scale) for value in values)

    moments = {
        name: [summary.moments.get(feature) for summary in summaries.values()] for feature, name in _FEATURES.items()
    }
    rows = [
        ("trajectories", *(str(summary.num_examples) for summary in summaries.values())),
        ("frames of each", *(str(summary.num_frames) for summary in summaries.values())),
        *(
            (f"{name}, mean ± std", *("{:.4f} ± {:.4f}".format(*pair) if pair else _UNKNOWN for pair in pairs))
            for name, pairs in moments.items()
        ),
        row("frames with a clipped disc", "clipped_fraction", "{:.2%}"),
        row("the same without noise", "clipped_fraction_noise_free", "{:.2%}"),
        row("noise floor, MSE x 1e4", "noise_floor_mse", "{:.2f}", 1e4),
        row("mean image, MSE x 1e4", "mean_image_mse", "{:.2f}", 1e4),
        row("largest relative energy error", "max_relative_energy_error", "{:.1e}"),
    ]
    return Table(heading, rows, columns=tuple(summaries))
