"""The tables and captions of a report on a model beyond the clip."""

from experiments.clips.results import BeyondTheClip, Samples
from experiments.reporting.page import Picture
from experiments.reporting.tables import Table
from hgn_jax.metrics.prediction import THRESHOLD

_BEYOND = (
    "Skill of frames after the end of the clip, or before its beginning, by number of steps: 1 is perfect, and 0 is as "
    "good as the best constant image. {targets} The horizon is the number of steps until the skill falls below "
    f"{{threshold:g}}; the valid prediction time is the number of steps until the squared error exceeds "
    f"{THRESHOLD:.1%} of a frame's mean square. Both are medians over the clips, of at most as many steps as are "
    "given, and higher is better. A model that has learned the clip instead of the physics falls to 0 or below within "
    "a few steps."
)
_TARGETS = {
    True: "Frames are compared with the expected image given the true state.",
    False: "Frames are compared with those of the film, whose noise no model can predict.",
}
_STATE = (
    "Clock share is the fraction of the state's variance that all clips have in common at the same time: near 0 if the "
    "state knows only the system, and near 1 if it says how long ago the clip began. The re-encoding error is the "
    "squared distance between a state rolled out to another time and the state inferred from the frames there, "
    "relative to the variance of states: 0 if both agree, and 2 if they have nothing to do with each other. The KL "
    "divergence is the information taken from a clip; a state of {numbers} known to 1% needs about "
    "{nats:.0f} nats. The error of the period is the median over clips. The rank correlation is 1 if learned and true "
    "energies order the clips alike."
)
_SAMPLES = (
    "New trajectories from the model's own distribution of states. Right frames show as many discs as the data do, as "
    "large and as bright. Distances are those between the quantiles of samples and of states inferred from test clips, "
    "in standard deviations of the latter; those of positions are averaged over the main axes. Lower is better for "
    "distances: below 0.1 the two can hardly be told apart."
)
_NATS_PER_DIMENSION = 4.6  # a number known to one part in a hundred

PICTURES = (
    Picture(
        "beyond_frames.png",
        "Beyond the clip, both ways",
        "True frames (above) and those of the model (below), long before and after the frames that the model has seen, "
        "which are marked by *. A model of the physics goes on being right; one that has learned the clip dissolves.",
    ),
    Picture(
        "beyond_frames.gif",
        "Beyond the clip, in motion",
        "The same clips as a movie, true above and predicted below. The bar above a frame is blue while the model sees "
        "it; everything before and after is predicted from there.",
    ),
    Picture(
        "beyond_skill.png",
        "Skill on both sides of the window",
        "Above: skill of each frame, averaged over clips, where 1 is perfect and 0 is the mean image. Below: the error "
        "relative to that of the mean image, on a logarithmic scale. The window that the model sees is shaded. Grey "
        "curves, if there are any, show how fast the true system itself departs from a slightly wrong start: no model "
        "can stay right much longer.",
    ),
    Picture(
        "reencoding.png",
        "The same state from another window",
        "States rolled out to another time, against those inferred from the frames there, in the two axes in which "
        "states vary most. If the state is one of the system, and not of the clip, the points lie on the line.",
    ),
    Picture(
        "periods.png",
        "Period against amplitude",
        "The period of each learned rollout at the amplitude of its clip, and the curve of the true system: constant "
        "for a spring, and longer for wider swings of a pendulum.",
    ),
    Picture(
        "sample_energies.png",
        "Energies of samples and of data",
        "Learned energies of sampled states and of states inferred from test clips. The histograms should agree.",
    ),
)


def beyond_tables(beyond: BeyondTheClip) -> list[Table]:
    """Returns the tables of the measurements beyond the clip."""
    tables = [_frames(beyond), _state(beyond)]
    if beyond.samples is not None:
        tables.append(_samples(beyond.samples))
    return tables


def _frames(beyond: BeyondTheClip) -> Table:
    rows = [("skill within the clip", _skill(beyond.skill), "")]
    rows += [
        (f"skill, {step} steps beyond", _skill(skill), _skill(beyond.skill_backward[step]))
        for step, skill in beyond.skill_forward.items()
        if skill is not None or beyond.skill_backward[step] is not None
    ]
    measured = {"horizon": beyond.horizon, "valid prediction time": beyond.vpt}
    for level, steps in (beyond.true_horizon or {}).items():
        measured[f"true horizon, start {float(level):.1%} off"] = steps
    for name, steps in measured.items():
        cells = ("-" if n is None else f"{n:g} of {most}" for n, most in zip(steps, beyond.num_steps, strict=True))
        rows.append((f"{name}, in steps", *cells))
    known = beyond.true_dimensions is not None
    meaning = _BEYOND.format(targets=_TARGETS[known], threshold=beyond.horizon_threshold)
    if beyond.true_horizon:
        meaning += (
            " The true horizon is that of the true system itself, from a start that is slightly wrong: it is chaotic."
        )
    meaning += f" Measured on {beyond.num_clips} long clips"
    reason = "because float64 cannot follow them" if known else "because their films are too short"
    meaning += f"; {beyond.left_out} were left out {reason}." if beyond.left_out else "."
    return Table("Beyond the clip", rows, meaning, ("after", "before"))


def _state(beyond: BeyondTheClip) -> Table:
    values = {
        "clock share": beyond.clock_share,
        "re-encoding error": beyond.reencoding_error,
        "KL divergence, in nats": beyond.kl_nats,
        "dimensions of the true state": beyond.true_dimensions,
        "relative error of the period": beyond.period_error,
        "rank correlation of energies": beyond.energy_rank_correlation,
    }
    rows = [(name, _short(value)) for name, value in values.items() if value is not None]
    number = beyond.true_dimensions or 2
    meaning = _STATE.format(numbers=f"{number} numbers", nats=_NATS_PER_DIMENSION * number)
    return Table("The state", rows, meaning)


def _samples(samples: Samples) -> Table:
    now = (samples.fidelity, samples.energy_distance, samples.position_distance)
    later = (samples.fidelity_after_60, None, samples.position_distance_after_60)
    names = ("fraction of right frames", "distance of energies", "distance of positions")
    rows = [
        (name, _short(a), _short(b)) for name, a, b in zip(names, now, later, strict=True) if (a, b) != (None, None)
    ]
    return Table("Samples", rows, _SAMPLES, ("at once", "60 steps later"))


def unmeasured_rows(beyond: BeyondTheClip) -> list[tuple[str, str]]:
    """Returns what could not be measured beyond the clip, and why."""
    return [(f"beyond the clip: {name.replace('_', ' ')}", reason) for name, reason in beyond.not_measured.items()]


def _skill(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value > -10 else f"{value:.0f}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
