"""A trained model, however it was kept: its program, its configuration and its parameters."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cattrs
import jax
import jax.numpy as jnp
import numpy as np

from hgn_jax.data.frames import read_array
from hgn_jax.models.hgn import make_hgn
from hgn_jax.models.hgn_config import HGNConfig, num_seen
from hgn_jax.models.hnn import make_hnn
from hgn_jax.models.hnn_config import HNNConfig
from hgn_jax.models.nhf import make_nhf
from hgn_jax.models.nhf_config import NHFConfig
from hgn_jax.prediction import Prediction, predict
from hgn_jax.state_densities.density import Density
from hgn_jax.state_densities.prior import with_prior
from hgn_jax.training.model import Batch, Model, Params


class LoadedRun(NamedTuple):
    """A trained model.

    Attributes:
      model: `HGN`, `HNN` or `NHF`.
      params: Parameters at the end of the run, on the default device; those of an HGN for noisy frames with the
        density of states as its prior.
      config: Configuration of the model: `HGNConfig`, `HNNConfig` or `NHFConfig`.
      state_density: The density of states that new trajectories of an HGN begin with; None where it is the prior, or
        has not been fitted yet. See `hgn_jax.state_densities.sampling.sample_states`.
    """

    model: Any
    params: Params
    config: Any
    state_density: Density | None = None

    def predict(self, frames: Any, num_steps: int = 60, first_seen: int | None = 0) -> Prediction:
        """Predicts the future and the past of films: states, frames in both directions, and energies.

        Args:
          frames: Films `[clips, time, size, size, 3]`, or one `[time, size, size, 3]`, of the model's size: whole
            numbers from 0 to 255, floats in [0, 1] or masks; or the path of a `.npy` file that holds them. Films of
            other kinds and sizes are read by `data_builders.films.read_film`.
          num_steps: Number of frames to predict in each direction.
          first_seen: Number of the first frame that the model sees, of as many as in training; None for those in the
            middle.

        Raises:
          ValueError: In one line, if the model is not one of frames, or the films are not such or too short.
        """
        if isinstance(frames, str | os.PathLike):
            frames = read_array(frames)
        return predict(self.model, self.params, frames, num_steps, first_seen)


class _Program(NamedTuple):
    """A program of `experiments`: the configuration of its model, the model, and a batch that initialises it.

    The number of frames and the dimension in the batch are arbitrary, since they are not known without the data.
    """

    config_class: type
    make_model: Callable[[Any], Model]
    example: Callable[[Any], Batch]


def _example_frames(config: HGNConfig) -> Batch:
    num_frames = max(num_seen(config) or 1, config.loss_frames or 1, config.initial_horizon or 1)
    return {"image": jax.ShapeDtypeStruct((1, num_frames, config.image_size, config.image_size, 3), jnp.uint8)}


_PROGRAMS = {
    "hgn": _Program(HGNConfig, make_hgn, _example_frames),
    "hnn": _Program(HNNConfig, make_hnn, lambda config: {}),
    "nhf": _Program(NHFConfig, make_nhf, lambda config: {"x": jax.ShapeDtypeStruct((1, 1), jnp.float32)}),
}


class OtherModelError(ValueError):
    """Parameters that were kept are of another model than the configuration beside them."""


def make_loaded(
    values: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str, density: Density | None = None
) -> LoadedRun:
    """Makes the model of a configuration, with parameters that were kept. Nothing is compiled.

    Args:
      values: The configuration as JSON, with its `program`. The settings of the data and of the training are ignored.
      arrays: Arrays by their paths in the pytree, such as `params/encoder/w`; those that are no parameters are ignored.
      where: Name of the place that they were read from, for messages.
      density: The density of states.

    Raises:
      ValueError: In one line, if the configuration is of another program or version.
      OtherModelError: If the parameters are of another model.
    """
    program, config = _structure(values, where)
    model = program.make_model(config)
    template = jax.eval_shape(model.init, jax.random.PRNGKey(0), program.example(config))
    return LoadedRun(model, with_prior(_fill(template, arrays, where), config, density), config, density)


def _structure(values: Mapping[str, Any], where: str) -> tuple[_Program, Any]:
    name = values.get("program", "hgn")
    if name not in _PROGRAMS:
        raise ValueError(f"{where} is of the unknown program {name!r}; known are {', '.join(_PROGRAMS)}")
    program = _PROGRAMS[name]
    try:  # the settings of the data and of the training are ignored
        return program, cattrs.structure(values, program.config_class)
    except Exception as error:  # cattrs groups errors of many kinds
        reasons = "; ".join(cattrs.transform_error(error))
        raise ValueError(f"{where} is not a configuration of this version: {reasons}") from error


def _fill(template: Params, arrays: Mapping[str, np.ndarray], where: str) -> Params:
    """Replaces the leaves of a template by the arrays of the same names; their shapes may differ."""
    leaves, structure = jax.tree_util.tree_flatten_with_path({"params": template})
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    if set(names) != {name for name in arrays if name.startswith("params/")}:
        raise OtherModelError(f"{where} is of another model than the parameters beside it")
    return jax.tree.unflatten(structure, [jnp.asarray(arrays[name]) for name in names])["params"]
