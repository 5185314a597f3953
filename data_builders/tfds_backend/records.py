"""Chunks of a simulated data set as serialised records, functions of (configuration, split, number of the chunk)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data_builders.rendering import images as rendering
from data_builders.simulation import draws
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.physics_config import PhysicsConfig
from data_builders.simulation.precision import single_precision
from data_builders.simulation.split_statistics import SplitStatistics
from data_builders.tfds_backend import shards


class Task(NamedTuple):
    """The first `number` trajectories of a chunk."""

    split: str
    chunk: int
    number: int


class Records(NamedTuple):
    """Serialised examples, the indices of their trajectories in the split, and the `sums` of their statistics."""

    indices: range
    records: list[bytes]
    sums: dict[str, np.ndarray]


def tasks(split: str, num_trajectories: int) -> list[Task]:
    """Divides the first trajectories of a split into chunks."""
    starts = range(0, num_trajectories, draws.CHUNK_SIZE)
    return [Task(split, i, min(draws.CHUNK_SIZE, num_trajectories - start)) for i, start in enumerate(starts)]


def make_features(config: PhysicsConfig) -> tfds.features.FeaturesDict:
    """Returns the features of an example; the time axis has no fixed length if the splits differ in it."""
    steps = set(config.split_steps().values())
    num_frames, size = steps.pop() + 1 if len(steps) == 1 else None, config.image_size
    state = tfds.features.Tensor(shape=(num_frames, config.num_coordinates), dtype=np.float32)
    features = {
        "image": tfds.features.Tensor(shape=(num_frames, size, size, 3), dtype=np.uint8, encoding="zlib"),
        "q": state,
        "p": state,
        "dq_dt": state,
        "dp_dt": state,
        "energy": tfds.features.Tensor(shape=(num_frames,), dtype=np.float32),
        "constants": {
            name: tfds.features.Tensor(shape=shape, dtype=np.float32) if shape else tfds.features.Scalar(np.float32)
            for name, shape in config.constant_shapes().items()
        },
        "index": tfds.features.Scalar(np.int64),
    }
    if config.varies_scene:
        features["colours"] = tfds.features.Tensor(shape=(len(config.colours), 3), dtype=np.uint8)
        features["offset"] = tfds.features.Tensor(shape=(2,), dtype=np.float32)
        features["rod_lengths"] = tfds.features.Tensor(shape=(2,), dtype=np.float32)
    return tfds.features.FeaturesDict(features)


def make_records(config: PhysicsConfig, task: Task) -> Records:
    """Simulates, renders and serialises trajectories; the bytes are the same in every process."""
    features = make_features(config)
    statistics = SplitStatistics(config)
    records = list(shards.serialise(features, _examples(config, task, statistics)))
    first = task.chunk * draws.CHUNK_SIZE
    return Records(range(first, first + task.number), records, statistics.sums())


def _examples(config: PhysicsConfig, task: Task, statistics: SplitStatistics) -> Iterator[dict[str, Any]]:
    """Yields the examples of a chunk, and adds them to `statistics`."""
    setting = config.split_simulation(task.split)
    trajectories = simulation.simulate_chunk(setting, task.split, task.chunk)
    constants = {**config.constants, **draws.draw_constants(setting, task.split, task.chunk)}
    look = draw_look(config, task.split, task.chunk, constants) if config.varies_scene else None
    block_size = max(1, rendering.frames_per_call(config.canvas) // (setting.num_steps + 1))
    for begin in range(0, task.number, block_size):  # bounds the memory
        rows = slice(begin, min(begin + block_size, task.number))
        block = simulation.Trajectories(*(x[rows] for x in trajectories))
        block_look = None if look is None else rendering.Look(*(x[rows] for x in look))
        with single_precision():
            images = rendering.render(config.canvas, block.observed_q, block_look)
            statistics.add(block, images, block_look)
        for row, image in enumerate(images):
            index = begin + row
            example = {"image": image, "index": task.chunk * draws.CHUNK_SIZE + index}
            for name in ("q", "p", "dq_dt", "dp_dt", "energy"):
                example[name] = getattr(block, name)[row].astype(np.float32)
            example["constants"] = {name: _row(value, index) for name, value in constants.items()}
            if block_look is not None:
                example |= {name: getattr(block_look, name)[row] for name in rendering.Look._fields}
            yield example


def _row(constant: float | np.ndarray, index: int) -> Any:
    """Returns the value of a constant for one trajectory of the chunk, float32."""
    return np.float32(constant[index] if isinstance(constant, np.ndarray) else constant)


def draw_look(config: PhysicsConfig, split: str, chunk: int, constants: draws.Constants) -> rendering.Look:
    """Draws the looks of the trajectories of a chunk, `[CHUNK_SIZE, ...]`, in the types that are stored."""
    rng = draws.generators(config.simulation, split, chunk)["scene"]
    number, num_discs = draws.CHUNK_SIZE, len(config.colours)
    order = rng.permuted(np.tile(np.arange(max(config.num_colours, num_discs)), (number, 1)), axis=1)[:, :num_discs]
    colours = np.asarray(rendering.PALETTE)[order] if config.num_colours else np.tile(config.colours, (number, 1, 1))
    offset = config.canvas_offset * rng.uniform(-1.0, 1.0, size=(number, 2))
    rods = np.stack([np.broadcast_to(length, number) for length in config.rods(constants)], axis=-1)
    return rendering.Look(colours.astype(np.uint8), offset.astype(np.float32), rods.astype(np.float32))
