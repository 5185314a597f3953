"""Tests of `hgn_jax.training.in_memory`."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from hgn_jax import train
from hgn_jax.errors import DivergenceError
from hgn_jax.training import OptimizerConfig
from hgn_jax.training.geco import GECOConfig
from tests.hgn_jax.training import toy

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(40, 3))
_Y = _X @ np.array([1.0, -2.0, 0.5]) + 0.1 * _RNG.normal(size=40)


class _Regression(NamedTuple):
    """A linear regression of `y` on `x`."""

    def init(self, key, batch):
        return jnp.zeros(batch["x"].shape[1:])

    def loss(self, params, multiplier, key, batch, *, progress=1.0, slots=None):
        error = jnp.mean((batch["x"] @ params - batch["y"]) ** 2)
        return error, {"error": error}


def test_finds_the_least_squares_solution():
    rows = []
    params = train(
        _Regression(), {"x": _X, "y": _Y}, num_steps=400, batch_size=40, log_every=100,
        optimizer=OptimizerConfig(learning_rate=0.05, schedule="cosine"), log=lambda *row: rows.append(row),
    )  # fmt: skip
    expected, residuals, *_ = np.linalg.lstsq(_X, _Y)
    np.testing.assert_allclose(params, expected, atol=1e-4)
    assert [step for step, _ in rows] == [100, 200, 300, 400]
    np.testing.assert_allclose(rows[-1][1]["error"], residuals[0] / 40, rtol=1e-3)


def test_a_constraint_is_met_by_the_multiplier(capsys):
    """The toy's error falls to its tolerance, about 0.1; the seed decides the outcome, and every row is printed."""
    optimizer, multiplier = OptimizerConfig(learning_rate=0.02), GECOConfig(initial=1.0)
    options = {"batch_size": 8, "optimizer": optimizer, "multiplier": multiplier, "log_every": 100}
    rows = []
    first, again, other = (
        train(toy.ToyModel(), np.ones((40, 3)), 300, seed=seed, **options, log=log)["w"]
        for seed, log in ((0, lambda *row: rows.append(row)), (0, None), (1, None))
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6
    assert rows[-1][1]["error"] < 0.15 < rows[0][1]["error"]
    assert capsys.readouterr().out == ""
    train(toy.ToyModel(), np.ones((40, 3)), 2, **options)
    assert capsys.readouterr().out.startswith("step 2: constraint ")


def test_a_divergence_names_the_step():
    class Diverging(_Regression):
        def loss(self, params, multiplier, key, batch, *, progress=1.0, slots=None):
            return jnp.sum(params) / 0.0, {}

    with pytest.raises(DivergenceError, match="loss.* not finite at step 1"):
        train(Diverging(), {"x": _X, "y": _Y}, 3, log=None)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (_X[:5], {}, "a batch of 16 needs as many examples; the training split has 5"),
        ({"x": _X, "y": _Y[:-1]}, {}, r"same number of examples, got \{'x': 40, 'y': 39\}"),
        ({}, {}, "must be an array"),
        ({"x": 1.0}, {}, "must be an array"),
        (np.full((40, 3), np.nan), {}, "x must be finite"),
        (_X.astype(str), {}, "x must hold numbers"),
        (np.full((40, 2, 4, 4, 3), 255.0), {}, r"floats must lie in \[0, 1\]"),
        (_X, {"batch_size": 0}, "training.batch_size must be"),
        (_X, {"seed": -1}, "training.seed must be"),
        (_X, {"num_steps": 0}, "training.num_steps must be"),
        (_X, {"optimizer": OptimizerConfig(learning_rate=0.0)}, "optimizer.learning_rate must be positive"),
    ],
)
def test_mistakes_take_one_line(data, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        train(toy.ToyModel(), data, **{"num_steps": 2, **options})
    assert "\n" not in str(caught.value)
