"""Parts of the reports of models of frames: tables, captions, and the outcome in words."""

from collections.abc import Mapping

from data_builders.video_folder import notes
from experiments.clips.beyond_report import beyond_tables, unmeasured_rows
from experiments.clips.pictures import error_rows
from experiments.clips.results import Dynamics, Errors, FrameResults, PredictionTime
from experiments.reporting.page import Picture
from experiments.reporting.tables import Table
from hgn_jax.metrics.prediction import THRESHOLD

_SQUARED_ERROR = (
    "Squared difference between predicted and observed pixels, which range from 0 to 1, averaged over pixels and "
    "frames: mean ± standard deviation over trajectories. Lower is better. The scale depends on the data, so two "
    "predictions that need no learning are given for comparison: the best constant image (mean image), and the first "
    "frame held still."
)
_SKILL = (
    " The noise floor is the error of the expected image given the true states. Skill is 1 at the noise floor and 0 at "
    "the mean image; higher is better. A model that sees the frames it is measured on sees their noise as well, so its "
    "skill can exceed 1 slightly."
)
_ENERGY = (
    "The learned energy along rollouts of test clips, in arbitrary units. Hamilton's equations conserve it, so its "
    "changes are the integrator's error. Drift is the largest departure from the initial energy, averaged over "
    "rollouts and divided by the standard deviation over initial states; variance is taken along a rollout. Lower is "
    "better for both; the mean says nothing about quality."
)
_REVERSIBILITY = (
    "The error of the way there and back is the distance between a state and its rollout forwards and back again, "
    "relative to the size of the state. A reversible integrator leaves only rounding errors, about 1e-7 to 1e-6."
)
_PATH_ERROR = (
    " The error of a path is its relative distance from a path with time steps 16 times finer. Lower is better; "
    "halving the time step divides the error of an integrator of order 2 by 4."
)
_PREDICTION = (
    "Number of steps predicted beyond the frames seen, forwards or backwards in time, until the squared error of a "
    f"frame first exceeds {THRESHOLD:.1%} of the frame's mean square: median over test trajectories, and in brackets "
    "as a fraction of all predicted steps. Higher is better; 100% means that the prediction stayed valid to the end. "
    "The mean image learns nothing and serves as a reference."
)
_LATENT = (
    "SyMetric tells whether the latent space is a canonical transformation of the true phase space. A sparse "
    "polynomial is fitted from one to the other. The score is 1 if its R² on held-out points is above 0.9 and the "
    "distance of its Jacobian from a symplectic matrix is below 0.05, and 0 otherwise. With one degree of freedom, a "
    "polynomial of order 1 always passes the second test."
)
_SYMETRIC = {
    "score": "score",
    "r_squared": "R² (higher is better)",
    "distance": "distance (lower is better)",
    "order": "order of the polynomial",
    "num_latents": "number of latent dimensions used",
    "variance_kept": "fraction of the latent variance kept",
}


def short(value: float | None) -> str:
    """Formats a number with four digits, or a dash if there is none."""
    return "-" if value is None else f"{value:.4g}"


def captions(start: str) -> tuple[Picture, ...]:
    """Returns the pictures of reconstructions and errors, of rollouts from the state `start`, named in words."""
    strips = (
        "Frames of {} clips, observed (above) and decoded from the rollout that starts at " + start + " (below). In a "
        "good reconstruction only noise is missing: where the data are noisy, the best prediction is the blurred "
        "average over the noise."
    )
    return (
        Picture("reconstruction_test.png", "Test clips", strips.format("test")),
        Picture(
            "reconstruction_test.gif",
            "Test clips in motion",
            "The same clips as a movie, observed above and predicted below. They should move together to the end.",
        ),
        Picture("reconstruction_train.png", "Training clips", strips.format("training")),
        Picture(
            "error_per_step.png",
            "Error at each step",
            "Mean squared error of each frame, on a logarithmic scale. Lower is better; a level curve means that the "
            "rollout stays on course. A good model is close to the noise floor, if known, and far below the mean "
            "image.",
        ),
    )


def describe(config: Mapping[str, str], results: FrameResults) -> str:
    """Describes data and outcome of a run in a sentence or two; `config` is flattened."""
    test = results.test
    ratio = test.mse / test.reference["mean_image"].mse
    text = (
        f"This model was trained on {config['data.name']} (data set {config['data.config']}) for {results.run.steps} "
        f"steps. On test clips its squared error is {ratio:.2g} times that of the best constant image"
    )
    if test.skill is None:
        return f"{text}."
    return f"{text}; its skill is {test.skill:.3f}, where 1 is the noise floor and 0 that constant image."


def frame_tables(results: FrameResults, model: str) -> list[Table]:
    """Returns the tables of a page: the numbers of a model of frames, and what was not measured."""
    return number_tables(results, model) + _unmeasured_tables(results)


