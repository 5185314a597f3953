"""SyMetric: whether a latent space is a canonical transformation of the true phase space (Higgins et al. 2021, arXiv
2111.05986).

A sparse polynomial map from latents to true states is fitted, and its Jacobian J is tested for what makes a map
symplectic, J E J^T = E.
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
_MAX_LATENTS = 32  # more have too many monomials
_VARIANCE_KEPT = 0.999
_MAX_MONOMIALS = 1000  # the time to fit them grows with the square of their number
_NUM_JACOBIANS = 100
_HELD_OUT = 0.25  # part of the points that R^2 is measured on


class SyMetric(NamedTuple):
    """The result.

    Attributes:
      score: 1 if `r_squared` > 0.9 and `distance` < 0.05, else 0.
      r_squared: of the polynomial map on points it was not fitted to, averaged over the true coordinates.
      distance: mean squared entry of (A A* / normaliser - I) over points; 0 for a canonical transformation.
      order: of the polynomial.
      num_latents: latent dimensions that were used.
      variance_kept: part of the latents' variance that they hold; see `principal_pairs`.
    """

    score: float
    r_squared: float
    distance: float
    order: int
    num_latents: int
    variance_kept: float = 1.0


def informative(variance: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Which latents to use: both of a pair (q_i, p_i) if the posterior variance of either is below the threshold.

    Args:
      variance: posterior variances `[points, 2 k]`, first of q, then of p.
      threshold: of the average over points; the prior's variance is 1.

    Returns:
      `[2 k]` booleans; all True if no pair is informative.
    """
    halves = variance.mean(axis=0).reshape(2, -1)
    pairs = (halves < threshold).any(axis=0)
    return np.tile(pairs if pairs.any() else np.ones_like(pairs), 2)


def principal_pairs(
    latents: np.ndarray, variance_kept: float = _VARIANCE_KEPT, max_latents: int = _MAX_LATENTS
) -> tuple[np.ndarray, float]:
    """The few directions in which many latents vary, as pairs (q_i, p_i).

    q and p are turned by the same rotation, which is a canonical transformation of them, to the principal components
    of both together, each counted as a fraction of its own variance.

    Args:
      latents: `[points, 2 k]`, first q, then p.
      variance_kept: part of the variance that the pairs must hold.
      max_latents: that are kept at most, even if they hold less.

    Returns:
      The coordinates, `[points, 2 m]`, and the part of the variance that they hold.
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

    The map is a polynomial of the least order from 1 to `max_order` with R^2 above `min_r_squared`, or of the best if
    none has, fitted by Lasso with a penalty chosen by cross-validation. With its Jacobian J at a point, A = J E J^T and
    A* = J E^T J^T, A A* is the identity for a canonical transformation. It is divided by the mean over points of its
    largest absolute entry, so that a constant factor does not matter. Latents and states are shifted, and scaled by one
    number for all their coordinates, which is such a factor. Of more than 32 latents, whose monomials would be too
    many, the `principal_pairs` with 99.9 % of the variance are used, 32 latents at most.

    The definition does not see everything. With one degree of freedom only the constancy of det J is tested; with more,
    any orthogonal matrix passes for E, so that coordinates paired wrongly are not noticed. And a bent map that is
    nearly linear is taken for the linear one. Unlike in the published code R^2 is that of points held out, as many
    monomials can fit anything, and the penalty is chosen for each coordinate by itself.

    Args:
      latents: `[points, 2 k]`, first q, then p.
      states: true states at the same times, `[points, 2 d]`, likewise.
      variance: posterior variances of the latents, to drop those that are not `informative`; None to keep all.
      max_order: of the polynomial; less where there would be more monomials than 1000, or than points to fit them to.
      min_r_squared: that the polynomial must have.
      max_distance: that is still symplectic.
      seed: of the choice of the points held out.

    Raises:
      ValueError: if the shapes do not fit, there are fewer than 16 points, or the states are all the same.
    """
    latents, states = np.asarray(latents, np.float64), np.asarray(states, np.float64)
    _check(latents, states)
    if variance is not None:
        latents = latents[:, informative(np.asarray(variance))]
    if not np.isfinite(latents).all():
        return SyMetric(0.0, 0.0, float("inf"), 0, latents.shape[1])
    kept = 1.0
    if latents.shape[1] > _MAX_LATENTS:
        latents, kept = principal_pairs(latents)
    x, y = _standardise(latents), _standardise(states)
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, fitted = np.split(order, [int(_HELD_OUT * len(x))])
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


