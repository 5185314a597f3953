"""What a training run shows and writes while it goes on: metrics, progress, warnings."""

import sys
import time
from typing import Any

from experiments.run.run_directory import RunDirectory
from hgn_jax.training import hosts
from hgn_jax.training.geco import saturation
from hgn_jax.training.logs import MetricsWriter
from hgn_jax.training.loop import Scalars
from hgn_jax.training.progress import progress_bar

_SATURATED = {
    "maximum": "GECO's multiplier is at its maximum: the tolerance is not reached; try a larger --config.tolerance",
    "minimum": "GECO's multiplier is at its minimum: the tolerance asks for nothing; try a smaller --config.tolerance",
}


class TrainingLog:
    """The rows of `metrics.csv` and TensorBoard and the progress bar; nothing in a process that is not the main one.

    Args:
      run: the run's directory.
      config: its configuration.
      start_step: steps done before.
      unit: what the speed is counted in, `units_per_step` of them.
    """

    def __init__(self, run: RunDirectory, config: Any, start_step: int, unit: str, units_per_step: int):
        self._config, self._unit, self._units_per_step = config, unit, units_per_step
        self._writer = MetricsWriter(run.path, start_step) if hosts.is_main() else None
        self._bar = progress_bar(config.training.num_steps, "training", "step", start_step, quiet=not hosts.is_main())
        self._time, self._step = time.monotonic(), start_step
        self._warned = set()

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
        if "multiplier" in scalars:
            self._warn_of_saturation(step, scalars["multiplier"])

    def _warn_of_saturation(self, step: int, multiplier: float) -> None:
        limit = saturation(self._config.geco, multiplier)
        if limit and limit not in self._warned:
            self._warned.add(limit)
            self._bar.write(f"warning: step {step}: {_SATURATED[limit]}", file=sys.stderr)

    def close(self) -> None:
        """Flushes what is left."""
        if self._writer is not None:
            self._writer.close()
        self._bar.close()
