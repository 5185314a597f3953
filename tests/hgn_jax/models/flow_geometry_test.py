"""The geometry of `hgn_jax.models.flow`: exact inverse, constant volume, symplectic form."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized

from hgn_jax import NHFConfig, PhaseState, make_nhf, rollout, separable
from hgn_jax.models.flow import flow_moves
from tests.hgn_jax.models.nhf_models import (
    LINKS,
    Float64TestCase,
    kinetic_energy,
    make,
    mlp_energy,
    random_params,
    random_states,
)


def _excess(forward, backward, params, starts, allowed=(1e-11, 1e-9), compiled=jax.jit):
    """Errors of a flow's inverse, volume and symplectic form, relative to their tolerances.

    Both Jacobian defects are of the order of eps |J|^2 if the flow is right, since |J^-1| = |J| for a symplectic J. So
    the tolerance is for Jacobians up to |J| = 300 and grows with |J|^2 from there.

    Args:
      forward, backward: The flow and its inverse, `(params, state) -> state`.
      params: Parameters with a leading axis of cases.
      starts: States, `[cases, 2 d]`, q before p.
      allowed: Tolerance of the inverse, relative to the largest coordinate, and of the determinant and the form.
      compiled: Function that compiles a function.

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
    """Stacked parameters of a model with learned dt, and one start for each of them."""
    grid = list(itertools.product(dts, gains, seeds))
    params = [
        random_params(model, dim, seed, gain) | {"log_dt": jnp.asarray(math.log(dt), jnp.float64)}
        for dt, gain, seed in grid
    ]
    return jax.tree.map(lambda *x: jnp.stack(x), *params), jnp.concatenate(random_states(dim, len(grid)), -1)


class GeometryTest(Float64TestCase):
    @parameterized.parameters(
        ("shared", "mlp", "leapfrog", 2),
        ("separate", "quadratic", "leapfrog", 2),
        ("merged", "mlp", "yoshida4", 2),
        ("merged", "mlp", "leapfrog", 1),
    )
    def test_exact_inverse_volume_and_symplectic_form(self, links, kinetic, integrator, dim):
        self.check(links, kinetic, integrator, dim)

    @parameterized.parameters(
        *((links, kinetic, "leapfrog", 2) for links in LINKS for kinetic in ("mlp", "quadratic")),
        *((links, kinetic, "yoshida4", 2) for links, kinetic in zip(LINKS, ("quadratic", "mlp", "mlp"), strict=True)),
        *((links, "mlp", "symplectic_euler", 2) for links in LINKS),
        ("separate", "mlp", "leapfrog", 5),
    )
    @pytest.mark.slow
    def test_all_links_kinetic_energies_and_integrators(self, links, kinetic, integrator, dim):
        self.check(links, kinetic, integrator, dim)

    def check(self, links, kinetic, integrator, dim):
        steps = {"num_links": 10}
        if integrator == "yoshida4" or dim != 2:
            steps = {"num_links": 3 if dim == 2 else 2}
        elif links == "separate":
            steps = {"num_links": 5, "steps_per_link": 2}
        input_scale = 3.0 if kinetic == "quadratic" or dim != 2 else 1.0
        model = make(
            links=links, kinetic=kinetic, integrator=integrator, input_scale=input_scale, learned_dt=True, **steps
        )
        params, starts = _cases(model, dim)
        # Ten steps take longer to compile than to run operation by operation, and the variants share their operations.
        compiled = (lambda function: function) if dim == 2 else jax.jit
        excess = _excess(model.push_forward, model.pull_back, params, starts, compiled=compiled)
        for name, ratio in zip(("inverse", "volume", "form"), excess, strict=True):
            self.assertLess(ratio.max(), 1.0, name)

    @parameterized.parameters("mlp", "quadratic")
    def test_an_euler_flow_exceeds_every_tolerance(self, kinetic):
        model = make(links="shared", kinetic=kinetic, num_links=10, learned_dt=True)
        params, starts = _cases(model, 2 if kinetic == "mlp" else 1)

        def euler(direction, params, state):
            hamiltonian = separable(kinetic_energy(params, 0), functools.partial(mlp_energy, params["kick"][0]))
            path = rollout(hamiltonian, state, direction * jnp.exp(params["log_dt"]), 10, integrator="euler")
            return PhaseState(path.q[-1], path.p[-1])

        forward, backward = (functools.partial(euler, direction) for direction in (1.0, -1.0))
        for excess in _excess(forward, backward, params, starts):
            self.assertGreater(excess.min(), 1.0)

    def test_float32(self):
        with jax.enable_x64(False):
            model = make_nhf(NHFConfig(num_links=2, links="separate", dt=0.5))  # two leapfrog steps
            self.assertLen(flow_moves(model.config), 6)
            params = [random_params(model, 2, seed) for seed in range(3)]
            params = jax.tree.map(lambda *x: jnp.stack(x), *params)
            starts = jnp.concatenate(random_states(2, 3), -1)
            self.assertEqual(starts.dtype, jnp.float32)
            for excess in _excess(model.push_forward, model.pull_back, params, starts, allowed=(1e-5, 1e-5)):
                self.assertLess(excess.max(), 1.0)
