"""Properties that every model has, whatever its configuration: a table of models times one set of tests."""

import functools
import inspect
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import HGNConfig, HNNConfig, NHFConfig, make_hgn, make_hnn, make_nhf
from hgn_jax.models.hgn_terms import frame_statistics
from hgn_jax.training.model import Model
from tests.hgn_jax.models.random_params import random_params

_KEY = jax.random.PRNGKey(0)
_MULTIPLIER = 3.0

_HGN = {
    "image_size": 8,
    "state_channels": 2,
    "encoder_filters": (4,),
    "transform_filters": (4,),
    "hamiltonian_filters": (4,),
    "decoder_filters": (4,),
    "unroll": 1,
}
_PLUS_PLUS = {
    **_HGN,
    "latent": "vector",
    "use_transform": False,
    "hamiltonian_network": "mlp",
    "hamiltonian_activation": "swish",
    "inference_frames": 3,
    "rollout_directions": "both",
    "objective": "elbo",
}
_ANCHORED = {
    **_PLUS_PLUS,
    "rollout_directions": "outward",
    "kinetic": "quadratic",
    "friction": 0.1,
    "background": "image",
    "objective": "relative",
    "loss_frames": 2,
    "initial_horizon": 3,
}
_KEYPOINTS = {**_ANCHORED, "latent": "keypoints", "background": "colour", "frame_weight": 0.7}
_JOINT = {"hamiltonian": "joint", "integrator": "rk4", "friction": None}
_HNN = {
    "state_size": 2,
    "image_size": 8,
    "hidden_sizes": (4, 3),
    "encoder_sizes": (5,),
    "decoder_sizes": (6,),
    "encoder_filters": (4,),
    "decoder_filters": (4,),
    "latent_channels": 3,
    "weight_decay": 1e-2,
}
_NHF = {"hidden_sizes": (4,), "posterior_sizes": (4,), "posterior_bends": 2, "prior": "normal"}

_CONFIGS = {
    "hgn": HGNConfig(**_HGN),
    "hgn_euler": HGNConfig(**_HGN, integrator="euler", inference_frames=2),
    "hgn_deterministic": HGNConfig(**_HGN, variational=False, hamiltonian_network="authors"),
    "hgn_no_f_psi": HGNConfig(**_HGN, use_transform=False, substeps=2),
    "hgn_joint": HGNConfig(**_HGN, hamiltonian="joint", block_activation="none", output_activation="sigmoid"),
    "hgn_elbo": HGNConfig(**_HGN, objective="elbo", loss_frames=2, initial_horizon=3),
    "hgn_large": HGNConfig(**{**_HGN, "image_size": 16, "encoder_filters": (4, 4), "decoder_filters": (4, 4)}),
    "hgn_plus_plus": HGNConfig(**_PLUS_PLUS),
    "hgn_anchored": HGNConfig(**_ANCHORED, time_reversal=True, confinement=0.2),
    "hgn_keypoints": HGNConfig(**_KEYPOINTS, chart="network", confinement=0.2),
    "hgn_pairwise": HGNConfig(
        **{**_KEYPOINTS, "hamiltonian_network": "pairwise", "state_channels": 4},
        num_keypoints=2,
        painter="discs",
        position_noise=0.1,
    ),
    "hgn_metric": HGNConfig(**{**_ANCHORED, **_JOINT, "kinetic": "metric"}, time_reversal=True),
    "hgn_rods": HGNConfig(**{**_KEYPOINTS, **_JOINT, "kinetic": "rods"}, chart="rods", num_keypoints=2),
    "hnn_state": HNNConfig(**_HNN, model="state"),
    "hnn_pixel": HNNConfig(**_HNN, model="pixel"),
    "hnn_convolutional": HNNConfig(**_HNN, model="convolutional"),
    "nhf": NHFConfig(**_NHF),
    "nhf_soft_uniform": NHFConfig(**{**_NHF, "prior": "soft_uniform"}, links="separate"),
    "nhf_geco": NHFConfig(**_NHF, objective="geco", geco_fraction=0.9, kinetic="quadratic"),
    "nhf_flow": NHFConfig(
        **_NHF, links="merged", posterior="flow", learned_dt=True, learned_prior_scale=True, objective_samples=3
    ),
}
# Each compiles for some seconds, and differs little from another one.
_SLOW = ("hgn_euler", "hgn_no_f_psi", "hgn_joint", "hgn_large", "hnn_convolutional", "nhf_soft_uniform", "nhf_flow")
_SLOW += ("hgn_anchored", "hgn_keypoints", "hgn_pairwise", "hgn_metric", "hgn_rods")
_MAKE = {HGNConfig: make_hgn, HNNConfig: make_hnn, NHFConfig: make_nhf}
_GAINS = {"hgn_metric": 0.3}  # a metric is invertible for small parameters
_BATCH_SIZE = 4
_STATISTICS = ("mean_image", "pixel_std")  # of the training frames, which are not learned
_STEP = 1e-6  # of the finite difference; small against the kinks of ReLU


