"""Tests of the page that runs a model in the browser."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.explorer import graph, page
from experiments.hgn import presets
from experiments.run.command_line import UserError
from hgn_jax.physics.phase_space import PhaseState
from tests.experiments import tiny_runs
from tests.experiments.reporting import browser


def test_what_does_not_depend_on_the_argument_is_computed_before():
    traced = graph.trace(lambda x: x + jnp.exp(jnp.arange(3.0)), jnp.zeros((1, 3)))
    assert [operation["name"] for operation in traced["operations"]] in (["add"], ["reshape", "add"])
    assert len(traced["constants"]) == 1


def test_an_operation_that_the_page_does_not_know_is_named():
    with pytest.raises(
        graph.UnknownOperationError, match="^the page of the explorer does not know the operation sort$"
    ):
        graph.trace(jnp.sort, jnp.zeros((1, 3)))


def test_models_that_cannot_be_shown_are_refused_with_all_reasons():
    config = presets.get("double_pendulum_anchored_noise_free")
    message = "of one coordinate; this run has state_channels=2 instead of 1, hamiltonian='joint' .*, integrator='rk4'"
    with pytest.raises(UserError, match=message):
        page.require_shown(config)


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("pendulum_anchored_noise_free", {}),
        ("mass_spring_anchored", {"inference_frames": 5, "seen_frames": 7}),  # whose places are noisy
    ],
)
@pytest.mark.slow
def test_the_browser_computes_what_jax_computes(preset, changes, tmp_path):
    config = tiny_runs.shrink(presets.get(preset), tmp_path)
    config = dataclasses.replace(config, state_channels=1, hamiltonian_filters=(8, 8), painter="discs", **changes)
    workdir = tmp_path / "run"
    tiny_runs.execute_quickly(tiny_runs.TASKS["hgn"], config, workdir)
    run = tiny_runs.TinyRun(tiny_runs.TASKS["hgn"], config, tiny_runs.RunDirectory(workdir)).run
    path = tmp_path / "explorer.html"
    page.write(run, path)
    assert not re.search(r"\{\{ \w+ \}\}", path.read_text(encoding="utf-8"))
    hgn, params = run.model, run.state.params
    state = PhaseState(jnp.array([[0.3]]), jnp.array([[0.2]]))
    hamiltonian = hgn.hamiltonian(params)
    slope = jax.grad(lambda s: jnp.sum(hamiltonian(s)))(state)
    after = hgn.rollout(params, state, 5)
    with browser.launch() as chromium:
        problems, _ = chromium.problems(path)
        assert not problems
        read = chromium.evaluate(
            path,
            "(() => { const last = rollout([[0.3], [0.2]], 5)[5]; return [[...decode([0.3])[0]], "
            "[...energy([0.3], [0.2])[0]], slope([0.3], [0.2]).map(x => x[0]), last.map(x => x[0])]; })()",
        )
    images, energies, slopes, last = map(np.asarray, read)
    assert np.max(np.abs(images - np.ravel(hgn.decode(params, state.q)))) < 1 / 255
    np.testing.assert_allclose(energies, hamiltonian(state), rtol=1e-5)
    np.testing.assert_allclose(slopes, np.ravel(slope), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(last, [after.q[-1, 0, 0], after.p[-1, 0, 0]], rtol=1e-4, atol=1e-6)
