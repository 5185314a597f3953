"""The tasks: one interface for whatever a program trains, measures and reports, and the registry of all of them.

No JAX is imported here, and a task is imported only when it is looked up. A task is a folder with a file `task.py`
that defines `TASK`, and a line in the registry below.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np

    from experiments.run.results import Results
    from experiments.run.run_directory import RunDirectory
    from experiments.run.trainer import Run
    from hgn_jax.training.model import Model


class Batches(NamedTuple):
    """The training batches of a run.

    Attributes:
      batch_at: Returns this process's share of the batch of a step (from 0), arrays `[examples, ...]` by name. It is a
        function of the step alone, so a resumed run sees the batches it would have seen.
      example: Arrays of the shapes and types of a batch, of one or more examples; `Model.init` takes them.
      unit: Unit in which the speed of training is counted, such as `frame`.
      units_per_example: Number of these units in an example.
    """

    batch_at: "Callable[[int], dict[str, np.ndarray]]"
    example: "dict[str, np.ndarray]"
    unit: str
    units_per_example: int


class Evaluation(NamedTuple):
    """Outcome of the evaluation of a run.

    Attributes:
      results: The numbers, which `metrics.json` keeps.
      shown: Arrays that the report draws and no file keeps, such as reconstructed clips.
    """

    results: "Results"
    shown: Any = None


class Task(Protocol):
    """A model and its data, as the programs use them.

    `validate` and `results_class` must not import JAX: a mistake in a command is reported before that, in 0.1 s.

    Attributes:
      name: Name of the task, of its folder and of its program.
      config_class: Dataclass of its configurations. Beside the fields of the model they have `preset`, `optimizer`,
        `geco` and `training`, and an attribute `program` that is equal to `name`.
      presets: Configurations by name.
      default_preset: Name of the preset that is taken without `--config`.
      run_prefix: Text before the preset's name in the default of `--workdir`.
    """

    name: str
    config_class: type
    presets: Mapping[str, Any]
    default_preset: str
    run_prefix: str

    def validate(self, config: Any) -> None:
        """Raises ValueError, in one line, for a configuration that cannot be run whatever the data are."""

    def resolve(self, config: Any) -> Any:
        """Returns the configuration with the fields filled in that depend on the user's files.

        Raises:
          ValueError: In one line, if the configuration does not fit the data.
        """

    def open_data(self, config: Any) -> Any:
        """Opens the data, which are built first if they are missing; of a type of the task's own.

        Raises:
          ValueError: In one line, if they cannot be built or read.
        """

    def keep(self, directory: "RunDirectory", data: Any) -> None:
        """Writes into the run's directory what is needed of the data without the data, such as units; often nothing."""

    def batches(self, config: Any, data: Any) -> Batches:
        """Returns the training batches; must be cheap until the first of them is asked for."""

    def make_model(self, config: Any) -> "Model":
        """Returns the model."""

    def results_class(self, config: Any) -> "type[Results]":
        """Returns the dataclass of the results of runs with this configuration."""

    def evaluate(self, run: "Run") -> Evaluation:
        """Measures a trained model."""

    def report(self, run: "Run", evaluation: Evaluation) -> None:
        """Writes pictures and a page, `report/index.html`, into the run's directory."""

    def print_summary(self, results: "Results") -> None:
        """Prints the most important numbers."""


class Registry(Mapping[str, Task]):
    """Tasks by name; each is imported from its module when it is looked up.

    Args:
      modules: Module that defines `TASK`, by the name of the task.
    """

    def __init__(self, modules: Mapping[str, str]):
        self.modules = dict(modules)

    def __getitem__(self, name: str) -> Task:
        return importlib.import_module(self.modules[name]).TASK

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)


TASKS = Registry(
    {
        "hgn": "experiments.hgn.task",
        "hnn": "experiments.hnn.task",
        "nhf": "experiments.nhf.task",
    }
)
