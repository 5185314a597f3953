"""The law of motion, read off a trained HGN and compared with the true one where that is known.

It can be read where a state means something: points in the picture, or one number for a system with one coordinate.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.clips.prediction import CompiledDynamics
from experiments.clips.results import Law, PairLaw
from experiments.hgn import law_pictures
from experiments.hgn.film_law import draw_film
from experiments.hgn.law_pictures import Attraction, Curve, Units
from experiments.reporting.names import pretty
from experiments.run.trainer import Run
from hgn_jax.metrics import attraction
from hgn_jax.metrics import law as metrics
from hgn_jax.networks.keypoints import HALF_WIDTH
from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState

_NUM_BODIES = {"two_body": 2, "three_body": 3}
_NO_TRUE_LAW = "needs the true law, which is not known for films"
_NOT_A_STATE = "needs a state of keypoints, or of one number for a system with one coordinate"
_NOT_TWO_RODS = "needs the angles of two rods as a state, chart=rods num_keypoints=2"
_MANY_CONSTANTS = "each trajectory of this data set has its own constants"
_RESIDUAL = "per cent of the true range"
_CANVAS = Units("canvas units", "unit of time")
_NOT_FINITE = "the rollouts of the model leave the range of numbers"
_MIN_STATES, _MAX_STATES = 50, 4000

Draw = Callable[[], Figure]


class LawReading(NamedTuple):
    """The law that was read off a model.

    Attributes:
      law: The numbers; None where they could not be measured.
      not_measured: The reason, if so.
      draw: Draws the picture; None where there is none.
    """

    law: Law | None
    not_measured: str | None = None
    draw: Draw | None = None


class _Visited(NamedTuple):
    """A model at the states that rollouts of test clips visit.

    Attributes:
      hamiltonian: The learned energy.
      states: States, q and p of shape `[n, d]`.
      true_q: True positions in the same states, `[n, coordinates]`; None for films.
      time: Unit of time of the energy in that of the true system.
    """

    hamiltonian: Hamiltonian
    states: PhaseState
    true_q: np.ndarray | None
    time: float


def measure_law(run: Run, dynamics: CompiledDynamics, examples: Mapping[str, np.ndarray]) -> LawReading:
    """Reads the law off a trained HGN, in the states of rollouts from the middle of test clips to both their ends.

    Args:
      run: The run.
      dynamics: Its model.
      examples: `image` of test clips, `[clips, time, size, size, 3]`, and true positions `q`, `[clips, time, d]`; no
        positions for films.
    """
    if run.config.latent == "spatial":
        return LawReading(None, _NOT_A_STATE)
    num_frames = run.data.num_frames
    path = _roll_outward(dynamics, examples["image"][:, :num_frames])
    return read_law(run, path, examples["q"][:, :num_frames] if "q" in examples else None)


def _roll_outward(dynamics: CompiledDynamics, frames: np.ndarray) -> PhaseState:
    """States at the times of frames `[clips, time, size, size, 3]`, `[clips, time, ...]`, seen in the middle."""
    first = (frames.shape[1] - dynamics.num_seen) // 2
    path = dynamics.infer_path(frames[:, first : first + dynamics.num_seen], first, frames.shape[1])
    return PhaseState(*(np.swapaxes(x, 0, 1) for x in path))


def read_law(run: Run, path: PhaseState, true_q: np.ndarray | None = None) -> LawReading:
    """Reads the law off a trained HGN.

    Args:
      run: The run.
      path: States along rollouts of test clips, q and p of shape `[clips, time, ...]`.
      true_q: True positions at the same times, `[clips, time, coordinates]`. For films there are none: the law is then
        drawn in pixels and frames, and nothing is measured.
    """
    visited = _visit(run, path, true_q)
    if len(visited.states.q) < _MIN_STATES:
        return LawReading(None, _NOT_FINITE)
    if true_q is None:
        return LawReading(None, _NO_TRUE_LAW, draw_film(run, visited.hamiltonian, visited.states))
    metadata = run.data.metadata
    if (obstacle := _obstacle(run.config, metadata)) is not None:
        return LawReading(None, obstacle)
    try:
        law, draw = _READERS[metadata["system"]](run, visited)
    except ValueError as error:
        return LawReading(None, str(error))
    if (rates := run.model.friction(run.state.params)) is not None:
        law.friction = float(np.mean(rates)) / visited.time
        law.true_friction = _true_friction(metadata)
    return LawReading(law, None, draw)


def _visit(run: Run, path: PhaseState, true_q: np.ndarray | None) -> _Visited:
    """Returns the model at the finite states of the path, or at a regular choice of them."""
    flat = PhaseState(*(np.asarray(x).reshape(-1, x.shape[-1]) for x in path))
    finite = np.flatnonzero(np.isfinite(np.concatenate(flat, axis=-1)).all(axis=-1))
    chosen = finite[:: max(1, math.ceil(len(finite) / _MAX_STATES))]
    return _Visited(
        hamiltonian=run.model.hamiltonian(run.state.params),
        states=PhaseState(*(x[chosen] for x in flat)),
        true_q=None if true_q is None else np.asarray(true_q).reshape(-1, true_q.shape[-1])[chosen],
        time=run.data.metadata.get("dt", run.config.dt) / run.config.dt,
    )


def _obstacle(config: Any, metadata: Mapping[str, Any]) -> str | None:
    """Returns why the law of a system cannot be read off a model with this configuration; None if it can."""
    system = metadata["system"]
    if system not in _READERS:
        return f"no law is read off for {pretty(system)}"
    if metadata.get("constant_ranges"):
        return _MANY_CONSTANTS
    if system == "double_pendulum":
        return None if (config.chart, config.num_keypoints) == ("rods", 2) else _NOT_TWO_RODS
    bodies = _NUM_BODIES.get(system)
    if config.latent == "keypoints" and config.chart == "none":
        wanted = bodies or 1
        return None if config.num_keypoints == wanted else f"needs num_keypoints={wanted} for {pretty(system)}"
    return _NOT_A_STATE if bodies or config.state_channels != 1 else None


def _true_friction(metadata: Mapping[str, Any]) -> float:
    """The rate at which momenta decay: dp/dt = -dH/dq - damping dH/dp, and dH/dp is p over the inertia."""
    constants = metadata["constants"]
    return metadata.get("damping", 0.0) / (constants["m"] * constants.get("l", 1.0) ** 2)


def _read_bodies(run: Run, visited: _Visited) -> tuple[Law, Draw]:
    metadata = run.data.metadata
    length = metrics.canvas_scale(HALF_WIDTH, metadata["canvas"]["half_width"], run.config.image_size)
    motions = attraction.pair_motions(visited.hamiltonian, visited.states, length, visited.time)
    laws = [attraction.power_law(motion.distance, motion.acceleration) for motion in motions]
    own = _own_exponents(run.config, visited)
    names = [f"{i + 1}-{j + 1}" for i, j in (motion.bodies for motion in motions)]
    pairs = {
        name: PairLaw(
            exponent=law.exponent,
            flatness=law.flatness,
            mass_ratio=motion.mass_ratio,
            constant=law.strength,
            own_exponent=own_exponent,
        )
        for name, motion, law, own_exponent in zip(names, motions, laws, own, strict=True)
    }
    true_constant = metadata["constants"]["g"] * metadata["constants"]["m"]
    law = Law(
        exponent=max((pair.exponent for pair in pairs.values()), key=lambda exponent: abs(exponent + 2.0)),
        flatness=max(pair.flatness for pair in pairs.values()),
        mass_ratio=max(pair.mass_ratio for pair in pairs.values()),
        constant=max((pair.constant for pair in pairs.values()), key=lambda constant: abs(constant - true_constant)),
        true_constant=true_constant,
        system=metadata["system"],
        pairs=pairs,
    )
    attractions = [
        Attraction(
            f"learned{f', bodies {name}' * (len(names) > 1)}: $r^{{{law.exponent:.2f}}}$",
            motion.distance,
            motion.acceleration,
        )
        for name, motion, law in zip(names, motions, laws, strict=True)
    ]
    range_ = min(law.visited[0] for law in laws), max(law.visited[1] for law in laws)
    title = f"{pretty(metadata['system'])}: the law of force, learned from films"
    return law, functools.partial(law_pictures.draw_attraction, title, attractions, range_, _CANVAS, true_constant)


def _own_exponents(config: Any, visited: _Visited) -> list[float | None]:
    """The exponents of the potentials of the pairs alone, None for a potential that is not a sum over pairs."""
    places = visited.states.q.reshape(len(visited.states.q), -1, 2)
    pairs = attraction.own_pair_forces(metrics.potential(visited.hamiltonian), places)
    exponents: list[float | None] = []
    for distance, force in zip(pairs.distance.T, pairs.attraction.T, strict=True):
        try:
            exponents.append(attraction.power_law(distance, force).exponent)
        except ValueError:
            exponents.append(None)
    return exponents if config.hamiltonian_network == "pairwise" else [None] * len(exponents)


def _law_of_coordinates(**fields: Any) -> Law:
    """Returns the law of a system in which no body pulls another."""
    return Law(exponent=None, flatness=None, mass_ratio=None, **fields)


def _read_pendulum(run: Run, visited: _Visited) -> tuple[Law, Draw]:
    system = systems.get_system("pendulum", **run.data.metadata["constants"])
    energy = np.asarray(metrics.potential(visited.hamiltonian)(jnp.asarray(visited.states.q)), np.float64)
    angle = visited.true_q[:, 0]
    fit = metrics.linear_fit(1.0 - np.cos(angle), energy)
    constants = system.constants
    frequency = None
    if visited.states.q.shape[1] == 1:
        frequency = metrics.small_angle_frequency(visited.hamiltonian, visited.states.q) / visited.time
    law = _law_of_coordinates(
        constant=frequency,
        true_constant=float(np.sqrt(constants["potential_factor"] * constants["g"] / constants["l"])),
        system="pendulum",
        r_squared=fit.r_squared,
    )
    depth = constants["potential_factor"] * constants["m"] * constants["g"] * constants["l"]
    curve = Curve(
        x=angle,
        learned=depth * (energy - fit.intercept) / fit.slope,
        true=depth * (1.0 - np.cos(angle)),
        label=f"learned, R² = {fit.r_squared:.4f}",
        true_label=f"true: {constants['potential_factor']:g} m g l (1 - cos q)",
        axes=("true angle q", "potential energy"),
    )
    title = "pendulum: the potential, learned from films"
    return law, functools.partial(law_pictures.draw_curve, title, curve, _RESIDUAL)


def _read_spring(run: Run, visited: _Visited) -> tuple[Law, Draw]:
    constants = run.data.metadata["constants"]
    displacement = visited.true_q[:, 0]
    force = metrics.spring_force(visited.hamiltonian, visited.states, displacement, visited.time)
    frequency = float(np.sqrt(constants["k"] / constants["m"]))
    law = _law_of_coordinates(
        constant=force.frequency,
        true_constant=frequency,
        system="mass_spring",
        r_squared=force.r_squared,
    )
    curve = Curve(
        x=displacement,
        learned=constants["m"] * force.acceleration,
        true=-constants["k"] * displacement,
        label=f"learned, R² = {force.r_squared:.4f}, ω = {force.frequency:.3f}",
        true_label=f"true: -{constants['k']:g} q, ω = {frequency:g}",
        axes=("true displacement q", "force"),
    )
    title = "mass-spring: the force, learned from films"
    return law, functools.partial(law_pictures.draw_curve, title, curve, _RESIDUAL)


def _read_double_pendulum(run: Run, visited: _Visited) -> tuple[Law, Draw]:
    m1, m2, g, l1, l2 = (run.data.metadata["constants"][name] for name in ("m1", "m2", "g", "l1", "l2"))
    chain = metrics.chain_of_rods(visited.hamiltonian, visited.states, visited.time)
    law = _law_of_coordinates(
        constant=chain.gravity,
        true_constant=g / l2,
        system="double_pendulum",
        r_squared=chain.r_squared,
        inertia=list(chain.inertia),
        true_inertia=[(m1 + m2) / m2 * (l1 / l2) ** 2, l1 / l2],
    )
    inertia = m2 * l2**2
    upper, lower = (1.0 - np.cos(visited.states.q)).T
    true = (m1 + m2) * g * l1 * upper + m2 * g * l2 * lower
    curve = Curve(
        x=true,
        learned=inertia * chain.potential,
        true=true,
        label=f"learned, R² = {chain.r_squared:.4f}, g / l = {chain.gravity:.3f}",
        true_label=f"true: g / l = {g / l2:g}",
        axes=("true potential energy at the same angles", "potential energy"),
    )
    title = "double pendulum: the potential, learned from films"
    return law, functools.partial(law_pictures.draw_curve, title, curve, _RESIDUAL)


_READERS = {
    "double_pendulum": _read_double_pendulum,
    "two_body": _read_bodies,
    "three_body": _read_bodies,
    "pendulum": _read_pendulum,
    "mass_spring": _read_spring,
}
