"""Tests of `hgn_jax.models.nhf`."""

import functools
import itertools
import math

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.special
import scipy.stats
from absl.testing import absltest, parameterized

from hgn_jax import NHFConfig, PhaseState, make_nhf, rollout, separable
from hgn_jax.models.flow import flow_moves
from hgn_jax.models.momentum_posterior import make_momentum_posterior

_KEY = jax.random.PRNGKey(0)
_TINY = {
    "links": "separate",
    "hidden_sizes": (8, 8),
    "posterior_sizes": (8,),
    "prior": "normal",
    "prior_scale": 1.0,
}
_LINKS = ("shared", "separate", "merged")

_W = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))  # Yoshida's fourth-order method: leapfrog steps of w, 1 - 2 w and w
_COEFFICIENTS = {
    "symplectic_euler": ((1.0, 0.0), (1.0,)),
    "leapfrog": ((0.5, 0.5), (1.0,)),
    "yoshida4": ((_W / 2, (1 - _W) / 2, (1 - _W) / 2, _W / 2), (_W, 1 - 2 * _W, _W)),
}

_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # soon ready to run


def _make(**changes):
    return make_nhf(NHFConfig(**(_TINY | changes)))


@functools.cache
def _shapes(init, dim):
    return jax.eval_shape(init, _KEY, jnp.zeros((1, dim)))


def _random(model, dim, seed=0, gain=1.0):
    """Parameters with random weights and biases; `gain` multiplies those of the energies."""
    rng = np.random.default_rng(seed)
    draw = lambda x: jnp.asarray(rng.normal(size=x.shape) / np.sqrt((*x.shape, 1)[0]), x.dtype)
    params = jax.tree.map(draw, _shapes(model.init, dim))
    for kind in {"kick", "drift"} & set(params):
        params[kind] = jax.tree.map(lambda x: gain * x, params[kind])
    if "log_dt" in params:
        params["log_dt"] = jnp.full_like(params["log_dt"], math.log(model.config.dt))
    return params


def _states(dim, count, seed=0):
    return PhaseState(*jnp.asarray(np.random.default_rng(100 + seed).normal(size=(2, count, dim))))


def _energy(params, x):
    """A softplus network written out."""
    for i in range(len(params) - 1):
        layer = params[f"linear_{i}"]
        x = jnp.logaddexp(x @ layer["w"] + layer["b"], 0.0)
    return (x @ params["output"]["w"] + params["output"]["b"])[..., 0]


def _slope(params, x):
    return jax.grad(lambda x: jnp.sum(_energy(params, x)))(x)


def _kinetic(params, index):
    if "drift" in params:
        return functools.partial(_energy, params["drift"][index])
    return lambda p: 0.5 * jnp.sum(p**2, axis=-1)


def _one_by_one(config, params, state):
    """The flow of the data inside, kick by kick and drift by drift, with none of them merged."""
    kicks, drifts = _COEFFICIENTS[config.integrator]
    q, p = state
    for link in range(config.num_links):
        own = 0 if config.links == "shared" else link
        for _ in range(config.steps_per_link):
            for kick, drift in itertools.zip_longest(kicks, drifts):
                if kick:
                    shift = 1 if config.links == "merged" and drift is None else 0
                    p = p - kick * config.dt * _slope(params["kick"][own + shift], q)
                if drift is not None:
                    velocity = _slope(params["drift"][own], p) if "drift" in params else p
                    q = q + drift * config.dt * velocity
    return PhaseState(q, p)


