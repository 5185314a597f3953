"""The coefficients of the integrators, of which `hgn_jax.physics.integrators` makes step functions.

No JAX here: the names are known, and configurations checked, before it is imported.
"""

from typing import NamedTuple


class RungeKutta(NamedTuple):
    """An explicit Runge-Kutta method whose stage i starts from the slope of stage i - 1 alone."""

    name: str
    order: int
    nodes: tuple[float, ...]
    weights: tuple[float, ...]


class Splitting(NamedTuple):
    """A composition kick, drift, kick, ..., drift, kick with one more kick than drifts."""

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
