"""Tests of `hgn_jax.runs`."""

import dataclasses
import json
import pathlib
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized

from hgn_jax import HGNConfig, HNNConfig, NHFConfig, load_run, make_hgn, make_hnn, make_nhf
from hgn_jax.state_densities import density
from hgn_jax.training import state_template
from hgn_jax.training.checkpoints import CheckpointError, Checkpoints
from hgn_jax.training.geco import GECOConfig, geco

_HGN = HGNConfig(
    image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
    decoder_filters=(4,), loss_frames=2,
)  # fmt: skip
_NHF = NHFConfig(hidden_sizes=(4,), posterior_sizes=(4,), learned_prior_scale=True, links="separate")
_FRAMES = {"image": np.zeros((2, 3, 8, 8, 3), np.uint8)}
# By program: the configuration, the model, and a batch of the data that it was trained on.
_CASES = {
    "hgn": (_HGN, make_hgn, _FRAMES),
    "hnn": (HNNConfig(image_size=8, hidden_sizes=(4,), encoder_sizes=(4,), decoder_sizes=(4,)), make_hnn, _FRAMES),
    "nhf": (_NHF, make_nhf, {"x": np.zeros((2, 3), np.float32)}),
}


def _write_run(path, program):
    """Writes the directory of a run as the programs do, and returns its parameters."""
    config, make_model, batch = _CASES[program]
    path.mkdir(parents=True)
    settings = {"program": program, **dataclasses.asdict(config), "preset": "small", "data": {"name": "pendulum"}}
    (path / "config.json").write_text(json.dumps(settings))
    template = state_template(make_model(config).init, optax.adam(1e-3), geco(GECOConfig()), 0, batch)
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda x: rng.uniform(size=x.shape).astype(x.dtype), template)  # as nothing compiles then
    Checkpoints(path / "checkpoints").save(12, state, {"seconds": {}, "unlogged": []})
    return state.params


def _contents(path):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in path.rglob("*")}


class LoadRunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path) / "run"

    @parameterized.parameters(*_CASES)
    def test_model_parameters_and_configuration_come_back(self, program):
        params = _write_run(self.path, program)
        config, make_model, batch = _CASES[program]
        before = _contents(self.path)
        run = load_run(str(self.path))
        self.assertEqual(_contents(self.path), before)
        self.assertEqual(run.config, config)
        chex.assert_trees_all_equal(run.params, params)
        self.assertEqual(jax.tree.structure(run.params), jax.tree.structure(params))
        expected, loaded = (
            jax.eval_shape(model.loss, p, jnp.float32(1.0), jax.random.PRNGKey(0), batch)
            for model, p in ((make_model(config), params), (run.model, run.params))
        )
        self.assertEqual(loaded, expected)

    def test_a_density_of_states_belongs_to_its_checkpoint(self):
        _write_run(self.path, "hgn")
        self.assertIsNone(load_run(self.path).state_density)
        points = np.random.default_rng(0).normal(size=(40, 2))
        fitted = density.fit("mixture", points, np.arange(40), lambda points: points[:, 0])
        density.write(self.path / "state_density.npz", fitted, step=0)  # that of the state
        self.assertEqual(load_run(self.path).state_density.kind, "mixture")
        density.write(self.path / "state_density.npz", fitted, step=1)
        self.assertIsNone(load_run(self.path).state_density)

    def test_mistakes_take_one_line(self):
        def assert_refused(error, message):
            with self.assertRaisesRegex(error, f"^{message}") as caught:
                load_run(self.path)
            self.assertNotIn("\n", str(caught.exception))

        assert_refused(FileNotFoundError, "no run in .*: there is no config.json")
        _write_run(self.path, "hnn")
        config = self.path / "config.json"
        settings = json.loads(config.read_text())
        for text, message in (
            ("{", "is damaged"),
            ("[]", "is not a configuration: it holds a list"),
            (json.dumps(settings | {"program": "gan"}), "is of the unknown program 'gan'; known are hgn, hnn, nhf"),
            (json.dumps(settings | {"hidden_sizes": "wide"}), "is not a configuration of this version: .*hidden_sizes"),
            (json.dumps(settings | {"hidden_sizes": [0]}), ""),
        ):
            config.write_text(text)
            assert_refused(ValueError, f".*{message}")
        config.write_text(json.dumps(settings | {"encoder_sizes": [4, 4]}))
        assert_refused(CheckpointError, "the checkpoints in .* are of another model than config.json says")
        config.write_text(json.dumps(settings))
        shutil.rmtree(self.path / "checkpoints" / "12" / "state")
        before = _contents(self.path)
        assert_refused(CheckpointError, "no checkpoint is whole: checkpoint 12 .* is damaged")
        self.assertEqual(_contents(self.path), before)
        shutil.rmtree(self.path / "checkpoints" / "12")
        assert_refused(FileNotFoundError, "no checkpoint in")
        shutil.rmtree(self.path / "checkpoints")
        assert_refused(FileNotFoundError, "no checkpoint in .*: the run has not come that far")