def _assert_close(test, first, second, tolerance):
    for a, b in zip(first, second, strict=True):
        test.assertEqual(a.shape, b.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


class Float64TestCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(jax.enable_x64(True))


def _excess(forward, backward, params, starts, allowed=(1e-11, 1e-9), compiled=_compiled):
    """How far a flow is from one that is inverted exactly and keeps volume and the symplectic form.

    Both Jacobian defects are of the order of eps |J|^2 if the flow is right, since |J^-1| = |J| for a symplectic J. So
    the tolerance is for Jacobians up to |J| = 300 and grows with |J|^2 from there.

    Args:
      forward, backward: `(params, state) -> state`.
      params: with a leading axis of cases.
      starts: `[cases, 2 d]`, q before p.
      allowed: the error of the inverse, relative to the largest coordinate, and of the determinant and the form.
      compiled: what compiles a function.

    Returns:
      Measured error over tolerance, `[cases]`, of the inverse, of the volume, and of the form.
    """
    flat = lambda function: lambda params, x: jnp.concatenate(function(params, PhaseState(*jnp.split(x, 2, -1))), -1)
    forward, backward = flat(forward), flat(backward)
    with_value = lambda params, x: (forward(params, x),) * 2
    jacobians, ends = compiled(jax.vmap(jax.jacfwd(with_value, 1, has_aux=True)))(params, starts)
    there = jnp.stack([starts, ends], axis=1)
    back = compiled(jax.vmap(backward))(params, there)  # of the ends the starts; of the starts what leads to them
    returned = compiled(jax.vmap(forward))(params, back[:, :1])[:, 0]
    there, back, jacobians, returned = (np.asarray(x, np.float64) for x in (there, back, jacobians, returned))

    size = np.maximum(1.0, np.abs(np.concatenate([there, back], axis=1)).max((1, 2)))
    inverse = np.maximum(np.abs(back[:, 1] - there[:, 0]).max(1), np.abs(returned - there[:, 0]).max(1)) / size
    half = starts.shape[-1] // 2
    omega = np.block([[np.zeros((half, half)), np.eye(half)], [-np.eye(half), np.zeros((half, half))]])
    form = np.abs(np.swapaxes(jacobians, 1, 2) @ omega @ jacobians - omega).max((1, 2))
    volume = np.abs(np.abs(np.linalg.det(jacobians)) - 1.0)
    growth = np.maximum(1.0, np.linalg.norm(jacobians, 2, axis=(1, 2)) / 300.0) ** 2
    return inverse / allowed[0], volume / growth / allowed[1], form / growth / allowed[1]


def _cases(model, dim, dts=(0.1, 0.5, 2.0), gains=(1.0, 3.0), seeds=(0, 1)):
    """Stacked parameters of a model with learned dt, and as many starts."""
    grid = list(itertools.product(dts, gains, seeds))
    params = [
        _random(model, dim, seed, gain) | {"log_dt": jnp.asarray(math.log(dt), jnp.float64)} for dt, gain, seed in grid
    ]
    return jax.tree.map(lambda *x: jnp.stack(x), *params), jnp.concatenate(_states(dim, len(grid)), -1)


class GeometryTest(Float64TestCase):
    @parameterized.parameters(
        *((links, kinetic, "leapfrog", 2) for links in _LINKS for kinetic in ("mlp", "quadratic")),
        *((links, kinetic, "yoshida4", 2) for links, kinetic in zip(_LINKS, ("quadratic", "mlp", "mlp"), strict=True)),
        *((links, "mlp", "symplectic_euler", 2) for links in _LINKS),
        *((links, "mlp", "leapfrog", dim) for links, dim in (("merged", 1), ("separate", 5))),
    )
    def test_exact_inverse_volume_and_symplectic_form(self, links, kinetic, integrator, dim):
        steps = {"num_links": 10}
        if integrator == "yoshida4" or dim != 2:
            steps = {"num_links": 3 if dim == 2 else 2}
        elif links == "separate":
            steps = {"num_links": 5, "steps_per_link": 2}
        input_scale = 3.0 if kinetic == "quadratic" or dim != 2 else 1.0
        model = _make(
            links=links, kinetic=kinetic, integrator=integrator, input_scale=input_scale, learned_dt=True, **steps
        )
        params, starts = _cases(model, dim)
        # Ten steps take longer to compile than to run operation by operation, and the variants share their operations.
        compiled = (lambda function: function) if dim == 2 else _compiled
        excess = _excess(model.push_forward, model.pull_back, params, starts, compiled=compiled)
        for name, ratio in zip(("inverse", "volume", "form"), excess, strict=True):
            self.assertLess(ratio.max(), 1.0, name)

    @parameterized.parameters("mlp", "quadratic")
    def test_an_euler_flow_fails_all_three(self, kinetic):
        model = _make(links="shared", kinetic=kinetic, num_links=10, learned_dt=True)
        params, starts = _cases(model, 2 if kinetic == "mlp" else 1)

        def euler(direction, params, state):
            hamiltonian = separable(_kinetic(params, 0), functools.partial(_energy, params["kick"][0]))
            path = rollout(hamiltonian, state, direction * jnp.exp(params["log_dt"]), 10, integrator="euler")
            return PhaseState(path.q[-1], path.p[-1])

        forward, backward = (functools.partial(euler, direction) for direction in (1.0, -1.0))
        for excess in _excess(forward, backward, params, starts):
            self.assertGreater(excess.min(), 1.0)

    def test_float32(self):
        with jax.enable_x64(False):
            model = make_nhf(NHFConfig(num_links=2, links="separate", dt=0.5))  # two leapfrog steps
            self.assertLen(flow_moves(model.config), 6)
            params = [_random(model, 2, seed) for seed in range(3)]
            params = jax.tree.map(lambda *x: jnp.stack(x), *params)
            starts = jnp.concatenate(_states(2, 3), -1)
            self.assertEqual(starts.dtype, jnp.float32)
            for excess in _excess(model.push_forward, model.pull_back, params, starts, allowed=(1e-5, 1e-5)):
                self.assertLess(excess.max(), 1.0)


class MovesTest(Float64TestCase):
    @parameterized.parameters(
        *itertools.product(_LINKS, _COEFFICIENTS, ["mlp"], [1]),
        *itertools.product(["shared", "separate"], ["leapfrog"], ["mlp"], [2]),
        *itertools.product(_LINKS, ["leapfrog"], ["quadratic"], [1]),
    )
    def test_flow_is_its_kicks_and_drifts_one_by_one(self, links, integrator, kinetic, steps_per_link):
        """Whatever kicks it merges."""
        model = _make(links=links, integrator=integrator, kinetic=kinetic, steps_per_link=steps_per_link, num_links=3)
        params, state = _random(model, 2), _states(2, 4)
        end = model.push_forward(params, state)
        self.assertGreater(np.abs(end.q - state.q).max(), 0.1)
        _assert_close(self, end, _one_by_one(model.config, params, state), 1e-12)

    @parameterized.parameters(("leapfrog", 1.0), ("leapfrog", 3.0), ("yoshida4", 3.0), ("symplectic_euler", 1.0))
    def test_shared_links_are_a_rollout(self, integrator, input_scale):
        model = _make(links="shared", integrator=integrator, num_links=4, dt=0.3, input_scale=input_scale)
        params, start = _random(model, 2), _states(2, 4)
        hamiltonian = separable(*(functools.partial(_energy, params[kind][0]) for kind in ("drift", "kick")))
        path = _compiled(lambda state: rollout(hamiltonian, state, 0.3, 4, integrator))(start)
        expected = PhaseState(path.q[-1] / input_scale, path.p[-1] * input_scale)
        _assert_close(self, model.push_forward(params, start), expected, 1e-12)

    def test_chosen_steps_of_shared_links_are_more_links(self):
        once = _make(links="shared", num_links=6)
        params, state = _random(once, 2), _states(2, 4)
        grouped = _make(links="shared", num_links=2, steps_per_link=3)
        chex.assert_trees_all_equal(once.push_forward(params, state), grouped.push_forward(params, state))

    @parameterized.parameters(1, 3)
    def test_number_of_kicks(self, num_links):
        """Gradients of the potential: the constants of the docstrings, counted in what is computed."""
        dot_products = lambda function, *inputs: str(jax.make_jaxpr(function)(*inputs)).count("dot_general")
        for links, steps, kicks, potentials in (
            ("shared", 1, num_links + 1, 1),
            ("shared", 3, 3 * num_links + 1, 1),
            ("separate", 1, 2 * num_links, num_links),
            ("separate", 3, 4 * num_links, num_links),
            ("merged", 1, num_links + 1, num_links + 1),
        ):
            model = _make(links=links, num_links=num_links, steps_per_link=steps, kinetic="quadratic")
            moves = flow_moves(model.config)
            self.assertEqual(sum(move.kind == "kick" for move in moves), kicks)
            self.assertEqual(sum(move.kind == "drift" for move in moves), steps * num_links)
            self.assertEqual([move.kind for move in moves[:2]], ["kick", "drift"])
            # However they are merged: each link lasts as long as its steps, for its potential and its kinetic energy.
            self.assertAlmostEqual(sum(move.duration for move in moves if move.kind == "kick"), steps * num_links)
            self.assertAlmostEqual(sum(move.duration for move in moves if move.kind == "drift"), steps * num_links)
            params, state = _random(model, 2), _states(2, 4)
            self.assertLen(params["kick"], potentials)
            self.assertNotIn("drift", params)
            one = dot_products(_slope, params["kick"][0], state.q)
            for flow in (model.push_forward, model.pull_back):
                self.assertEqual(dot_products(flow, params, state), kicks * one)

    @parameterized.parameters(*itertools.product(_LINKS, ["leapfrog", "symplectic_euler"]))
    def test_parameters(self, links, integrator):
        model = make_nhf(NHFConfig(links=links, integrator=integrator, num_links=3))
        params = jax.eval_shape(model.init, _KEY, jnp.zeros((7, 5)))
        self.assertCountEqual(params, ["kick", "drift", "posterior"])
        closing = links == "merged" and integrator != "symplectic_euler"  # which ends with a drift
        self.assertLen(params["kick"], 1 if links == "shared" else 3 + closing)
        self.assertLen(params["drift"], 1 if links == "shared" else 3)
        for energy in (*params["kick"], *params["drift"]):
            self.assertEqual([energy[name]["w"].shape for name in sorted(energy)], [(5, 128), (128, 128), (128, 1)])
        for name in ("mean", "scale"):
            shapes = [layer["w"].shape for layer in params["posterior"][name].values()]
            self.assertCountEqual(shapes, [(5, 128), (128, 128), (128, 5)])

    def test_initial_scales(self):
        model = make_nhf(NHFConfig(energy_gain=2.0, energy_output_gain=0.3, input_scale=4.0))
        energy = _compiled(lambda x: model.init(_KEY, x)["kick"][0])(jnp.zeros((1, 2)))
        for name, gain, bias in (("linear_1", 2.0, 4.0), ("output", 0.3, 0.0)):
            self.assertAlmostEqual(float(energy[name]["w"].std()) * math.sqrt(128.0) / gain, 1.0, delta=0.2)
            self.assertAlmostEqual(float(energy[name]["b"].std()), bias, delta=1.0)  # as wide as the data

    def test_merged_flows_include_separate_ones(self):
        """V / 2 of one link and W / 2 of the next at the same q are the kick of (V + W) / 2, a wider network."""
        separate, merged = (
            _make(links="separate", num_links=3),
            _make(links="merged", num_links=3, hidden_sizes=(16,) * 2),
        )
        params, state = _random(separate, 2), _states(2, 4)

        def mean(first, second):
            """A network of both side by side, half of whose outputs is added."""
            beside = lambda *layers: jnp.concatenate(layers, axis=-1)
            join = lambda a, b: {
                "w": jnp.block([[a["w"], jnp.zeros_like(a["w"])], [jnp.zeros_like(b["w"]), b["w"]]]),
                "b": beside(a["b"], b["b"]),
            }
            return {
                "linear_0": jax.tree.map(beside, first["linear_0"], second["linear_0"]),
                "linear_1": join(first["linear_1"], second["linear_1"]),
                "output": {
                    "w": jnp.concatenate([first["output"]["w"], second["output"]["w"]]) / 2,
                    "b": (first["output"]["b"] + second["output"]["b"]) / 2,
                },
            }

        kicks, drifts = params["kick"], params["drift"]
        wider = {
            "kick": tuple(mean(kicks[max(i - 1, 0)], kicks[min(i, 2)]) for i in range(4)),
            "drift": tuple(mean(drift, drift) for drift in drifts),
            "posterior": params["posterior"],
        }
        chex.assert_trees_all_equal_shapes(wider["kick"], _random(merged, 2)["kick"])
        end = separate.push_forward(params, state)
        self.assertGreater(np.abs(end.q - state.q).max(), 0.1)
        _assert_close(self, merged.push_forward(wider, state), end, 1e-12)

    def test_learned_time_step_starts_at_dt(self):
        learned, fixed = _make(learned_dt=True, dt=0.3), _make(dt=0.3)
        params, state = _random(fixed, 2), _states(2, 4)
        log_dt = _compiled(lambda x: learned.init(_KEY, x)["log_dt"])(state.q)
        self.assertAlmostEqual(float(jnp.exp(log_dt)), 0.3)
        self.assertNotIn("log_dt", jax.eval_shape(fixed.init, _KEY, state.q))
        with_dt = params | {"log_dt": log_dt}
        _assert_close(self, learned.push_forward(with_dt, state), fixed.push_forward(params, state), 1e-12)


class PathAndEnergyTest(Float64TestCase):
    @parameterized.parameters(
        *itertools.product(_LINKS, ["leapfrog"]), ("separate", "yoshida4"), ("merged", "symplectic_euler")
    )
    def test_path(self, links, integrator):
        model = _make(links=links, integrator=integrator, num_links=2, input_scale=3.0)
        params, start = _random(model, 2), _states(2, 4)
        coarse, fine = (model.path(params, start, substeps) for substeps in (1, 3))
        num_drifts = 2 * len(_COEFFICIENTS[integrator][1])
        self.assertEqual((coarse.q.shape, fine.p.shape), ((num_drifts + 1, 4, 2), (3 * num_drifts + 1, 4, 2)))
        _assert_close(self, jax.tree.map(lambda x: x[0], coarse), (start.q / 3.0, start.p * 3.0), 1e-14)
        _assert_close(self, jax.tree.map(lambda x: x[-1], coarse), model.push_forward(params, start), 1e-12)
        _assert_close(self, jax.tree.map(lambda x: x[::3], fine), coarse, 1e-12)
        # The momenta stay through a drift, and so the positions between two kicks lie on a line, evenly spaced.
        pieces = np.asarray(fine.q[1:]).reshape(num_drifts, 3, 4, 2)
        before = np.concatenate([fine.q[:1], pieces[:-1, -1]])[:, None]
        steps = np.diff(np.concatenate([before, pieces], axis=1), axis=1)
        np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-12)
        self.assertGreater(np.abs(steps).max(axis=(1, 2, 3)).min(), 1e-3)

    @parameterized.parameters(*itertools.product(_COEFFICIENTS, ["mlp"]), ("leapfrog", "quadratic"))
    def test_energies_of_a_shared_flow_generate_it_in_the_space_of_the_data(self, integrator, kinetic):
        """With the scale of the input in them: one step of their Hamiltonian takes the squeezed start to the end."""
        model = _make(links="shared", num_links=1, integrator=integrator, kinetic=kinetic, input_scale=3.0)
        params, start = _random(model, 2), _states(2, 4)
        q, p = start.q / 3.0, start.p * 3.0
        chex.assert_shape([model.potential(params, q), model.kinetic(params, p)], (4,))
        velocity, slope = (
            jax.grad(lambda x, energy=energy: jnp.sum(energy(params, x))) for energy in (model.kinetic, model.potential)
        )
        kicks, drifts = _COEFFICIENTS[integrator]
        for kick, drift in zip(kicks, (*drifts, 0.0), strict=True):
            p = p - 0.5 * kick * slope(q)
            q = q + 0.5 * drift * velocity(p)
        _assert_close(self, model.push_forward(params, start), (q, p), 1e-12)

    @parameterized.parameters(("separate", (0.5, 0.5)), ("merged", (0.25, 0.5, 0.25)), ("shared", (1.0,)))
    def test_energies_are_means_over_the_flow(self, links, weights):
        model = _make(links=links, num_links=2)
        params, (q, p) = _random(model, 2), _states(2, 4)
        expected = sum(w * _energy(energy, q) for w, energy in zip(weights, params["kick"], strict=True))
        np.testing.assert_allclose(model.potential(params, q), expected, rtol=1e-12)
        expected = sum(_energy(energy, p) for energy in params["drift"]) / len(params["drift"])
        np.testing.assert_allclose(model.kinetic(params, p), expected, rtol=1e-12)


