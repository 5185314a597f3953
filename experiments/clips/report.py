"""What the reports of models of frames share: tables and pictures, each with what it means, and the result in words."""

from collections.abc import Mapping
from typing import Any

from experiments.reporting.page import Picture, Table
from experiments.reporting.pictures import error_rows
from hgn_jax.metrics.prediction import THRESHOLD

_SPLITS = ("test", "train")
_SQUARED_ERROR = (
    "Squared difference between predicted and observed pixels, which go from 0 to 1, averaged over pixels and frames: "
    "mean ± standard deviation over trajectories. Lower is better. It depends on the data, so it stands beside rows "
    "that learn nothing: the best constant image, and the first frame held still."
)
_SKILL = (
    " The noise floor is the error of the expected image given the true states. Skill puts all on one scale: 1 is the "
    "noise floor, 0 the best constant image; higher is better. A model that sees the very frames it is measured on "
    "sees their noise too, and can pass 1 by a little."
)
_ENERGY = (
    "The learned energy along rollouts of test clips, in a unit of the model's own. Hamilton's equations conserve it, "
    "so what varies is the integrator's error. Drift is the largest departure from the start, averaged over rollouts, "
    "in standard deviations over initial states; variance is that along a rollout. Lower is better for both; the mean "
    "says nothing of quality."
)
_EXACTNESS = {
    "reversibility": "There and back is the distance of a rollout forwards and as far back from where it began, "
    "relative to the size of the state: a reversible integrator leaves the rounding, about 1e-7 to 1e-6.",
    "speed": "The errors of a path are its relative distance from one with 16 times finer steps. Lower is better; an "
    "integrator of order 2 divides the error by 4 from one step size to the next.",
}
_PREDICTION = (
    "Steps beyond the frames that were seen, after them forwards and before them backwards, until the squared error of "
    f"a frame first exceeds {THRESHOLD:.1%} of its mean square: median over test trajectories, and as a part of all "
    "steps that were predicted. Higher is better; 100% means that the prediction held to the end. The mean image, "
    "where it is given, is what learns nothing."
)
_LATENT = (
    "Whether the latent space is a canonical transformation of the true phase space. A sparse polynomial is fitted "
    "from one to the other; the score is 1 if its R² is above 0.9 (held-out points; higher is better) and the distance "
    "of its Jacobian from a symplectic one below 0.05 (lower is better), and 0 otherwise. With one degree of freedom a "
    "polynomial of order 1 always passes the second."
)


_SYMETRIC = {
    "score": "score",
    "r_squared": "R²",
    "distance": "distance",
    "order": "order of the polynomial",
    "num_latents": "latent dimensions used",
    "variance_kept": "part of the latent variance in them",
}


def short(value: float | None) -> str:
    """A number of four digits; a dash where there is none."""
    return "-" if value is None else f"{value:.4g}"


def scaled(row: Mapping[str, Any]) -> str:
    """A mean squared error and its deviation over trajectories, times 10⁴."""
    return f"{row['mse'] * 1e4:.2f} ± {row['mse_std'] * 1e4:.2f}"


def captions(start: str) -> tuple[Picture, ...]:
    """What `pictures.draw_reconstructions` and `draw_errors` show of rollouts from `start`."""
    strips = (
        "Some frames of {} clips: the observed ones above, below them the rollout from " + start + ", decoded. A good "
        "one is blurred only where the data are noisy, as the best prediction is then the average over the noise."
    )
    return (
        Picture("reconstruction_test.png", "Test clips", strips.format("test")),
        Picture(
            "reconstruction_test.gif",
            "Test clips in motion",
            "The same clips, side by side: observed above, the rollout below. They should move together to the end.",
        ),
        Picture("reconstruction_train.png", "Training clips", strips.format("training")),
        Picture(
            "error_per_step.png",
            "Error at each step",
            "Mean squared error of each frame, on a logarithmic scale: lower is better, and level means that the "
            "rollout does not lose its way. A good model stays near the noise floor, where there is one, and far below "
            "the mean image.",
        ),
    )


def describe(config: Mapping[str, str], results: Mapping[str, Any]) -> str:
    """What a model of frames learned from what, and how well, in a sentence or two; `config` is flattened."""
    what = (
        f"This run learned {config['data.name']} (data set {config['data.config']}) in {results['run']['steps']} steps"
    )
    test = results["test"]
    ratio = test["mse"] / test["reference"]["mean_image"]["mse"]
    found = f"{what}. On test clips its squared error is {ratio:.2g} times that of the best constant image"
    if "skill" not in test:
        return f"{found}."
    return f"{found}; its skill is {test['skill']:.3f}, where 1 is the noise floor and 0 that constant image."


