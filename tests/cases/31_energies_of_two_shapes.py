"""A kinetic energy without the sum over the coordinate is refused: broadcast, a batch of n moved n times too fast."""

import sys

import numpy as np

from hgn_jax import PhaseState, rollout, separable

ones = np.ones((5, 1))
unsummed = separable(kinetic=lambda p: p**2 / 2, potential=lambda q: (q**2 / 2).sum(-1))
try:
    end = rollout(unsummed, PhaseState(ones, 0 * ones), 0.1, 10).q[-1, 0, 0]
except ValueError as error:
    if len(str(error).splitlines()) > 1 or "(5, 1)" not in str(error):
        sys.exit(f"FAULT: not one line that names the shape: {error}")
else:
    sys.exit(f"FAULT: moves to {end:.3f} instead of {np.cos(1.0):.3f}")

summed = separable(kinetic=lambda p: (p**2 / 2).sum(-1), potential=lambda q: 0.0)
end = rollout(summed, PhaseState(ones, ones), 0.1, 10).q[-1]
if not np.allclose(end, 2.0, atol=1e-5):
    sys.exit(f"FAULT: with a constant potential it moves to {end.ravel()} instead of 2")
print("OK")