# Models whose densities are compared with quadrature.
_DENSITIES = {
    "plain": {"links": "merged", "kinetic": "quadratic", "dt": 0.3},
    "scaled": {"input_scale": 3.0, "learned_prior_scale": True},
    "flow": {"input_scale": 3.0, "posterior": "flow", "posterior_bends": 4, "learned_dt": True},
    "box": {"prior": "soft_uniform", "prior_scale": 4.0, "learned_prior_scale": True, "dt": 0.3},
}


def _density_model(name, dim):
    """A model that is not normal, and a posterior that is not hopeless: close to the prior of the momentum."""
    model = _make(**_DENSITIES[name])
    params = _random(model, dim, seed=3)
    posterior = params["posterior"]
    for part, gain in (("mean", 0.2), ("scale", 0.1), ("bends", 0.3)):
        posterior[part] = jax.tree.map(lambda x, gain=gain: gain * x, posterior[part])
    posterior["scale"]["output"]["b"] += 0.0 if name == "flow" else 0.25
    if "log_prior_scale" in params:
        tilt = jnp.linspace(-0.2, 0.2, dim)
        params["log_prior_scale"] = PhaseState(tilt + 0.3, tilt - 0.1)
    return model, params


def _grid(half, count, dim):
    """A grid `[count^dim, dim]` on [-half, half]^dim and the volume of its cells; a sum is the trapezoidal rule."""
    ticks = np.linspace(-half, half, count)
    return np.stack(np.meshgrid(*[ticks] * dim, indexing="ij"), -1).reshape(-1, dim), (ticks[1] - ticks[0]) ** dim


