"""Fig. 10 of the paper: an area of phase space under Euler's method and leapfrog, and the steps of leapfrog.

The oscillator is the mass on a spring. Its steps are linear, so a polygon stays a polygon, carried by its corners.
"""

from typing import Any

import jax
import numpy as np

from experiments.figures.figure import PaperFigure
from experiments.figures.runs import Groups
from experiments.reporting import style
from hgn_jax.physics import systems
from hgn_jax.physics.integrators import rollout
from hgn_jax.physics.phase_space import PhaseState

_DT = 0.125  # as in the data sets
_NUM_STEPS, _SHOWN_EVERY = 20, 5
_SQUARE = np.array([[-0.15, 0.45], [0.15, 0.45], [0.15, 0.75], [-0.15, 0.75]])  # corners (q, p)
_COLOURS = {"euler": style.VERMILION, "leapfrog": style.BLUE}
_TITLES = {"euler": "Euler, not symplectic", "leapfrog": "leapfrog, symplectic"}
_POSITION, _MOMENTUM = style.GREEN, style.BLUE


def carry(corners: np.ndarray, integrator: str, dt: float, num_steps: int, system: systems.System) -> np.ndarray:
    """Carries points (q, p), `[n, 2]`, along by an integrator in float64; returns `[num_steps + 1, n, 2]`."""
    with jax.enable_x64(True):
        start = PhaseState(*(np.asarray(corners[:, [i]], np.float64) for i in (0, 1)))
        path = rollout(system.hamiltonian, start, dt, num_steps, integrator)
        return np.concatenate([np.asarray(path.q), np.asarray(path.p)], axis=-1)


def area(corners: np.ndarray) -> np.ndarray:
    """Returns the areas `[...]` of polygons with corners `[..., n, 2]`, by the cross products of the corners."""
    x, y = np.moveaxis(corners, -1, 0)
    return 0.5 * np.abs(np.sum(x * np.roll(y, -1, axis=-1) - np.roll(x, -1, axis=-1) * y, axis=-1))


def euler_factor(system: systems.System, dt: float) -> float:
    """Returns the determinant of a step of Euler's method for the mass on a spring, 1 + dt² k / m."""
    return 1.0 + dt**2 * system.constants["k"] / system.constants["m"]


def draw(groups: Groups) -> PaperFigure:
    """Draws the figure, which is the same for all runs."""
    del groups
    system = systems.mass_spring()
    paths = {name: carry(_SQUARE, name, _DT, _NUM_STEPS, system) for name in _COLOURS}
    areas = {name: area(path) / area(_SQUARE) for name, path in paths.items()}
    figure = style.new_figure((14, 8.4))
    axes = figure.subplot_mosaic([[*_COLOURS, "area"], ["schematic"] * 3], height_ratios=(1.2, 1))
    reach = 1.1 * max(np.abs(path).max() for path in paths.values())
    for name, path in paths.items():
        _draw_patches(axes[name], name, path, areas[name], reach, system)
    _draw_areas(axes["area"], areas, euler_factor(system, _DT))
    draw_schematic(axes["schematic"])
    constants = ", ".join(f"{name} = {value:g}" for name, value in system.constants.items())
    caption = (
        f"A: a square in the phase plane of an oscillator (the mass on a spring, {constants}), carried along by "
        f"Euler's method and by leapfrog with dt = {_DT:g}. It is drawn every {_SHOWN_EVERY} steps over curves of "
        "constant energy, with its area relative to the initial area. Right: the area after each step. Each step of "
        f"Euler's method multiplies it by 1 + dt² k/m = {euler_factor(system, _DT):g}, a factor of "
        f"{areas['euler'][-1]:.4f} in {_NUM_STEPS} steps; leapfrog preserves it (to "
        f"{np.abs(areas['leapfrog'] - 1).max():.0e} in float64). B: two steps of leapfrog. A half kick by the force "
        "at the current position takes the momentum to the half step, a drift with that momentum takes the position "
        "to the next step, and a half kick by the force there completes the momentum. The next step starts with the "
        "same force. Dashed arrows show where each force and velocity is evaluated."
    )
    title = "Figure 10: area in phase space, and the steps of leapfrog"
    return PaperFigure("figure_10", title, caption, (), figure)


