"""Tests of `hgn_jax.models.nhf`: densities against quadrature, losses by hand, and training."""

import functools
import itertools
import math

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import scipy.stats
from absl.testing import parameterized

from hgn_jax import NHFConfig, PhaseState, make_nhf
from hgn_jax.models.momentum_posterior import make_momentum_posterior
from tests.hgn_jax.models.nhf_models import KEY, Float64TestCase, make, random_params, random_states

# Models whose densities are compared with quadrature.
_DENSITIES = {
    "plain": {"links": "merged", "kinetic": "quadratic", "dt": 0.3},
    "scaled": {"input_scale": 3.0, "learned_prior_scale": True},
    "flow": {"input_scale": 3.0, "posterior": "flow", "posterior_bends": 4, "learned_dt": True},
    "box": {"prior": "soft_uniform", "prior_scale": 4.0, "learned_prior_scale": True, "dt": 0.3},
}


def _density_model(name, dim):
    """A model far from normal, with a posterior close to the prior of the momentum, so that estimates converge."""
    model = make(**_DENSITIES[name])
    params = random_params(model, dim, seed=3)
    posterior = params["posterior"]
    for part, gain in (("mean", 0.2), ("scale", 0.1), ("bends", 0.3)):
        posterior[part] = jax.tree.map(lambda x, gain=gain: gain * x, posterior[part])
    posterior["scale"]["output"]["b"] += 0.0 if name == "flow" else 0.25
    if "log_prior_scale" in params:
        tilt = jnp.linspace(-0.2, 0.2, dim)
        params["log_prior_scale"] = PhaseState(tilt + 0.3, tilt - 0.1)
    return model, params


def _grid(half, count, dim):
    """A grid `[count^dim, dim]` on [-half, half]^dim and the volume of its cells."""
    ticks = np.linspace(-half, half, count)
    return np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), -1).reshape(-1, dim), (ticks[1] - ticks[0]) ** dim


def _marginal(model, params, q, count=121):
    """ln p(q) by quadrature over the momentum."""
    dim = q.shape[-1]
    p, cell = _grid(8.0 * model.config.input_scale, count, dim)
    states = PhaseState(*np.broadcast_arrays(q[:, None, :], p[None, :, :]))
    joint = jax.jit(lambda params, state: model.log_prior(params, model.pull_back(params, state)))(params, states)
    return jax.nn.logsumexp(joint, axis=1) + math.log(cell)


