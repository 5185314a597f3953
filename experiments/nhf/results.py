"""The results of a Neural Hamiltonian Flow; log-densities and divergences are in nats per point."""

import dataclasses

from experiments.run.results import Results


@dataclasses.dataclass(kw_only=True)
class Estimate:
    """A mean over points, with its standard error."""

    mean: float
    standard_error: float


@dataclasses.dataclass(kw_only=True)
class Likelihood:
    """Log-likelihood of the test points.

    Attributes:
      num_points: Number of test points.
      elbo: The evidence lower bound.
      log_prob: The importance-weighted bound, by the number K of momenta per point.
      exact_log_prob: Log-density of the target itself; None for a table.
      kl: KL(target || model), from the largest K; None for a table.
      gaussian_kl: KL(target || Gaussian with the target's moments); None for a table.
      gaussian_log_prob: Log-likelihood of a Gaussian fitted to the training rows; None for a target.
      log_scale: Log of the product of the scales of a table's columns. The log-densities are per unit of the table, and
        those of its standardised columns are larger by this. None for a target, and in older results, which are of
        standardised columns.
    """

    num_points: int
    elbo: Estimate
    log_prob: dict[str, Estimate]
    exact_log_prob: Estimate | None = None
    kl: Estimate | None = None
    gaussian_kl: Estimate | None = None
    gaussian_log_prob: Estimate | None = None
    log_scale: float | None = None

    @property
    def tightest(self) -> Estimate:
        """The bound of the largest K."""
        return self.log_prob[str(self.largest_count)]

    @property
    def largest_count(self) -> int:
        """The largest K."""
        return max(map(int, self.log_prob))


@dataclasses.dataclass(kw_only=True)
class MapErrors:
    """Exactness of the flow's map.

    Attributes:
      inverse: Largest error of the inverse.
      volume: Largest departure of |det J| from 1.
    """

    inverse: float
    volume: float


@dataclasses.dataclass(kw_only=True)
class Minima:
    """Minima of the learned potential.

    Attributes:
      positions: Their positions.
      near: Distance within which a minimum belongs to a mode of the target.
      fraction_of_modes: Fraction of the target's modes that have a minimum near.
    """

    positions: list[list[float]]
    near: float
    fraction_of_modes: float


@dataclasses.dataclass(kw_only=True)
class FlowResults(Results):
    """All numbers of a run of NHF.

    Attributes:
      test: Log-likelihood of the test points.
      map: Exactness of the map, by precision: `float32` and `float64`.
      minima: Minima of the potential; None for targets without modes, and for tables.
    """

    test: Likelihood
    map: dict[str, MapErrors]
    minima: Minima | None = None
