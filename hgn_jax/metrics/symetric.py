"""SyMetric: a test whether latents are a canonical transformation of the true states.

The metric of Higgins et al. (2021, arXiv 2111.05986): a sparse polynomial map from latents to true states is fitted,
and its Jacobian J is tested for symplecticity, J E J^T = E.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV
from sklearn.metrics import r2_score
from sklearn.preprocessing import PolynomialFeatures

_PENALTIES = tuple(10.0**n for n in range(-8, -1))
_MAX_LATENTS = 32  # more latents would have too many monomials
_VARIANCE_KEPT = 0.999
_NO_MOTION = 1e-6  # fraction of the states' variance that counts as none
_MAX_MONOMIALS = 1000  # the time of a fit grows with the square of their number
_NUM_JACOBIANS = 100
_HELD_OUT_FRACTION = 0.25
_MIN_POINTS = 16


class SyMetric(NamedTuple):
    """The result of `symetric`.

    Attributes:
      score: 1 if `r_squared` > 0.9 and `distance` < 0.05, else 0.
      r_squared: R² of the polynomial map on held-out points, averaged over the true coordinates.
      distance: Mean squared entry of A A* / normaliser - I over points; 0 for a canonical transformation.
      order: Order of the polynomial.
      num_latents: Number of latent dimensions that were used.
      variance_kept: Fraction of the latents' variance in those dimensions; see `principal_pairs`.
    """

    score: float
    r_squared: float
    distance: float
    order: int
    num_latents: int
    variance_kept: float = 1.0


def informative(variance: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Selects the pairs (q_i, p_i) of latents in which the posterior variance of q_i or p_i is below a threshold.

    Args:
      variance: Posterior variances, `[points, 2 k]`, first of q, then of p.
      threshold: Largest variance, averaged over points, of an informative latent. The prior's variance is 1.

    Returns:
      Booleans `[2 k]`, True for the latents of selected pairs; all True if no pair is informative.
    """
    halves = variance.mean(axis=0).reshape(2, -1)
    pairs = (halves < threshold).any(axis=0)
    return np.tile(pairs if pairs.any() else np.ones_like(pairs), 2)