def _marginal(model, params, q, count=121):
    """ln p(q) by quadrature over the momentum, whose density ends well within the grid."""
    dim = q.shape[-1]
    p, cell = _grid(8.0 * model.config.input_scale, count, dim)
    states = PhaseState(*np.broadcast_arrays(q[:, None, :], p[None, :, :]))
    joint = _compiled(lambda params, state: model.log_prior(params, model.pull_back(params, state)))(params, states)
    return jax.nn.logsumexp(joint, axis=1) + math.log(cell)


class DensityTest(Float64TestCase):
    @parameterized.parameters(("plain", 1), ("flow", 2), ("scaled", 2), ("box", 2))
    def test_log_prob_is_the_integral_over_the_momentum(self, name, dim):
        """The mean of 32 estimates of 1024 samples each, at points of the model."""
        model, params = _density_model(name, dim)
        points = np.asarray(model.sample(params, _KEY, 4))
        truth = _marginal(model, params, points)
        estimate = _compiled(model.log_prob, static_argnums=3)(params, _KEY, jnp.repeat(points, 32, axis=0), 1024)
        np.testing.assert_allclose(estimate.reshape(4, 32).mean(1), truth, atol=0.01)

    @parameterized.parameters(("plain", 1), ("flow", 1), ("box", 1), ("scaled", 2))
    def test_integrates_to_one(self, name, dim):
        """exp(log_prob) of any number of samples is a fair estimate of p(q), and its integral of 1."""
        model, params = _density_model(name, dim)
        x, cell = _grid(8.0 / model.config.input_scale, 801 if dim == 1 else 61, dim)
        log_prob = _compiled(model.log_prob, static_argnums=3)(params, _KEY, jnp.asarray(x), 64)
        self.assertAlmostEqual(float(jnp.sum(jnp.exp(log_prob)) * cell), 1.0, delta=0.01)

    def test_bounds_rise_with_the_number_of_samples(self):
        """From the ELBO to the quadrature, by independent samples, with a posterior that is poor."""
        model, params = _density_model("scaled", 1)
        params["posterior"]["mean"] = jax.tree.map(lambda x: 2.5 * x, params["posterior"]["mean"])
        x = model.sample(params, _KEY, 2500)
        ticks = np.linspace(float(x.min()) - 0.1, float(x.max()) + 0.1, 400)
        truth = np.interp(x[:, 0], ticks, _marginal(model, params, ticks[:, None]))
        counts = (1, 4, 16, 64, 256)
        weights = np.asarray(jax.jit(model.log_weights, static_argnums=3)(params, _KEY, x, sum(counts)))
        parts = np.split(weights, np.cumsum(counts)[:-1])
        gaps = [truth - scipy.special.logsumexp(part, axis=0) + math.log(len(part)) for part in parts]
        for loose, tight in itertools.pairwise(gaps):
            fall = loose - tight
            self.assertGreater(fall.mean(), 2.0 * fall.std() / math.sqrt(len(x)))
        self.assertGreater(gaps[0].mean(), 0.1)
        self.assertBetween(gaps[-1].mean(), -2.0 * gaps[-1].std() / math.sqrt(len(x)), 0.03)

    def test_elbo_and_log_prob_are_means_of_the_weights(self):
        model, params = _density_model("scaled", 2)
        x, count = _states(2, 5).q, 130  # of which 64 are drawn at a time
        functions = model.log_weights, model.elbo, model.log_prob
        evaluate = _compiled(lambda params: [function(params, _KEY, x, count) for function in functions])
        weights, elbo, log_prob = jax.tree.map(np.asarray, evaluate(params))
        self.assertEqual(weights.shape, (count, 5))
        self.assertLen(np.unique(weights), count * 5)  # no sample is used twice
        np.testing.assert_allclose(elbo, np.mean(weights, axis=0), rtol=1e-12)
        np.testing.assert_allclose(log_prob, np.log(np.mean(np.exp(weights), axis=0)), rtol=1e-12)
        for count in (1, 64, 128):
            weights = jax.eval_shape(functools.partial(model.log_weights, num_samples=count), params, _KEY, x)
            self.assertEqual(weights.shape, (count, 5))

    def test_needs_a_sample(self):
        model, params = _density_model("plain", 1)
        for function in (model.log_weights, model.elbo, model.log_prob):
            with self.assertRaisesRegex(ValueError, "num_samples must be 1 or more, got 0"):
                function(params, _KEY, jnp.zeros((2, 1)), 0)

    @parameterized.parameters("scaled", "box")
    def test_samples_have_the_moments_of_the_density(self, name):
        model, params = _density_model(name, 1)
        ticks, cell = _grid(8.0 / model.config.input_scale, 801, 1)
        density = np.exp(_marginal(model, params, ticks))
        x = np.asarray(model.sample(params, _KEY, 40_000))
        self.assertEqual(x.shape, (40_000, 1))
        for power in (1, 2, 3):
            standard_error = np.std(x**power) / 200.0
            self.assertAlmostEqual(
                np.mean(x**power), np.sum(density * ticks[:, 0] ** power) * cell, delta=4 * standard_error
            )

    @parameterized.parameters("normal", "soft_uniform")
    def test_prior(self, prior):
        """Independent coordinates of q and of p, each stretched by its own factor."""
        model = _make(prior=prior, prior_scale=2.0, prior_sharpness=3.0, learned_prior_scale=True)
        params = _random(model, 2)
        scales = PhaseState(np.array([0.5, 2.0]), np.array([3.0, 0.7]))
        params["log_prior_scale"] = jax.tree.map(jnp.log, scales)
        state, scale = _states(2, 5), np.concatenate(scales)
        x = np.concatenate(state, -1) / scale
        if prior == "normal":
            expected = scipy.stats.norm.logpdf(x, scale=2.0) - np.log(scale)
            deviation = 2.0 * scale
        else:
            edge = lambda x: scipy.stats.logistic.cdf(x, scale=1 / 3)
            expected = np.log((edge(x + 1.0) - edge(x - 1.0)) / 2.0) - np.log(scale)  # a box blurred by a logistic
            deviation = np.sqrt(2.0**2 / 12 + math.pi**2 / 3 / 3.0**2) * scale
        np.testing.assert_allclose(model.log_prior(params, state), expected.sum(-1), rtol=1e-9)
        samples = np.concatenate(model.sample_prior(params, _KEY, 20_000), -1)
        np.testing.assert_allclose(np.cov(samples.T), np.diag(deviation**2), atol=0.06 * deviation.max() ** 2)
        np.testing.assert_allclose(samples.std(0), deviation, rtol=0.03)
        start = _compiled(lambda x: model.init(_KEY, x)["log_prior_scale"])(state.q)
        chex.assert_trees_all_equal(start, PhaseState(jnp.zeros(2), jnp.zeros(2)))
        self.assertNotIn("log_prior_scale", jax.eval_shape(_make().init, _KEY, state.q))