class DensityTest(Float64TestCase):
    @parameterized.parameters(("plain", 1), ("flow", 2), ("scaled", 2), ("box", 2))
    def test_log_prob_is_the_integral_over_the_momentum(self, name, dim):
        """The mean of 32 estimates of 1024 samples each, at samples of the model."""
        model, params = _density_model(name, dim)
        points = np.asarray(model.sample(params, KEY, 4))
        truth = _marginal(model, params, points)
        estimate = jax.jit(model.log_prob, static_argnums=3)(params, KEY, jnp.repeat(points, 32, axis=0), 1024)
        np.testing.assert_allclose(estimate.reshape(4, 32).mean(1), truth, atol=0.01)

    @parameterized.parameters(("plain", 1), ("flow", 1), ("box", 1), ("scaled", 2))
    def test_integrates_to_one(self, name, dim):
        """exp(log_prob) is an unbiased estimate of p(q), so its integral is near 1."""
        model, params = _density_model(name, dim)
        x, cell = _grid(8.0 / model.config.input_scale, 801 if dim == 1 else 61, dim)
        log_prob = jax.jit(model.log_prob, static_argnums=3)(params, KEY, jnp.asarray(x), 64)
        self.assertAlmostEqual(float(jnp.sum(jnp.exp(log_prob)) * cell), 1.0, delta=0.01)

    @pytest.mark.slow
    def test_bounds_rise_with_the_number_of_samples(self):
        """With a poor posterior, the bounds rise from the ELBO to the result of quadrature."""
        model, params = _density_model("scaled", 1)
        params["posterior"]["mean"] = jax.tree.map(lambda x: 2.5 * x, params["posterior"]["mean"])
        x = model.sample(params, KEY, 2500)
        ticks = np.linspace(float(x.min()) - 0.1, float(x.max()) + 0.1, 400)
        truth = np.interp(x[:, 0], ticks, _marginal(model, params, ticks[:, None]))
        counts = (1, 4, 16, 64, 256)
        weights = np.asarray(jax.jit(model.log_weights, static_argnums=3)(params, KEY, x, sum(counts)))
        parts = np.split(weights, np.cumsum(counts)[:-1])
        gaps = [truth - scipy.special.logsumexp(part, axis=0) + math.log(len(part)) for part in parts]
        for loose, tight in itertools.pairwise(gaps):
            fall = loose - tight
            self.assertGreater(fall.mean(), 2.0 * fall.std() / math.sqrt(len(x)))
        self.assertGreater(gaps[0].mean(), 0.1)
        self.assertBetween(gaps[-1].mean(), -2.0 * gaps[-1].std() / math.sqrt(len(x)), 0.03)

    def test_elbo_and_log_prob_are_means_of_the_weights(self):
        model, params = _density_model("scaled", 2)
        x, count = random_states(2, 5).q, 130  # of which 64 are drawn at a time
        functions = model.log_weights, model.elbo, model.log_prob
        evaluate = jax.jit(lambda params: [function(params, KEY, x, count) for function in functions])
        weights, elbo, log_prob = jax.tree.map(np.asarray, evaluate(params))
        self.assertEqual(weights.shape, (count, 5))
        self.assertLen(np.unique(weights), count * 5)  # no sample is used twice
        np.testing.assert_allclose(elbo, np.mean(weights, axis=0), rtol=1e-12)
        np.testing.assert_allclose(log_prob, np.log(np.mean(np.exp(weights), axis=0)), rtol=1e-12)
        for count in (1, 64, 128):
            weights = jax.eval_shape(functools.partial(model.log_weights, num_samples=count), params, KEY, x)
            self.assertEqual(weights.shape, (count, 5))

    def test_needs_a_sample(self):
        model, params = _density_model("plain", 1)
        for function in (model.log_weights, model.elbo, model.log_prob):
            with self.assertRaisesRegex(ValueError, "num_samples must be 1 or more, got 0"):
                function(params, KEY, jnp.zeros((2, 1)), 0)

    @parameterized.parameters("scaled", "box")
    def test_samples_have_the_moments_of_the_density(self, name):
        model, params = _density_model(name, 1)
        ticks, cell = _grid(8.0 / model.config.input_scale, 801, 1)
        density = np.exp(_marginal(model, params, ticks))
        x = np.asarray(model.sample(params, KEY, 40_000))
        self.assertEqual(x.shape, (40_000, 1))
        for power in (1, 2, 3):
            standard_error = np.std(x**power) / 200.0
            self.assertAlmostEqual(
                np.mean(x**power), np.sum(density * ticks[:, 0] ** power) * cell, delta=4 * standard_error
            )

    @parameterized.parameters("normal", "soft_uniform")
    def test_prior(self, prior):
        """Independent coordinates of q and of p, each stretched by its own factor."""
        model = make(prior=prior, prior_scale=2.0, prior_sharpness=3.0, learned_prior_scale=True)
        params = random_params(model, 2)
        scales = PhaseState(np.array([0.5, 2.0]), np.array([3.0, 0.7]))
        params["log_prior_scale"] = jax.tree.map(jnp.log, scales)
        state, scale = random_states(2, 5), np.concatenate(scales)
        x = np.concatenate(state, -1) / scale
        if prior == "normal":
            expected = scipy.stats.norm.logpdf(x, scale=2.0) - np.log(scale)
            deviation = 2.0 * scale
        else:
            edge = lambda x: scipy.stats.logistic.cdf(x, scale=1 / 3)
            expected = np.log((edge(x + 1.0) - edge(x - 1.0)) / 2.0) - np.log(scale)  # a box blurred by a logistic
            deviation = np.sqrt(2.0**2 / 12 + math.pi**2 / 3 / 3.0**2) * scale
        np.testing.assert_allclose(model.log_prior(params, state), expected.sum(-1), rtol=1e-9)
        samples = np.concatenate(model.sample_prior(params, KEY, 20_000), -1)
        np.testing.assert_allclose(np.cov(samples.T), np.diag(deviation**2), atol=0.06 * deviation.max() ** 2)
        np.testing.assert_allclose(samples.std(0), deviation, rtol=0.03)
        start = jax.jit(lambda x: model.init(KEY, x)["log_prior_scale"])(state.q)
        chex.assert_trees_all_equal(start, PhaseState(jnp.zeros(2), jnp.zeros(2)))
        self.assertNotIn("log_prior_scale", jax.eval_shape(make().init, KEY, state.q))


