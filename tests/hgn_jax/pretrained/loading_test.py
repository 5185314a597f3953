"""The models that come with the package: their files, their physics, and their recorded measures."""

import json
import re
import shutil

import jax
import numpy as np
import pytest
from scipy import stats

from data_builders import datasets
from hgn_jax import data, load_pretrained
from hgn_jax.models import densities
from hgn_jax.pretrained import files
from hgn_jax.state_densities.sampling import sample_states
from tests.root import ROOT

_MODELS = {name: files.read_description(files.locate(name)) for name in files.names()}
_OF_FRAMES = [name for name, model in _MODELS.items() if model.config["program"] == "hgn"]
_FLOWS = [name for name, model in _MODELS.items() if model.config["program"] == "nhf"]


def test_the_files_are_small():
    sizes = [path.stat().st_size for path in files.locate("pendulum").parent.iterdir()]
    assert len(sizes) == 2 * len(_MODELS)
    assert max(sizes) <= 2e6 and sum(sizes) <= 10e6


@pytest.mark.parametrize("name", _MODELS)
def test_every_model_loads(name):
    run = load_pretrained(name)
    assert {x.dtype for x in jax.tree.leaves(run.params)} == {np.dtype(np.float32)}
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(run.params))
    assert (run.state_density is not None) == (name in _OF_FRAMES)


def _first_is_quick(names):
    """Parameters of which one is in the fast tests, since each takes seconds to compile."""
    return [pytest.param(name, marks=pytest.mark.slow if number else ()) for number, name in enumerate(names)]


@pytest.mark.parametrize("name", _first_is_quick(sorted(_OF_FRAMES, key="pendulum".__ne__)))
def test_the_learned_energy_is_conserved_along_new_trajectories(name):
    run = load_pretrained(name)
    state = sample_states(run.state_density, run.model, run.params, jax.random.PRNGKey(0), 6)
    path = run.model.rollout(run.params, state, 10)
    energies = np.asarray(jax.vmap(run.model.hamiltonian(run.params))(path))  # [time, states]
    assert np.isfinite(energies).all()
    assert np.abs(path.q[-1] - path.q[0]).max() > 0.05
    assert np.abs(energies - energies[0]).max() < 0.1 * np.std(energies[0])
    frames = np.asarray(run.model.decode(run.params, path.q[:2]))
    assert frames.shape == (2, 6, 32, 32, 3) and -0.1 < frames.min() and frames.max() < 1.1


@pytest.mark.parametrize("name", _first_is_quick(_FLOWS))
def test_samples_are_those_of_the_target(name):
    run = load_pretrained(name)
    target = densities.get_target(name)
    key, other = jax.random.split(jax.random.PRNGKey(0))
    ours, theirs = run.model.sample(run.params, key, 500), target.sample(other, 500)
    for angle in np.linspace(0.0, np.pi, 4, endpoint=False):  # the same distribution on lines through the origin
        direction = np.array([np.cos(angle), np.sin(angle)])
        assert stats.ks_2samp(np.asarray(ours) @ direction, np.asarray(theirs) @ direction).pvalue > 1e-3


@pytest.mark.parametrize("name", ["pendulum", "mass_spring"])
@pytest.mark.slow
def test_the_recorded_error_of_frames_is_reproduced(name, tmp_path):
    run, model = load_pretrained(name), _MODELS[name]
    config = datasets.get_builder(name).builder_configs[model.config["data"]["config"]]
    datasets.ensure_built(name, config, str(tmp_path))
    splits, _ = data.open_dataset(datasets.dataset_path(name, config, str(tmp_path)))
    num_clips = model.measures["test.num_examples"]
    reconstruct = jax.jit(lambda frames: run.model.reconstruct(run.params, frames, 30))
    errors = []
    for start in range(0, num_clips, 50):
        observed = data.stack(splits["test"], range(start, start + 50), ("image",))["image"]
        errors.append(np.square(np.asarray(reconstruct(observed)) - observed / 255.0).mean((1, 2, 3, 4)))
    np.testing.assert_allclose(np.mean(errors), model.measures["test.mse"], rtol=0.02)
    np.testing.assert_allclose(np.std(errors), model.measures["test.mse_std"], rtol=0.05)


@pytest.mark.parametrize("name", _FLOWS)
@pytest.mark.slow
def test_the_recorded_divergence_of_flows_is_reproduced(name):
    run, measures = load_pretrained(name), _MODELS[name].measures
    target = densities.get_target(name)
    points = target.sample(jax.random.PRNGKey(3), 1000)
    log_prob = run.model.log_prob(run.params, jax.random.PRNGKey(4), points, num_samples=512)
    differences = np.asarray(target.log_prob(points)) - np.asarray(log_prob)
    error = np.hypot(differences.std() / np.sqrt(len(points)), measures["test.kl.standard_error"])
    assert abs(differences.mean() - measures["test.kl.mean"]) < 4 * error


@pytest.mark.parametrize("damage", ["byte", "version", "lost", "json", "other"])
def test_damaged_files_are_refused_in_one_line(damage, tmp_path):
    source, path = files.locate("pendulum"), tmp_path / "mine.safetensors"
    shutil.copy(source, path)
    shutil.copy(source.with_suffix(".json"), path.with_suffix(".json"))
    values = json.loads(path.with_suffix(".json").read_text())
    if damage == "byte":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "lost":
        path.with_suffix(".json").unlink()
    elif damage == "other":
        shutil.copy(files.locate("mass_spring"), path)
    else:
        path.with_suffix(".json").write_text(json.dumps(values | {"version": 9}) if damage == "version" else "{")
    with pytest.raises(ValueError, match="mine") as caught:
        load_pretrained(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(ValueError, match=f"^no pretrained model 'moon'; choose one of {', '.join(_MODELS)}, or"):
        load_pretrained("moon")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_pretrained("moon.safetensors")


def _form(value):
    return "–" if value is None else f"{value:.3f}"


@pytest.mark.parametrize("name", _MODELS)
def test_the_page_lists_the_recorded_measures(name):
    page = (ROOT / "docs" / "pretrained.md").read_text(encoding="utf-8")
    measures, path = _MODELS[name].measures, files.locate(name)
    if name in _FLOWS:
        error = measures["test.kl.standard_error"]
        cells = [f"{measures['test.kl.mean']:.4f} ± {error:.4f}", f"{measures['test.gaussian_kl.mean']:.3f}"]
    else:
        beyond = {key.removeprefix("beyond_the_clip."): value for key, value in measures.items()}
        cells = [_form(beyond["skill"]), *(_form(beyond[f"skill_{way}.60"]) for way in ("forward", "backward"))]
        cells += [", ".join(f"{steps:.0f}" for steps in beyond["horizon"])]
    row = " | ".join([f"| `{name}`", *cells, str(_MODELS[name].facts["seed"]), f"{path.stat().st_size / 1000:.0f} |"])
    assert re.search(re.escape(row), page), f"docs/pretrained.md lacks the row\n{row}"