def _batch(config) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if isinstance(config, NHFConfig):
        return {"x": rng.normal(size=(_BATCH_SIZE, 2))}
    if isinstance(config, HNNConfig) and config.model == "state":
        return {name: rng.normal(size=(_BATCH_SIZE, 2)) for name in ("q", "p", "dq_dt", "dp_dt")}
    return {"image": rng.uniform(size=(_BATCH_SIZE, 5, config.image_size, config.image_size, 3))}


class Evaluated(NamedTuple):
    """Losses in float64: of the batch with its gradient, along a direction, of examples in other orders and groups."""

    loss: jax.Array
    aux: dict[str, jax.Array]
    gradient: dict
    direction: dict
    nearby: jax.Array  # at -_STEP and +_STEP along the direction
    numbered: jax.Array
    permuted: jax.Array
    groups: jax.Array


@functools.cache
def _evaluated(name) -> Evaluated:
    config = _CONFIGS[name]
    with jax.enable_x64(True):
        model, batch = _MAKE[type(config)](config), _batch(config)
        params, direction = (random_params(model, batch, seed, _GAINS.get(name, 1.0)) for seed in (0, 1))
        if name == "hgn_rods":  # rods without inertia have no velocity
            params["kinetic"] = jax.tree.map(lambda x: x + 1.0, params["kinetic"])
        if "frames" in params:
            params["frames"] |= frame_statistics(batch["image"], config.background)
            direction["frames"] |= dict.fromkeys(_STATISTICS, 0.0)

        def loss(params, batch, slots=None):
            return model.loss(params, _MULTIPLIER, _KEY, batch, progress=0.5, slots=slots)

        @jax.jit
        def evaluate(params, direction, batch):
            (value, aux), gradient = jax.value_and_grad(loss, has_aux=True)(params, batch)

            def along(step):
                return loss(jax.tree.map(lambda x, v: x + step * v, params, direction), batch)[0]

            def part(order):
                return loss(params, jax.tree.map(lambda x: x[order], batch), order)[0]

            nearby = jax.lax.map(along, jnp.array([-_STEP, _STEP]))
            whole = jax.lax.map(part, jnp.array([[0, 1, 2, 3], [2, 1, 3, 0]]))
            groups = jax.lax.map(part, jnp.array([[0, 1], [2, 3]]))
            return Evaluated(value, aux, gradient, direction, nearby, whole[0], whole[1], groups)

        return jax.tree.map(np.asarray, evaluate(params, direction, batch))


class ModelContractTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        hk.config.set(check_jax_usage=True)
        self.addCleanup(hk.config.set, check_jax_usage=False)

    @parameterized.parameters("hgn", "hnn_pixel", "nhf_flow")
    def test_signatures(self, name):
        """`init` and `loss` take the arguments of the protocol `Model`."""
        model = _MAKE[type(_CONFIGS[name])](_CONFIGS[name])
        for function in ("init", "loss"):
            expected, actual = (inspect.signature(getattr(owner, function)).parameters for owner in (Model, model))
            self.assertEqual(list(actual), [parameter for parameter in expected if parameter != "self"])

    @parameterized.parameters("hgn", "hgn_joint", "hgn_plus_plus", "hnn_convolutional", "nhf_flow")
    def test_initial_parameters(self, name):
        """Initial parameters are finite, and all weights are drawn with the key."""
        config = _CONFIGS[name]
        model, batch = _MAKE[type(config)](config), _batch(config)
        init = jax.jit(model.init)
        params, others = init(_KEY, batch), init(jax.random.PRNGKey(1), batch)
        chex.assert_tree_all_finite(params)
        differences = jax.tree.map(lambda x, y: np.abs(x - y).max(), params, others)
        for path, difference in jax.tree_util.tree_leaves_with_path(differences):
            path = jax.tree_util.keystr(path)
            if path.endswith("['w']"):
                self.assertGreater(difference, 0.0, path)


def _contract(names):
    """The tests that every loss must pass, for some of the models in `_CONFIGS`."""

    class Contract(parameterized.TestCase):
        def setUp(self):
            super().setUp()
            hk.config.set(check_jax_usage=True)
            self.addCleanup(hk.config.set, check_jax_usage=False)

        @parameterized.parameters(*names)
        def test_everything_is_float32(self, name):
            config = _CONFIGS[name]
            model = _MAKE[type(config)](config)
            batch = jax.tree.map(lambda x: x.astype(np.float32), _batch(config))

            def run(batch):
                params = model.init(_KEY, batch)
                return params, model.loss(params, jnp.float32(_MULTIPLIER), _KEY, batch)

            params, (loss, aux) = jax.eval_shape(run, batch)
            self.assertEqual({x.dtype for x in jax.tree.leaves((params, loss, aux))}, {jnp.dtype("float32")})

        @parameterized.parameters(*names)
        def test_loss_and_aux_are_finite_scalars(self, name):
            result = _evaluated(name)
            chex.assert_shape([result.loss, *result.aux.values()], ())
            chex.assert_tree_all_finite((result.loss, result.aux))
            self.assertEqual("constraint" in result.aux, getattr(_CONFIGS[name], "objective", None) == "geco")

        @parameterized.parameters(*names)
        def test_gradient_is_the_finite_difference(self, name):
            result = _evaluated(name)
            slope = sum(jax.tree.leaves(jax.tree.map(lambda g, v: np.sum(g * v), result.gradient, result.direction)))
            np.testing.assert_allclose((result.nearby[1] - result.nearby[0]) / (2 * _STEP), slope, rtol=1e-5)

        @parameterized.parameters(*names)
        def test_gradient_reaches_every_parameter(self, name):
            """Except statistics, the offset of an energy, which changes nothing, and the variance that is not used."""
            for path, slope in jax.tree_util.tree_leaves_with_path(_evaluated(name).gradient):
                path = jax.tree_util.keystr(path)
                unused = any(energy in path for energy in ("hamiltonian", "kinetic", "potential", "kick", "drift"))
                unused = unused and path.endswith(("['output']['b']", "['energy']['b']"))
                unused &= not (name == "hgn_metric" and "kinetic" in path)  # a metric, not an energy
                unused |= any(f"['frames']['{statistic}']" in path for statistic in _STATISTICS)
                unused |= "log_variance" in path and name in ("hgn_deterministic", "hnn_convolutional")
                if unused and not name.startswith("hnn"):  # weight decay reaches all
                    np.testing.assert_array_equal(slope, 0.0, path)
                else:
                    self.assertGreater(np.abs(slope).max(), 0.0, path)

        @parameterized.parameters(*names)
        def test_examples_are_known_by_their_slots(self, name):
            """Neither their order nor their grouping by devices matters, and they are numbered from 0 by default."""
            result = _evaluated(name)
            for other in (result.numbered, result.permuted):
                np.testing.assert_allclose(other, result.loss, rtol=1e-10)
            np.testing.assert_allclose(np.mean(result.groups), result.loss, rtol=1e-10)

    return Contract


ContractTest = _contract([name for name in _CONFIGS if name not in _SLOW])
SlowContractTest = pytest.mark.slow(_contract(_SLOW))