def _draw_patches(axes: Any, name: str, path: np.ndarray, areas: np.ndarray, reach: float, system) -> None:
    grid = np.linspace(-reach, reach, 200)
    q, p = np.meshgrid(grid, grid)
    energy = np.asarray(system.hamiltonian(PhaseState(q[..., None], p[..., None])))
    axes.contour(q, p, energy, levels=10, colors=style.LIGHT_GREY, linewidths=0.8)
    for step in range(0, len(path), _SHOWN_EVERY):
        axes.fill(*path[step].T, facecolor=_COLOURS[name], edgecolor="black", alpha=0.75)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
        axes.text(*path[step].mean(axis=0), f"× {areas[step]:.2f}", ha="center", va="center", fontsize=8, bbox=box)
    axes.plot(*path.mean(axis=1).T, ".", color="black", markersize=3)
    axes.set(
        title=f"A   {_TITLES[name]}", aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach),
        xlabel="position q, units of the system", ylabel="momentum p, units of the system",
    )  # fmt: skip


def _draw_areas(axes: Any, areas: dict[str, np.ndarray], factor: float) -> None:
    steps = np.arange(_NUM_STEPS + 1)
    for name, marker in zip(areas, "os", strict=True):
        axes.plot(steps, areas[name], marker, color=_COLOURS[name], markersize=5, label=_TITLES[name].partition(",")[0])
    axes.plot(steps, factor**steps, "-", color=style.DARK_GREY, linewidth=1, label=f"$(1 + dt^2 k/m)^n = {factor:g}^n$")
    axes.plot(steps, np.ones(len(steps)), "--", color=style.DARK_GREY, linewidth=1, label="1")
    axes.set(title="A   area of the square", xlabel=f"step n, of {_DT:g} in time", ylabel="area / area at the start")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper left")


def draw_schematic(axes: Any, num_steps: int = 2) -> None:
    """Draws positions above momenta against time, and the kicks and drifts between them."""
    high, low = 1.0, 0.0
    for step in range(num_steps):
        half, end = step + 0.5, step + 1.0
        _move(axes, (step, high), (end, high), _POSITION)
        _move(axes, (step, low), (half, low), _MOMENTUM)
        _move(axes, (half, low), (end, low), _MOMENTUM)
        _influence(axes, (half, low), (half, high))
        _influence(axes, (step, high), (step + 0.25, low))
        _influence(axes, (end, high), (half + 0.25, low))
        axes.text(half, high + 0.12, r"drift: $q \leftarrow q + dt\,\partial T/\partial p$", ha="center", va="bottom")
        for middle in (step + 0.25, half + 0.25):
            kick = "half kick:\n" + r"$p \leftarrow p - \frac{1}{2}dt\,\partial V/\partial q$"
            axes.text(middle, low - 0.14, kick, ha="center", va="top")
    whole, halves = np.arange(num_steps + 1), np.arange(num_steps) + 0.5
    axes.plot(whole, np.full(len(whole), high), "o", color=_POSITION, markersize=13, label="position")
    axes.plot(halves, np.full(len(halves), low), "s", color=_MOMENTUM, markersize=12, label="momentum at a half step")
    axes.plot(
        whole, np.full(len(whole), low), "s", markersize=12, markerfacecolor="white", markeredgecolor=_MOMENTUM,
        markeredgewidth=2, label="momentum at a whole step",
    )  # fmt: skip
    axes.set_yticks([high, low], ["q", "p"], fontsize=14, fontstyle="italic")
    ticks = np.arange(0, num_steps + 0.5, 0.5)
    axes.set_xticks(ticks, ["t" if tick == 0 else f"t + {tick:g} dt".replace(" 1 dt", " dt") for tick in ticks])
    axes.set_title("B   leapfrog: kick, drift, kick", pad=18)
    axes.set(xlabel="time", xlim=(-0.15, num_steps + 0.15), ylim=(-0.75, 1.5))
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False)


def _move(axes: Any, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    arrow = {"arrowstyle": "-|>,head_width=0.35,head_length=0.7", "color": colour, "linewidth": 2.5}
    axes.annotate("", end, start, arrowprops={**arrow, "shrinkA": 7, "shrinkB": 9})


def _influence(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "->", "color": style.DARK_GREY, "linewidth": 1.2, "linestyle": "--"}
    axes.annotate("", end, start, arrowprops={**arrow, "shrinkA": 9, "shrinkB": 5})
