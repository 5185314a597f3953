"""Models from the pairs of files that keep them."""

import os

from hgn_jax.loaded_run import LoadedRun, make_loaded
from hgn_jax.pretrained import files
from hgn_jax.state_densities import density

_DENSITY = "state_density/"


def load_pretrained(name: str | os.PathLike[str]) -> LoadedRun:
    """Loads a trained model. Nothing is compiled, and neither a network nor a data set is needed.

    Args:
      name: Name of a model that comes with the package, such as `pendulum`, or the path of a `.safetensors` file that
        `python -m experiments.export` has written, with its `.json` file beside it.

    Raises:
      ValueError: In one line, if there is no such model, with the names of those that there are; or if its files are
        damaged or of another version.
      FileNotFoundError: If there is no such file.
    """
    path = files.locate(name)
    model, arrays = files.read_description(path), files.read_arrays(path)
    fitted = None
    if model.state_density is not None:
        own = {key.removeprefix(_DENSITY): x for key, x in arrays.items() if key.startswith(_DENSITY)}
        fitted = density.from_arrays(model.state_density["kind"], own)
    return make_loaded(model.config, arrays, str(path.with_suffix(".json")), fitted)
