"""Tests of `hgn_jax.prediction` with a model that knows the truth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hgn_jax import HGNConfig, HNNConfig, NHFConfig, PhaseState, make_hgn, make_hnn, make_nhf, predict, systems
from hgn_jax.models.frames import unit_interval
from hgn_jax.physics.integrators import rollout

_SIZE, _OMEGA = 8, 2.0
_OSCILLATOR = systems.mass_spring(k=2.0, m=0.5)


def _films(times):
    """Grey films whose brightness swings, at any times `[t]` in steps: exact solutions of the oscillator."""
    angles = _OMEGA * 0.125 * np.asarray(times) + np.array([0.3, 1.0])[:, None]
    brightness = 0.5 + 0.4 * np.cos(angles)
    return np.broadcast_to(brightness[..., None, None, None], (*brightness.shape, _SIZE, _SIZE, 3)).astype(np.float32)


_SMALL = HGNConfig(
    image_size=_SIZE, dt=0.125, inference_frames=5, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,),
    hamiltonian_filters=(4,), decoder_filters=(4,),
)  # fmt: skip


def _oracle(directions):
    """An HGN whose functions are replaced by the true ones: it reads the state off five frames."""
    config = dataclasses.replace(_SMALL, rollout_directions=directions)
    frame = {"forward": 0, "outward": 2}[directions]

    def infer_state(params, frames):
        assert frames.shape[1:] == (5, _SIZE, _SIZE, 3)
        phases = _OMEGA * 0.125 * (np.arange(5) - frame)
        fit = np.linalg.pinv(np.stack([np.cos(phases), np.sin(phases)], axis=1))
        return PhaseState(*((unit_interval(frames)[:, :, 0, 0, 0] - 0.5) @ fit.T).T[..., None])  # m omega is 1

    def roll_out(params, state, num_steps, dt):
        return rollout(_OSCILLATOR.hamiltonian, state, dt, num_steps, "yoshida4", substeps=4)

    return make_hgn(_SMALL)._replace(
        config=config,
        infer_state=infer_state,
        rollout=roll_out,
        hamiltonian=lambda params: _OSCILLATOR.hamiltonian,
        decode=lambda params, q: jnp.broadcast_to(q[..., None, None] + 0.5, (*q.shape[:-1], _SIZE, _SIZE, 3)),
    )


@pytest.mark.parametrize(("directions", "frame"), [("forward", 3), ("outward", 5)])
def test_the_truth_predicts_what_was_and_what_will_be(directions, frame):
    prediction = predict(_oracle(directions), {}, _films(range(12)), num_steps=20, first_seen=3)
    assert (prediction.first, prediction.seen) == (frame, (3, 8))
    np.testing.assert_allclose(prediction.forward, _films(frame + np.arange(21)), atol=1e-4)
    np.testing.assert_allclose(prediction.backward, _films(frame - np.arange(21)), atol=1e-4)
    np.testing.assert_allclose(prediction.energy, 0.4**2, rtol=1e-4)  # k A^2 / 2
    earliest, frames = prediction.around()
    assert earliest == frame - 20
    np.testing.assert_allclose(frames, _films(earliest + np.arange(41)), atol=1e-4)


def test_bytes_one_film_and_a_rest():
    films = _films(range(5))
    exact = predict(_oracle("forward"), {}, films, num_steps=0)
    assert exact.forward.shape == exact.backward.shape == (2, 1, _SIZE, _SIZE, 3)
    single = predict(_oracle("forward"), {}, np.round(255 * films[1]).astype(np.uint8), num_steps=4)
    np.testing.assert_allclose(single.forward, films[1:], atol=0.02)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda: _oracle("forward"), {"first_seen": 8}, "have 12 frames; the model sees 5 from number 8 on"),
        (lambda: _oracle("forward"), {"first_seen": -1}, "first_seen must be 0 or more, got -1"),
        (lambda: _oracle("forward"), {"num_steps": -1}, "num_steps must be 0 or more, got -1"),
        (lambda: _oracle("forward"), {"frames": np.zeros((1, 9, 16, 16, 3))}, "takes frames of 8x8 pixels"),
        (lambda: _oracle("forward"), {"frames": np.full((1, 9, 8, 8, 3), 2.0)}, r"lie in \[0, 1\]"),
        (lambda: make_hnn(HNNConfig(model="state")), {}, "a model of frames is needed .* got an HNN of states"),
        (lambda: make_nhf(NHFConfig()), {}, "got a model of type NHF"),
    ],
)
def test_mistakes_take_one_line(make, arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        predict(make(), {}, **{"frames": _films(range(12)), **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("make", [
    lambda: make_hgn(_SMALL),
    lambda: make_hnn(HNNConfig(image_size=_SIZE, hidden_sizes=(4,), encoder_sizes=(4,), decoder_sizes=(4,))),
], ids=["hgn", "hnn"])  # fmt: skip
def test_models_as_they_are(make):
    """Untrained models: both directions begin with the frame of the state, and the energy is the model's own."""
    model, films = make(), _films(range(6))
    params = model.init(jax.random.PRNGKey(0), {"image": films})
    prediction = predict(model, params, films, num_steps=3)
    assert prediction.forward.shape == prediction.backward.shape == (2, 4, _SIZE, _SIZE, 3)
    np.testing.assert_array_equal(prediction.forward[:, 0], prediction.backward[:, 0])
    np.testing.assert_allclose(prediction.forward, np.clip(model.reconstruct(params, films, 3), 0, 1), atol=1e-5)
    np.testing.assert_allclose(prediction.energy, model.hamiltonian(params)(prediction.state), rtol=1e-4)
