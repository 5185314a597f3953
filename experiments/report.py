"""What a run of HGN leaves to look at: pictures and a page in `report/`, and the summary on the screen."""

import pathlib
from collections.abc import Sequence
from typing import Any

import imageio.v3 as imageio
import matplotlib
import numpy as np

from experiments.page import Picture, write_page
from experiments.run_directory import RunDirectory
from hgn_jax.logs import read_metrics

matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend must be chosen first)

NUM_CLIPS = 4  # trajectories shown
_FRAMES_PER_STRIP = 11
_GAP = 1  # image pixels between frames
_MOVIE_SCALE = 4  # screen pixels per image pixel
_FRAMES_PER_SECOND = 8
_MP4 = {"plugin": "pyav", "codec": "libx264", "fps": _FRAMES_PER_SECOND}
_COLOURS = {"model": "#0072b2", "mean_image": "#d55e00", "first_frame": "#cc79a7", "noise_floor": "#009e73"}
_LABELS = {
    "model": "HGN", "mean_image": "mean image", "first_frame": "first frame held", "noise_floor": "noise floor",
}  # fmt: skip


def write(run: RunDirectory, results: dict[str, Any], reconstructions: dict[str, Any]) -> None:
    """Draws the pictures of a run into its `report/`, and the page that shows them."""
    run.report.mkdir(exist_ok=True)
    for split, clips in reconstructions.items():
        draw_filmstrips(run.report / f"reconstruction_{split}.png", clips.observed, clips.predicted, split)
    test = reconstructions["test"]
    write_movie(run.report / "reconstruction_test.gif", [test.observed, test.predicted])
    draw_errors(run.report / "error_per_step.png", results)
    draw_training(run.report / "training.png", read_metrics(run.path / "metrics.csv"))
    write_page(run.report, f"Hamiltonian Generative Network: {results['run']['preset']}", _tables(results), _PICTURES)


_STRIPS_CAPTION = "Clips of the {} split: observed frames above the rollout from the state inferred from them."
_PICTURES = (
    Picture("reconstruction_test.png", _STRIPS_CAPTION.format("test")),
    Picture("reconstruction_test.gif", "The same clips in motion: observed above, reconstructed below."),
    Picture("reconstruction_train.png", _STRIPS_CAPTION.format("training")),
    Picture("error_per_step.png", "Mean squared error at each step, of the model and of the reference rows."),
    Picture("training.png", "The training curves."),
)


def _tables(results: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The numbers of the page, by heading."""
    tables = {}
    for split in ("test", "train"):
        rows = {"model": results[split]} | results[split]["reference"]
        errors = {_LABELS[name]: f"{row['mse'] * 1e4:.2f} ± {row['mse_std'] * 1e4:.2f}" for name, row in rows.items()}
        if "skill" in results[split]:
            errors["skill"] = f"{results[split]['skill']:.3f}"
        tables[f"Mean squared error x 1e4, {split}"] = errors
    if "not_measured" in results:
        tables["Not measured"] = {_name(quantity): reason for quantity, reason in results["not_measured"].items()}
    if "videos" in results:
        videos = dict(results["videos"])
        left_out = videos.pop("left_out")
        tables["The videos"] = {name.replace("_", " "): str(value) for name, value in videos.items()}
        tables["Files left out"] = left_out or {"none": ""}
    run = results["run"]
    tables["The run"] = {"steps": str(run["steps"]), "seed": str(run["seed"]), "device": run["device"]}
    return tables


def draw_filmstrips(path: pathlib.Path, observed: np.ndarray, predicted: np.ndarray, split: str) -> None:
    """Observed above reconstructed frames of each clip, `[clips, frames, height, width, 3]`, evenly chosen in time."""
    times = frame_numbers(observed.shape[1], _FRAMES_PER_STRIP)
    clips = [clip[times] for pair in zip(observed, predicted, strict=True) for clip in pair]
    height, width = (n * (size + _GAP) for n, size in zip((len(clips), len(times)), observed.shape[2:4], strict=True))
    figure, axes = plt.subplots(figsize=(11, 11 * height / width + 0.8))
    show_strips(axes, clips, ["observed", "HGN"] * len(observed), times, gaps=(_GAP, 5 * _GAP))
    axes.set_title(f"{split} trajectories: observed frames and the rollout from the inferred initial state")
    save(figure, path)


def frame_numbers(num_frames: int, at_most: int) -> np.ndarray:
    """The numbers of some of the frames of a clip, evenly chosen, the first and the last among them."""
    return np.unique(np.linspace(0, num_frames - 1, min(at_most, num_frames)).round().astype(int))


def show_strips(
    axes: Any, clips: Sequence[np.ndarray], labels: Sequence[str], times: Sequence[Any], gaps: Sequence[int] = (_GAP,)
) -> None:
    """Draws clips, `[frames, height, width, 3]` in [0, 1] each, one below the other.

    Args:
      axes: where.
      clips: of equal shape.
      labels: one of each clip.
      times: what is written below each frame, in steps.
      gaps: image pixels below the first clip, the second, ..., and again from the start.
    """
    height, width = clips[0].shape[1:3]
    rows = [
        np.concatenate([_with_gaps(frame, gaps[i % len(gaps)]) for frame in clip], axis=1)
        for i, clip in enumerate(clips)
    ]
    axes.imshow(np.clip(np.concatenate(rows), 0, 1), interpolation="nearest")
    axes.set_xticks((np.arange(len(times)) * (width + _GAP)) + width / 2, times)
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    axes.set_yticks(starts + height / 2, labels)
    axes.tick_params(length=0)
    axes.set_xlabel("step")
    axes.spines[:].set_visible(False)


def _with_gaps(image: np.ndarray, below: int) -> np.ndarray:
    """White to the right of and below an image."""
    return np.pad(image, ((0, below), (0, _GAP), (0, 0)), constant_values=1.0)


def write_movie(path: pathlib.Path, rows: Sequence[np.ndarray]) -> None:
    """A `.gif` or `.mp4` of clips, `[clips, frames, height, width, 3]` a row, side by side and row below row."""
    gaps = ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0))
    padded = [np.pad(images, gaps, constant_values=1.0) for images in rows]
    frames = np.concatenate([np.concatenate(list(images), axis=2) for images in padded], axis=1)
    frames = frames.repeat(_MOVIE_SCALE, axis=1).repeat(_MOVIE_SCALE, axis=2)
    how = {".gif": {"duration": 1000 / _FRAMES_PER_SECOND, "loop": 0}, ".mp4": _MP4}[path.suffix]
    imageio.imwrite(path, (np.clip(frames, 0, 1) * 255).astype(np.uint8), **how)


def draw_errors(path: pathlib.Path, results: dict[str, Any]) -> None:
    """Mean squared error per step of the model and the reference rows, on both splits."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for panel, split in zip(axes, ("train", "test"), strict=True):
        for name, row in {"model": results[split], **results[split]["reference"]}.items():
            errors = np.array(row["mse_per_step"])
            errors[errors == 0] = np.nan  # the first frame held is exact at step 0, which a logarithm cannot show
            panel.plot(errors, label=_LABELS[name], color=_COLOURS[name])
        if results.get("frames_seen", num_frames := len(results[split]["mse_per_step"])) < num_frames:
            panel.axvline(results["frames_seen"] - 1, color="grey", linestyle=":", label="last frame seen")
        skill = f", skill {results[split]['skill']:.3f}" if "skill" in results[split] else ""
        panel.set(title=f"{split}{skill}", xlabel="step", yscale="log")
    axes[0].set_ylabel("mean squared error per pixel")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(_LABELS) + 1)
    save(figure, path)


