"""Finds the constants of a Hamiltonian from a path, by gradients through its rollout.

A cart on a spring pulls a pendulum: H = (P^2 + p^2) / 2 + k Q^2 / 2 + w (1 - cos(a - Q)), where Q is the place of the
cart and a the angle. A state may be any pytree, here one of named coordinates. The stiffness k and the weight w are
found again from the cart's path alone. The gradient runs back through 2000 steps and keeps only the recorded ones.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hgn_jax import PhaseState, rollout, separable

TRUE = {"stiffness": 2.0, "weight": 3.0}


def hamiltonian(constants: dict[str, jax.Array]):
    """The energy, one number for each example of a batch."""

    def kinetic(p):
        return 0.5 * (p["cart"] ** 2 + p["angle"] ** 2)

    def potential(q):
        spring = 0.5 * constants["stiffness"] * q["cart"] ** 2
        return spring + constants["weight"] * (1.0 - jnp.cos(q["angle"] - q["cart"]))

    return separable(kinetic, potential)


def cart_path(constants: dict[str, jax.Array], start: PhaseState) -> jax.Array:
    """The places of the cart at 41 times, `[41, batch]`."""
    options = {"num_steps": 40, "substeps": 50, "integrator": "leapfrog", "adjoint": "reversible"}
    return rollout(hamiltonian(constants), start, dt=0.1, **options).q["cart"]


def main(num_steps: int = 300) -> dict[str, float]:
    rng = np.random.default_rng(0)
    draw = lambda: {"cart": rng.normal(size=8), "angle": rng.normal(size=8)}
    start = PhaseState(q=draw(), p=draw())
    observed = cart_path(TRUE, start)

    def loss(constants):
        return jnp.mean((cart_path(constants, start) - observed) ** 2)

    optimizer = optax.adam(0.05)
    constants = {"stiffness": jnp.array(1.0), "weight": jnp.array(1.0)}
    optimizer_state = optimizer.init(constants)

    @jax.jit
    def update(constants, optimizer_state):
        value, gradient = jax.value_and_grad(loss)(constants)
        change, optimizer_state = optimizer.update(gradient, optimizer_state)
        return optax.apply_updates(constants, change), optimizer_state, value

    for step in range(1, num_steps + 1):
        constants, optimizer_state, value = update(constants, optimizer_state)
        if step % 50 == 0:
            print(f"step {step}: loss {value:.2e}, " + ", ".join(f"{name} {x:.4f}" for name, x in constants.items()))
    return {name: float(x) for name, x in constants.items()}


if __name__ == "__main__":
    main()
