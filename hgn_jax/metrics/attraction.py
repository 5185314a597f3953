"""The attraction between bodies, read off a learned Hamiltonian, as a power of their distance.

Bodies are points in a plane. Pairs are in the order (0, 1), (0, 2), (1, 2), and so on.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.metrics.law import forces_at_rest, inverse_masses, linear_fit
from hgn_jax.physics.hamiltonian import Hamiltonian
from hgn_jax.physics.phase_space import PhaseState

FITTED_QUANTILES = (0.02, 0.98)  # of the visited distances, for the exponent
FLAT_QUANTILES = (0.1, 0.9)  # for the flatness and the strength
_NUM_BINS = 8
_SMALLEST_ATTRACTION = 0.9  # fraction of the states; a law fitted to fewer would be one of the others' making
_SMALLEST_SINGULAR_VALUE = 0.3  # three bodies nearly in a line do not tell which of them pulls


class PairForces(NamedTuple):
    """Central forces between bodies, a column for each pair.

    Attributes:
      distance: Distance of the two bodies, `[n, pairs]`.
      attraction: Force on either body towards the other, `[n, pairs]`; negative if they repel.
    """

    distance: np.ndarray
    attraction: np.ndarray


class PairMotion(NamedTuple):
    """The motion of two bodies towards each other in the visited states.

    Attributes:
      bodies: Numbers of the two, from 0.
      distance: Distances, `[n]`.
      acceleration: Acceleration of a body towards the other, the mean of both, `[n]`.
      mass_ratio: Mass of the heavier body over that of the lighter.
    """

    bodies: tuple[int, int]
    distance: np.ndarray
    acceleration: np.ndarray
    mass_ratio: float


class PowerLaw(NamedTuple):
    """A force as a power of the distance.

    Attributes:
      exponent: Slope of the regression of log F on log r; -2 for gravitation.
      flatness: Largest relative departure of F r² from its mean, over bins of equally many states; 0 is flat.
      strength: Mean of F r².
      visited: Smallest and largest distance of the regression.
    """

    exponent: float
    flatness: float
    strength: float
    visited: tuple[float, float]


def pair_motions(hamiltonian: Hamiltonian, states: PhaseState, length: float, time: float) -> list[PairMotion]:
    """The accelerations of two or three bodies towards each other, by the learned energy.

    Args:
      hamiltonian: The energy, whose momenta are masses times velocities.
      states: Visited states, q and p of shape `[n, 2 * bodies]`.
      length: Unit of length of the states in the units of the answer.
      time: Unit of time of the energy in the units of the answer.

    Returns:
      The pairs (0, 1), (0, 2), (1, 2).
    """
    places = np.reshape(states.q, (len(states.q), -1, 2))
    forces = forces_at_rest(hamiltonian, states.q).reshape(places.shape)
    inverse = inverse_masses(hamiltonian, states).reshape(-1, 2).mean(axis=1)
    pairs = pair_forces(places, forces)
    return [
        PairMotion(
            bodies=(i, j),
            distance=length * distance,
            acceleration=attraction * (inverse[i] + inverse[j]) / 2.0 * length / time**2,
            mass_ratio=float(np.exp(abs(np.log(inverse[i] / inverse[j])))),
        )
        for i, j, distance, attraction in zip(
            *np.triu_indices(places.shape[1], k=1), pairs.distance.T, pairs.attraction.T, strict=True
        )
    ]


def pair_forces(places: np.ndarray, forces: np.ndarray) -> PairForces:
    """Divides the forces on bodies among their pairs.

    In every state the central forces between pairs are fitted to the forces on the bodies by least squares. For two
    bodies this is half the difference of the two forces along the line between them. What pulls all bodies to the
    centre of mass in proportion to their masses is such a sum as well, and is included. States in which the answer is
    not determined, because three bodies are nearly in a line, are left out.

    Args:
      places: Places of two or three bodies, `[n, bodies, 2]`.
      forces: Forces on them, `[n, bodies, 2]`.

    Returns:
      The forces, with as many rows as there are states that determine them.
    """
    first, second = np.triu_indices(places.shape[1], k=1)
    separation = places[:, second].astype(np.float64) - places[:, first]
    distance = np.linalg.norm(separation, axis=-1)
    direction = separation / distance[..., None]  # from the first to the second
    design = np.zeros((*places.shape, len(first)))  # [n, bodies, 2, pairs]
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        design[:, i, :, pair], design[:, j, :, pair] = direction[:, pair], -direction[:, pair]
    design = design.reshape(len(places), -1, len(first))
    determined = np.linalg.svd(design, compute_uv=False)[:, -1] > _SMALLEST_SINGULAR_VALUE
    flat_forces = forces.reshape(len(places), -1, 1)
    attraction = np.linalg.pinv(design[determined]) @ flat_forces[determined]
    return PairForces(distance[determined], attraction[..., 0])


def own_pair_forces(energy: Callable[[jax.Array], jax.Array], places: np.ndarray) -> PairForces:
    """The forces of the pairs alone, without terms of the potential that belong to single bodies.

    For V = sum u(|q_i - q_j|) + sum w(q_i) the block d²V/dq_i dq_j is that of u alone. Across the line between the
    bodies it is -u'(r) / r.

    Args:
      energy: Potential energy, a function from positions `[n, 2 * bodies]` to `[n]`.
      places: Places of the bodies, `[n, bodies, 2]`.
    """
    num_bodies = places.shape[1]
    first, second = np.triu_indices(num_bodies, k=1)
    separation = places[:, second].astype(np.float64) - places[:, first]
    distance = np.linalg.norm(separation, axis=-1)
    across = np.stack([-separation[..., 1], separation[..., 0]], axis=-1) / distance[..., None]
    hessian = jax.jit(jax.vmap(jax.hessian(lambda q: energy(q[None])[0])))
    blocks = np.asarray(hessian(jnp.asarray(places.reshape(len(places), -1))), np.float64)
    blocks = blocks.reshape(-1, num_bodies, 2, num_bodies, 2)[:, first, :, second]  # [pairs, n, 2, 2]
    curvature = np.einsum("npa,pnab,npb->np", across, blocks, across)
    return PairForces(distance, -distance * curvature)


def power_law(distance: np.ndarray, attraction: np.ndarray) -> PowerLaw:
    """Fits a power law to attractions `[n]` at the distances `[n]` that were visited.

    Raises:
      ValueError: In one line, if the bodies repel each other in more than a tenth of the states.
    """
    low, high = np.quantile(distance, FITTED_QUANTILES)
    fitted = (distance >= low) & (distance <= high)
    attracts = fitted & (attraction > 0)
    if attracts.sum() < _SMALLEST_ATTRACTION * fitted.sum():
        raise ValueError(f"the learned force attracts in only {attracts.sum() / fitted.sum():.0%} of the states")
    exponent = linear_fit(np.log(distance[attracts]), np.log(attraction[attracts])).slope
    inner_low, inner_high = np.quantile(distance, FLAT_QUANTILES)
    inner = (distance >= inner_low) & (distance <= inner_high)
    order = np.argsort(distance[inner])
    products = (attraction * distance**2)[inner][order]
    bins = np.array([part.mean() for part in np.array_split(products, min(_NUM_BINS, len(products)))])
    flatness = np.abs(bins / products.mean() - 1.0).max()
    return PowerLaw(exponent, float(flatness), float(products.mean()), (float(low), float(high)))
