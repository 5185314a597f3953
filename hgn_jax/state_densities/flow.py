"""Neural Hamiltonian Flows as densities of states, so that the two halves of the paper make one generative model."""

import jax
import numpy as np

from hgn_jax import training
from hgn_jax.data.batching import BatchOrder
from hgn_jax.models.nhf import Params, make_nhf
from hgn_jax.models.nhf_config import FAST_FIELDS, NHFConfig
from hgn_jax.training.geco import geco
from hgn_jax.training.geco_config import GECOConfig
from hgn_jax.training.progress import progress_bar
from hgn_jax.training.training_config import OptimizerConfig, TrainingConfig

FLOW = NHFConfig(**FAST_FIELDS)
# With the learning rate of `experiments.nhf`'s presets, 5e-3, the flow of three bodies came to rest far from its best.
_OPTIMIZER = OptimizerConfig(learning_rate=2e-3, schedule="cosine", warmup_fraction=0.02, gradient_clip=1.0)
_TRAINING = TrainingConfig(num_steps=2000, batch_size=128, log_every=100, checkpoint_every=2000)
_NUM_MOMENTA = 64  # per point, for its log-density
_NHF = make_nhf(FLOW)
_sample = jax.jit(_NHF.sample, static_argnums=2)
_log_prob = jax.jit(lambda params, key, points: _NHF.log_prob(params, key, points, _NUM_MOMENTA))


def fit_flow(points: np.ndarray, seed: int = 0, settings: TrainingConfig = _TRAINING) -> Params:
    """Trains a flow on whitened points `[n, d]`, which takes about a minute on two cores; returns its parameters."""
    points = np.asarray(points, np.float32)
    batch_size = min(settings.batch_size, len(points))
    optimizer, multiplier = training.make_optimizer(_OPTIMIZER, settings.num_steps), geco(GECOConfig())
    state = training.init_state(_NHF.init, optimizer, multiplier, seed, {"x": points[:1]})
    update = training.make_update(
        _NHF.loss, optimizer, multiplier, num_steps=settings.num_steps, devices=jax.local_devices()[:1]
    )
    order = BatchOrder(len(points), batch_size, seed)
    batch_at = lambda step: {"x": points[None, order(step)]}
    state = jax.device_get(state)
    update = training.compile_update(update, state, batch_at(0))
    with progress_bar(settings.num_steps, "fitting the flow of the states", "step") as bar:

        def log(step: int, scalars: training.Scalars) -> None:
            bar.set_postfix(bound=f"{scalars['bound']:.3f}", refresh=False)
            bar.update(step - bar.n)

        state = training.train(update, state, batch_at, settings, log=log, save=lambda state, rows: None)
    return jax.device_get(state.params)


def sample(params: Params, key: jax.Array, num_samples: int) -> np.ndarray:
    """Draws points `[num_samples, d]`."""
    return np.asarray(_sample(params, key, num_samples))


def log_prob(params: Params, points: np.ndarray) -> np.ndarray:
    """Returns lower bounds of the log-densities of points `[n, d]` in nats, `[n]`."""
    return np.asarray(_log_prob(params, jax.random.PRNGKey(0), np.asarray(points, np.float32)))


def template(dim: int) -> Params:
    """Returns the parameters of a flow over points `[n, dim]` as shapes and types, without computing anything."""
    points = jax.ShapeDtypeStruct((1, dim), np.float32)
    return jax.eval_shape(_NHF.init, jax.random.PRNGKey(0), {"x": points})
