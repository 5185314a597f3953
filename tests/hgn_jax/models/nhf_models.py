"""Small Neural Hamiltonian Flows with random parameters, for the tests of the flow and of the model."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax import NHFConfig, PhaseState, make_nhf

KEY = jax.random.PRNGKey(0)
LINKS = ("shared", "separate", "merged")
_TINY = {
    "links": "separate",
    "hidden_sizes": (8, 8),
    "posterior_sizes": (8,),
    "prior": "normal",
    "prior_scale": 1.0,
}


def make(**changes):
    return make_nhf(NHFConfig(**(_TINY | changes)))


@functools.cache
def _shapes(init, dim):
    return jax.eval_shape(init, KEY, jnp.zeros((1, dim)))


def random_params(model, dim, seed=0, gain=1.0):
    """Parameters with random weights and biases; `gain` multiplies those of the energies."""
    rng = np.random.default_rng(seed)
    draw = lambda x: jnp.asarray(rng.normal(size=x.shape) / np.sqrt((*x.shape, 1)[0]), x.dtype)
    params = jax.tree.map(draw, _shapes(model.init, dim))
    for kind in {"kick", "drift"} & set(params):
        params[kind] = jax.tree.map(lambda x: gain * x, params[kind])
    if "log_dt" in params:
        params["log_dt"] = jnp.full_like(params["log_dt"], math.log(model.config.dt))
    return params


def random_states(dim, count, seed=0):
    return PhaseState(*jnp.asarray(np.random.default_rng(100 + seed).normal(size=(2, count, dim))))


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))


def mlp_energy(params, x):
    """The output of a softplus network, computed layer by layer."""
    for i in range(len(params) - 1):
        layer = params[f"linear_{i}"]
        x = jnp.logaddexp(x @ layer["w"] + layer["b"], 0.0)
    return (x @ params["output"]["w"] + params["output"]["b"])[..., 0]


def kinetic_energy(params, index):
    if "drift" in params:
        return functools.partial(mlp_energy, params["drift"][index])
    return lambda p: 0.5 * jnp.sum(p**2, axis=-1)
