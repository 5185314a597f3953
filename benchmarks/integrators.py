"""Times `rollout` beside diffrax: `python -m benchmarks.integrators [--batch=N] [--num_steps=N] [--output=DIR]`.

Integrates pendulums in float32, with one compiled function per method, by turns in one process. The other method is
diffrax's SemiImplicitEuler, symplectic like leapfrog but of first order, with a fixed step and the same vector field,
`jax.grad` of the same Hamiltonian. Prints steps per second, errors, and the memory of a rollout that keeps only some of
its states. `--output` adds the growth of the time with the number of steps and with the batch, as a picture and JSON.
"""

import functools
import importlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from benchmarks import program
from benchmarks.table import Row, device, interleaved_medians, missing, version
from experiments.run import command_line
from hgn_jax import PhaseState, rollout
from hgn_jax.physics import systems
from hgn_jax.physics.hamiltonian import force, velocity

_DT = 0.01
_KEPT = 10  # number of states kept where memory is measured
_RANGE = 1.5  # largest initial angle, in radians
_SWEEP = tuple(2.0**k for k in range(-3, 3))  # factors of the number of steps and of the batch
_EVERY = 10  # steps between two kept states, unless only the last state is kept
_OURS, _DIFFRAX = "leapfrog", "diffrax SemiImplicitEuler"
_KEEPING = f", every {_EVERY}th state kept"

_HAMILTONIAN = systems.pendulum(m=1.0, g=1.0, l=1.0, potential_factor=1.0).hamiltonian


class Setting(NamedTuple):
    """Number of pendulums and number of steps of each."""

    batch: int
    num_steps: int


def start(batch: int) -> PhaseState:
    """Returns pendulums at rest, `[batch, 1]`."""
    angles = np.random.default_rng(0).uniform(-_RANGE, _RANGE, (batch, 1)).astype(np.float32)
    return PhaseState(jnp.asarray(angles), jnp.zeros_like(angles))


def ours(setting: Setting, every: int, integrator: str = "leapfrog") -> Callable[[PhaseState], PhaseState]:
    """Returns the compiled rollout that records a state every `every` steps."""
    num_kept = setting.num_steps // every
    integrate = functools.partial(rollout, _HAMILTONIAN, integrator=integrator, substeps=every)
    return jax.jit(lambda state: integrate(state, every * _DT, num_kept))


def diffrax_rollout(setting: Setting, every: int) -> Callable[[PhaseState], PhaseState]:
    """Returns diffrax's first-order symplectic method, which records the same states but the first.

    Raises:
      ImportError: If diffrax is not installed.
    """
    diffrax = importlib.import_module("diffrax")
    terms = (
        diffrax.ODETerm(lambda t, p, args: velocity(_HAMILTONIAN)(PhaseState(p, p))),  # T depends on p only,
        diffrax.ODETerm(lambda t, q, args: force(_HAMILTONIAN)(PhaseState(q, q))),  # and V on q only
    )

    end, num_kept = setting.num_steps * _DT, setting.num_steps // every
    kept = {"t1": True} if num_kept == 1 else {"ts": end / num_kept * np.arange(1, num_kept + 1)}

    def integrate(state):
        solution = diffrax.diffeqsolve(
            terms, diffrax.SemiImplicitEuler(), 0.0, end, _DT, tuple(state),
            max_steps=setting.num_steps + 1, saveat=diffrax.SaveAt(**kept),
        )  # fmt: skip
        return PhaseState(*solution.ys)

    return jax.jit(integrate)


def methods(setting: Setting) -> dict[str, Callable[[PhaseState], PhaseState]]:
    """Returns the compiled functions by name, without those of diffrax if it is not installed."""
    kept = {"": setting.num_steps, _KEEPING: _EVERY}
    functions = {_OURS + name: ours(setting, every) for name, every in kept.items()}
    try:
        return functions | {_DIFFRAX + name: diffrax_rollout(setting, every) for name, every in kept.items()}
    except ImportError:
        return functions


def steps_per_second(setting: Setting, repeats: int) -> dict[str, float]:
    """Returns the integration steps of single pendulums per second, from medians of `repeats` calls by turns."""
    state = start(setting.batch)
    runs = {name: functools.partial(run, state) for name, run in methods(setting).items()}
    seconds = interleaved_medians(runs, repeats)
    return {name: setting.batch * setting.num_steps / each for name, each in seconds.items()}


def errors(setting: Setting) -> dict[str, float]:
    """Returns the root mean square error of the last angles, in radians.

    The reference is a fourth-order rollout in float64 with half the step.
    """
    state = start(setting.batch)
    with jax.enable_x64(True):
        exact = PhaseState(*(jnp.asarray(np.asarray(x), jnp.float64) for x in state))
        run = functools.partial(rollout, _HAMILTONIAN, integrator="yoshida4", substeps=2 * setting.num_steps)
        truth = np.asarray(jax.jit(lambda s: run(s, setting.num_steps * _DT, 1))(exact).q[-1])
    last = {name: np.asarray(run(state).q[-1], np.float64) for name, run in methods(setting).items()}
    return {name: float(np.sqrt(np.mean((q - truth) ** 2))) for name, q in last.items()}


