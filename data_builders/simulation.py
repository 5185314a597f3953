"""Ground-truth trajectories of the true systems (Sec. 4 of the paper): NumPy float64, vectorised over trajectories.

Trajectories come in chunks of `CHUNK_SIZE`, each simulated whole and seeded by (seed, split, chunk number). A
trajectory is therefore a function of (simulation, split, index) alone: how many are asked for, and which process
asks, changes nothing.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
from scipy import integrate

from hgn_jax import systems
from hgn_jax.hamiltonian import vector_field
from hgn_jax.phase_space import PhaseState

CHUNK_SIZE = 500
SPLITS = ("train", "test")
MAX_ENERGY_ERROR = 1e-8

# Tolerances of DOP853, relative and absolute. The first is for a whole chunk at once, the others for single
# trajectories that missed MAX_ENERGY_ERROR: scipy's error norm is a mean over the chunk, so one close encounter
# among many calm orbits can hide in it.
_TOLERANCES = (1e-12, 1e-13, 3e-14)


class SimulationError(RuntimeError):
    """A trajectory could not be integrated to the accuracy asked for."""


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What determines the trajectories of a data set.

    Attributes:
      system: a name in `hgn_jax.systems.SYSTEMS`.
      constants: physical constants, passed to that system; those left out keep the system's defaults.
      radius_range: the initial radius is uniform in it; see `initial_states`.
      num_steps: number of recorded states after the first.
      dt: time between recorded states.
      observation_noise: standard deviation of the Gaussian noise on every observed coordinate.
      velocity_perturbation: relative standard deviation of the bodies' initial speeds.
      seed: the seed of every random draw.
    """

    system: str
    constants: Mapping[str, float]
    radius_range: tuple[float, float]
    num_steps: int = 30
    dt: float = 0.125
    observation_noise: float = 0.0
    velocity_perturbation: float = 0.0
    seed: int = 0


class Trajectories(NamedTuple):
    """Simulated trajectories, float64; N of them with T + 1 recorded states of d coordinates (2n for n bodies).

    Attributes:
      q: noise-free positions, `[N, T + 1, d]`.
      p: noise-free momenta, `[N, T + 1, d]`.
      dq_dt: dH/dp at (q, p), `[N, T + 1, d]`.
      dp_dt: -dH/dq at (q, p), `[N, T + 1, d]`.
      energy: H(q, p), `[N, T + 1]`.
      observed_q: `q` with observation noise, `[N, T + 1, d]`.
      observed_p: `p` with observation noise, `[N, T + 1, d]`.
      energy_error: largest |H_t - H_0| / |H_0| over the trajectory, `[N]`.
    """

    q: np.ndarray
    p: np.ndarray
    dq_dt: np.ndarray
    dp_dt: np.ndarray
    energy: np.ndarray
    observed_q: np.ndarray
    observed_p: np.ndarray
    energy_error: np.ndarray


class _Mechanics(NamedTuple):
    """A system's compiled functions of `q` and `p`, `[batch, *state_shape]`."""

    state_shape: tuple[int, ...]
    energy: Callable[[np.ndarray, np.ndarray], jax.Array]
    field: Callable[[np.ndarray, np.ndarray], PhaseState]


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Runs JAX on the CPU inside the block, where there is one, so that every machine makes the same data.

    Nor do the simulator's thousands of small steps pay on an accelerator.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(RuntimeError):  # JAX_PLATFORMS may rule the CPU out
            stack.enter_context(jax.default_device(jax.local_devices(backend="cpu")[0]))
        yield


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Runs JAX in float64 on the CPU inside the block and leaves the process's settings as they were."""
    with jax.enable_x64(), on_cpu():
        yield


@functools.lru_cache(maxsize=32)
def _mechanics(system_name: str, constants: tuple[tuple[str, float], ...]) -> _Mechanics:
    system = systems.get_system(system_name, **dict(constants))
    field = vector_field(system.hamiltonian)
    return _Mechanics(
        system.state_shape,
        jax.jit(lambda q, p: system.hamiltonian(PhaseState(q, p))),
        jax.jit(lambda q, p: field(PhaseState(q, p))),
    )


