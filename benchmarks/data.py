"""Times making and reading a data set: `python -m benchmarks.data [--system=NAME] [--num_trajectories=N]`.

Prints trajectories per second of the simulation, beside those of scipy's `solve_ivp` for one trajectory at a time in
the same run; the rate of every part of a build, on one core; the rate of a build with all workers, and its memory; and
the frames per second read from the result in the order of training, beside those a paper-size training step takes.
"""

import contextlib
import math
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from scipy import integrate

from data_builders import datasets
from data_builders.rendering import images as rendering
from data_builders.simulation import draws, workers
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.physics_config import PhysicsConfig
from data_builders.tfds_backend import records
from experiments.run import command_line
from hgn_jax.data import datasets as data
from hgn_jax.physics.systems import SYSTEMS

# Frames per second that `benchmarks.train_step` printed for the paper's model on the two cores of results/.
TRAINING_FRAMES_PER_SECOND = 420


def best_seconds(run: Callable[[], Any], repeats: int = 3) -> float:
    """Least wall time of a call, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def one_at_a_time(setting: draws.Simulation, rows: Sequence[int], tolerance: float | None) -> np.ndarray:
    """Integrates single trajectories of the first training chunk by `solve_ivp`, with hand-written NumPy forces.

    Args:
      setting: what to simulate.
      rows: which trajectories.
      tolerance: of DOP853; None for scipy's defaults, as generators of such data use them.

    Returns:
      Positions `[len(rows), T + 1, d]`.
    """
    start = draws.initial_states(setting, "train", 0)
    derivative = _DERIVATIVES[setting.system](setting.constants)
    times = setting.dt * np.arange(setting.num_steps + 1)
    options = {} if tolerance is None else {"method": "DOP853", "rtol": tolerance, "atol": tolerance}
    paths = []
    for row in rows:
        state = np.concatenate([start.q[row].ravel(), start.p[row].ravel()])
        path = integrate.solve_ivp(derivative, times[[0, -1]], state, t_eval=times, **options).y
        paths.append(path[: len(state) // 2].T)
    return np.array(paths)


def _spring(constants):
    return lambda _, s: np.array([s[1] / constants["m"], -constants["k"] * s[0]])


def _pendulum(constants):
    m, g, l, factor = (constants[name] for name in ("m", "g", "l", "potential_factor"))
    return lambda _, s: np.array([s[1] / (m * l**2), -factor * m * g * l * np.sin(s[0])])


def _bodies(constants):
    m, g = constants["m"], constants["g"]

    def derivative(_, state):
        q, p = state.reshape(2, -1, 2)
        separation = q[None] - q[:, None]
        distance = np.linalg.norm(separation, axis=-1) + np.eye(len(q))
        pull = g * m**2 * np.sum(separation / distance[..., None] ** 3, axis=1)
        return np.concatenate([p.ravel() / m, pull.ravel()])

    return derivative


def _double_pendulum(constants):
    system = SYSTEMS["double_pendulum"](**constants)
    m1, m2, g, l1, l2 = system.constants.values()

    def derivative(_, state):
        (a, b), p = state[:2], state[2:]
        sine, coupling = np.sin(a - b), m2 * l1 * l2 * np.cos(a - b)
        determinant = (m1 + m2) * m2 * l1**2 * l2**2 - coupling**2
        u = (m2 * l2**2 * p[0] - coupling * p[1]) / determinant
        v = ((m1 + m2) * l1**2 * p[1] - coupling * p[0]) / determinant
        torque = m2 * l1 * l2 * u * v * sine
        weight = np.array([(m1 + m2) * g * l1 * np.sin(a), m2 * g * l2 * np.sin(b)])
        return np.array([u, v, -torque - weight[0], torque - weight[1]])

    return derivative


_DERIVATIVES = {
    "mass_spring": _spring,
    "pendulum": _pendulum,
    "two_body": _bodies,
    "three_body": _bodies,
    "double_pendulum": _double_pendulum,
}


def parts_of_a_build(config: PhysicsConfig) -> dict[str, float]:
    """Seconds that each part of a build takes for a chunk of `draws.CHUNK_SIZE` trajectories."""
    found = simulation.simulate_chunk(config.simulation, "train", 0)
    task = records.Task("train", 0, draws.CHUNK_SIZE)
    return {
        "simulation": best_seconds(lambda: simulation.simulate_chunk(config.simulation, "train", 0)),
        "drawing": best_seconds(lambda: rendering.render(config.canvas, found.observed_q)),
        "expected images": best_seconds(
            lambda: rendering.expected_render(config.canvas, found.q, config.observation_noise)
        ),
        "all, serialised": best_seconds(lambda: records.make_records(config, task)),
    }


def timed_build(name: str, config: PhysicsConfig, data_dir: str, num_workers: int | None) -> tuple[float, int]:
    """Builds a data set by the command, from nothing to the end.

    Returns:
      Its wall time in seconds; and the most memory of its processes together in bytes, pages that they share counted
      once: the sum of the proportional set sizes that Linux reports, looked at several times a second, or 0 elsewhere.
    """
    changes = {"num_train": config.num_train, "num_test": config.num_test}
    command = [sys.executable, "-m", "data_builders.build", name, "--config=paper", f"--data_dir={data_dir}"]
    command += [f"--config.{field}={value}" for field, value in changes.items()]
    command += [] if num_workers is None else [f"--num_workers={num_workers}"]
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(_proportional_set_size, _family(process.pid))))
        time.sleep(0.2)
    if process.returncode:
        raise command_line.UserError(f"the build ended with exit status {process.returncode}")
    return time.perf_counter() - start, peak


def _family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def _proportional_set_size(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


class Reading(NamedTuple):
    """Frames per second of training batches, decoded, in one process: from disk, and once they are kept in memory."""

    from_disk: float
    kept: float


def reading(path: pathlib.Path, batch_size: int, seconds: float) -> Reading:
    """Reads a data set for so many seconds, and again when all of it was read."""
    splits, _ = data.open_dataset(path)
    kept = data.Cached(splits["train"], ("image",), math.inf)
    frames_per_batch = batch_size * len(kept.__getitems__(range(len(kept)))[0]["image"])

    def rate(source) -> float:
        batches = data.Batches(source, batch_size, seed=0)
        batches(0)
        step, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            step += 1
            batches(step)
        return step * frames_per_batch / (time.perf_counter() - start)

    return Reading(rate(splits["train"]), rate(kept))


def main(argv: Sequence[str]) -> None:
    del argv
    workers.use_one_core()
    name, number = _SYSTEM.value, _NUM_TRAJECTORIES.value
    config = datasets.derive_config(name, "paper", num_train=number, num_test=max(1, number // 5))
    total, num_frames = config.num_train + config.num_test, config.num_steps + 1
    print(f"{name}: {total} trajectories of {num_frames} frames, {config.image_size}x{config.image_size}")

    seconds = parts_of_a_build(config)
    for part, each in seconds.items():
        print(f"{part}: {draws.CHUNK_SIZE / each:.0f} trajectories/s here")
    rows = range(_SINGLE.value)
    for label, tolerance in (
        ("scipy's defaults", None),
        ("DOP853 at 1e-10", 1e-10),
        ("DOP853 at 1e-12, as ours", 1e-12),
    ):
        single = best_seconds(lambda tolerance=tolerance: one_at_a_time(config.simulation, rows, tolerance), 1)
        exact = simulation.simulate_chunk(config.simulation, "train", 0).q[: len(rows)]
        error = np.abs(one_at_a_time(config.simulation, rows, tolerance) - exact).max()
        rate, ratio = len(rows) / single, draws.CHUNK_SIZE / seconds["simulation"] / (len(rows) / single)
        print(f"one at a time, {label}: {rate:.0f} trajectories/s, off by {error:.1e}; ours is {ratio:.0f} times that")

    with tempfile.TemporaryDirectory() as data_dir:
        wall, memory = timed_build(name, config, data_dir, _NUM_WORKERS.value)
        path = datasets.ensure_built(name, config, data_dir)
        size = sum(file.stat().st_size for file in path.iterdir())
        count = _NUM_WORKERS.value or workers.default_num_workers()
        print(
            f"build, {count} workers: {wall:.1f} s, {total / wall:.0f} trajectories/s, {size / total / 1e3:.1f} kB each"
        )
        print(f"at most {memory / 1e6:.0f} MB of memory, all processes together")
        found = reading(path, 16, 3.0)
        print(
            f"reading: {found.from_disk:.0f} frames/s, {found.from_disk / TRAINING_FRAMES_PER_SECOND:.0f} times the"
            f" {TRAINING_FRAMES_PER_SECOND} that a paper-size training step takes; {found.kept:.0f} once they are kept"
        )


if __name__ == "__main__":
    _SYSTEM = flags.DEFINE_enum("system", "pendulum", list(SYSTEMS), "Data set.")
    _NUM_TRAJECTORIES = flags.DEFINE_integer("num_trajectories", 5_000, "Of the training split.", lower_bound=16)
    _NUM_WORKERS = flags.DEFINE_integer("num_workers", None, "Of the build; by default the cores.", lower_bound=1)
    _SINGLE = flags.DEFINE_integer("single", 100, "Trajectories integrated one at a time.", lower_bound=1)
    command_line.run(main)