def frame_tables(results: Mapping[str, Any], model: str) -> list[Table]:
    """All that `metrics.json` tells of a model of frames, called `model`."""
    return measured(results, model) + _unmeasured(results)


def measured(results: Mapping[str, Any], model: str) -> list[Table]:
    """The numbers among them; those that an older `metrics.json` does not hold are left out."""
    tables = [_errors(results, model)]
    if any(results.get("prediction", {}).values()):
        tables.append(_prediction(results, model))
    if "latent" in results:
        rows = {_SYMETRIC.get(name, name): (short(value),) for name, value in results["latent"].items()}
        tables.append(Table("SyMetric", rows, _LATENT))
    return tables + dynamics_tables(results["dynamics"])


def _errors(results: Mapping[str, Any], model: str) -> Table:
    columns = {split: error_rows(results[split], model) for split in _SPLITS}
    rows = {name: [scaled(columns[split][name]) for split in _SPLITS] for name in columns["test"]}
    meaning = _SQUARED_ERROR
    if "skill" in results["test"]:
        rows["skill"] = [f"{results[split]['skill']:.3f}" for split in _SPLITS]
        meaning += _SKILL
    return Table("Mean squared error × 10⁴", rows, meaning, _SPLITS)


def _prediction(results: Mapping[str, Any], model: str) -> Table:
    rows, directions = {}, tuple(results["prediction"])
    for label, times in ((model, results["prediction"]), ("mean image", results.get("mean_image_prediction", {}))):
        horizons = {horizon: None for direction in times.values() for horizon in direction}  # in their order
        rows |= {
            f"{label}, of {horizon} steps": [_valid_time(times[direction].get(horizon)) for direction in directions]
            for horizon in horizons
        }
    meaning = _PREDICTION
    if clips := results.get("prediction_clips"):
        meaning += f" Measured on {clips['num_examples']} trajectories, against {clips['compared_with']}."
    return Table("Valid prediction time, in steps", rows, meaning, directions)


def _valid_time(time: Mapping[str, float] | None) -> str:
    return "-" if time is None else f"{time['steps']:g} ({time['fraction']:.0%})"


def dynamics_tables(dynamics: Mapping[str, Any]) -> list[Table]:
    """How rollouts of the learned Hamiltonian behave, of a model of frames or of states."""
    return [_energy(dynamics["energy"]), _exactness(dynamics)]


def _energy(energy: Mapping[str, Any]) -> Table:
    """The statistics of the learned energy, one integrator a column."""
    names = {name: None for statistics in energy.values() for name in statistics}
    rows = {name: [short(statistics.get(name)) for statistics in energy.values()] for name in names}
    return Table("Learned energy along rollouts", rows, _ENERGY, tuple(energy))


def _exactness(dynamics: Mapping[str, Any]) -> Table:
    rows = {"there and back": (f"{dynamics['reversibility']:.1e}",)}
    rows |= {f"error of a path, steps of {step}": (f"{e:.1e}",) for step, e in dynamics.get("speed", {}).items()}
    meaning = " ".join(text for name, text in _EXACTNESS.items() if name in dynamics)
    return Table("Exactness of rollouts", rows, meaning)


def _unmeasured(results: Mapping[str, Any]) -> list[Table]:
    """What could not be measured, and the videos and files of a run on one's own."""
    tables = []
    if "not_measured" in results:
        rows = {name.replace("_", " "): (reason,) for name, reason in results["not_measured"].items()}
        tables.append(Table("Not measured", rows))
    if "videos" in results:
        videos = {name.replace("_", " "): (str(v),) for name, v in results["videos"].items() if name != "left_out"}
        left_out = {name: (reason,) for name, reason in results["videos"].get("left_out", {}).items()}
        tables += [Table("The videos", videos), Table("Files left out", left_out or {"none": ("",)})]
    return tables


def print_unmeasured(results: Mapping[str, Any]) -> None:
    """Prints what could not be measured, and which files of a folder of videos were left out."""
    reasons = results.get("not_measured", {})
    for reason in sorted(set(reasons.values())):
        names = [name.replace("_", " ") for name, why in reasons.items() if why == reason]
        print(f"not measured: {', '.join(names)}: {reason}")
    if "videos" in results:
        videos = results["videos"]
        counts = " and ".join(f"{videos[f'{split}_windows']} {split} windows" for split in ("train", "test"))
        print(f"{counts} of the videos in {videos['source']}; {len(videos.get('left_out', {})) or 'none'} left out")
        for name, reason in videos.get("left_out", {}).items():
            print(f"  {name}: {reason}")
