"""Measures what a user waits for: `python -m benchmarks.waiting [--presets=NAME,NAME]`.

Runs the program with each preset as a user would, in a new directory, with nothing compiled before and its data set
missing, then `evaluate` and `sample` on the run. The wall time is split at the lines that a program prints.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags

from benchmarks.table import align
from experiments.run import command_line
from experiments.run.command_line import UserError

# A part begins with the first line that matches.
_PARTS = (
    ("importing, settings", r""),
    ("building the data", r"^Simulating"),
    ("compiling", r"^compiling"),
    ("training", r"^training: 0/"),
    ("density of states", r"^inferring states"),
    ("reconstructions", r"^evaluating"),
    ("beyond the clip", r"^measuring"),
    ("drawing", r"^drawing|^new trajectories"),
)
_CACHE_SETTINGS = ("JAX_COMPILATION_CACHE", "JAX_ENABLE_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE")


class Waited(NamedTuple):
    """The wall time of a program.

    Attributes:
      command: The command, without `python -m`.
      parts: Seconds of each part, in order; parts that did not occur are left out.
      system: Processor seconds that the system spent for it, such as on page faults.
    """

    command: str
    parts: dict[str, float]
    system: float

    @property
    def total(self) -> float:
        """Seconds from the start to the end."""
        return sum(self.parts.values())


def measure(arguments: Sequence[str], environment: dict[str, str]) -> Waited:
    """Runs `python -m ARGUMENTS` and splits its wall time; raises UserError if it fails."""
    command = [sys.executable, "-u", "-m", *arguments]
    before, start = os.times().children_system, time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    part, parts, begun, lines = 0, {}, start, []
    for line in process.stdout:
        lines.append(line)
        for later in range(part + 1, len(_PARTS)):
            if re.search(_PARTS[later][1], line):
                now = time.perf_counter()
                parts[_PARTS[part][0]], part, begun = now - begun, later, now
                break
    if process.wait():
        raise UserError(f"{' '.join(arguments)} failed: {lines[-1].strip() if lines else 'it printed nothing'}")
    parts[_PARTS[part][0]] = time.perf_counter() - begun
    return Waited(" ".join(arguments[:2]), parts, os.times().children_system - before)


def measure_preset(preset: str, directory: pathlib.Path, overrides: Sequence[str] = ()) -> list[Waited]:
    """Measures a training, and `evaluate` and `sample` on its run."""
    environment = os.environ | {"TFDS_DATA_DIR": str(directory / "data"), "XDG_CACHE_HOME": str(directory / "cache")}
    # The other benchmarks turn the cache of compiled code off (`benchmarks/__init__.py`).
    environment = {name: value for name, value in environment.items() if not name.startswith(_CACHE_SETTINGS)}
    run = f"--workdir={directory / 'run'}"
    return [
        measure(["experiments.hgn", f"--config={preset}", run, *overrides], environment),
        measure(["experiments.evaluate", run], environment),
        measure(["experiments.sample", run], environment),
    ]


def describe(waited: Sequence[Waited]) -> list[str]:
    """Returns a table: a line for each command with the seconds of its parts."""
    names = [name for name, _ in _PARTS if any(name in each.parts for each in waited)]
    rows = [("command", "total", *names, "of it by the system")]
    for each in waited:
        cells = [f"{each.parts[name]:.1f}" if name in each.parts else "-" for name in names]
        rows.append((each.command, f"{each.total:.1f}", *cells, f"{each.system:.1f}"))
    return align(rows)


def main(argv: Sequence[str]) -> None:
    del argv
    waited = []
    for preset in _PRESETS.value:
        with tempfile.TemporaryDirectory() as directory:
            waited += measure_preset(preset, pathlib.Path(directory))
    print("seconds of wall time", *describe(waited), sep="\n")


if __name__ == "__main__":
    _PRESETS = flags.DEFINE_list(
        "presets", ["pendulum_anchored_noise_free", "mass_spring_anchored", "mass_spring_small"], "Presets of HGN."
    )
    command_line.run(main)
