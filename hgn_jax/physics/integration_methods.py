"""The coefficients of the integrators; `hgn_jax.physics.integrators` turns them into step functions.

This file imports no JAX, so that configurations can check names of integrators without it.
"""

from typing import NamedTuple


class RungeKutta(NamedTuple):
    """An explicit Runge-Kutta method in which stage i starts from the slope of stage i - 1 alone.

    Attributes:
      name: Name of the method.
      order: Order of convergence: the global error is O(dt^order).
      nodes: Time of each stage as a fraction of the step.
      weights: Weight of the slope of each stage in the step.
    """

    name: str
    order: int
    nodes: tuple[float, ...]
    weights: tuple[float, ...]


class Splitting(NamedTuple):
    """A composition kick, drift, kick, ..., drift, kick with one more kick than drifts.

    Attributes:
      name: Name of the method.
      order: Order of convergence for separable Hamiltonians: the global error is O(dt^order).
      kicks: Length of each kick (p moves by the force) as a fraction of the step.
      drifts: Length of each drift (q moves by the velocity) as a fraction of the step.
    """

    name: str
    order: int
    kicks: tuple[float, ...]
    drifts: tuple[float, ...]


# Yoshida (1990), Phys. Lett. A 150, Eq. 2.11: three leapfrog steps of lengths w1, w0, w1.
_W1 = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
_W0 = 1.0 - 2.0 * _W1

METHODS: tuple[RungeKutta | Splitting, ...] = (
    RungeKutta("euler", order=1, nodes=(0.0,), weights=(1.0,)),  # Eqs. 16-17
    Splitting("symplectic_euler", order=1, kicks=(1.0, 0.0), drifts=(1.0,)),
    Splitting("leapfrog", order=2, kicks=(0.5, 0.5), drifts=(1.0,)),  # Eqs. 24-25, with dT/dp for p
    Splitting(
        "yoshida4",
        order=4,
        kicks=(_W1 / 2, (_W1 + _W0) / 2, (_W0 + _W1) / 2, _W1 / 2),
        drifts=(_W1, _W0, _W1),
    ),
    RungeKutta("rk4", order=4, nodes=(0.0, 0.5, 0.5, 1.0), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6)),  # Eqs. 18-22
)

# How a rollout is differentiated: by keeping all intermediate values, or by reconstructing states backwards.
ADJOINTS = ("direct", "reversible")
