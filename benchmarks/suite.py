"""The benchmarks by name, each `quick -> rows`; `quick` is of a size that shows no more than that it works.

Each is to be called in a process of its own, which has not imported JAX: some set it up in their own way.
"""

import os
import tempfile
from collections.abc import Callable

from benchmarks.table import Row, version


def train_step(quick: bool) -> list[Row]:
    """A paper-size training step beside a float32 matrix product."""
    from benchmarks import train_step

    return train_step.rows(quick)


def accelerator(quick: bool) -> list[Row]:
    """Training steps in batches of several sizes and in each precision, where there is an accelerator."""
    from benchmarks import accelerator, train_step
    from experiments.hgn import presets

    config = presets.get("mass_spring")
    return accelerator.rows_where_there_is_one(train_step.smallest(config) if quick else config, 2 if quick else 20)


def pipeline(quick: bool) -> list[Row]:
    """A training step with its reading beside one on a batch that is there."""
    from benchmarks import pipeline, train_step
    from experiments.hgn import presets

    config = presets.get("mass_spring_small")
    return pipeline.rows(train_step.smallest(config) if quick else config, 5 if quick else 100)


def data(quick: bool) -> list[Row]:
    """Simulating on one core beside scipy one trajectory at a time; reading beside what training takes."""
    from benchmarks import data
    from data_builders import datasets
    from data_builders.simulation import draws, workers
    from data_builders.simulation import ground_truth as simulation

    workers.use_one_core()
    config = datasets.derive_config("pendulum", "paper", num_train=16 if quick else 5000, num_test=4 if quick else 1000)
    ours = draws.CHUNK_SIZE / data.best_seconds(lambda: simulation.simulate_chunk(config.simulation, "train", 0))
    trajectories = range(2 if quick else 100)
    singly = len(trajectories) / data.best_seconds(lambda: data.one_at_a_time(config.simulation, trajectories, 1e-12))
    with tempfile.TemporaryDirectory() as directory:
        data.timed_build("pendulum", config, directory, num_workers=None)
        path = datasets.ensure_built("pendulum", config, directory)
        reading = data.reading(path, 16, 0.1 if quick else 3.0)
    needed = data.TRAINING_FRAMES_PER_SECOND
    return [
        Row(
            ours / singly,
            "simulated pendulums, one core",
            f"{ours:.0f} trajectories/s",
            f"{version('scipy')} solve_ivp, DOP853 at 1e-12, one at a time: {singly:.0f} trajectories/s",
        ),
        Row(
            reading.from_disk / needed,
            "frames read and decoded, one process",
            f"{reading.from_disk:.0f} frames/s",
            f"a paper-size training step's {needed} frames/s, as recorded in benchmarks/data.py",
        ),
        Row(
            reading.kept / reading.from_disk,
            "frames once they are kept in memory, as on accelerators",
            f"{reading.kept:.0f} frames/s",
            f"the same read and decoded: {reading.from_disk:.0f} frames/s",
        ),
    ]


def integrators(quick: bool) -> list[Row]:
    """`rollout` beside diffrax."""
    from benchmarks import integrators

    return integrators.rows(quick)


def nhf_vs_flows(quick: bool) -> list[Row]:
    """Time per density and per sample of an NHF beside other flows."""
    from benchmarks import nhf_vs_flows

    return nhf_vs_flows.rows(quick)


def scaling(quick: bool) -> list[Row]:
    """A training step on all devices beside one; on a CPU, on two devices that share its cores."""
    # Of the host's devices alone; an accelerator's are those there are.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2".strip()
    import jax

    from benchmarks import scaling, train_step
    from experiments.hgn import presets

    config = presets.get("mass_spring_small")
    alone, *_, most = scaling.measure(train_step.smallest(config) if quick else config, 2 if quick else 15)
    kind = f"{most.num_devices} x {jax.devices()[0].device_kind}"
    return [
        Row(
            (most.batch_size / most.seconds) / (alone.batch_size / alone.seconds),
            f"training step of {config.preset} on {kind}, {most.batch_size} clips",
            f"{most.seconds:.3g} s",
            f"one of them, {alone.batch_size} clips, {version('jax')}: {alone.seconds:.3g} s",
        )
    ]


BENCHMARKS: dict[str, Callable[[bool], list[Row]]] = {
    function.__name__: function
    for function in (train_step, accelerator, pipeline, data, integrators, nhf_vs_flows, scaling)
}