def _loss_and_weights(model):
    """The loss, its aux, and ln pi(s_0) and ln f(p|q) by the public functions with the same noise."""

    @_compiled
    def evaluate(params, multiplier, batch, **kwargs):
        x, config, dim = batch["x"], model.config, batch["x"].shape[-1]
        posterior = make_momentum_posterior(dim, config.posterior_sizes)
        draw = lambda slot: jax.random.normal(jax.random.fold_in(_KEY, slot), (config.objective_samples, dim), x.dtype)
        noise = jax.vmap(draw, out_axes=1)(jnp.arange(len(x)))
        p, log_f = posterior.sample(params["posterior"], config.input_scale * x, noise)
        p = config.input_scale * p  # in the space of the data
        start = model.pull_back(params, PhaseState(jnp.broadcast_to(x, p.shape), p))
        log_f = log_f - dim * math.log(config.input_scale)
        return *model.loss(params, multiplier, _KEY, batch, **kwargs), model.log_prior(params, start), log_f

    return evaluate


class LossTest(Float64TestCase):
    def setUp(self):
        super().setUp()
        hk.config.set(check_jax_usage=True)
        self.addCleanup(hk.config.set, check_jax_usage=False)

    @parameterized.parameters((1, 1.0), (5, 3.0))
    def test_is_minus_the_bound(self, samples, input_scale):
        model = _make(objective_samples=samples, input_scale=input_scale)
        params, x = _random(model, 2), _states(2, 6).q
        loss, aux, log_pi, log_f = _loss_and_weights(model)(params, 7.0, {"x": x})
        bound = np.mean(np.log(np.mean(np.exp(log_pi - log_f), axis=0)))
        np.testing.assert_allclose(loss, -bound, rtol=1e-10)
        expected = {"bound": bound, "log_prior": log_pi.mean(), "entropy": -log_f.mean()}
        self.assertCountEqual(aux, expected)
        for name, value in expected.items():
            np.testing.assert_allclose(aux[name], value, rtol=1e-10)

    def test_agrees_with_the_elbo(self):
        model, params = _density_model("scaled", 2)
        x = jnp.tile(jnp.array([[0.3, -0.1]]), (8000, 1))
        loss, _ = _compiled(model.loss)(params, 1.0, _KEY, {"x": x})
        elbo = np.asarray(_compiled(model.elbo)(params, _KEY, x))
        self.assertAlmostEqual(float(-loss), elbo.mean(), delta=5.0 * elbo.std() * math.sqrt(2 / 8000))

    def test_geco(self):
        """Entropy under a constraint at first, minus the ELBO later, and where nothing says how late it is."""
        model = _make(objective="geco", tolerance=-5.0, geco_fraction=0.2)
        params, x = _random(model, 2), _states(2, 6).q
        evaluate = _loss_and_weights(model)
        for progress, warming_up in ((0.0, True), (0.19, True), (0.2, False), (1.0, False), (None, False)):
            kwargs = {} if progress is None else {"progress": jnp.float32(progress)}
            loss, aux, log_pi, log_f = evaluate(params, 7.0, {"x": x}, **kwargs)
            self.assertCountEqual(aux, ["bound", "log_prior", "entropy", "constraint"])
            np.testing.assert_allclose(aux["constraint"], -5.0 - log_pi.mean(), rtol=1e-10)
            np.testing.assert_allclose(aux["bound"], (log_pi - log_f).mean(), rtol=1e-10)
            lagrangian = log_f.mean() + 7.0 * (-5.0 - log_pi.mean())
            np.testing.assert_allclose(loss, lagrangian if warming_up else -aux["bound"], rtol=1e-10)

    def test_the_slot_decides_the_noise_of_an_example(self):
        model = _make()
        params, x = _random(model, 2), _states(2, 6).q
        loss = _compiled(lambda x, slots: model.loss(params, 1.0, _KEY, {"x": x}, slots=slots)[0])
        slots = jnp.array([4, 9, 2, 7, 0, 5])
        order = jnp.array([3, 1, 5, 0, 2, 4])
        np.testing.assert_allclose(loss(x[order], slots[order]), loss(x, slots), rtol=1e-12)
        self.assertGreater(abs(loss(x[order], slots) - loss(x, slots)), 1e-4)
        by_default = _compiled(lambda x: model.loss(params, 1.0, _KEY, {"x": x})[0])(x)
        np.testing.assert_allclose(by_default, loss(x, jnp.arange(6)), rtol=1e-12)

    def test_gradient_reaches_everything_and_descending_raises_the_elbo(self):
        variant = {"posterior": "flow", "posterior_bends": 2, "learned_dt": True, "learned_prior_scale": True}
        model = _make(links="merged", input_scale=2.0, **variant)
        params, x = _random(model, 2), _states(2, 200).q
        gradient = _compiled(jax.grad(lambda params: model.loss(params, 1.0, _KEY, {"x": x})[0]))(params)
        chex.assert_tree_all_finite(gradient)
        flat, _ = jax.tree_util.tree_flatten_with_path(gradient)
        for path, leaf in flat:
            energy_offset = "output" in str(path) and "'b'" in str(path) and "posterior" not in str(path)
            self.assertEqual(float(jnp.abs(leaf).max()) > 0.0, not energy_offset, path)  # which moves nothing
        norm = math.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient)))
        moved = jax.tree.map(lambda x, slope: x - 0.05 / norm * slope, params, gradient)
        mean_elbo = _compiled(lambda params: jnp.mean(model.elbo(params, jax.random.PRNGKey(5), x, 32)))
        rise = float(mean_elbo(moved) - mean_elbo(params))
        self.assertBetween(rise, 0.3 * 0.05 * norm, 1.5 * 0.05 * norm)  # by other noise than that of the gradient


