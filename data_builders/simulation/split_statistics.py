"""Statistics of a split for its metadata: reference errors of images, clipped fraction, energy error."""

from collections.abc import Mapping

import numpy as np

from data_builders.rendering import images as rendering
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.physics_config import PhysicsConfig


class SplitStatistics:
    """Sums over trajectories, with pixels scaled to [0, 1].

    Sums of chunks are merged in the order of the chunks, so that the result does not depend on the number of workers.

    Args:
      config: Configuration of the data set.
    """

    def __init__(self, config: PhysicsConfig):
        self._config = config
        self._num_trajectories = 0
        self._num_frames = 0
        self._image_sum = 0.0
        self._squares = 0.0
        self._floor = 0.0
        self._clipped = 0.0
        self._clipped_noise_free = 0.0
        self._energy_error = 0.0
        self._num_redrawn = 0

    def add(self, part: simulation.Trajectories, images: np.ndarray, look: rendering.Look | None = None) -> None:
        """Adds trajectories.

        Args:
          part: Trajectories, `[n, T + 1, d]`.
          images: Their images, uint8 `[n, T + 1, H, W, 3]`.
          look: Their looks, `[n, ...]`, if trajectories differ in them.
        """
        canvas, noise = self._config.canvas, self._config.observation_noise
        observed = images.astype(np.float32) / 255.0
        expected = rendering.expected_render(canvas, part.q, noise, look)
        self._num_trajectories += len(part.q)
        self._num_frames += part.q.shape[0] * part.q.shape[1]
        self._image_sum += observed.sum(axis=(0, 1), dtype=np.float64)
        self._squares += np.square(observed).sum(axis=(0, 1), dtype=np.float64).mean()
        self._floor += np.square(observed - expected).sum(axis=(0, 1), dtype=np.float64).mean()
        self._clipped += rendering.is_clipped(canvas, part.observed_q, look).sum()
        self._clipped_noise_free += rendering.is_clipped(canvas, part.q, look).sum()
        self._energy_error = max(self._energy_error, part.energy_error.max())
        self._num_redrawn += int(part.num_redrawn.sum())

    def sums(self) -> dict[str, np.ndarray]:
        """Returns the sums, for `merge`."""
        return {name: np.asarray(value) for name, value in vars(self).items() if name != "_config"}

    def merge(self, sums: Mapping[str, np.ndarray]) -> None:
        """Adds the sums of other trajectories."""
        for name, value in sums.items():
            value = value if value.ndim else value.item()
            total = getattr(self, name)
            setattr(self, name, max(total, value) if name == "_energy_error" else total + value)

    def summary(self) -> dict[str, float]:
        """Returns the statistics; `PhysicsBuilder` describes the entries."""
        num_frames = self._num_frames
        return {
            "num_trajectories": self._num_trajectories,
            "noise_floor_mse": float(self._floor / num_frames),
            "mean_image_mse": float(self._squares / num_frames - np.square(self._image_sum / num_frames).mean()),
            "clipped_fraction": float(self._clipped / num_frames),
            "clipped_fraction_noise_free": float(self._clipped_noise_free / num_frames),
            "max_relative_energy_error": float(self._energy_error),
            "num_redrawn_starts": self._num_redrawn,
        }