def principal_pairs(
    latents: np.ndarray, variance_kept: float = _VARIANCE_KEPT, max_latents: int = _MAX_LATENTS
) -> tuple[np.ndarray, float]:
    """Reduces many latents to the few pairs (q_i, p_i) in which they vary.

    The same rotation, a canonical transformation, takes q and p to their common principal components. The variances of
    q and of p are weighted equally, each relative to its total.

    Args:
      latents: Latents, `[points, 2 k]`, first q, then p.
      variance_kept: Fraction of the variance that the pairs must keep.
      max_latents: Largest number of coordinates, even if they keep less variance.

    Returns:
      The coordinates, `[points, 2 m]`, and the fraction of the variance that they keep.
    """
    halves = np.split(latents - latents.mean(axis=0), 2, axis=1)
    covariance = sum(half.T @ half / max(np.sum(half**2), np.finfo(float).tiny) for half in halves)
    variances, directions = (x[..., ::-1] for x in np.linalg.eigh(covariance))  # the largest first
    held = np.cumsum(variances) / max(np.sum(variances), np.finfo(float).tiny)
    number = min(int(np.searchsorted(held, variance_kept)) + 1, max_latents // 2, len(held))
    return np.concatenate([half @ directions[:, :number] for half in halves], axis=1), float(held[number - 1])


def symetric(
    latents: np.ndarray,
    states: np.ndarray,
    variance: np.ndarray | None = None,
    max_order: int = 5,
    min_r_squared: float = 0.9,
    max_distance: float = 0.05,
    seed: int = 0,
) -> SyMetric:
    """Measures how symplectic the map from latents to true states is.

    The map is a polynomial fitted by Lasso, with the penalty chosen by cross-validation. Its order is the lowest, from
    1 to `max_order`, with R² above `min_r_squared`, or the one with the best R² if none reaches it. With its Jacobian J
    at a point, A = J E J^T and A* = J E^T J^T, the product A A* is the identity for a canonical transformation. It is
    divided by the mean over points of its largest absolute entry, so that constant factors do not matter. Latents are
    shifted and divided by one number for all coordinates, and so are states; this is such a factor. More than 32
    latents would have too many monomials and are first reduced to `principal_pairs`, with 99.9 % of the variance and at
    most 32 latents.

    True states may lie in a subspace: two bodies around their common centre are always opposite each other. The map is
    then not determined, and even the true states would fail. Such states, and latents of the same number of
    coordinates, are first reduced to the pairs (q_i, p_i) in which they move.

    The metric has blind spots. With one degree of freedom it tests only that det J is constant. With more, any
    orthogonal matrix passes for E, so that wrongly paired coordinates go unnoticed. A bent map that is nearly linear
    counts as linear. Two details differ from the published code: R² is measured on held-out points, since many
    monomials can fit anything, and the penalty is chosen for each coordinate separately.

    Args:
      latents: Latents, `[points, 2 k]`, first q, then p.
      states: True states at the same times, `[points, 2 d]`, first q, then p.
      variance: Posterior variances of the latents, used to drop those that are not `informative`; None to keep all.
      max_order: Highest order of the polynomial; lower if it would have more than 1000 monomials, or more monomials
        than points to fit.
      min_r_squared: R² that the polynomial must exceed for a score of 1.
      max_distance: Distance that must not be reached for a score of 1.
      seed: Seed of the choice of held-out points.

    Raises:
      ValueError: If the shapes do not match, there are fewer than 16 points, or a coordinate of the states is constant.
    """
    latents, states = np.asarray(latents, np.float64), np.asarray(states, np.float64)
    _check(latents, states)
    if variance is not None:
        latents = latents[:, informative(np.asarray(variance))]
    if np.isfinite(latents).all():
        latents, states = _within_the_motion(latents, states)
    if not np.isfinite(latents).all():
        return SyMetric(0.0, 0.0, float("inf"), 0, latents.shape[1])
    kept = 1.0
    if latents.shape[1] > _MAX_LATENTS:
        latents, kept = principal_pairs(latents)
    x, y = _standardise(latents), _standardise(states)
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, fitted = np.split(order, [int(_HELD_OUT_FRACTION * len(x))])
    best = None
    for degree in _orders(max_order, x.shape[1], len(fitted)):
        polynomial = PolynomialFeatures(degree, include_bias=False).fit(x)
        weights, constants = _fit(polynomial.transform(x[fitted]), y[fitted])
        predicted = polynomial.transform(x[held_out]) @ weights.T + constants
        r_squared = r2_score(y[held_out], predicted)
        if best is None or r_squared > best[0]:
            best = (r_squared, degree, polynomial.powers_, weights)
        if r_squared > min_r_squared:
            break
    r_squared, degree, powers, weights = best
    distance = symplectic_distance(jacobians(powers, weights, x[held_out[:_NUM_JACOBIANS]]))
    score = float(r_squared > min_r_squared and distance < max_distance)
    return SyMetric(score, float(r_squared), distance, degree, x.shape[1], kept)


def _within_the_motion(latents: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduces states that lie in a subspace, and latents of the same width, to the same number of principal pairs."""
    moving, _ = principal_pairs(states, 1.0 - _NO_MOTION, states.shape[1])
    if moving.shape[1] == states.shape[1]:
        return latents, states
    if latents.shape[1] == states.shape[1]:
        latents, _ = principal_pairs(latents, 1.0, moving.shape[1])
    return latents, moving


def jacobians(powers: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The Jacobians of the polynomials y_i = sum_f weights[i, f] prod_j x_j^powers[f, j].

    Args:
      powers: Power of each variable in each monomial, integers `[monomials, n]`.
      weights: Coefficients, `[m, monomials]`.
      points: Points x at which to differentiate, `[points, n]`.

    Returns:
      The derivatives dy_i / dx_j, `[points, m, n]`.
    """
    columns = []
    for j in range(points.shape[1]):
        contains = powers[:, j] > 0
        lowered = powers[contains] - np.eye(points.shape[1], dtype=int)[j]
        monomials = np.prod(points[:, None, :] ** lowered, axis=-1)
        columns.append(monomials @ (weights[:, contains] * powers[contains, j]).T)
    return np.stack(columns, axis=-1)


def symplectic_distance(jacobian: np.ndarray) -> float:
    """Returns the mean squared entry of A A* / normaliser - I for Jacobians `[points, 2 d, 2 k]`; see `symetric`."""
    form = _symplectic_form(jacobian.shape[2])
    transposed = np.swapaxes(jacobian, 1, 2)
    product = (jacobian @ form @ transposed) @ (jacobian @ form.T @ transposed)
    normaliser = np.mean(np.abs(product).max(axis=(1, 2)))
    normalised = product / normaliser if normaliser > 0 else product
    return float(np.mean((normalised - np.eye(product.shape[-1])) ** 2))


def _symplectic_form(size: int) -> np.ndarray:
    """The matrix E of Hamilton's equations ds/dt = E grad H for s = (q, p) with `size` coordinates."""
    return np.kron([[0.0, 1.0], [-1.0, 0.0]], np.eye(size // 2))


def _check(latents: np.ndarray, states: np.ndarray) -> None:
    if latents.ndim != 2 or states.ndim != 2 or len(latents) != len(states):
        raise ValueError(f"need latents [points, 2 k] and states [points, 2 d], got {latents.shape} and {states.shape}")
    if latents.shape[1] % 2 or states.shape[1] % 2:
        raise ValueError(
            "latents and states are pairs (q, p) and need an even number of coordinates, "
            f"got {latents.shape[1]} and {states.shape[1]}"
        )
    if len(latents) < _MIN_POINTS:
        raise ValueError(f"SyMetric needs {_MIN_POINTS} points or more, got {len(latents)}")
    if not states.std(axis=0).all():
        raise ValueError("a coordinate of the true states is the same at all points")


def _standardise(values: np.ndarray) -> np.ndarray:
    """Centres values and divides them by one number; a scale per coordinate could undo or feign a symplectic map."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt(np.mean(centred**2))
    return centred / scale if scale > 0 else centred


def _orders(max_order: int, num_latents: int, num_points: int) -> list[int]:
    """The orders to try: 1, and higher ones whose monomials are no more than the points or the maximum."""
    max_monomials = min(num_points, _MAX_MONOMIALS)
    return [n for n in range(1, max_order + 1) if n == 1 or math.comb(num_latents + n, n) <= max_monomials]


def _fit(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights `[m, monomials]` and constants `[m]` of a sparse linear map from features to each target."""
    search = LassoCV(alphas=_PENALTIES, cv=2, precompute=True, tol=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # small penalties converge slowly and are rarely chosen
        fits = [clone(search).fit(features, target) for target in targets.T]
    return np.stack([fit.coef_ for fit in fits]), np.array([fit.intercept_ for fit in fits])
