"""Ground-truth trajectories of the true systems (Sec. 4 of the paper), float64 and vectorised over trajectories.

Every chunk of `draws` is simulated as a whole, so that a trajectory does not depend on the number of trajectories.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from data_builders.errors import DatasetError
from data_builders.simulation import draws
from data_builders.simulation.draws import Constants, Simulation
from data_builders.simulation.precision import double_precision
from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import vector_field
from hgn_jax.physics.phase_space import PhaseState

MAX_ENERGY_ERROR = 1e-8

# Relative and absolute tolerances of DOP853. The first is for a whole chunk. The others are for single trajectories
# that exceed MAX_ENERGY_ERROR: scipy's error norm is a mean over the chunk, which can hide one close encounter among
# many calm orbits.
_TOLERANCES = (1e-12, 1e-13, 3e-14)

# Maximum number of new draws of a start whose bodies come too close for float64. If that were common, it would distort
# the distribution of the starts, and something else would be wrong.
_MAX_REDRAWS = 5


# Largest number of evaluations of the equations of motion, on average from one recorded state to the next. The systems
# with their own constants take about a hundred; a chunk with ten thousand takes minutes.
_MAX_EVALUATIONS_PER_STEP = 10_000


class SimulationError(DatasetError):
    """A trajectory could not be integrated to the required accuracy."""


class Trajectories(NamedTuple):
    """N simulated trajectories of T + 1 recorded states with d coordinates (2n for n bodies), float64.

    Attributes:
      q: Noise-free positions, `[N, T + 1, d]`.
      p: Noise-free momenta, `[N, T + 1, d]`.
      dq_dt: dH/dp at (q, p), `[N, T + 1, d]`.
      dp_dt: -dH/dq - damping dH/dp at (q, p), `[N, T + 1, d]`.
      energy: H(q, p), `[N, T + 1]`.
      observed_q: `q` with observation noise, `[N, T + 1, d]`.
      observed_p: `p` with observation noise, `[N, T + 1, d]`.
      energy_error: Largest |H_t + W_t - H_0| / |H_0| over the trajectory, `[N]`. W_t is the energy lost to friction up
        to that time, integrated with the trajectory; it is 0 without damping.
      num_redrawn: Number of starts that were discarded before this one, int64 `[N]`; see `simulate_chunk`.
    """

    q: np.ndarray
    p: np.ndarray
    dq_dt: np.ndarray
    dp_dt: np.ndarray
    energy: np.ndarray
    observed_q: np.ndarray
    observed_p: np.ndarray
    energy_error: np.ndarray
    num_redrawn: np.ndarray


class _Mechanics(NamedTuple):
    """A system's compiled functions of `q` and `p`, `[batch, *state_shape]`, and of the constants that each draws.

    Attributes:
      energy: The Hamiltonian, `[batch]`.
      field: The time derivatives of `q` and `p`.
      flat_field: The derivative of the solver's flat state; also takes the shape of `q`.
    """

    energy: Callable[[np.ndarray, np.ndarray, Constants], jax.Array]
    field: Callable[[np.ndarray, np.ndarray, Constants], PhaseState]
    flat_field: Callable[[np.ndarray, Constants, tuple[int, ...]], jax.Array]


class _Solution(NamedTuple):
    """Paths, `[batch, T + 1, *state_shape]`, and the energy lost to friction up to each time, `[batch, T + 1]`."""

    path: PhaseState
    dissipated: np.ndarray


@functools.lru_cache(maxsize=32)
def _mechanics(system_name: str, shared: tuple[tuple[str, float], ...], damping: float) -> _Mechanics:
    def energy(q, p, drawn):
        return systems.get_system(system_name, **dict(shared), **drawn).hamiltonian(PhaseState(q, p))

    def field(q, p, drawn):
        slope = vector_field(lambda state: energy(*state, drawn))(PhaseState(q, p))
        return PhaseState(slope.q, slope.p - damping * slope.q) if damping else slope

    def vectorised(function):  # over trajectories, if they have constants of their own
        return jax.jit(lambda q, p, drawn: (jax.vmap(function) if drawn else function)(q, p, drawn))

    def flat_field(flat_state, drawn, shape):
        q, p = flat_state[: 2 * math.prod(shape)].reshape(2, *shape)
        slope = vectorised(field)(q, p, drawn)
        parts = [slope.q.ravel(), slope.p.ravel()]
        if damping:
            parts.append(damping * jnp.sum(jnp.square(slope.q).reshape(shape[0], -1), axis=1))
        return jnp.concatenate(parts)

    # One call with one array in and out: the overhead of a solver's thousands of calls exceeds their computation.
    return _Mechanics(vectorised(energy), vectorised(field), jax.jit(flat_field, static_argnums=2))


def _mechanics_of(simulation: Simulation) -> _Mechanics:
    shared = {name: value for name, value in simulation.constants.items() if name not in simulation.constant_ranges}
    return _mechanics(simulation.system, tuple(sorted(shared.items())), simulation.damping)


def integrate_states(
    simulation: Simulation, start: PhaseState, tolerance: float, drawn: Constants | None = None
) -> PhaseState:
    """Integrates the equations of motion from many states at once with scipy's DOP853.

    These are Hamilton's equations (Eq. 3), with friction -gamma dH/dp added to dp/dt if `damping` is not 0.

    Args:
      simulation: Settings, of which the system, `damping`, `dt` and `num_steps` count.
      start: Initial `q` and `p`, `[batch, *state_shape]`.
      tolerance: Relative and absolute tolerance; scipy's error norm averages over the batch.
      drawn: Constants that differ between trajectories, each `[batch, ...]`.

    Returns:
      The path as float64 NumPy arrays, `q` and `p` of shape `[batch, num_steps + 1, *state_shape]`.

    Raises:
      SimulationError: If the solver fails.
    """
    return _integrate(simulation, start, tolerance, drawn or {}).path


def _integrate(simulation: Simulation, start: PhaseState, tolerance: float, drawn: Constants) -> _Solution:
    """With friction, also integrates the energy lost to it: dW/dt = gamma |dH/dp|^2 = -dH/dt."""
    flat_field = _mechanics_of(simulation).flat_field
    shape, size = start.q.shape, start.q.size
    times = simulation.dt * np.arange(simulation.num_steps + 1)
    dissipated = np.zeros(shape[0] if simulation.damping else 0)
    flat_start = np.concatenate([np.ravel(start.q), np.ravel(start.p), dissipated])
    with double_precision(), np.errstate(all="ignore"):  # a step that is too long is repeated
        on_device = jax.tree.map(jnp.asarray, dict(drawn))
        derivative = _limited(
            lambda _, flat_state: np.asarray(flat_field(flat_state, on_device, shape)), simulation, flat_start
        )
        solution = integrate.solve_ivp(
            derivative, times[[0, -1]], flat_start, "DOP853", times, rtol=tolerance, atol=tolerance
        )
    if not solution.success:
        raise SimulationError(
            f"the solver failed ({solution.message.rstrip('.')}) for a trajectory {_advice(simulation)}"
        )
    path = solution.y[: 2 * size].reshape(2, *shape, times.size)
    dissipated = solution.y[2 * size :] if simulation.damping else np.zeros((shape[0], times.size))
    return _Solution(PhaseState(*np.moveaxis(path, -1, 2)), dissipated)


def _advice(simulation: Simulation) -> str:
    constants = ", ".join(f"{name}={value:g}" for name, value in simulation.constants.items())
    return f"of {simulation.system}; change dt={simulation.dt:g}, damping={simulation.damping:g} or {constants}"


def _limited(
    derivative: Callable[[float, np.ndarray], np.ndarray], simulation: Simulation, start: np.ndarray
) -> Callable[[float, np.ndarray], np.ndarray]:
    """Makes the equations of motion raise SimulationError where the solver would never end.

    That is where they have no finite value at the start, or where their motion is too fast for the time step.
    """
    remaining = _MAX_EVALUATIONS_PER_STEP * (simulation.num_steps + 1)
    if not np.isfinite(derivative(0.0, start)).all():
        raise SimulationError(f"the equations of motion have no finite value at a start {_advice(simulation)}")

    def limited(time: float, state: np.ndarray) -> np.ndarray:
        nonlocal remaining
        remaining -= 1
        if remaining < 0:
            raise SimulationError(f"the time between two frames is too long for the motion {_advice(simulation)}")
        return derivative(time, state)

    return limited


def _evaluate(
    simulation: Simulation, solution: _Solution, drawn: Constants
) -> tuple[np.ndarray, PhaseState, np.ndarray]:
    """Returns energies and time derivatives along paths, and the largest relative energy error of each path."""
    mechanics = _mechanics_of(simulation)
    with double_precision():
        energy = np.asarray(mechanics.energy(*solution.path, drawn))
        slope = PhaseState(*map(np.asarray, mechanics.field(*solution.path, drawn)))
    drift = np.max(np.abs(energy + solution.dissipated - energy[:, :1]), axis=1)
    # A state at rest at the minimum has no energy to compare with; its drift is then taken as absolute.
    scale = np.where(energy[:, 0] == 0.0, 1.0, np.abs(energy[:, 0]))
    return energy, slope, drift / scale


def _accurate_solution(simulation: Simulation, start: PhaseState, drawn: Constants) -> tuple[_Solution, np.ndarray]:
    """Integrates a chunk, then each trajectory with a large energy error again, alone and at tighter tolerances.

    Returns:
      The solution, and the largest relative energy error of each trajectory, `[batch]`.
    """
    solution = _integrate(simulation, start, _TOLERANCES[0], drawn)
    _, _, error = _evaluate(simulation, solution, drawn)
    for bad in np.flatnonzero(~(error <= MAX_ENERGY_ERROR)):  # a NaN is bad
        alone = jax.tree.map(lambda x, row=bad: x[[row]], (start, dict(drawn)))
        for tolerance in _TOLERANCES[1:]:
            again = _integrate(simulation, alone[0], tolerance, alone[1])
            _, _, [error[bad]] = _evaluate(simulation, again, alone[1])
            if error[bad] <= MAX_ENERGY_ERROR:
                break
        _put(solution, bad, again)
    return solution, error


def follow(simulation: Simulation, start: PhaseState, drawn: Constants | None = None) -> tuple[PhaseState, np.ndarray]:
    """Integrates given states as accurately as those of a data set, where this is possible.

    Args:
      simulation: Settings, of which the system, `damping`, `num_steps` and `dt` count; `dt` may be negative.
      start: Initial `q` and `p`, `[batch, *state_shape]`.
      drawn: Constants that differ between trajectories, each `[batch, ...]`.

    Returns:
      The path as float64 NumPy arrays, `[batch, num_steps + 1, *state_shape]`; and whether the relative energy error of
      each trajectory is at most `MAX_ENERGY_ERROR`, bool `[batch]`. The other trajectories must not be used.
    """
    drawn = dict(drawn or {})
    try:
        solution, error = _accurate_solution(simulation, start, drawn)
        return solution.path, error <= MAX_ENERGY_ERROR
    except SimulationError:  # does not tell which trajectory failed
        if len(start.q) == 1:
            lost = np.full((1, simulation.num_steps + 1, *start.q.shape[1:]), np.nan)
            return PhaseState(lost, lost), np.zeros(1, bool)
    rows = [jax.tree.map(lambda x, row=row: x[[row]], (start, drawn)) for row in range(len(start.q))]
    alone = [follow(simulation, *row) for row in rows]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *alone)


def _put(solution: _Solution, row: int, alone: _Solution) -> None:
    """Replaces one trajectory of a solution."""
    for whole, part in zip(jax.tree.leaves(solution), jax.tree.leaves(alone), strict=True):
        whole[row] = part[0]


def _solve_chunk(simulation: Simulation, split: str, chunk: int, drawn: Constants) -> tuple[_Solution, np.ndarray]:
    """Returns the solution of a chunk, and the number of discarded starts of each trajectory, `[CHUNK_SIZE]`."""
    solution, error = _accurate_solution(simulation, draws.initial_states(simulation, split, chunk, 0, drawn), drawn)
    num_redrawn = np.zeros(len(error), np.int64)
    for bad in np.flatnonzero(~(error <= MAX_ENERGY_ERROR)):
        constants = {name: value[[bad]] for name, value in drawn.items()}
        for attempt in range(1, _MAX_REDRAWS + 1):
            starts = draws.initial_states(simulation, split, chunk, attempt, drawn)
            alone, [error_again] = _accurate_solution(
                simulation, PhaseState(starts.q[[bad]], starts.p[[bad]]), constants
            )
            if error_again <= MAX_ENERGY_ERROR:
                break
        else:
            index = chunk * draws.CHUNK_SIZE + bad
            raise SimulationError(
                f"{simulation.system}: relative energy error {error_again:.1e} exceeds {MAX_ENERGY_ERROR:.0e} even at"
                f" tolerance {_TOLERANCES[-1]:.0e}, in {attempt + 1} draws of trajectory {index}"
            )
        num_redrawn[bad] = attempt
        _put(solution, bad, alone)
    return solution, num_redrawn


def simulate_chunk(simulation: Simulation, split: str, chunk: int) -> Trajectories:
    """Simulates trajectories `chunk * CHUNK_SIZE` to `(chunk + 1) * CHUNK_SIZE` of a split.

    If three bodies come so close that float64 cannot conserve their energy, their start is drawn again. This is rare;
    `num_redrawn` counts it.

    Args:
      simulation: Settings of the trajectories.
      split: Name of the split, in `draws.SPLITS`; the splits draw from disjoint random streams.
      chunk: Number of the chunk, from 0.

    Returns:
      `Trajectories` with N = `CHUNK_SIZE`, each with a relative energy error of at most `MAX_ENERGY_ERROR`.

    Raises:
      SimulationError: If a trajectory cannot be integrated that accurately.
    """
    drawn = draws.draw_constants(simulation, split, chunk)
    solution, num_redrawn = _solve_chunk(simulation, split, chunk, drawn)
    energy, slope, error = _evaluate(simulation, solution, drawn)
    q, p, dq_dt, dp_dt = (x.reshape(*x.shape[:2], -1) for x in (*solution.path, *slope))
    noise = draws.generators(simulation, split, chunk)["noise"].standard_normal((2, *q.shape))
    observed_q, observed_p = np.stack([q, p]) + simulation.observation_noise * noise
    return Trajectories(q, p, dq_dt, dp_dt, energy, observed_q, observed_p, error, num_redrawn)


def simulate(simulation: Simulation, split: str, num_trajectories: int) -> Iterator[Trajectories]:
    """Yields the first trajectories of a split, `num_trajectories` in all and at most `CHUNK_SIZE` at a time."""
    for chunk in range(-(-num_trajectories // draws.CHUNK_SIZE)):
        wanted = num_trajectories - chunk * draws.CHUNK_SIZE
        yield Trajectories(*(x[:wanted] for x in simulate_chunk(simulation, split, chunk)))
