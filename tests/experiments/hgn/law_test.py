"""Tests of `experiments.hgn.law`: true systems in the place of learned ones, in units of the picture."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.hgn import law as law_reading
from hgn_jax import HGNConfig, PhaseState
from hgn_jax.networks.keypoints import HALF_WIDTH
from hgn_jax.physics import systems
from tests.hgn_jax.metrics.pictured import pictured

_CLIPS, _TIMES = 6, 20
_DT = 0.25  # time between frames in the true system; the model has its own
_HALF_WIDTH = 2.0
_UNITS = {"length": _HALF_WIDTH * 31 / 32 / HALF_WIDTH, "mass": 1.7, "time": 2.0}
_SYSTEMS = {
    "two_body": {"latent": "keypoints", "num_keypoints": 2, "state_channels": 4, "hamiltonian_network": "pairwise"},
    "three_body": {"latent": "keypoints", "num_keypoints": 3, "state_channels": 6, "hamiltonian_network": "pairwise"},
    "pendulum": {"latent": "vector", "state_channels": 1, "hamiltonian_network": "mlp"},
    "double_pendulum": {
        "latent": "keypoints",
        "num_keypoints": 2,
        "chart": "rods",
        "state_channels": 2,
        "hamiltonian": "joint",
        "hamiltonian_network": "mlp",
        "kinetic": "rods",
    },
    "mass_spring": {"latent": "vector", "state_channels": 1, "hamiltonian_network": "mlp"},
}


def _run(name, friction=None, data=None, places=None, **config):
    """A run whose model is the true system, and the path and the true positions of its clips."""
    system = systems.get_system(name)
    q, p = np.random.default_rng(1).uniform(-1.5, 1.5, (2, _CLIPS * _TIMES, *system.state_shape)).astype(np.float32)
    if len(system.state_shape) == 2:  # bodies about their centre
        q, p = (x - x.mean(axis=1, keepdims=True) for x in (q, p))
    units = _UNITS | ({"length": 1.0} if name == "double_pendulum" else {})  # angles have no unit
    hamiltonian, states = pictured(system, PhaseState(q, p), **units)
    model = types.SimpleNamespace(
        hamiltonian=lambda params: hamiltonian,
        friction=lambda params: None if friction is None else jnp.asarray(friction),
        places=places,
    )
    metadata = {"system": name, "dt": _DT, "constants": system.constants, "canvas": {"half_width": _HALF_WIDTH}}
    run = types.SimpleNamespace(
        config=HGNConfig(dt=_DT / _UNITS["time"], **{**_SYSTEMS[name], **config}),
        model=model,
        state=types.SimpleNamespace(params=None),
        data=types.SimpleNamespace(metadata=metadata | (data or {})),
    )
    in_clips = lambda x: np.asarray(x).reshape(_CLIPS, _TIMES, -1)
    return run, PhaseState(*map(in_clips, states)), in_clips(q)


@pytest.mark.parametrize(("name", "pairs"), [("two_body", ["1-2"]), ("three_body", ["1-2", "1-3", "2-3"])])
def test_gravity_is_read_off(name, pairs):
    law = law_reading.read_law(*_run(name)).law
    assert list(law.pairs) == pairs
    for read in (law, *law.pairs.values()):
        np.testing.assert_allclose([read.exponent, read.mass_ratio, read.constant], [-2.0, 1.0, 1.0], rtol=2e-4)
        assert read.flatness < 1e-3
    np.testing.assert_allclose([pair.own_exponent for pair in law.pairs.values()], -2.0, rtol=1e-3)
    assert law.true_constant == 1.0


@pytest.mark.parametrize(("name", "frequency"), [("pendulum", np.sqrt(6.0)), ("mass_spring", 2.0)])
def test_systems_with_one_coordinate_are_read_off(name, frequency):
    law = law_reading.read_law(*_run(name)).law
    np.testing.assert_allclose([law.r_squared, law.constant, law.true_constant], [1.0, frequency, frequency], rtol=1e-3)
    assert law.exponent is None and law.mass_ratio is None and law.friction is None


def test_the_inertia_and_the_weight_of_a_double_pendulum_are_read_off():
    law = law_reading.read_law(*_run("double_pendulum")).law
    np.testing.assert_allclose(law.inertia, [2.0, 1.0], rtol=1e-4)
    np.testing.assert_allclose([law.r_squared, law.constant], [1.0, 3.0], rtol=1e-4)
    assert (law.true_inertia, law.true_constant) == ([2.0, 1.0], 3.0)


def test_the_worst_pair_stands_for_all():
    """Bodies that a model believes to be twice as light are pulled twice as much."""
    run, path, true_q = _run("three_body")
    hamiltonian = run.model.hamiltonian(None)
    light = np.repeat([1.0, np.sqrt(2.0), 1.0], 2).astype(np.float32)
    run.model.hamiltonian = lambda params: lambda s: hamiltonian(PhaseState(s.q, light * s.p))
    law = law_reading.read_law(run, path, true_q).law
    np.testing.assert_allclose([law.mass_ratio, law.pairs["1-3"].mass_ratio], [2.0, 1.0], rtol=1e-4)
    np.testing.assert_allclose([law.constant, law.pairs["1-3"].constant], [1.5, 1.0], rtol=1e-3)


@pytest.mark.parametrize(("name", "rate"), [("pendulum", 0.2), ("mass_spring", 0.2), ("two_body", 0.1)])
def test_friction_stands_beside_the_true_rate(name, rate):
    """With m = 0.5 (1 for bodies) and l = 1 a damping of 0.1 takes this fraction of p in a unit of the true time."""
    law = law_reading.read_law(*_run(name, friction=[rate * _UNITS["time"]], data={"damping": 0.1})).law
    np.testing.assert_allclose([law.friction, law.true_friction], rate, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("two_body", {"latent": "vector"}, "needs a state of keypoints, or of one number"),
        ("two_body", {"latent": "spatial"}, "needs a state of keypoints, or of one number"),
        ("two_body", {"num_keypoints": 3}, "needs num_keypoints=2 for two-body"),
        ("pendulum", {"state_channels": 16}, "needs a state of keypoints, or of one number"),
        ("two_body", {"data": {"constant_ranges": {"m": [0.5, 1.5]}}}, "each trajectory of this data set has its own"),
        ("double_pendulum", {"chart": "network"}, "needs the angles of two rods"),
    ],
)
def test_where_the_law_cannot_be_read_a_reason_is_given(name, changes, reason):
    reading = law_reading.read_law(*_run(name, **changes))
    assert reading.law is None and reading.draw is None
    assert reason in reading.not_measured


def test_a_model_that_repels_is_not_measured():
    run, path, true_q = _run("two_body")
    hamiltonian = run.model.hamiltonian(None)
    run.model.hamiltonian = lambda params: lambda s: hamiltonian(s) - 2.0 * hamiltonian(PhaseState(s.q, 0.0 * s.p))
    reading = law_reading.read_law(run, path, true_q)
    assert reading.law is None and reading.draw is None
    assert reading.not_measured == "the learned force attracts in only 0% of the states"


def test_states_that_are_not_finite_are_left_out():
    run, path, true_q = _run("pendulum")
    path.q[:, 10:] = np.nan
    assert law_reading.read_law(run, path, true_q).law.r_squared > 0.9999
    path.p[:] = np.inf
    assert "leave the range of numbers" in law_reading.read_law(run, path, true_q).not_measured


def test_an_energy_that_does_not_vary_is_no_law():
    run, path, true_q = _run("pendulum")
    run.model.hamiltonian = lambda params: lambda s: 0.5 * (s.p**2).sum(axis=-1)
    assert "does not vary" in law_reading.read_law(run, path, true_q).not_measured


@pytest.mark.parametrize("name", _SYSTEMS)
def test_pictures_show_the_learned_law_beside_the_true_one(name):
    figure = law_reading.read_law(*_run(name)).draw()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any(label.startswith("true: ") for label in labels)
    assert sum(label.startswith("learned") for label in labels) == (3 if name == "three_body" else 1)


@pytest.mark.parametrize(
    ("name", "places", "unit"),
    [
        ("two_body", True, "pixels / frame²"),
        ("mass_spring", None, "potential per mass, 1 / frame²"),
        ("pendulum", lambda params, q: jnp.stack([jnp.sin(q), jnp.cos(q)], axis=-1), "pixels² / frame²"),
    ],
)
def test_films_have_pictures_in_pixels_and_frames_and_no_truth(name, places, unit):
    run, path, _ = _run(name, places=places)
    law, reason, draw = law_reading.read_law(run, path)
    assert law is None and "not known for films" in reason
    panel = draw().axes[0]
    assert unit in panel.get_ylabel()
    assert [text.get_text()[:7] for text in panel.get_legend().get_texts()][0] == "learned"
    assert not any("true" in text.get_text() for text in panel.get_legend().get_texts())


def test_points_of_a_film_that_repel_are_drawn_on_linear_axes():
    run, path, _ = _run("two_body")
    run.model.hamiltonian = lambda params: lambda s: (s.p**2).sum(axis=-1) - (s.q**2).sum(axis=-1)
    figure = law_reading.read_law(run, path).draw()
    assert [panel.get_yscale() for panel in figure.axes] == ["linear", "linear"]
    assert all(panel.get_ylim()[0] < np.median(panel.lines[0].get_ydata()) < 0 for panel in figure.axes)


def test_the_potential_of_a_point_in_the_plane_is_drawn_where_it_has_been():
    run, path, _ = _run("two_body", latent="keypoints", num_keypoints=1, state_channels=2)
    run.model.hamiltonian = lambda params: lambda s: (s.q**2 + s.p**2).sum(axis=-1)
    figure = law_reading.read_law(run, PhaseState(path.q[..., :2], path.p[..., :2])).draw()
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[0], 15.5 + 31 / 6 * path.q[0, 0, :2])
