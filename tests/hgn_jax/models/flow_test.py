"""Tests of `hgn_jax.models.flow`: kicks and drifts, paths and energies."""

import functools
import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from hgn_jax import NHFConfig, PhaseState, make_nhf, rollout, separable
from hgn_jax.models.flow import flow_moves
from tests.hgn_jax.models.nhf_models import (
    KEY,
    LINKS,
    Float64TestCase,
    make,
    mlp_energy,
    random_params,
    random_states,
)

_W = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))  # Yoshida's fourth-order method: leapfrog steps of w, 1 - 2 w and w
_COEFFICIENTS = {
    "symplectic_euler": ((1.0, 0.0), (1.0,)),
    "leapfrog": ((0.5, 0.5), (1.0,)),
    "yoshida4": ((_W / 2, (1 - _W) / 2, (1 - _W) / 2, _W / 2), (_W, 1 - 2 * _W, _W)),
}


def _slope(params, x):
    return jax.grad(lambda x: jnp.sum(mlp_energy(params, x)))(x)


def _one_by_one(config, params, state):
    """The flow of stretched states, kick by kick and drift by drift, with no kicks merged."""
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


class MovesTest(Float64TestCase):
    @parameterized.parameters(
        *itertools.product(LINKS, _COEFFICIENTS, ["mlp"], [1]),
        *itertools.product(["shared", "separate"], ["leapfrog"], ["mlp"], [2]),
        *itertools.product(LINKS, ["leapfrog"], ["quadratic"], [1]),
    )
    def test_merged_moves_equal_single_kicks_and_drifts(self, links, integrator, kinetic, steps_per_link):
        model = make(links=links, integrator=integrator, kinetic=kinetic, steps_per_link=steps_per_link, num_links=3)
        params, state = random_params(model, 2), random_states(2, 4)
        end = model.push_forward(params, state)
        self.assertGreater(np.abs(end.q - state.q).max(), 0.1)
        _assert_close(self, end, _one_by_one(model.config, params, state), 1e-12)

    @parameterized.parameters(("leapfrog", 1.0), ("leapfrog", 3.0), ("yoshida4", 3.0), ("symplectic_euler", 1.0))
    def test_shared_links_are_a_rollout(self, integrator, input_scale):
        model = make(links="shared", integrator=integrator, num_links=4, dt=0.3, input_scale=input_scale)
        params, start = random_params(model, 2), random_states(2, 4)
        hamiltonian = separable(*(functools.partial(mlp_energy, params[kind][0]) for kind in ("drift", "kick")))
        path = jax.jit(lambda state: rollout(hamiltonian, state, 0.3, 4, integrator))(start)
        expected = PhaseState(path.q[-1] / input_scale, path.p[-1] * input_scale)
        _assert_close(self, model.push_forward(params, start), expected, 1e-12)

    def test_more_steps_of_shared_links_equal_more_links(self):
        once = make(links="shared", num_links=6)
        params, state = random_params(once, 2), random_states(2, 4)
        grouped = make(links="shared", num_links=2, steps_per_link=3)
        chex.assert_trees_all_equal(once.push_forward(params, state), grouped.push_forward(params, state))

    @parameterized.parameters(1, 3)
    def test_number_of_kicks(self, num_links):
        """Counts the gradients of the potential in the computation graph."""
        dot_products = lambda function, *inputs: str(jax.make_jaxpr(function)(*inputs)).count("dot_general")
        for links, steps, kicks, potentials in (
            ("shared", 1, num_links + 1, 1),
            ("shared", 3, 3 * num_links + 1, 1),
            ("separate", 1, 2 * num_links, num_links),
            ("separate", 3, 4 * num_links, num_links),
            ("merged", 1, num_links + 1, num_links + 1),
        ):
            model = make(links=links, num_links=num_links, steps_per_link=steps, kinetic="quadratic")
            moves = flow_moves(model.config)
            self.assertEqual(sum(move.kind == "kick" for move in moves), kicks)
            self.assertEqual(sum(move.kind == "drift" for move in moves), steps * num_links)
            self.assertEqual([move.kind for move in moves[:2]], ["kick", "drift"])
            # However they are merged: each link lasts as long as its steps, for its potential and its kinetic energy.
            self.assertAlmostEqual(sum(move.duration for move in moves if move.kind == "kick"), steps * num_links)
            self.assertAlmostEqual(sum(move.duration for move in moves if move.kind == "drift"), steps * num_links)
            params, state = random_params(model, 2), random_states(2, 4)
            self.assertLen(params["kick"], potentials)
            self.assertNotIn("drift", params)
            one = dot_products(_slope, params["kick"][0], state.q)
            for flow in (model.push_forward, model.pull_back):
                self.assertEqual(dot_products(flow, params, state), kicks * one)

    @parameterized.parameters(*itertools.product(LINKS, ["leapfrog", "symplectic_euler"]))
    def test_parameters(self, links, integrator):
        model = make_nhf(NHFConfig(links=links, integrator=integrator, num_links=3))
        params = jax.eval_shape(model.init, KEY, jnp.zeros((7, 5)))
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
        energy = jax.jit(lambda x: model.init(KEY, x)["kick"][0])(jnp.zeros((1, 2)))
        for name, gain, bias in (("linear_1", 2.0, 4.0), ("output", 0.3, 0.0)):
            self.assertAlmostEqual(float(energy[name]["w"].std()) * math.sqrt(128.0) / gain, 1.0, delta=0.2)
            self.assertAlmostEqual(float(energy[name]["b"].std()), bias, delta=1.0)  # as wide as the data

    def test_merged_flows_include_separate_ones(self):
        """V / 2 of one link and W / 2 of the next at the same q are the kick of (V + W) / 2, a wider network."""
        separate, merged = (
            make(links="separate", num_links=3),
            make(links="merged", num_links=3, hidden_sizes=(16,) * 2),
        )
        params, state = random_params(separate, 2), random_states(2, 4)

        def mean(first, second):
            """The mean of two networks as one network of twice the width."""
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
        chex.assert_trees_all_equal_shapes(wider["kick"], random_params(merged, 2)["kick"])
        end = separate.push_forward(params, state)
        self.assertGreater(np.abs(end.q - state.q).max(), 0.1)
        _assert_close(self, merged.push_forward(wider, state), end, 1e-12)

    def test_learned_time_step_starts_at_dt(self):
        learned, fixed = make(learned_dt=True, dt=0.3), make(dt=0.3)
        params, state = random_params(fixed, 2), random_states(2, 4)
        log_dt = jax.jit(lambda x: learned.init(KEY, x)["log_dt"])(state.q)
        self.assertAlmostEqual(float(jnp.exp(log_dt)), 0.3)
        self.assertNotIn("log_dt", jax.eval_shape(fixed.init, KEY, state.q))
        with_dt = params | {"log_dt": log_dt}
        _assert_close(self, learned.push_forward(with_dt, state), fixed.push_forward(params, state), 1e-12)


class PathAndEnergyTest(Float64TestCase):
    @parameterized.parameters(
        *itertools.product(LINKS, ["leapfrog"]), ("separate", "yoshida4"), ("merged", "symplectic_euler")
    )
    def test_path(self, links, integrator):
        model = make(links=links, integrator=integrator, num_links=2, input_scale=3.0)
        params, start = random_params(model, 2), random_states(2, 4)
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
    def test_energies_generate_a_shared_flow(self, integrator, kinetic):
        """A step of the Hamiltonian kinetic + potential takes the start to the end, in the data's coordinates."""
        model = make(links="shared", num_links=1, integrator=integrator, kinetic=kinetic, input_scale=3.0)
        params, start = random_params(model, 2), random_states(2, 4)
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
        model = make(links=links, num_links=2)
        params, (q, p) = random_params(model, 2), random_states(2, 4)
        expected = sum(w * mlp_energy(energy, q) for w, energy in zip(weights, params["kick"], strict=True))
        np.testing.assert_allclose(model.potential(params, q), expected, rtol=1e-12)
        expected = sum(mlp_energy(energy, p) for energy in params["drift"]) / len(params["drift"])
        np.testing.assert_allclose(model.kinetic(params, p), expected, rtol=1e-12)