def _loss_and_weights(model):
    """The loss, its aux, and ln pi(s_0) and ln f(p|q) by the public functions with the same noise."""

    @jax.jit
    def evaluate(params, multiplier, batch, **kwargs):
        x, config, dim = batch["x"], model.config, batch["x"].shape[-1]
        posterior = make_momentum_posterior(dim, config.posterior_sizes)
        draw = lambda slot: jax.random.normal(jax.random.fold_in(KEY, slot), (config.objective_samples, dim), x.dtype)
        noise = jax.vmap(draw, out_axes=1)(jnp.arange(len(x)))
        p, log_f = posterior.sample(params["posterior"], config.input_scale * x, noise)
        p = config.input_scale * p  # in the space of the data
        start = model.pull_back(params, PhaseState(jnp.broadcast_to(x, p.shape), p))
        log_f = log_f - dim * math.log(config.input_scale)
        return *model.loss(params, multiplier, KEY, batch, **kwargs), model.log_prior(params, start), log_f

    return evaluate


class LossTest(Float64TestCase):
    def setUp(self):
        super().setUp()
        hk.config.set(check_jax_usage=True)
        self.addCleanup(hk.config.set, check_jax_usage=False)

    @parameterized.parameters((1, 1.0), (5, 3.0))
    def test_loss_is_minus_the_bound(self, samples, input_scale):
        model = make(objective_samples=samples, input_scale=input_scale)
        params, x = random_params(model, 2), random_states(2, 6).q
        loss, aux, log_pi, log_f = _loss_and_weights(model)(params, 7.0, {"x": x})
        bound = np.mean(np.log(np.mean(np.exp(log_pi - log_f), axis=0)))
        np.testing.assert_allclose(loss, -bound, rtol=1e-10)
        expected = {"bound": bound, "log_prior": log_pi.mean(), "entropy": -log_f.mean()}
        self.assertCountEqual(aux, expected)
        for name, value in expected.items():
            np.testing.assert_allclose(aux[name], value, rtol=1e-10)

    def test_loss_agrees_with_the_elbo(self):
        model, params = _density_model("scaled", 2)
        x = jnp.tile(jnp.array([[0.3, -0.1]]), (8000, 1))
        loss, _ = jax.jit(model.loss)(params, 1.0, KEY, {"x": x})
        elbo = np.asarray(jax.jit(model.elbo)(params, KEY, x))
        self.assertAlmostEqual(float(-loss), elbo.mean(), delta=5.0 * elbo.std() * math.sqrt(2 / 8000))

    def test_geco(self):
        """The Lagrangian until `geco_fraction` of the training is done, and minus the ELBO later and by default."""
        model = make(objective="geco", tolerance=-5.0, geco_fraction=0.2)
        params, x = random_params(model, 2), random_states(2, 6).q
        evaluate = _loss_and_weights(model)
        for progress, warming_up in ((0.0, True), (0.19, True), (0.2, False), (1.0, False), (None, False)):
            kwargs = {} if progress is None else {"progress": jnp.float32(progress)}
            loss, aux, log_pi, log_f = evaluate(params, 7.0, {"x": x}, **kwargs)
            self.assertCountEqual(aux, ["bound", "log_prior", "entropy", "constraint"])
            np.testing.assert_allclose(aux["constraint"], -5.0 - log_pi.mean(), rtol=1e-10)
            np.testing.assert_allclose(aux["bound"], (log_pi - log_f).mean(), rtol=1e-10)
            lagrangian = log_f.mean() + 7.0 * (-5.0 - log_pi.mean())
            np.testing.assert_allclose(loss, lagrangian if warming_up else -aux["bound"], rtol=1e-10)

    def test_descending_the_gradient_raises_the_elbo(self):
        variant = {"posterior": "flow", "posterior_bends": 2, "learned_dt": True, "learned_prior_scale": True}
        model = make(links="merged", input_scale=2.0, **variant)
        params, x = random_params(model, 2), random_states(2, 200).q
        gradient = jax.jit(jax.grad(lambda params: model.loss(params, 1.0, KEY, {"x": x})[0]))(params)
        norm = math.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient)))
        moved = jax.tree.map(lambda x, slope: x - 0.05 / norm * slope, params, gradient)
        mean_elbo = jax.jit(lambda params: jnp.mean(model.elbo(params, jax.random.PRNGKey(5), x, 32)))
        rise = float(mean_elbo(moved) - mean_elbo(params))
        self.assertBetween(rise, 0.3 * 0.05 * norm, 1.5 * 0.05 * norm)  # by other noise than that of the gradient


class TrainingTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_learns_the_normal_distribution(self):
        """The ELBO rises to minus the entropy of N(0, I), -(1 + ln 2 pi) = -2.8379, its upper bound."""
        model = make(kinetic="mlp", hidden_sizes=(16, 16), posterior_sizes=(16, 16))
        optimiser = optax.adam(5e-3)
        params = random_params(model, 2, seed=1)

        def step(carry, key):
            params, moments = carry
            data_key, noise_key = jax.random.split(key)
            batch = {"x": jax.random.normal(data_key, (256, 2))}
            gradient, _ = jax.grad(model.loss, has_aux=True)(params, 1.0, noise_key, batch)
            updates, moments = optimiser.update(gradient, moments)
            return (optax.apply_updates(params, updates), moments), None

        keys = jax.random.split(KEY, 400)
        (trained, _), _ = jax.jit(lambda carry: jax.lax.scan(step, carry, keys))((params, optimiser.init(params)))
        x = scipy.stats.norm.ppf((scipy.stats.qmc.Sobol(2, seed=0).random(2048) * (1 - 1e-6)) + 5e-7)
        evaluate = jax.jit(lambda params: jnp.mean(model.elbo(params, KEY, jnp.asarray(x, jnp.float32), 16)))
        self.assertLess(float(evaluate(params)), -3.2)
        self.assertBetween(float(evaluate(trained)), -2.8379 - 0.03, -2.8379 + 0.01)

    @parameterized.parameters(
        {}, {"posterior": "flow", "learned_dt": True, "learned_prior_scale": True, "prior": "normal"}
    )
    def test_keeps_float32(self, **changes):
        model, x = make_nhf(NHFConfig(**changes)), jnp.ones((3, 2))

        def everything(x):
            params, state = model.init(KEY, x), PhaseState(x, x)
            states = model.push_forward(params, state), model.pull_back(params, state), model.path(params, state)
            samples = model.sample_prior(params, KEY, 3), model.sample(params, KEY, 3)
            densities = model.log_prior(params, state), model.log_prob(params, KEY, x, 70)
            return params, states, samples, densities, model.loss(params, 1.0, KEY, {"x": x})

        outputs = jax.tree.leaves(jax.eval_shape(everything, x))
        self.assertEqual({leaf.dtype for leaf in outputs}, {jnp.dtype("float32")})
