"""Extends stored trajectories of a simulated data set beyond their last frame and before their first.

The valid prediction time is measured over more frames than the clips hold. The additional states are those the
simulator would have recorded; their frames have the noise level of the data set, from random streams of their own.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from data_builders.configs import field_names
from data_builders.rendering import images as rendering
from data_builders.simulation import draws
from data_builders.simulation import ground_truth as simulation
from data_builders.simulation.physics_config import PhysicsConfig
from data_builders.simulation.precision import single_precision
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

Example = Mapping[str, Any]

_FEATURES = ("image", "q", "p")


def lengthen(
    metadata: Mapping[str, Any], examples: Sequence[Example], num_before: int, num_after: int, split: str = "test"
) -> list[dict[str, Any]]:
    """Extends trajectories at both ends.

    The result for a trajectory depends only on the data set, the split and the trajectory's `index`.

    Args:
      metadata: Metadata of the data set, which describe the simulation and the scene.
      examples: Its examples, each with `image`, `q`, `p`, `index`, `constants`, and its look if the looks differ.
      num_before: Number of frames to add before the first.
      num_after: Number of frames to add after the last.
      split: Name of the split of the examples.

    Returns:
      The extended examples, in their order, without those that float64 cannot follow that far. Of the features with a
      time axis they hold only `image`, `q` and `p`.

    Raises:
      ValueError: If a number is negative.
    """
    if num_before < 0 or num_after < 0:
        raise ValueError(f"num_before and num_after must be 0 or more, got {num_before} and {num_after}")
    config, timed = _config(metadata), set(simulation.Trajectories._fields) | {"image"}
    before = _beyond(config, examples, num_before, split, backward=True)
    after = _beyond(config, examples, num_after, split, backward=False)
    return [
        {
            **{name: value for name, value in example.items() if name not in timed},
            **{name: np.concatenate([part[name] for part in parts]) for name in _FEATURES},
        }
        for example, *parts in zip(examples, before, examples, after, strict=True)
        if None not in parts
    ]


def _beyond(
    config: PhysicsConfig, examples: Sequence[Example], num_steps: int, split: str, backward: bool
) -> list[dict[str, np.ndarray] | None]:
    """Returns the features of the added frames in the order of time; None for a trajectory that cannot be followed."""
    if not num_steps:
        return [{name: x[name][:0] for name in _FEATURES} for x in examples]
    setting = dataclasses.replace(config.simulation, dt=-config.dt if backward else config.dt, num_steps=num_steps)
    drawn = {name: _stack(examples, lambda x, name=name: x["constants"][name]) for name in config.constant_ranges}
    path, followed = simulation.follow(setting, _end(config, examples, 0 if backward else -1), drawn)
    kept = list(itertools.compress(examples, followed))
    q, p = (x[followed, 1:].reshape(len(kept), num_steps, config.num_coordinates) for x in path)
    image = _observe(config, kept, q, [draws.continuation_noise(setting, split, x["index"], backward) for x in kept])
    in_time = slice(None, None, -1 if backward else 1)
    features = (
        {"image": i[in_time], "q": q[in_time].astype(np.float32), "p": p[in_time].astype(np.float32)}
        for i, q, p in zip(image, q, p, strict=True)
    )
    return [next(features) if accurate else None for accurate in followed]


def _observe(
    config: PhysicsConfig, examples: Sequence[Example], q: np.ndarray, rngs: Sequence[np.random.Generator]
) -> np.ndarray:
    """Renders paths `[examples, steps, d]`, each with noise from its own stream."""
    noise = [rng.standard_normal(path.shape) for rng, path in zip(rngs, q, strict=True)]
    look = None
    if config.varies_scene:
        look = rendering.Look(*(_stack(examples, lambda x, name=name: x[name]) for name in rendering.Look._fields))
    with single_precision():
        return rendering.render(config.canvas, q + config.observation_noise * np.reshape(noise, q.shape), look)


def _config(metadata: Mapping[str, Any]) -> PhysicsConfig:
    """Returns the configuration of a data set; fields that are newer than the data set have their defaults."""
    return PhysicsConfig(name="", **{name: metadata[name] for name in field_names(PhysicsConfig) if name in metadata})


def _end(config: PhysicsConfig, examples: Sequence[Example], time: int) -> PhaseState:
    """Returns the stored states at one time, `[examples, *state_shape]`."""
    shape = systems.get_system(config.system, **config.constants).state_shape
    ends = (_stack(examples, lambda x, name=name: x[name][time]) for name in ("q", "p"))
    return PhaseState(*(end.reshape(-1, *shape) for end in ends))


def _stack(examples: Sequence[Example], value: Callable[[Example], Any]) -> np.ndarray:
    return np.stack([np.asarray(value(example), np.float64) for example in examples])
