"""The run directory of a pretrained model, so that programs use it as they use a run."""

import json
import pathlib

from experiments.run.run_directory import RunDirectory, read_config, read_task, write_json
from hgn_jax.pretrained import files


def begin_run(path: pathlib.Path, directory: RunDirectory) -> None:
    """Writes what a program reads of a run before JAX is imported: its configuration and its columns.

    Args:
      path: The `.safetensors` file of the model.
      directory: Directory of the run to be, which must not exist.
    """
    model = files.read_description(path)
    directory.checkpoints.mkdir(parents=True)
    write_json(directory.config, model.config)
    if model.columns is not None:
        write_json(directory.table, model.columns)


def finish_run(path: pathlib.Path, directory: RunDirectory) -> None:
    """Writes the checkpoint of a run that was begun, without the state of its optimiser, and its density of states."""
    import jax  # takes seconds, which mistakes should not cost
    import jax.numpy as jnp
    import numpy as np

    from hgn_jax import training
    from hgn_jax.pretrained.loading import load_pretrained
    from hgn_jax.state_densities import density
    from hgn_jax.training.checkpoints import Checkpoints
    from hgn_jax.training.geco import geco

    config = read_config(directory, read_task(directory).config_class)
    model, loaded = files.read_description(path), load_pretrained(path)
    optimizer = training.make_optimizer(config.optimizer, config.training.num_steps)
    fresh = jax.eval_shape(lambda params: (optimizer.init(params), geco(config.geco).init()), loaded.params)
    opt_state, multiplier = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), fresh)
    step, key = jnp.int32(model.facts["steps"]), jax.random.PRNGKey(config.training.seed)
    state = training.TrainState(step, loaded.params, opt_state, multiplier, key)
    seconds = {"training": model.facts["training_s"], "training_cpu": 0.0}
    notes = {"seconds": seconds, "unlogged": [], "config": json.loads(json.dumps(model.config))}
    Checkpoints(directory.checkpoints).save(int(step), state, notes)
    if loaded.state_density is not None:
        facts = {"step": int(step), "num_clips": model.state_density["num_clips"]}
        density.write(directory.state_density, loaded.state_density, **facts)
