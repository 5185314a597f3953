"""The results of a Hamiltonian Neural Network of true states; those of a model of frames are in `clips.results`."""

import dataclasses

from experiments.clips.results import Dynamics, EnergyStatistics
from experiments.run.results import Results


@dataclasses.dataclass(kw_only=True)
class FieldErrors:
    """Mean squared errors of the vector field on a split, averaged over coordinates and momenta.

    Attributes:
      num_examples: Number of trajectories measured.
      field_error: Error of the learned field.
      field_error_of_true_energy: Error of the field of the true energy, which is not zero where the states are noisy.
      mean_square_of_field: Mean square of the true time derivatives, the scale of both errors.
    """

    num_examples: int
    field_error: float
    field_error_of_true_energy: float
    mean_square_of_field: float


@dataclasses.dataclass(kw_only=True)
class PathErrors:
    """Errors of rollouts from true initial states.

    Attributes:
      mse: Mean squared error over trajectories, steps, coordinates and momenta.
      mse_per_step: The same for each step.
      true_energy: Statistics of the true energy along the rollouts.
      true_energy_mse: Mean squared departure of the true energy from its initial value.
    """

    mse: float
    mse_per_step: list[float]
    true_energy: EnergyStatistics
    true_energy_mse: float


@dataclasses.dataclass(kw_only=True)
class StateResults(Results):
    """All numbers of a run of an HNN of true states.

    Attributes:
      test: Errors of the field on the test split.
      train: Errors of the field on the training split.
      dynamics: Behaviour of rollouts of test trajectories.
      paths: Errors of rollouts, by integrator.
      published: Losses that Greydanus et al. (2019) report for the same setting, by split; None for other settings.
      model: The kind of model, `state`.
    """

    test: FieldErrors
    train: FieldErrors
    dynamics: Dynamics
    paths: dict[str, PathErrors]
    published: dict[str, float] | None = None
    model: str