def _mechanics_of(simulation: Simulation) -> _Mechanics:
    return _mechanics(simulation.system, tuple(sorted(simulation.constants.items())))


def _generators(simulation: Simulation, split: str, chunk: int) -> dict[str, np.random.Generator]:
    """One independent random stream for each kind of draw."""
    streams = ("radius", "angle", "velocity", "noise")
    root = np.random.SeedSequence(simulation.seed, spawn_key=(SPLITS.index(split), chunk))
    return dict(zip(streams, map(np.random.default_rng, root.spawn(len(streams))), strict=True))


def _circle_in_phase_space(simulation, radius, angle, rng) -> PhaseState:
    """(q, p) = r (cos a, sin a): the mass on a spring and the pendulum."""
    del simulation, rng
    return PhaseState((radius * np.cos(angle))[:, None], (radius * np.sin(angle))[:, None])


def _perturbed_orbit(simulation, radius, angle, rng) -> PhaseState:
    """A circular orbit with the speed of each body perturbed and the total momentum then removed."""
    num_bodies = _mechanics_of(simulation).state_shape[0]
    with double_precision():
        orbit = systems.circular_orbit(num_bodies, radius, angle, **simulation.constants)
        q, p = np.asarray(orbit.q), np.asarray(orbit.p)
    p = p * (1.0 + simulation.velocity_perturbation * rng.standard_normal(p.shape[:2])[..., None])
    return PhaseState(q, p - p.mean(axis=1, keepdims=True))  # equal masses share the drift equally


_STARTS = {
    "mass_spring": _circle_in_phase_space,
    "pendulum": _circle_in_phase_space,
    "two_body": _perturbed_orbit,
    "three_body": _perturbed_orbit,
}


def initial_states(simulation: Simulation, split: str, chunk: int) -> PhaseState:
    """Draws the initial states of one chunk (Sec. 4 of the paper; A.1 of Greydanus et al. 2019).

    Radius and angle are independent and uniform. For one degree of freedom they are polar coordinates of (q, p). For n
    bodies they place the first on a circle about the origin and the others at equal angles from it, with tangential
    momenta of the circular orbit times 1 + velocity_perturbation * N(0, 1), less the mean momentum.

    Args:
      simulation: what to simulate.
      split: a name in `SPLITS`.
      chunk: number of the chunk, from 0.

    Returns:
      A `PhaseState` of float64 NumPy arrays `[CHUNK_SIZE, *state_shape]`.
    """
    rngs = _generators(simulation, split, chunk)
    radius = rngs["radius"].uniform(*simulation.radius_range, size=CHUNK_SIZE)
    angle = rngs["angle"].uniform(0.0, 2.0 * np.pi, size=CHUNK_SIZE)
    return _STARTS[simulation.system](simulation, radius, angle, rngs["velocity"])


def integrate_states(simulation: Simulation, start: PhaseState, tolerance: float) -> PhaseState:
    """Integrates Hamilton's equations (Eq. 3) from many states at once with scipy's DOP853.

    Args:
      simulation: names the system, `dt` and `num_steps`.
      start: initial `q` and `p`, `[batch, *state_shape]`.
      tolerance: relative and absolute tolerance; scipy's error norm averages over the batch.

    Returns:
      The path as float64 NumPy arrays, `q` and `p` of shape `[batch, num_steps + 1, *state_shape]`.

    Raises:
      SimulationError: if the solver gives up.
    """
    field = _mechanics_of(simulation).field
    shape = start.q.shape

    def derivative(_, flat_state):
        q, p = flat_state.reshape(2, *shape)
        slope = field(q, p)
        return np.concatenate([np.ravel(slope.q), np.ravel(slope.p)])

    times = simulation.dt * np.arange(simulation.num_steps + 1)
    flat_start = np.concatenate([np.ravel(start.q), np.ravel(start.p)])
    with double_precision():
        solution = integrate.solve_ivp(
            derivative, times[[0, -1]], flat_start, "DOP853", times, rtol=tolerance, atol=tolerance
        )
    if not solution.success:
        raise SimulationError(f"{simulation.system}: integration failed: {solution.message}")
    path = solution.y.reshape(2, *shape, times.size)
    return PhaseState(*np.moveaxis(path, -1, 2))


