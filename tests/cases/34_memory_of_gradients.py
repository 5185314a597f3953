"""With the reversible adjoint the memory of a gradient does not grow with the number of substeps."""

import sys

import jax
import jax.numpy as jnp

from hgn_jax import PhaseState, rollout, systems


def kilobytes(substeps):
    def last(q):
        path = rollout(
            systems.pendulum().hamiltonian, PhaseState(q, q), 1.0, 1, substeps=substeps, adjoint="reversible"
        )
        return path.q[-1].sum()

    return jax.jit(jax.grad(last)).lower(jnp.ones((500, 1))).compile().memory_analysis().temp_size_in_bytes / 1e3


few, many = kilobytes(100), kilobytes(100_000)
if many > 1.5 * few:
    sys.exit(f"FAULT: {few:.0f} kB through 100 substeps, {many:.0f} kB through 100 000")
if "reversible" not in rollout.__doc__:
    sys.exit("FAULT: the documentation does not say so")
print("OK")
