"""Makes a pair of files of a finished run: `python -m experiments.export --workdir=runs/pendulum --name=pendulum`.

`NAME.safetensors` holds the parameters, without the state of the optimiser, and the density of states; `NAME.json` the
configuration, the command that repeats the run, and its measures. `hgn_jax.load_pretrained` reads them. With
`--output=hgn_jax/pretrained/models` they become a model that comes with the package.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.provenance import provenance
from experiments.run.results import Results, read_results, to_json
from experiments.run.run_directory import (
    RunDirectory,
    flatten,
    read_config,
    read_task,
    require_checkpoint,
    require_writable,
)
from hgn_jax.pretrained.files import Pretrained

_MAX_BYTES = 2_000_000  # of a file: more is not for a package
_LONGEST = 4  # numbers of a measure; longer ones are curves, which `metrics.json` has


def check() -> None:
    """Raises UserError for what cannot be, before anything slow starts."""
    directory = RunDirectory(_WORKDIR.value)
    _read(directory)
    require_checkpoint(directory)
    if not re.fullmatch(r"\w[\w.-]*", _NAME.value):
        raise UserError(f"--name must be made of letters, digits, _, - and .; got {_NAME.value!r}")
    require_writable(pathlib.Path(_OUTPUT.value), "output", "give another --output")


def _read(directory: RunDirectory) -> tuple[Any, Results]:
    """Returns the configuration of a finished run and its results."""
    task = read_task(directory)
    config = read_config(directory, task.config_class)
    return config, read_results(directory.metrics, task.results_class(config))


def main(argv: Sequence[str]) -> None:
    del argv
    directory = RunDirectory(_WORKDIR.value)
    path = pathlib.Path(_OUTPUT.value, f"{_NAME.value}.safetensors")
    size = export(directory, path, _COMMIT.value)
    print(f"{directory.path}: {path} ({size / 1000:.0f} kB) and {path.stem}.json")
    if size > _MAX_BYTES:
        print(f"warning: a model that comes with the package has at most {_MAX_BYTES / 1e6:g} MB")


def export(directory: RunDirectory, path: pathlib.Path, commit: str | None = None) -> int:
    """Writes the files of a finished run.

    Args:
      directory: The run.
      path: Path of the `.safetensors` file; the `.json` file is written beside it.
      commit: Commit of the code that trained the run, if it is known.

    Returns:
      The size of the `.safetensors` file in bytes.

    Raises:
      UserError: If the run is not finished, or what was measured is of another checkpoint.
    """
    import numpy as np  # JAX and orbax are imported here, because `--help` and mistakes should not cost their seconds

    from hgn_jax.pretrained import files
    from hgn_jax.state_densities import density
    from hgn_jax.training.checkpoints import Checkpoints

    config, results = _read(directory)
    kept = Checkpoints(directory.checkpoints).read_arrays()
    if int(kept["step"]) != results.run.steps:
        raise UserError(
            f"{directory.metrics} is of step {results.run.steps}, the checkpoint of step {int(kept['step'])}; measure "
            f"again: python -m experiments.evaluate --workdir={directory.path}"
        )
    arrays = {name: x.astype(np.float32) for name, x in kept.items() if name.startswith("params/")}
    state_density = None
    if directory.state_density.exists():
        fitted, facts = density.read(directory.state_density)
        if facts["step"] == results.run.steps:
            arrays |= {f"state_density/{name}": x for name, x in density.to_arrays(fitted).items()}
            state_density = {"kind": fitted.kind, "num_clips": int(facts["num_clips"])}
    columns = json.loads(directory.table.read_text(encoding="utf-8")) if directory.table.exists() else None
    files.write(
        path,
        arrays,
        Pretrained(
            config=_portable(config),
            facts=_facts(directory, results, commit),
            measures=measures(results),
            columns=columns,
            state_density=state_density,
        ),
    )
    return path.stat().st_size


def _portable(config: Any) -> dict[str, Any]:
    """The configuration as JSON, without the place where this machine keeps data sets."""
    values = {"program": config.program, **dataclasses.asdict(config)}
    if "data_dir" in values.get("data", {}):
        values["data"]["data_dir"] = None
    return json.loads(json.dumps(values))


def _facts(directory: RunDirectory, results: Results, commit: str | None) -> dict[str, Any]:
    run = results.run
    return {
        "preset": run.preset,
        "command": provenance(directory, run).command,
        "commit": commit,
        "seed": run.seed,
        "steps": run.steps,
        "device": run.device,
        "training_s": run.wall_time_s["training"],
        "versions": run.versions,
    }


def measures(results: Results) -> dict[str, Any]:
    """Returns the results by their dotted names, without curves and without facts about the run."""
    flat = flatten(to_json(results))
    return {
        name: value
        for name, value in flat.items()
        if not name.startswith(("run.", "version")) and not (isinstance(value, list) and len(value) > _LONGEST)
    }


if __name__ == "__main__":
    _WORKDIR = command_line.define_path("workdir", None, "Directory of the run.", required=True)
    _NAME = flags.DEFINE_string("name", None, "Name of the model.", required=True)
    _OUTPUT = command_line.define_path("output", ".", "Directory for the files.")
    _COMMIT = flags.DEFINE_string("commit", None, "Commit of the code that trained the run, if it is known.")
    command_line.run(main, check=check)
