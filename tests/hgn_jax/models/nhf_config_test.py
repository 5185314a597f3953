"""Tests of `hgn_jax.models.nhf_config`."""

import dataclasses

from absl.testing import absltest, parameterized

from hgn_jax import make_nhf
from hgn_jax.models.nhf_config import NHFConfig, validate

_NAN, _INFINITY = float("nan"), float("inf")


class NHFConfigTest(parameterized.TestCase):
    @parameterized.parameters(
        {},
        {"links": "shared", "steps_per_link": 3},
        {"links": "merged", "num_links": 5},
        {"integrator": "yoshida4", "kinetic": "quadratic"},
        {"integrator": "symplectic_euler", "activation": "tanh"},
        {"hidden_sizes": (), "posterior_sizes": (8,), "activation": "swish"},
        {"prior": "normal", "prior_scale": 1.0, "learned_prior_scale": True},
        {"posterior": "flow", "posterior_layers": 1, "posterior_bends": 1},
        {"objective": "geco", "tolerance": 0.0, "geco_fraction": 0.99},
        {"objective_samples": 8},
    )
    def test_accepts(self, **changes):
        config = dataclasses.replace(NHFConfig(), **changes)
        validate(config)
        self.assertIs(make_nhf(config).config, config)

    @parameterized.parameters(
        ({"links": "joined"}, "links must be one of shared, separate, merged; got 'joined'"),
        # Only what is exactly invertible and keeps volume may integrate a flow.
        ({"integrator": "euler"}, "integrator must be one of symplectic_euler, leapfrog, yoshida4; got 'euler'"),
        ({"integrator": "rk4"}, "integrator must be one of symplectic_euler, leapfrog, yoshida4; got 'rk4'"),
        ({"kinetic": "linear"}, "kinetic must be one of mlp, quadratic; got 'linear'"),
        ({"activation": "relu"}, "activation must be one of softplus, swish, tanh; got 'relu'"),
        ({"prior": "uniform"}, "prior must be one of normal, soft_uniform; got 'uniform'"),
        ({"posterior": "exact"}, "posterior must be one of gaussian, flow; got 'exact'"),
        ({"objective": "nll"}, "objective must be one of elbo, geco; got 'nll'"),
        ({"num_links": 0}, "num_links must be 1 or more, got 0"),
        ({"steps_per_link": 0}, "steps_per_link must be 1 or more, got 0"),
        ({"posterior_layers": 0}, "posterior_layers must be 1 or more, got 0"),
        ({"posterior_bends": -1}, "posterior_bends must be 1 or more, got -1"),
        ({"objective_samples": 0}, "objective_samples must be 1 or more, got 0"),
        ({"dt": 0.0}, "dt must be positive and finite, got 0.0"),
        ({"dt": _NAN}, "dt must be positive and finite, got nan"),
        ({"energy_gain": -1.0}, "energy_gain must be positive and finite, got -1.0"),
        ({"energy_output_gain": 0.0}, "energy_output_gain must be positive and finite, got 0.0"),
        ({"input_scale": _INFINITY}, "input_scale must be positive and finite, got inf"),
        ({"prior_scale": 0.0}, "prior_scale must be positive and finite, got 0.0"),
        ({"prior_sharpness": _NAN}, "prior_sharpness must be positive and finite, got nan"),
        ({"hidden_sizes": (8, 0)}, r"hidden_sizes must be positive whole numbers, got \(8, 0\)"),
        ({"posterior_sizes": (-8,)}, r"posterior_sizes must be positive whole numbers, got \(-8,\)"),
        ({"geco_fraction": 0.0}, r"geco_fraction must lie in \(0, 1\), got 0.0"),
        ({"geco_fraction": 1.0}, r"geco_fraction must lie in \(0, 1\), got 1.0"),
        ({"tolerance": -_INFINITY}, "tolerance must be finite, got -inf"),
        ({"tolerance": _NAN}, "tolerance must be finite, got nan"),
        ({"objective": "geco", "objective_samples": 2}, "objective=geco needs objective_samples=1, got 2"),
        ({"links": "merged", "steps_per_link": 2}, "links=merged needs steps_per_link=1, got 2"),
    )
    def test_refuses(self, wrong, message):
        config = dataclasses.replace(NHFConfig(), **wrong)
        for refuse in (validate, make_nhf):
            with self.assertRaisesRegex(ValueError, f"^{message}$"):
                refuse(config)


if __name__ == "__main__":
    absltest.main()
