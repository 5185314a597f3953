"""Measures how the cost of training grows: `python -m benchmarks.growth [--output=results/growth]`.

Varies one size at a time and measures each in a process of its own: the median time of a training step and the peak
memory of the process, with its libraries. Both are fitted to a power of the size. Rollouts of more and more steps are
differentiated by JAX and by the reversible adjoint, `hgn_jax.rollout(..., adjoint="reversible")`.
"""

import functools
import json
import math
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from benchmarks import program
from benchmarks.processes import Cost, alone, peak_gigabytes, training_step
from benchmarks.table import Row, device, table, version
from experiments.run import command_line

_REPEATS = 3


class Point(NamedTuple):
    """The cost at one size.

    Attributes:
      kind: Name of what is varied.
      size: The size.
      seconds: Median wall time.
      gigabytes: Peak memory of the process, with its libraries.
    """

    kind: str
    size: int
    seconds: float
    gigabytes: float


def _step(preset: str, resize: Callable[[Any, int], None]) -> Callable[[int, int], Cost]:
    """Returns `(size, repeats) -> cost` of a training step of a preset that `resize` gives the size."""

    def measure(size: int, repeats: int) -> Cost:
        from experiments.hgn import presets

        config = presets.get(preset)
        resize(config, size)
        return training_step(config, repeats)

    return measure


def _rollout_gradient(adjoint: str, num_steps: int, repeats: int) -> Cost:
    import jax
    import jax.numpy as jnp

    from experiments.comparison.step_timing import median_seconds
    from hgn_jax import PhaseState, rollout, separable

    def loss(strength: jax.Array, state: PhaseState) -> jax.Array:
        pendulums = separable(lambda p: 0.5 * jnp.sum(p**2, -1), lambda q: -strength * jnp.sum(jnp.cos(q), -1))
        # Two states are kept, so that nothing but the adjoint grows with the number of steps.
        path = rollout(pendulums, state, 10.0, 1, substeps=num_steps, adjoint=adjoint)
        return jnp.mean(path.q[-1] ** 2)

    keys = jax.random.split(jax.random.PRNGKey(0))
    state = PhaseState(*(jax.random.normal(key, (1000, 4)) for key in keys))
    gradient = jax.jit(jax.grad(loss))
    return Cost(median_seconds(lambda: gradient(jnp.float32(1.0), state), repeats), peak_gigabytes())


def _frames(config: Any, size: int) -> None:
    config.data.num_steps = size - 1


def _clips(config: Any, size: int) -> None:
    config.training.batch_size = size


def _pixels(config: Any, size: int) -> None:
    config.image_size = size
    config.encoder_filters = (32, 48, 64, 64, 64)
    config.decoder_filters = (64, 32, 16, 16, 16)[: size.bit_length() - 3]  # a block per doubling of 4 pixels


def _state(config: Any, size: int) -> None:
    config.state_channels = size


# What is varied -> the sizes, and the measurement of one of them.
KINDS: dict[str, tuple[Sequence[int], Callable[[int, int], Cost]]] = {
    "frames in a clip": ((31, 64, 128, 256), _step("mass_spring_small", _frames)),
    "clips in a batch": ((16, 64, 256), _step("mass_spring_small", _clips)),
    "pixels across": ((32, 64, 128), _step("mass_spring_small", _pixels)),
    "coordinates of a vector state": ((1, 4, 16, 64), _step("mass_spring_plus_plus_small", _state)),
    "steps of a rollout, differentiated by JAX": ((1000, 4000, 16000), functools.partial(_rollout_gradient, "direct")),
    "steps of a rollout, reversible adjoint": ((1000, 4000, 16000), functools.partial(_rollout_gradient, "reversible")),
}


def _measure(kind: str, size: int, repeats: int) -> Cost:
    return KINDS[kind][1](size, repeats)


def measure(quick: bool = False) -> list[Point]:
    """Measures every size of every kind, or the two smallest of the last kind once."""
    points = []
    for kind, (sizes, _) in list(KINDS.items())[-1 if quick else 0 :]:
        for size in sizes[:2] if quick else sizes:
            points.append(Point(kind, size, *alone(_measure, kind, size, 1 if quick else _REPEATS)))
            print(*points[-1], file=sys.stderr, flush=True)
    return points


def exponent(points: Sequence[Point], cost: Callable[[Point], float]) -> float:
    """Returns the power of the size with which a cost grows, fitted in the logarithms of both."""
    sizes, costs = ([math.log(x) for x in values] for values in ([p.size for p in points], [cost(p) for p in points]))
    return float(np.polyfit(sizes, costs, 1)[0])


def describe(points: Sequence[Point]) -> list[Row]:
    """Returns a row for each kind: the growth of time and memory, and the numbers behind them."""
    lines = []
    for kind in dict.fromkeys(point.kind for point in points):
        here = [point for point in points if point.kind == kind]
        times = exponent(here, lambda point: point.seconds)
        memory = exponent(here, lambda point: point.gigabytes)
        numbers = "; ".join(f"{p.size}: {p.seconds:.3g} s, {p.gigabytes:.3g} GB" for p in here)
        lines.append(Row(None, kind, f"time ~ size^{times:.2f}, memory ~ size^{memory:.2f}", numbers))
    return lines


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    return describe(measure(quick))


def draw(points: Sequence[Point], path: pathlib.Path) -> None:
    """Draws time and memory against size, relative to the smallest size of each kind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    titles = ("time", "peak memory")
    for axes, name, title in zip(figure.subplots(1, 2), ("seconds", "gigabytes"), titles, strict=True):
        for kind in dict.fromkeys(point.kind for point in points):
            here = [point for point in points if point.kind == kind]
            sizes = [point.size / here[0].size for point in here]
            axes.loglog(sizes, [getattr(p, name) / getattr(here[0], name) for p in here], "o-", label=kind)
        axes.loglog([1, 16], [1, 16], ":", color="grey", label="in proportion")
        axes.set(xlabel="size / smallest size", ylabel="cost / cost of the smallest size", title=title)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)


def write(points: Sequence[Point], path: pathlib.Path) -> None:
    """Writes the costs as JSON, with the device and the versions that they were measured with."""
    content = {
        "command": "python -m benchmarks.growth",
        "device": device(),
        "versions": [version("jax"), version("jaxlib")],
        "repeats": _REPEATS,
        "costs": [point._asdict() for point in points],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str]) -> None:
    del argv
    folder = program.output_folder(_OUTPUT.value)
    points = measure()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        write(points, folder / "growth.json")
        draw(points, folder / "growth.png")
    print(table(describe(points)))


if __name__ == "__main__":
    _OUTPUT = flags.DEFINE_string("output", None, "Directory for the numbers and the picture.")
    command_line.run(main)