def draw_training(path: pathlib.Path, rows: list[dict[str, float]]) -> None:
    """The scalars of `metrics.csv` over the steps of training."""
    names = [name for name in ("mse", "kl", "multiplier", "gradient_norm") if rows and name in rows[0]]
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3), layout="constrained", squeeze=False)
    for panel, name in zip(axes[0], names, strict=True):
        panel.plot([row["step"] for row in rows], [row[name] for row in rows], color=_COLOURS["model"])
        positive = all(row[name] > 0 for row in rows)
        panel.set(title=name.replace("_", " "), xlabel="step", yscale="log" if positive else "linear")
    save(figure, path)


def save(figure: Any, path: pathlib.Path) -> None:
    """Writes a figure and closes it."""
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _name(quantity: str) -> str:
    return quantity.replace("_", " ")


def _print_videos(videos: dict[str, Any]) -> None:
    counts = " and ".join(f"{videos[f'{split}_windows']} {split} windows" for split in ("train", "test"))
    print(f"{counts} of the videos in {videos['source']}; {len(videos['left_out']) or 'none'} left out")
    for name, reason in videos["left_out"].items():
        print(f"  {name}: {reason}")


def print_summary(results: dict[str, Any]) -> None:
    """Prints the final numbers as a table, mean squared errors times 1e4."""
    print(f"\n{'MSE x 1e4':<18}" + "".join(f"{split:>22}" for split in ("train", "test")))
    for name, label in _LABELS.items():
        cells = ""
        for split in ("train", "test"):
            row = results[split] if name == "model" else results[split]["reference"].get(name)
            cells += f"{row['mse'] * 1e4:>13.2f} ± {row['mse_std'] * 1e4:<6.2f}" if row else f"{'-':>22}"
        print(f"{label:<18}{cells}")
    for reason in sorted(set(results.get("not_measured", {}).values())):
        names = [_name(quantity) for quantity, why in results["not_measured"].items() if why == reason]
        print(f"not measured: {', '.join(names)}: {reason}")
    if "videos" in results:
        _print_videos(results["videos"])
    if "skill" in results["test"]:
        print(f"{'skill':<18}" + "".join(f"{results[split]['skill']:>13.3f}{'':9}" for split in ("train", "test")))
    dynamics = results["dynamics"]
    print(f"there and back again, relative error: {dynamics['reversibility']:.1e}")
    drift = ", ".join(f"{name} {values['drift']:.3g}" for name, values in dynamics["energy"].items())
    print(f"drift of the learned energy, in standard deviations over initial states: {drift}")