def jacobians(powers: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Jacobians of polynomials, y_i = sum_f weights[i, f] prod_j x_j^powers[f, j].

    Args:
      powers: `[monomials, n]` whole numbers.
      weights: `[m, monomials]`.
      points: `[points, n]`.

    Returns:
      dy_i / dx_j, `[points, m, n]`.
    """
    columns = []
    for j in range(points.shape[1]):
        contains = powers[:, j] > 0
        lowered = powers[contains] - np.eye(points.shape[1], dtype=int)[j]
        monomials = np.prod(points[:, None, :] ** lowered, axis=-1)
        columns.append(monomials @ (weights[:, contains] * powers[contains, j]).T)
    return np.stack(columns, axis=-1)


def symplectic_distance(jacobian: np.ndarray) -> float:
    """Mean squared entry of A A* / normaliser - I, of Jacobians `[points, 2 d, 2 k]`; see `symetric`."""
    form = _symplectic_form(jacobian.shape[2])
    transposed = np.swapaxes(jacobian, 1, 2)
    product = (jacobian @ form @ transposed) @ (jacobian @ form.T @ transposed)
    normaliser = np.mean(np.abs(product).max(axis=(1, 2)))
    normalised = product / normaliser if normaliser > 0 else product
    return float(np.mean((normalised - np.eye(product.shape[-1])) ** 2))


def _symplectic_form(size: int) -> np.ndarray:
    """E of Hamilton's equations ds/dt = E grad H, for s = (q, p) of `size` coordinates."""
    return np.kron([[0.0, 1.0], [-1.0, 0.0]], np.eye(size // 2))


def _check(latents: np.ndarray, states: np.ndarray) -> None:
    if latents.ndim != 2 or states.ndim != 2 or len(latents) != len(states):
        raise ValueError(f"need latents [points, 2 k] and states [points, 2 d], got {latents.shape} and {states.shape}")
    if latents.shape[1] % 2 or states.shape[1] % 2:
        raise ValueError(f"latents and states are (q, p), even in number, got {latents.shape[1]}, {states.shape[1]}")
    if len(latents) < 16:
        raise ValueError(f"SyMetric needs 16 points or more, got {len(latents)}")
    if not states.std(axis=0).all():
        raise ValueError("a coordinate of the true states is the same at all points")


def _standardise(values: np.ndarray) -> np.ndarray:
    """Centred, and divided by one number: scales of their own would undo or feign a canonical transformation."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt(np.mean(centred**2))
    return centred / scale if scale > 0 else centred


def _orders(max_order: int, num_latents: int, num_points: int) -> list[int]:
    """The orders to be tried: 1, and higher ones with fewer monomials than there are points to fit them to."""
    most = min(num_points, _MAX_MONOMIALS)
    return [n for n in range(1, max_order + 1) if n == 1 or math.comb(num_latents + n, n) <= most]


def _fit(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[m, monomials]` and constants `[m]` of a sparse linear map to each of the targets."""
    search = LassoCV(alphas=_PENALTIES, cv=2, precompute=True, tol=1e-7)  # started from the larger penalty before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # small penalties converge slowly, and rarely win
        fits = [clone(search).fit(features, target) for target in targets.T]
    return np.stack([fit.coef_ for fit in fits]), np.array([fit.intercept_ for fit in fits])
