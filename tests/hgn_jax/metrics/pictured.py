"""True systems as a model would see them: in units of the picture and with masses and times of its own."""

from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.physics.systems import System


def pictured(
    system: System, states: PhaseState, length: float, mass: float, time: float
) -> tuple[Hamiltonian, PhaseState]:
    """The energy and states `[n, d]` of a system in other units, as functions and arrays of shape `[n, d]`.

    Args:
      system: The system.
      states: Its states, `[n, ...]`.
      length: A unit of the new coordinates in units of the system.
      mass: A unit of the new momenta in units of the system.
      time: A unit of the new time in units of the system.
    """

    def hamiltonian(state: PhaseState):
        q, p = (x.reshape(len(x), *system.state_shape) for x in state)
        return system.hamiltonian(PhaseState(length * q, mass * p)) * time / (length * mass)

    scaled = PhaseState(states.q / length, states.p / mass)
    return hamiltonian, PhaseState(*(x.reshape(len(x), -1) for x in scaled))
