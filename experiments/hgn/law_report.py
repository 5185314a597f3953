"""The law that was read off a model, on the page of a report and in words."""

from experiments.clips.results import BeyondTheClip, Law
from experiments.reporting.names import pretty
from experiments.reporting.page import Picture
from experiments.reporting.tables import Table

PICTURE = Picture(
    "law.png",
    "The law, read off",
    "The force or the potential that the model has learned, in the states that rollouts of test clips visit, beside "
    "the true law where it is known. Bodies: the acceleration of a body towards another against their distance, on "
    "logarithmic axes, where a power of the distance is a straight line; and the same times the squared distance. "
    "Pendulum and spring: the learned quantity against the true coordinate, and its difference from the true one; "
    "double pendulum: the same of the potential against the true one. The zero of a potential is arbitrary and fitted, "
    "and so is the unit of a single pendulum's. Films, whose law is not known, have axes in "
    "pixels and frames. Nothing is claimed beyond the visited range, which is shaded.",
)
_BODIES = (
    "Read off the learned energy in the states that rollouts of test clips visit. The exponent is the slope of the "
    "force between two bodies against their distance on logarithmic axes. Flatness is the largest relative departure "
    "of force times squared distance from its mean. The unit of the masses is arbitrary, their ratio is not. G·m is "
    "acceleration times squared distance, in units of the canvas. The pair alone is without the confinement, which "
    "cannot be told from a pull between bodies whose centre of mass rests in the middle."
)
_COORDINATE = {
    "double_pendulum": "The mass matrix of the angles is A_ij cos(q_i - q_j), fitted to the learned one; its unit is "
    "arbitrary, the ratios of A are not. R² of the learned potential against 1 - cos of both angles, and the "
    "acceleration of gravity over the length of the lower rod.",
    "pendulum": "R² of a straight line through the learned potential against 1 - cos(true angle), and the angular "
    "frequency of small swings.",
    "mass_spring": "R² of a straight line through the learned force against the true displacement, and the angular "
    "frequency.",
}


def sentence(law: Law) -> str:
    """Says what the model has learned of the law, and what is true."""
    if law.exponent is not None:
        text = (
            f"the learned force falls as r^{law.exponent:.2f} (true -2), masses equal within "
            f"{max(100.0 * (law.mass_ratio - 1.0), 0.01):.2g} %, G·m = {law.constant:.3g} (true {law.true_constant:g})"
        )
    elif law.system == "double_pendulum":
        (upper, mixed), (true_upper, true_mixed) = law.inertia, law.true_inertia
        text = (
            f"the learned inertia is {upper:.3f} : {mixed:.3f} : 1 (true {true_upper:g} : {true_mixed:g} : 1), "
            f"g / l = {law.constant:.3f} (true {law.true_constant:g})"
        )
    elif law.system == "pendulum":
        text = f"the learned potential is a straight line in 1 - cos(angle), R² = {law.r_squared:.5f}"
        if law.constant is not None:
            text += f"; small swings have ω = {law.constant:.4g} (true {law.true_constant:.4g})"
    else:
        text = (
            f"the learned force is a straight line in the displacement, R² = {law.r_squared:.5f}; "
            f"ω = {law.constant:.4g} (true {law.true_constant:.4g})"
        )
    if law.friction is not None:
        text += f"; momenta decay at a rate of {law.friction:.3g} (true {law.true_friction:.3g})"
    return f"{pretty(law.system)}: {text}"


def tables(beyond: BeyondTheClip | None) -> list[Table]:
    """Returns the table of the law, if one was read off."""
    return [] if beyond is None or beyond.law is None else [law_table(beyond.law)]


def law_table(law: Law) -> Table:
    """Returns the table of a law: learned, in a column for each pair of bodies, and true."""
    pairs = law.pairs.values()
    if pairs:
        rows = [
            ("exponent", *(f"{pair.exponent:.3f}" for pair in pairs), "-2"),
            ("flatness", *(f"{pair.flatness:.2%}" for pair in pairs), "0"),
            ("ratio of the masses", *(f"{pair.mass_ratio:.4f}" for pair in pairs), "1"),
            ("G·m", *(f"{pair.constant:.4f}" for pair in pairs), f"{law.true_constant:.4g}"),
        ]
        if all(pair.own_exponent is not None for pair in pairs):
            rows.append(("exponent of the pair alone", *(f"{pair.own_exponent:.3f}" for pair in pairs), "-2"))
    elif law.inertia:
        rows = [
            ("A_11 / A_22", f"{law.inertia[0]:.4f}", f"{law.true_inertia[0]:.4g}"),
            ("A_12 / A_22", f"{law.inertia[1]:.4f}", f"{law.true_inertia[1]:.4g}"),
            ("R² of the potential", f"{law.r_squared:.5f}", "1"),
            ("g / l", f"{law.constant:.4f}", f"{law.true_constant:.4f}"),
        ]
    else:
        rows = [("R²", f"{law.r_squared:.5f}", "1")]
        if law.constant is not None:
            rows.append(("ω", f"{law.constant:.4f}", f"{law.true_constant:.4f}"))
    if law.friction is not None:
        rows.append(("rate of damping", *[f"{law.friction:.4g}"] * max(1, len(pairs)), f"{law.true_friction:.4g}"))
    columns = [f"bodies {name}" for name in law.pairs] if len(pairs) > 1 else ["learned"]
    return Table(PICTURE.heading, rows, _BODIES if pairs else _COORDINATE[law.system], (*columns, "true"))