def _evaluate(simulation: Simulation, path: PhaseState) -> tuple[np.ndarray, PhaseState, np.ndarray]:
    """Energy, time derivatives and relative energy error along paths `[batch, T + 1, *state_shape]`."""
    mechanics = _mechanics_of(simulation)
    with double_precision():
        energy = np.asarray(mechanics.energy(path.q, path.p))
        slope = PhaseState(*map(np.asarray, mechanics.field(path.q, path.p)))
    drift = np.max(np.abs(energy - energy[:, :1]), axis=1)
    # A state at rest at the bottom has no energy to be relative to; its drift then counts as it is.
    scale = np.where(energy[:, 0] == 0.0, 1.0, np.abs(energy[:, 0]))
    return energy, slope, drift / scale


def _accurate_path(simulation: Simulation, start: PhaseState) -> PhaseState:
    """Integrates a chunk, then each trajectory whose energy drifts again, alone and at tighter tolerances."""
    path = integrate_states(simulation, start, _TOLERANCES[0])
    _, _, error = _evaluate(simulation, path)
    for bad in np.flatnonzero(~(error <= MAX_ENERGY_ERROR)):  # written so that a NaN is bad
        for tolerance in _TOLERANCES[1:]:
            again = integrate_states(simulation, PhaseState(start.q[[bad]], start.p[[bad]]), tolerance)
            _, _, [error_again] = _evaluate(simulation, again)
            if error_again <= MAX_ENERGY_ERROR:
                break
        else:
            raise SimulationError(
                f"{simulation.system}: relative energy error {error_again:.1e} exceeds {MAX_ENERGY_ERROR:.0e} even at"
                f" tolerance {tolerance:.0e}, from q = {start.q[bad].tolist()}, p = {start.p[bad].tolist()}"
            )
        path.q[bad], path.p[bad] = again.q[0], again.p[0]
    return path


def simulate_chunk(simulation: Simulation, split: str, chunk: int) -> Trajectories:
    """Simulates trajectories `chunk * CHUNK_SIZE` to `(chunk + 1) * CHUNK_SIZE` of a split.

    Args:
      simulation: what to simulate.
      split: a name in `SPLITS`; the splits draw from disjoint random streams.
      chunk: number of the chunk, from 0.

    Returns:
      `Trajectories` with N = `CHUNK_SIZE`, each of relative energy error at most `MAX_ENERGY_ERROR`.

    Raises:
      SimulationError: if a trajectory cannot be integrated that accurately; never wrong data.
    """
    path = _accurate_path(simulation, initial_states(simulation, split, chunk))
    energy, slope, error = _evaluate(simulation, path)
    q, p, dq_dt, dp_dt = (x.reshape(*x.shape[:2], -1) for x in (*path, *slope))
    noise = _generators(simulation, split, chunk)["noise"].standard_normal((2, *q.shape))
    observed_q, observed_p = np.stack([q, p]) + simulation.observation_noise * noise
    return Trajectories(q, p, dq_dt, dp_dt, energy, observed_q, observed_p, error)


def simulate(simulation: Simulation, split: str, num_trajectories: int) -> Iterator[Trajectories]:
    """Yields the first trajectories of a split, `num_trajectories` in all and at most `CHUNK_SIZE` at a time."""
    for chunk in range(-(-num_trajectories // CHUNK_SIZE)):
        wanted = num_trajectories - chunk * CHUNK_SIZE
        yield Trajectories(*(x[:wanted] for x in simulate_chunk(simulation, split, chunk)))
