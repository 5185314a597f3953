"""A dt of shape [batch] belongs to the examples, also where there are as many coordinates as examples."""

import sys

import numpy as np

from hgn_jax import PhaseState, rollout, systems

steps, oscillator = np.array([0.01, 0.02, 0.03]), systems.mass_spring(k=1.0, m=1.0).hamiltonian
for shape in ((3, 1), (3, 3), (3, 2)):
    path = rollout(oscillator, PhaseState(np.ones(shape), np.zeros(shape)), steps, 40)
    exact = np.broadcast_to(np.cos(40 * steps)[:, None], shape)
    if not np.allclose(path.q[-1], exact, atol=1e-3):
        sys.exit(f"FAULT: states of shape {shape} end at {path.q[-1].tolist()} instead of {exact.tolist()}")
print("OK")
