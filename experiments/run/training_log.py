"""The log of a training: `metrics.csv`, TensorBoard events, and a progress bar."""

import sys
import time

from experiments.run.run_directory import RunDirectory
from experiments.tasks import Batches
from hgn_jax.training import Scalars, hosts
from hgn_jax.training.logs import MetricsWriter
from hgn_jax.training.progress import progress_bar
from hgn_jax.training.training_config import TrainingConfig


class TrainingLog:
    """Writes the rows of the metrics and moves the progress bar; does nothing outside of the main process.

    Args:
      directory: Directory of the run.
      config: Length and rhythm of the training.
      start_step: Number of steps done before.
      batches: The training batches, for the unit of the speed.
    """

    def __init__(self, directory: RunDirectory, config: TrainingConfig, start_step: int, batches: Batches):
        self._unit, self._units_per_step = batches.unit, config.batch_size * batches.units_per_example
        self._writer = MetricsWriter(directory.path, start_step) if hosts.is_main() else None
        if self._writer is not None and self._writer.damage:
            print(f"warning: {self._writer.damage}", file=sys.stderr)
        self._bar = progress_bar(config.num_steps, "training", "step", start_step, quiet=not hosts.is_main())
        self._time, self._step = time.monotonic(), start_step

    def __call__(self, step: int, scalars: Scalars) -> None:
        """Takes the mean scalars since the last call."""
        if self._writer is None:
            return
        now = time.monotonic()
        speed = (step - self._step) / (now - self._time) * self._units_per_step
        self._time, self._step = now, step
        self._writer.write(step, scalars, {f"{self._unit}s_per_second": speed})
        self._bar.set_postfix_str(f"loss {scalars['loss']:.4g}, {speed:.0f} {self._unit}s/s", refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Flushes the files and closes the bar."""
        if self._writer is not None:
            self._writer.close()
        self._bar.close()
