"""Rejection of points whose energies are not those of the data.

A density fitted to points does not know that some function of them, the energy, is conserved. Where the data lie near a
surface, or the energy is steep, as that of bodies close to each other, many of its samples have energies that no clip
has, and trajectories from them leave the picture. The energy of a state is known, so its distribution is corrected
exactly: a sample is kept with a probability proportional to p(E) of the data over p(E) of the samples.
"""

from typing import NamedTuple

import numpy as np

_MAX_BINS, _POINTS_PER_BIN = 32, 32
_LEFT_OUT = 0.002  # of the data, at either end
_LARGEST_RATIO = 50.0
_SMALLEST_SHARE = 0.01  # of the samples that are kept; below it there is no correction


class EnergyCorrection(NamedTuple):
    """The probability with which a sample is kept, constant within bins of its energy and 0 outside of them.

    Attributes:
      edges: Edges of the bins in ascending order, `[bins + 1]`.
      probabilities: Probabilities in [0, 1], `[bins]`.
    """

    edges: np.ndarray
    probabilities: np.ndarray

    def accept(self, energies: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Tells which samples are kept, `[n]`, from their energies and from uniform random numbers, both `[n]`."""
        inside = (energies >= self.edges[0]) & (energies <= self.edges[-1])  # false if an energy is not a number
        last = len(self.probabilities) - 1
        bins = np.clip(np.searchsorted(self.edges, energies, side="right") - 1, 0, last)
        return inside & (uniform < self.probabilities[bins])


def fit_energy_correction(data: np.ndarray, samples: np.ndarray) -> EnergyCorrection | None:
    """Fits the correction to energies of the data `[n]` and of samples `[m]`; None if hardly any sample would be kept.

    The bins hold equal parts of the data, without the few lowest and highest energies, which are mostly those of states
    that were inferred wrongly. The outermost bins are halved as long as there are points enough, since they are the
    widest.
    """
    edges = np.unique(np.quantile(data, _levels(len(data))))
    if len(edges) < 2 or not np.isfinite(edges).all():
        return None
    of_data, of_samples = (np.histogram(x[np.isfinite(x)], edges)[0] / len(x) for x in (data, samples))
    ratios = np.where(of_samples > 0, of_data / np.maximum(of_samples, 1.0 / len(samples)), 0.0)
    largest = min(ratios.max(), _LARGEST_RATIO)
    if not largest:
        return None
    probabilities = np.minimum(ratios / largest, 1.0)
    if np.sum(probabilities * of_samples) < _SMALLEST_SHARE:
        return None
    return EnergyCorrection(edges, probabilities)


def _levels(num_points: int) -> np.ndarray:
    """The quantiles of the data, in ascending order, at which bins begin and end."""
    num_bins = int(np.clip(num_points // _POINTS_PER_BIN, 1, _MAX_BINS))
    num_halvings = int(np.log2(max(1.0, num_points / (num_bins * _POINTS_PER_BIN))))
    tail = 0.5 ** np.arange(1, num_halvings + 1) / num_bins
    levels = np.sort(np.concatenate([np.linspace(0.0, 1.0, num_bins + 1), tail, 1.0 - tail]))
    return _LEFT_OUT + (1.0 - 2.0 * _LEFT_OUT) * levels