def number_tables(results: FrameResults, model: str) -> list[Table]:
    """Returns the tables of numbers of a model of frames; those that were not measured are left out."""
    tables = [_errors(results, model)]
    if any(results.prediction.values()):
        tables.append(_prediction(results, model))
    if results.beyond_the_clip is not None:
        tables += beyond_tables(results.beyond_the_clip)
    if results.latent is not None:
        values = vars(results.latent)
        tables.append(Table("SyMetric", [(label, short(values[name])) for name, label in _SYMETRIC.items()], _LATENT))
    return tables + dynamics_tables(results.dynamics)


def _errors(results: FrameResults, model: str) -> Table:
    splits = {"test": results.test, "train": results.train}
    columns = [error_rows(split, model) for split in splits.values()]
    rows = [(name, *(_scaled(column[name]) for column in columns)) for name in columns[0]]
    meaning = _SQUARED_ERROR
    if results.test.skill is not None:
        rows.append(("skill", *(f"{split.skill:.3f}" for split in splits.values())))
        meaning += _SKILL
    return Table("Mean squared error × 10⁴", rows, meaning, tuple(splits))


def _scaled(errors: Errors) -> str:
    return f"{errors.mse * 1e4:.2f} ± {errors.mse_std * 1e4:.2f}"


def _prediction(results: FrameResults, model: str) -> Table:
    rows, directions = [], tuple(results.prediction)
    for label, times in ((model, results.prediction), ("mean image", results.mean_image_prediction or {})):
        for horizon in dict.fromkeys(horizon for direction in times.values() for horizon in direction):
            cells = [_valid_time(times[direction].get(horizon)) for direction in directions]
            rows.append((f"{label}, {horizon} steps predicted", *cells))
    meaning = _PREDICTION
    if clips := results.prediction_clips:
        meaning += f" Measured on {clips.num_examples} trajectories, against {clips.compared_with}."
    return Table("Valid prediction time, in steps", rows, meaning, directions)


def _valid_time(time: PredictionTime | None) -> str:
    return "-" if time is None else f"{time.steps:g} ({time.fraction:.0%})"


def dynamics_tables(dynamics: Dynamics) -> list[Table]:
    """Returns the tables of the learned energy along rollouts and of their exactness."""
    rows = [
        (name, *(short(getattr(statistics, name)) for statistics in dynamics.energy.values()))
        for name in ("drift", "mean", "variance")
    ]
    errors = [("error of the way there and back", f"{dynamics.reversibility:.1e}")]
    errors += [(f"error of a path, time step {dt}", f"{error:.1e}") for dt, error in (dynamics.speed or {}).items()]
    return [
        Table("Learned energy along rollouts", rows, _ENERGY, tuple(dynamics.energy)),
        Table("Exactness of rollouts", errors, _REVERSIBILITY + (_PATH_ERROR if dynamics.speed else "")),
    ]


def _unmeasured_tables(results: FrameResults) -> list[Table]:
    """Returns what could not be measured and why, and the files of a data set made of the user's videos."""
    tables = []
    rows = [(name.replace("_", " "), reason) for name, reason in results.not_measured.items()]
    if results.beyond_the_clip is not None:
        rows += unmeasured_rows(results.beyond_the_clip)
    if rows:
        tables.append(Table("Not measured", rows))
    if results.videos is not None:
        values = vars(results.videos) | {"crop": _crop_in_words(results.videos.crop)}
        left_out = notes.grouped(values.pop("left_out"))
        known = {name: "not known" if value is None else str(value) for name, value in values.items()}
        videos = [(name.replace("_", " "), value) for name, value in known.items()]
        tables += [Table("The videos", videos), Table("Files left out", left_out or [("none", "")])]
    return tables


def print_unmeasured(results: FrameResults) -> None:
    """Prints what could not be measured and why, and which files of a folder of videos were left out."""
    for reason in sorted(set(results.not_measured.values())):
        names = [name.replace("_", " ") for name, other in results.not_measured.items() if other == reason]
        print(f"not measured: {', '.join(names)}: {reason}")
    if videos := results.videos:
        counts = f"{videos.train_windows} train windows and {videos.test_windows} test windows"
        print(f"{counts} of the videos in {videos.source}; {len(videos.left_out) or 'none'} left out")
        if videos.crop:
            print(f"  cropped to the square around {_crop_in_words(videos.crop)}, where things move")
        for line in notes.lines(videos.left_out):
            print(f"  {line}")


def _crop_in_words(crop: Mapping[str, float] | None) -> str:
    """Names the part of the picture that films were cropped to, a square around it."""
    if crop is None:
        return "none"
    return "{left:.0%} to {right:.0%} of the width and {top:.0%} to {bottom:.0%} of the height".format(**crop)
