"""Finished runs of the programs in `experiments`, read back as models."""

import json
import os
import pathlib
from typing import Any

from hgn_jax.loaded_run import LoadedRun, OtherModelError, make_loaded
from hgn_jax.state_densities import density
from hgn_jax.state_densities.density import Density
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints


def load_run(path: str | os.PathLike[str]) -> LoadedRun:
    """Reads the model of a run with the parameters of its newest intact checkpoint.

    Nothing is compiled, no data set is opened, and the directory is not changed, so the run may still be training.

    Args:
      path: Directory of the run, as given by `--workdir`.

    Raises:
      FileNotFoundError: If there is no run, or it has no checkpoint yet.
      ValueError: If its configuration or density is damaged, or of another program or version.
      CheckpointError: If its checkpoints are damaged, or of another model or a newer version.
    """
    directory = pathlib.Path(path).expanduser()
    values = _read_config(directory / "config.json")
    checkpoints = directory / "checkpoints"
    if not checkpoints.exists():
        raise FileNotFoundError(f"no checkpoint in {checkpoints}: the run has not come that far")
    arrays = Checkpoints(checkpoints).read_arrays()
    fitted = _read_density(directory, int(arrays["step"]))
    try:
        return make_loaded(values, arrays, str(directory / "config.json"), fitted)
    except OtherModelError:
        raise CheckpointError(f"the checkpoints in {checkpoints} are of another model than config.json says") from None


def _read_density(directory: pathlib.Path, step: int) -> Density | None:
    """Reads the density of states; None if there is none of the checkpoint after this number of steps."""
    path = directory / "state_density.npz"
    if not path.exists():
        return None
    fitted, facts = density.read(path)
    return fitted if facts["step"] == step else None


def _read_config(path: pathlib.Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no run in {path.parent}: there is no {path.name}") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a configuration: it holds a {type(values).__name__}")
    return values
