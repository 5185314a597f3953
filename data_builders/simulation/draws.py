"""Random draws of a simulated data set: initial states, constants, and the streams of all other draws.

Trajectories come in chunks of `CHUNK_SIZE`. Each chunk is drawn from streams seeded by (seed, split, number of the
chunk), so that a trajectory is a function of (simulation, split, index) alone: it depends neither on the number of
trajectories nor on the process that simulates it.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from data_builders.simulation.precision import double_precision
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

CHUNK_SIZE = 500
SPLITS = ("train", "test")

# One stream for each kind of draw. Append new kinds at the end, or all others change.
_STREAMS = ("radius", "angle", "velocity", "noise", "constants", "scene")

# Offsets of the chunk number in the seed, larger than any chunk number.
_ATTEMPT_OFFSET = 2**30  # between the attempts to draw a start
_CONTINUATION_OFFSET = 2**31

_NUM_BODIES = {"two_body": 2, "three_body": 3}

Constants = Mapping[str, float | np.ndarray]


@dataclasses.dataclass(frozen=True)
class Simulation:
    """The settings that determine the trajectories of a data set.

    Attributes:
      system: Name of the system, in `hgn_jax.physics.systems.SYSTEMS`.
      constants: Physical constants of the system; those left out keep the system's defaults.
      radius_range: Range of the initial radius, which is uniform; see `initial_states`.
      num_steps: Number of recorded states after the first.
      dt: Time between recorded states.
      observation_noise: Standard deviation of the Gaussian noise on every observed coordinate.
      velocity_perturbation: Relative standard deviation of the bodies' initial speeds.
      seed: Seed of every random draw.
      damping: Friction gamma of dp/dt = -dH/dq - gamma dH/dp.
      constant_ranges: Ranges of the constants that each trajectory draws uniformly for itself. They replace those in
        `constants`. Each of n bodies draws its own mass.
    """

    system: str
    constants: Mapping[str, float]
    radius_range: tuple[float, float]
    num_steps: int = 30
    dt: float = 0.125
    observation_noise: float = 0.0
    velocity_perturbation: float = 0.0
    seed: int = 0
    damping: float = 0.0
    constant_ranges: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


def generators(simulation: Simulation, split: str, chunk: int) -> dict[str, np.random.Generator]:
    """Returns an independent random stream for each kind of draw."""
    root = np.random.SeedSequence(simulation.seed, spawn_key=(SPLITS.index(split), chunk))
    return dict(zip(_STREAMS, map(np.random.default_rng, root.spawn(len(_STREAMS))), strict=True))


def continuation_noise(simulation: Simulation, split: str, index: int, backward: bool) -> np.random.Generator:
    """Returns the stream of the observation noise after the end, or before the start, of a trajectory."""
    key = (SPLITS.index(split), _CONTINUATION_OFFSET + backward, int(index))
    return np.random.default_rng(np.random.SeedSequence(simulation.seed, spawn_key=key))


def constant_shape(system: str, name: str) -> tuple[int, ...]:
    """Returns the shape of a constant that each trajectory draws: `(n,)` for the masses of n bodies, else `()`."""
    return (_NUM_BODIES[system],) if name == "m" and system in _NUM_BODIES else ()


def draw_constants(simulation: Simulation, split: str, chunk: int) -> dict[str, np.ndarray]:
    """Draws the constants in `constant_ranges`, float64 of shape `[CHUNK_SIZE, *constant_shape]`."""
    rng = generators(simulation, split, chunk)["constants"]
    return {
        name: rng.uniform(low, high, size=(CHUNK_SIZE, *constant_shape(simulation.system, name)))
        for name, (low, high) in sorted(simulation.constant_ranges.items())
    }


def _circle_in_phase_space(
    simulation: Simulation, constants: Constants, radius: np.ndarray, angle: np.ndarray, rng: np.random.Generator
) -> PhaseState:
    """(q_i, p_i) = r_i (cos a_i, sin a_i), for the mass on a spring and the pendulums."""
    del simulation, constants, rng
    shape = (len(radius), -1)
    return PhaseState((radius * np.cos(angle)).reshape(shape), (radius * np.sin(angle)).reshape(shape))


def _perturbed_orbit(
    simulation: Simulation, constants: Constants, radius: np.ndarray, angle: np.ndarray, rng: np.random.Generator
) -> PhaseState:
    """A circular orbit with the speed of each body perturbed and then the total momentum removed."""
    num_bodies = _NUM_BODIES[simulation.system]
    constants = {**simulation.constants, **constants}
    masses = np.asarray(constants["m"])
    unequal = masses.ndim > 1
    with double_precision():
        orbit = (systems.rigid_orbit if unequal else systems.circular_orbit)(num_bodies, radius, angle, **constants)
        q, p = np.asarray(orbit.q), np.asarray(orbit.p)
    p = p * (1.0 + simulation.velocity_perturbation * rng.standard_normal(p.shape[:2])[..., None])
    if unequal:  # the common drift velocity is removed, in proportion to the masses
        return PhaseState(q, p - (masses / masses.sum(axis=1, keepdims=True))[..., None] * p.sum(1, keepdims=True))
    return PhaseState(q, p - p.mean(axis=1, keepdims=True))


# System -> shape of the radii and angles of one start, and the function that makes the start from them.
_STARTS: dict[str, tuple[tuple[int, ...], Callable[..., PhaseState]]] = {
    "mass_spring": ((), _circle_in_phase_space),
    "pendulum": ((), _circle_in_phase_space),
    "double_pendulum": ((2,), _circle_in_phase_space),
    "two_body": ((), _perturbed_orbit),
    "three_body": ((), _perturbed_orbit),
}


def initial_states(
    simulation: Simulation, split: str, chunk: int, attempt: int = 0, drawn: Constants | None = None
) -> PhaseState:
    """Draws the initial states of one chunk (Sec. 4 of the paper; A.1 of Greydanus et al. 2019).

    Radius and angle are independent and uniform. For one degree of freedom they are polar coordinates of (q, p); each
    degree of freedom of the double pendulum has its own radius and angle. For n bodies they place the first on a circle
    about the origin and the others at equal angles from it, with the tangential momenta of the circular orbit times
    1 + velocity_perturbation * N(0, 1), minus the total momentum. If the masses are drawn, the polygon is shifted so
    that its centre of mass is at the origin.

    Args:
      simulation: Settings of the trajectories.
      split: Name of the split, in `SPLITS`.
      chunk: Number of the chunk, from 0.
      attempt: Number of the draw, from 0; later draws replace starts that cannot be used.
      drawn: Constants that each trajectory draws for itself; by default those of the chunk.

    Returns:
      A `PhaseState` of float64 NumPy arrays `[CHUNK_SIZE, *state_shape]`.
    """
    shape, start = _STARTS[simulation.system]
    drawn = draw_constants(simulation, split, chunk) if drawn is None else drawn
    rngs = generators(simulation, split, chunk + attempt * _ATTEMPT_OFFSET)
    radius = rngs["radius"].uniform(*simulation.radius_range, size=(CHUNK_SIZE, *shape))
    angle = rngs["angle"].uniform(0.0, 2.0 * np.pi, size=(CHUNK_SIZE, *shape))
    return start(simulation, drawn, radius, angle, rngs["velocity"])
