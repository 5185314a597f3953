"""Pictures of the law that was read off a model: attraction against distance, the potential of one coordinate."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.reporting import style

_COLOURS = (style.BLUE, style.VERMILION, style.GREEN)
_MAX_DOTS = 1500  # per pair
_BEYOND = 1.2  # the true law is drawn beyond the visited range by this factor
_MOST = 0.9  # fraction of attractions, from which logarithmic axes are used
_FEW_DECADES = 3e3
_SHADE = {"color": style.SKY, "alpha": 0.12, "linewidth": 0}


class Attraction(NamedTuple):
    """The attraction of two bodies in the visited states.

    Attributes:
      label: Label of the pair in the legend.
      distance: Distances, `[n]`.
      acceleration: Acceleration of a body towards the other, `[n]`.
    """

    label: str
    distance: np.ndarray
    acceleration: np.ndarray


class Units(NamedTuple):
    """Names of the units of length and time, as axes show them."""

    length: str
    time: str


class Curve(NamedTuple):
    """A quantity learned at visited states, beside the truth if it is known.

    Attributes:
      x: Coordinate of each state, `[n]`.
      learned: Learned quantity, `[n]`.
      true: True quantity at the same states, `[n]`; None if it is not known.
      label: Label of the learned quantity in the legend.
      true_label: Label of the true one.
      axes: Labels of the horizontal and the vertical axis.
    """

    x: np.ndarray
    learned: np.ndarray
    true: np.ndarray | None
    label: str
    true_label: str
    axes: tuple[str, str]


def draw_attraction(
    title: str, pairs: Sequence[Attraction], visited: tuple[float, float], units: Units, constant: float | None = None
) -> Figure:
    """Draws accelerations against distance, and beside them times squared distance.

    The axes are logarithmic, if nearly all bodies attract each other.

    Args:
      title: Title of the picture.
      pairs: Learned attractions.
      visited: Range of the distances that is shaded.
      units: Units of the axes.
      constant: True G·m; None if it is not known.
    """
    figure, (left, right) = style.subplots(1, 2, figsize=(10.4, 4.2))
    if constant is not None:
        _draw_truth(left, right, [min(pair.distance.min() for pair in pairs), visited[1] * _BEYOND], constant)
    for pair, colour in zip(pairs, _COLOURS, strict=False):
        chosen = np.linspace(0, len(pair.distance) - 1, min(len(pair.distance), _MAX_DOTS)).astype(int)
        order = chosen[np.argsort(pair.distance[chosen])]
        r, acceleration = pair.distance[order], pair.acceleration[order]
        dots = {"color": colour, "markersize": 3.5, "alpha": 0.5, "markeredgewidth": 0}
        left.plot(r, acceleration, "o", label=pair.label, **dots)
        right.plot(r, acceleration * r**2, "o", label=pair.label, **dots)
    for panel in (left, right):
        panel.axvspan(*visited, label="visited (all but 4 % of the states)", zorder=0, **_SHADE)
        panel.set_xlabel(f"distance between the bodies, {units.length}")
    left.set(title=title, ylabel=f"acceleration of a body, {units.length} / {units.time}²")
    right.set(title="times squared distance: level if inverse-square", ylabel="acceleration × distance²")
    accelerations = np.concatenate([pair.acceleration for pair in pairs])
    products = accelerations * np.concatenate([pair.distance for pair in pairs]) ** 2
    low, high = np.quantile(products, (0.01, 0.99))
    right.set_ylim(min(0.0, 1.5 * low), 1.5 * max(high, constant or 0.0))
    if np.mean(accelerations > 0) > _MOST:
        left.set(xscale="log", yscale="log")
        _plain_numbers(left)
    left.legend(frameon=False, fontsize=9, markerscale=2)
    return figure


def _draw_truth(left: Any, right: Any, distances: Sequence[float], constant: float) -> None:
    r = np.geomspace(*distances, 200)
    line = {"color": style.BLACK, "linewidth": 1.3, "linestyle": "--", "zorder": 3}
    left.plot(r, constant / r**2, label=f"true: {constant:g} / $r^2$", **line)
    right.plot(r, np.full_like(r, constant), **line)


def _plain_numbers(axes: Any) -> None:
    """Labels logarithmic axes that span few decades by plain numbers, such as 0.5, 1, 2."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        if high > _FEW_DECADES * low:
            continue
        ticks = [n * 10.0**k for k in range(-6, 7) for n in (1, 2, 5)]
        axis.set_ticks([tick for tick in ticks if low <= tick <= high])
        axis.set_major_formatter("{x:g}")
        axis.set_ticks([], minor=True)


def draw_curve(title: str, curve: Curve, residual: str | None = None) -> Figure:
    """Draws a learned quantity against a coordinate, beside the true one.

    Args:
      title: Title of the picture.
      curve: The quantities.
      residual: Label of the vertical axis of a second panel with the difference of learned and true quantity, in per
        cent of the range of the true one; None for no such panel.
    """
    columns = 1 if residual is None or curve.true is None else 2
    figure, axes = style.subplots(1, columns, figsize=(5.2 * columns, 4.2), squeeze=False)
    order = np.argsort(curve.x)
    x, left = curve.x[order], axes[0, 0]
    dots = {"color": style.BLUE, "markersize": 3.5, "alpha": 0.5, "markeredgewidth": 0}
    left.plot(x, curve.learned[order], "o", label=curve.label, **dots)
    if curve.true is not None:
        left.plot(x, curve.true[order], color=style.BLACK, linewidth=1.3, linestyle="--", label=curve.true_label)
    left.set(title=title, xlabel=curve.axes[0], ylabel=curve.axes[1])
    left.legend(frameon=False, fontsize=9, markerscale=2)
    if columns == 2:
        right = axes[0, 1]
        right.plot(x, 100.0 * (curve.learned - curve.true)[order] / np.ptp(curve.true), "o", **dots)
        right.axhline(0.0, color=style.BLACK, linewidth=1.3, linestyle="--")
        right.set(title="learned minus true", xlabel=curve.axes[0], ylabel=residual)
    for panel in axes[0]:
        panel.axvspan(x[0], x[-1], zorder=0, **_SHADE)
    return figure


def draw_plane(title: str, places: np.ndarray, potential: np.ndarray, unit: str, size: int) -> Figure:
    """Draws the potential of one point at the places that it visited, as coloured dots.

    Args:
      title: Title of the picture.
      places: Places in pixels from the top left corner, `[n, 2]`.
      potential: Potential at the places, `[n]`.
      unit: Label of the colours.
      size: Number of pixels along a side of the picture.
    """
    figure, axes = style.subplots(figsize=(5.6, 4.6))
    dots = axes.scatter(*places.T, c=potential, cmap="viridis", s=9)
    figure.colorbar(dots, ax=axes, label=unit)
    axes.set(title=title, xlabel="x, pixels", ylabel="y, pixels", xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set_aspect("equal")
    return figure
