"""Coordinates in which a cloud of points has mean 0 and covariance 1."""

from typing import NamedTuple

import numpy as np

_CONSTANT = 1e-5  # of the largest deviation: below it a direction counts as constant
_TINY = 1e-12


class Whitening(NamedTuple):
    """A linear map between points `[n, d]` and whitened points `[n, k]`, k <= d.

    Directions in which the points do not vary are left out, such as that of the centre of mass of bodies which is at
    rest in all of the data.

    Attributes:
      mean: Mean of the points, `[d]`.
      axes: Principal axes times the standard deviations along them, `[k, d]`.
    """

    mean: np.ndarray
    axes: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """The matrix `[d, k]` that maps differences from the mean to whitened points."""
        return (self.axes / np.sum(self.axes**2, axis=1, keepdims=True)).T

    def whiten(self, points: np.ndarray) -> np.ndarray:
        """Maps points `[n, d]` to whitened points `[n, k]`."""
        return (points - self.mean) @ self.matrix

    def unwhiten(self, whitened: np.ndarray) -> np.ndarray:
        """Maps whitened points `[n, k]` back to points `[n, d]`."""
        return whitened @ self.axes + self.mean


def fit_whitening(points: np.ndarray) -> Whitening:
    """Returns the map that whitens points `[n, d]`."""
    mean = points.mean(axis=0)
    _, sizes, directions = np.linalg.svd(points - mean, full_matrices=False)
    deviations = np.maximum(sizes / np.sqrt(len(points)), _TINY)
    kept = deviations >= _CONSTANT * deviations[0]
    return Whitening(mean, deviations[kept, None] * directions[kept])
