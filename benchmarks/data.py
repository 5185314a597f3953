"""Times the building and the reading of a data set: `python -m benchmarks.data [--system=NAME] [--num_trajectories=N]`.

Prints trajectories per second of the simulation, beside scipy's `solve_ivp` on one trajectory at a time in the same
run; the rate of every part of a build on one core; the rate and the memory of a build with all workers; and the frames
per second read from the result in the order of training, beside the rate at which a paper-size training step uses them.
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

from benchmarks.table import Row, version
from data_builders import datasets
from data_builders.rendering import images
from data_builders.simulation import draws, ground_truth, workers
from data_builders.simulation.physics_config import PhysicsConfig
from data_builders.tfds_backend import records
from experiments.run import command_line
from hgn_jax.data import datasets as data
from hgn_jax.physics.systems import SYSTEMS

# Frames per second of a paper-size training step on the two cores of results/, as printed by `benchmarks.train_step`.
TRAINING_FRAMES_PER_SECOND = 420


def best_seconds(run: Callable[[], Any], repeats: int = 3) -> float:
    """Returns the shortest wall time of several calls in seconds, after one call that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def one_at_a_time(setting: draws.Simulation, rows: Sequence[int], tolerance: float | None) -> np.ndarray:
    """Integrates trajectories of the first training chunk one by one with `solve_ivp` and hand-written NumPy forces.

    Args:
      setting: System, constants and times of the simulation.
      rows: Indices of the trajectories in the chunk.
      tolerance: Relative and absolute tolerance of DOP853; None for scipy's default method and tolerances, which
        generators of such data often use.

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
    """Returns the seconds that each part of a build takes for a chunk of `draws.CHUNK_SIZE` trajectories."""
    chunk = ground_truth.simulate_chunk(config.simulation, "train", 0)
    task = records.Task("train", 0, draws.CHUNK_SIZE)
    return {
        "simulation": best_seconds(lambda: ground_truth.simulate_chunk(config.simulation, "train", 0)),
        "drawing": best_seconds(lambda: images.render(config.canvas, chunk.observed_q)),
        "expected images": best_seconds(
            lambda: images.expected_render(config.canvas, chunk.q, config.observation_noise)
        ),
        "all, serialised": best_seconds(lambda: records.make_records(config, task)),
    }


def timed_build(name: str, config: PhysicsConfig, data_dir: str, num_workers: int | None) -> tuple[float, int]:
    """Builds a data set with the command `data_builders.build`.

    Returns:
      The wall time in seconds, and the peak memory of all processes in bytes with shared pages counted once. The memory
      is the sum of the proportional set sizes that Linux reports, polled several times a second; 0 on other systems.
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
    """Returns the process ids of a process and its children."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += map(int, task.read_text().split())
    return pids


def _proportional_set_size(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


class Reading(NamedTuple):
    """Decoded frames of training batches per second, in one process.

    Attributes:
      from_disk: Rate of reading and decoding.
      kept: Rate once all frames are kept in memory.
    """

    from_disk: float
    kept: float


def reading(path: pathlib.Path, batch_size: int, seconds: float) -> Reading:
    """Reads batches of a data set for `seconds`, first from disk and then from memory."""
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


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    workers.use_one_core()
    num_train, num_test, num_single, seconds = (16, 4, 2, 0.1) if quick else (5000, 1000, 100, 3.0)
    config = datasets.derive_config("pendulum", "paper", num_train=num_train, num_test=num_test)
    chunked = best_seconds(lambda: ground_truth.simulate_chunk(config.simulation, "train", 0))
    single = best_seconds(lambda: one_at_a_time(config.simulation, range(num_single), 1e-12))
    ours, scipy = draws.CHUNK_SIZE / chunked, num_single / single
    with tempfile.TemporaryDirectory() as directory:
        timed_build("pendulum", config, directory, num_workers=None)
        rates = reading(datasets.ensure_built("pendulum", config, directory), 16, seconds)
    return [
        Row(
            ours / scipy,
            "simulated pendulums, one core",
            f"{ours:.0f} trajectories/s",
            f"{version('scipy')} solve_ivp, DOP853 at 1e-12, one at a time: {scipy:.0f} trajectories/s",
        ),
        Row(
            rates.from_disk / TRAINING_FRAMES_PER_SECOND,
            "frames read and decoded, one process",
            f"{rates.from_disk:.0f} frames/s",
            f"a paper-size training step's {TRAINING_FRAMES_PER_SECOND} frames/s, as recorded in benchmarks/data.py",
        ),
        Row(
            rates.kept / rates.from_disk,
            "frames kept in memory, as on accelerators",
            f"{rates.kept:.0f} frames/s",
            f"the same read and decoded: {rates.from_disk:.0f} frames/s",
        ),
    ]


def main(argv: Sequence[str]) -> None:
    del argv
    workers.use_one_core()
    name, number = _SYSTEM.value, _NUM_TRAJECTORIES.value
    config = datasets.derive_config(name, "paper", num_train=number, num_test=max(1, number // 5))
    total, num_frames = config.num_train + config.num_test, config.num_steps + 1
    print(f"{name}: {total} trajectories of {num_frames} frames, {config.image_size}x{config.image_size}")

    seconds = parts_of_a_build(config)
    for part, each in seconds.items():
        print(f"{part}: {draws.CHUNK_SIZE / each:.0f} trajectories/s on one core")
    trajectories = range(_SINGLE.value)
    for label, tolerance in (
        ("scipy's defaults", None),
        ("DOP853 at 1e-10", 1e-10),
        ("DOP853 at 1e-12, as ours", 1e-12),
    ):
        single = best_seconds(lambda tolerance=tolerance: one_at_a_time(config.simulation, trajectories, tolerance), 1)
        exact = ground_truth.simulate_chunk(config.simulation, "train", 0).q[: len(trajectories)]
        error = np.abs(one_at_a_time(config.simulation, trajectories, tolerance) - exact).max()
        rate = len(trajectories) / single
        ratio = draws.CHUNK_SIZE / seconds["simulation"] / rate
        print(f"one at a time, {label}: {rate:.0f} trajectories/s, off by {error:.1e}; ours is {ratio:.0f} times that")

    with tempfile.TemporaryDirectory() as data_dir:
        wall, memory = timed_build(name, config, data_dir, _NUM_WORKERS.value)
        path = datasets.ensure_built(name, config, data_dir)
        size = sum(file.stat().st_size for file in path.iterdir())
        count = _NUM_WORKERS.value or workers.default_num_workers()
        print(
            f"build, {count} workers: {wall:.1f} s, {total / wall:.0f} trajectories/s, {size / total / 1e3:.1f} kB each"
        )
        print(f"peak memory of all processes: {memory / 1e6:.0f} MB")
        rates = reading(path, 16, 3.0)
        print(
            f"reading: {rates.from_disk:.0f} frames/s, {rates.from_disk / TRAINING_FRAMES_PER_SECOND:.0f} times the"
            f" {TRAINING_FRAMES_PER_SECOND} that a paper-size training step uses; {rates.kept:.0f} from memory"
        )


if __name__ == "__main__":
    _SYSTEM = flags.DEFINE_enum("system", "pendulum", list(SYSTEMS), "Data set.")
    _NUM_TRAJECTORIES = flags.DEFINE_integer("num_trajectories", 5_000, "Training trajectories.", lower_bound=16)
    _NUM_WORKERS = flags.DEFINE_integer(
        "num_workers", None, "Processes of the build. Default: one per core.", lower_bound=1
    )
    _SINGLE = flags.DEFINE_integer("single", 100, "Number of trajectories integrated one at a time.", lower_bound=1)
    command_line.run(main)
