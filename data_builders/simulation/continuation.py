"""Trajectories of a simulated data set carried on beyond their last frame, and back before their first.

How long a prediction stays valid is measured over more frames than the clips hold. The states beyond them are what the
simulator would have recorded; their frames are drawn with the data set's own noise, from streams of their own.
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
from data_builders.simulation.precision import on_cpu
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

Example = Mapping[str, Any]

_FEATURES = ("image", "q", "p")


def lengthen(
    metadata: Mapping[str, Any], examples: Sequence[Example], num_before: int, num_after: int, split: str = "test"
) -> list[dict[str, Any]]:
    """Trajectories with more frames at both ends.

    What it makes of a trajectory depends on the data set, the split and the trajectory's `index` alone.

    Args:
      metadata: the data set's, which tell how it was simulated and drawn.
      examples: of it, each with `image`, `q`, `p`, `index`, `constants`, and what of the scene differs between them.
      num_before: how many frames are put before the first.
      num_after: how many are put after the last.
      split: that the examples are of.

    Returns:
      Those of the examples that float64 can follow so far, in their order; of the longer features `image`, `q` and `p`
      alone.

    Raises:
      ValueError: if a number is negative.
    """
    if num_before < 0 or num_after < 0:
        raise ValueError(f"num_before and num_after must be 0 or more, got {num_before} and {num_after}")
    config, long = _config(metadata), set(simulation.Trajectories._fields) | {"image"}
    before = _beyond(config, examples, num_before, split, backward=True)
    after = _beyond(config, examples, num_after, split, backward=False)
    return [
        {
            **{name: value for name, value in example.items() if name not in long},
            **{name: np.concatenate([part[name] for part in parts]) for name in _FEATURES},
        }
        for example, *parts in zip(examples, before, examples, after, strict=True)
        if None not in parts
    ]


def _beyond(
    config: PhysicsConfig, examples: Sequence[Example], num_steps: int, split: str, backward: bool
) -> list[dict[str, np.ndarray] | None]:
    """The features of what follows, or precedes, in the order of time; None where it cannot be followed."""
    if not num_steps:
        return [{name: x[name][:0] for name in _FEATURES} for x in examples]
    setting = dataclasses.replace(config.simulation, dt=-config.dt if backward else config.dt, num_steps=num_steps)
    drawn = {name: _stack(examples, lambda x, name=name: x["constants"][name]) for name in config.constant_ranges}
    path, followed = simulation.follow(setting, _end(config, examples, 0 if backward else -1), drawn)
    kept = list(itertools.compress(examples, followed))
    q, p = (x[followed, 1:].reshape(len(kept), num_steps, config.num_coordinates) for x in path)
    image = _observe(config, kept, q, [draws.continuation_noise(setting, split, x["index"], backward) for x in kept])
    in_time = slice(None, None, -1 if backward else 1)
    found = (
        {"image": i[in_time], "q": q[in_time].astype(np.float32), "p": p[in_time].astype(np.float32)}
        for i, q, p in zip(image, q, p, strict=True)
    )
    return [next(found) if was else None for was in followed]


def _observe(
    config: PhysicsConfig, examples: Sequence[Example], q: np.ndarray, rngs: Sequence[np.random.Generator]
) -> np.ndarray:
    """Frames of paths `[examples, steps, d]`, each with noise of its own."""
    noise = [rng.standard_normal(path.shape) for rng, path in zip(rngs, q, strict=True)]
    look = None
    if config.varies_scene:
        look = rendering.Look(*(_stack(examples, lambda x, name=name: x[name]) for name in rendering.Look._fields))
    with on_cpu():
        return rendering.render(config.canvas, q + config.observation_noise * np.reshape(noise, q.shape), look)


def _config(metadata: Mapping[str, Any]) -> PhysicsConfig:
    """That of the data set, which may be older than some of the fields."""
    return PhysicsConfig(name="", **{name: metadata[name] for name in field_names(PhysicsConfig) if name in metadata})


def _end(config: PhysicsConfig, examples: Sequence[Example], time: int) -> PhaseState:
    """The first or the last stored states, `[examples, *state_shape]`."""
    shape = systems.get_system(config.system, **config.constants).state_shape
    ends = (_stack(examples, lambda x, name=name: x[name][time]) for name in ("q", "p"))
    return PhaseState(*(end.reshape(-1, *shape) for end in ends))


def _stack(examples: Sequence[Example], value: Callable[[Example], Any]) -> np.ndarray:
    return np.stack([np.asarray(value(example), np.float64) for example in examples])