class TrainingTest(parameterized.TestCase):
    def test_learns_the_normal_distribution(self):
        """The ELBO rises to minus the entropy of N(0, I), -(1 + ln 2 pi) = -2.8379, the most there is."""
        model = _make(kinetic="mlp", hidden_sizes=(16, 16), posterior_sizes=(16, 16))
        optimiser = optax.adam(5e-3)
        params = _random(model, 2, seed=1)

        def step(carry, key):
            params, moments = carry
            data_key, noise_key = jax.random.split(key)
            batch = {"x": jax.random.normal(data_key, (256, 2))}
            gradient, _ = jax.grad(model.loss, has_aux=True)(params, 1.0, noise_key, batch)
            updates, moments = optimiser.update(gradient, moments)
            return (optax.apply_updates(params, updates), moments), None

        keys = jax.random.split(_KEY, 400)
        (trained, _), _ = _compiled(lambda carry: jax.lax.scan(step, carry, keys))((params, optimiser.init(params)))
        x = scipy.stats.norm.ppf((scipy.stats.qmc.Sobol(2, seed=0).random(2048) * (1 - 1e-6)) + 5e-7)
        evaluate = _compiled(lambda params: jnp.mean(model.elbo(params, _KEY, jnp.asarray(x, jnp.float32), 16)))
        self.assertLess(float(evaluate(params)), -3.2)
        self.assertBetween(float(evaluate(trained)), -2.8379 - 0.03, -2.8379 + 0.01)

    @parameterized.parameters(
        {}, {"posterior": "flow", "learned_dt": True, "learned_prior_scale": True, "prior": "normal"}
    )
    def test_keeps_float32(self, **changes):
        model, x = make_nhf(NHFConfig(**changes)), jnp.ones((3, 2))

        def everything(x):
            params, state = model.init(_KEY, x), PhaseState(x, x)
            states = model.push_forward(params, state), model.pull_back(params, state), model.path(params, state)
            samples = model.sample_prior(params, _KEY, 3), model.sample(params, _KEY, 3)
            densities = model.log_prior(params, state), model.log_prob(params, _KEY, x, 70)
            return params, states, samples, densities, model.loss(params, 1.0, _KEY, {"x": x})

        outputs = jax.tree.leaves(jax.eval_shape(everything, x))
        self.assertEqual({leaf.dtype for leaf in outputs}, {jnp.dtype("float32")})


if __name__ == "__main__":
    absltest.main()
