"""A trained model as a pair of files: `NAME.safetensors` with its arrays and `NAME.json` with everything else.

The arrays are the parameters, `params/...` in float32, and the density of states, `state_density/...`. The JSON file
holds the configuration of the run, facts about it, its measures, and the digest of the arrays. No code is kept, and any
framework can read both. No JAX is imported here.
"""

import hashlib
import importlib.resources
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from hgn_jax.whole_files import whole_file

_VERSION = 1
_MODELS = importlib.resources.files("hgn_jax.pretrained") / "models"


class Pretrained(NamedTuple):
    """A trained model as it is kept.

    Attributes:
      config: Configuration of its run as JSON, with the name of its `program`.
      facts: Preset, command, commit, seed, steps, device and versions of the run that trained it.
      measures: Its results by their dotted names in `metrics.json`, such as `test.skill`.
      columns: Names and standardisation of the columns of the table that a flow has learned; None without a table.
      state_density: Facts about the density of states: its `kind`, and the number of clips behind it; None without one.
    """

    config: dict[str, Any]
    facts: dict[str, Any]
    measures: dict[str, Any]
    columns: dict[str, Any] | None = None
    state_density: dict[str, Any] | None = None


def names() -> list[str]:
    """Returns the names of the models that come with the package."""
    return sorted(path.name.removesuffix(".json") for path in _MODELS.iterdir() if path.name.endswith(".json"))


def locate(name: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the `.safetensors` file of a model that comes with the package, or the path of another that was given.

    Raises:
      ValueError: If there is no model of this name; the message names those that there are.
      FileNotFoundError: If there is no such file.
    """
    if os.fspath(name) in names():
        return pathlib.Path(str(_MODELS / f"{name}.safetensors"))
    path = pathlib.Path(name).expanduser()
    if path.suffix != ".safetensors":
        raise ValueError(
            f"no pretrained model {os.fspath(name)!r}; choose one of {', '.join(names())}, or a .safetensors file"
        )
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return path


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray], model: Pretrained) -> None:
    """Writes both files of a model, each whole or not at all.

    Args:
      path: Path of the `.safetensors` file.
      arrays: Its arrays by name.
      model: All else.
    """
    content = safetensors.numpy.save({name: np.asarray(x, order="C") for name, x in arrays.items()})
    description = {"version": _VERSION, "sha256": hashlib.sha256(content).hexdigest(), **model._asdict()}
    text = json.dumps(description, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path.with_suffix(".json")) as json_part, whole_file(path) as part:
        part.write_bytes(content)
        json_part.write_text(text, encoding="utf-8")


def read_description(path: pathlib.Path) -> Pretrained:
    """Reads the JSON file that belongs to a `.safetensors` file.

    Raises:
      ValueError: In one line, if it is missing, damaged, or of another version.
    """
    return Pretrained(**{name: value for name, value in _read_json(path).items() if name in Pretrained._fields})


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    file = path.with_suffix(".json")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"there is no {file} beside {path.name}") from error
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    version = values.get("version") if isinstance(values, dict) else None
    if version != _VERSION:
        raise ValueError(f"{file} has version {version}, and this package reads {_VERSION}")
    missing = sorted({"sha256", *Pretrained._fields} - values.keys())
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing)}")
    return values


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a model.

    Raises:
      ValueError: In one line, if the file is damaged, or does not belong to the JSON file beside it.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _read_json(path)["sha256"]:
        raise ValueError(f"{path} is damaged, or does not belong to {path.stem}.json")
    try:
        return safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