def working_memory(batch: int, every: int) -> int:
    """Returns the bytes that a rollout needs beside its result, if it keeps `_KEPT` states `every` steps apart."""
    compiled = ours(Setting(batch, _KEPT * every), every).lower(start(batch)).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def growth(setting: Setting, repeats: int) -> dict[str, dict[int, float]]:
    """Returns the seconds of the rollout by number of steps and by batch, all measured by turns."""
    sizes = {
        "num_steps": [setting._replace(num_steps=max(1, int(f * setting.num_steps))) for f in _SWEEP],
        "batch": [setting._replace(batch=max(1, int(f * setting.batch))) for f in _SWEEP],
    }
    runs = {
        (field, getattr(each, field)): functools.partial(ours(each, each.num_steps), start(each.batch))
        for field, settings in sizes.items()
        for each in settings
    }
    seconds = interleaved_medians(runs, repeats)
    return {field: {n: s for (other, n), s in seconds.items() if other == field} for field in sizes}


def exponent(seconds: Mapping[int, float]) -> float:
    """Fits the exponent of the growth of the time with the size, by least squares; 1 means linear growth."""
    return float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])


def draw(path: pathlib.Path, grown: Mapping[str, Mapping[int, float]], setting: Setting) -> None:
    """Draws the time against the number of steps and the batch, beside lines of proportional growth."""
    from experiments.reporting import style

    figure, axes = style.subplots(1, 2, figsize=(10, 4), sharey=True)
    other = {"num_steps": f"{setting.batch} pendulums", "batch": f"{setting.num_steps} steps"}
    for panel, (field, seconds) in zip(axes, grown.items(), strict=True):
        sizes, times = np.array(list(seconds)), np.array(list(seconds.values()))
        panel.loglog(sizes, times, "o-", color=style.BLUE, label="leapfrog")
        line = np.median(times / sizes) * sizes
        panel.loglog(sizes, line, ":", color=style.GREY, label="proportional")
        panel.set(title=f"{other[field]}: time grows as n^{exponent(seconds):.2f}", xlabel=f"n = {field}")
        panel.set_xticks(sizes, sizes)
        panel.minorticks_off()
    axes[0].set_ylabel("seconds")
    axes[0].legend()
    style.save(figure, path)


def rows(quick: bool) -> list[Row]:
    """Returns the rows of `python -m benchmarks`."""
    setting, repeats = (Setting(100, 20), 2) if quick else (Setting(10_000, 1000), 9)
    rates, rms = steps_per_second(setting, repeats), errors(setting)
    task = f"{setting.batch} pendulums x {setting.num_steps} steps"
    described = {name: f"{rate / 1e6:.0f} M steps/s, error {rms[name]:.0e}" for name, rate in rates.items()}
    if _DIFFRAX not in rates:
        return [missing(f"{_OURS}, {task}", described[_OURS], "diffrax")]
    return [
        Row(
            rates[_OURS + kept] / rates[_DIFFRAX + kept],
            f"{_OURS} (order 2), {task}{kept}",
            described[_OURS + kept],
            f"{version('diffrax')} SemiImplicitEuler (order 1): {described[_DIFFRAX + kept]}",
        )
        for kept in ("", _KEEPING)
    ]


def main(argv: Sequence[str]) -> None:
    del argv
    setting, repeats = Setting(_BATCH.value, _NUM_STEPS.value), _REPEATS.value
    if setting.num_steps % _EVERY:
        raise command_line.UserError(f"--num_steps must be a multiple of {_EVERY}, got {setting.num_steps}")
    folder = program.output_folder(_OUTPUT.value)
    print(f"{setting.batch} pendulums x {setting.num_steps} steps of {_DT}, float32, {device()}, {version('jax')}")
    rates, rms = steps_per_second(setting, repeats), errors(setting)
    for name, rate in rates.items():
        other = name.replace(_OURS, _DIFFRAX)
        ratio = f"{rate / rates[other]:.2f} of diffrax: " if other in rates and other != name else ""
        print(f"{ratio}{name}: {rate / 1e6:.0f} million steps/s, error {rms[name]:.1e} (median of {repeats})")
    if _DIFFRAX not in rates:
        print("diffrax is not installed: pip install -e '.[benchmarks]'")
    memory = {every: working_memory(setting.batch, every) for every in (1, 10, 100, 1000)}
    for every, size in memory.items():
        print(f"{_KEPT} states kept, {every} steps apart: {size / 1e6:.2f} MB beside the result")
    if folder:
        _write(folder, setting, repeats, {"rates": rates, "errors": rms, "memory": memory})


def _write(directory: pathlib.Path, setting: Setting, repeats: int, measured: dict[str, Any]) -> None:
    grown = growth(setting, repeats)
    directory.mkdir(parents=True, exist_ok=True)
    draw(directory / "growth.png", grown, setting)
    versions = [version(package) for package in ("jax", "jaxlib", "diffrax")]
    content = {
        "setting": {**setting._asdict(), "dt": _DT, "repeats": repeats},
        "device": device(),
        "versions": versions,
        "steps_per_second": measured["rates"],
        "error_rms": measured["errors"],
        "working_memory_bytes": measured["memory"],
        "seconds": grown,
        "exponent": {field: exponent(seconds) for field, seconds in grown.items()},
    }
    (directory / "integrators.json").write_text(json.dumps(content, indent=1) + "\n")
    print(*(f"time grows as {field}^{power:.2f}" for field, power in content["exponent"].items()), sep="\n")
    print(f"written to {directory}")


if __name__ == "__main__":
    _BATCH = flags.DEFINE_integer("batch", 10_000, "Number of pendulums.", lower_bound=1)
    _NUM_STEPS = flags.DEFINE_integer("num_steps", 1000, "Number of steps of each.", lower_bound=10)
    _REPEATS = flags.DEFINE_integer("repeats", 9, "Number of timed calls of each method.", lower_bound=1)
    _OUTPUT = flags.DEFINE_string("output", None, "Directory for the growth of the time, as a picture and as JSON.")
    command_line.run(main)
