"""The learned law of a film, drawn in pixels and frames: what the model has learned where the film has been.

Nothing is claimed beyond the visited states, and nothing is compared, since the truth is not known.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.hgn import law_pictures
from experiments.hgn.law_pictures import Attraction, Curve, Units
from experiments.run.trainer import Run
from hgn_jax.metrics import attraction
from hgn_jax.metrics import law as metrics
from hgn_jax.networks.keypoints import HALF_WIDTH
from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState

_PIXELS = Units("pixels", "frame")
_MOST_BODIES = 3
_GRID_POINTS = 400


def draw_film(run: Run, hamiltonian: Hamiltonian, states: PhaseState) -> Callable[[], Figure] | None:
    """Returns a function that draws the learned law of a film; None if its state is of a kind that has no picture.

    Args:
      run: The run.
      hamiltonian: The learned energy.
      states: Visited states, q and p of shape `[n, d]`.
    """
    config = run.config
    if config.latent == "keypoints" and config.chart == "none":
        if config.num_keypoints == 1:
            return _potential_in_the_plane(run, hamiltonian, states)
        return _attractions(run, hamiltonian, states) if config.num_keypoints <= _MOST_BODIES else None
    return _potential_of_a_coordinate(run, hamiltonian, states) if states.q.shape[1] == 1 else None


def _pixels(run: Run) -> float:
    """Number of pixels of the model's frames in a unit of the coordinates of points."""
    return (run.config.image_size - 1) / (2.0 * HALF_WIDTH)


def _attractions(run: Run, hamiltonian: Hamiltonian, states: PhaseState) -> Callable[[], Figure]:
    motions = attraction.pair_motions(hamiltonian, states, _pixels(run), 1.0 / run.config.dt)
    distances = np.concatenate([motion.distance for motion in motions])
    pairs = [
        Attraction(f"learned, points {motion.bodies[0] + 1} and {motion.bodies[1] + 1}", *motion[1:3])
        for motion in motions
    ]
    visited = tuple(np.quantile(distances, attraction.FITTED_QUANTILES))
    title = "the learned attraction between the points"
    return functools.partial(law_pictures.draw_attraction, title, pairs, visited, _PIXELS)


def _potential_in_the_plane(run: Run, hamiltonian: Hamiltonian, states: PhaseState) -> Callable[[], Figure]:
    size, pixels = run.config.image_size, _pixels(run)
    places = pixels * np.asarray(states.q, np.float64) + (size - 1) / 2.0
    energy = metrics.potential_per_mass(hamiltonian, states, states.q, pixels, 1.0 / run.config.dt)
    title, unit = "the learned potential at the visited places", "potential per mass, pixels² / frame²"
    return functools.partial(law_pictures.draw_plane, title, places, energy, unit, size)


def _potential_of_a_coordinate(run: Run, hamiltonian: Hamiltonian, states: PhaseState) -> Callable[[], Figure]:
    grid = np.linspace(states.q.min(), states.q.max(), _GRID_POINTS)[:, None]
    if run.model.places is None:
        x, axes = grid[:, 0] / states.q.std(), ("learned coordinate, in standard deviations", "1 / frame²")
    else:
        places = np.asarray(jax.jit(run.model.places)(run.state.params, jnp.asarray(grid, jnp.float32)))
        lengths = [metrics.arc_length(_pixels(run) * places[:, i]) for i in range(places.shape[1])]
        x, axes = max(lengths, key=lambda length: length[-1]), ("way of the point, pixels", "pixels² / frame²")
    length = float(np.ptp(x) / np.ptp(grid))  # of a unit of the coordinate
    energy = metrics.potential_per_mass(hamiltonian, states, grid, length, 1.0 / run.config.dt)
    axes = (axes[0], f"potential per mass, {axes[1]}")
    curve = Curve(x=x, learned=energy, true=None, label="learned", true_label="", axes=axes)
    return functools.partial(law_pictures.draw_curve, "the learned potential where the films have been", curve)
