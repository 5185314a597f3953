"""Tests of `experiments.clips.prediction`, on a model that knows the physics; those of HGN and HNN on whole runs."""

import functools
import pathlib
import tempfile
import types

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from data_builders import datasets
from data_builders.rendering import images as rendering
from data_builders.rendering import scenes
from data_builders.simulation import ground_truth as simulation
from experiments.clips import prediction as latent_evaluation
from experiments.hgn.data import Clips
from hgn_jax import rollout
from hgn_jax.data import datasets as data
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState

_SYSTEM = systems.mass_spring()
_FREQUENCY, _IMPEDANCE, _DT = 2.0, 1.0, 0.125  # sqrt(k / m), m w


def _oscillator(metadata, num_seen, frequency=_FREQUENCY):
    """Reads the state off the frames by least squares, follows it exactly, and draws it."""
    canvas = rendering.canvas_from_metadata(metadata)
    phase = _FREQUENCY * _DT * np.arange(num_seen)
    fit = np.linalg.pinv(np.stack([np.cos(phase), np.sin(phase)], axis=1))
    heights = (1 - 2 * (np.arange(canvas.image_size) + 0.5) / canvas.image_size) * canvas.half_width

    def infer(params, frames):
        bright = frames[..., 0].astype(jnp.float32) - canvas.background[0]
        middle = jnp.sum(bright.sum(axis=3) * heights, axis=2) / jnp.sum(bright, axis=(2, 3))
        q, p = (middle @ fit.T)[:, :, None].swapaxes(0, 1)
        return PhaseState(params * q, params * _IMPEDANCE * p)

    def roll(params, state, num_steps, dt):
        path = rollout(_SYSTEM.hamiltonian, state, dt * frequency / _FREQUENCY, num_steps, "yoshida4", substeps=4)
        return path

    def decode(params, states):
        alphas = scenes.coverage(canvas, scenes.distance(canvas, scenes.disc_centres(canvas, states.q / params)))
        return scenes.composite(canvas, alphas) / 255.0

    return latent_evaluation.LatentDynamics(jnp.float32(1.0), num_seen, _DT, infer, roll, decode)


class LatentEvaluationTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    @functools.cache  # noqa: B019
    def _experiment(self, **changes):
        sizes = {"num_train": 1, "num_test": 9, "num_steps": 8, "image_size": 16, "radius_range": (0.5, 0.8)}
        config = datasets.derive_config("mass_spring", "paper", **sizes, **changes)
        path = datasets.ensure_built("mass_spring", config, self.root, num_workers=1)
        return types.SimpleNamespace(data=Clips(*data.open_dataset(path)))

    @parameterized.parameters(0.0, 0.1)
    def test_who_knows_the_physics_predicts_to_the_end_both_ways(self, noise):
        experiment = self._experiment(observation_noise=noise)
        found = latent_evaluation.measure_prediction(experiment, _oscillator(experiment.data.metadata, 9))
        self.assertEqual(found["prediction_clips"]["compared_with"], "noise-free frames")
        self.assertEqual(found["prediction_clips"]["simulated_steps"], {"before": 120, "after": 120})
        self.assertEqual((found["prediction_clips"]["num_examples"], found["prediction_clips"]["left_out"]), (9, 0))
        self.assertNotIn("not_measured", found)
        for direction in ("forward", "backward"):
            for horizon in (60, 120):
                whole = {"steps": float(horizon), "fraction": 1.0, "horizon": horizon}
                self.assertEqual(found["prediction"][direction][str(horizon)], whole)
                self.assertLess(found["mean_image_prediction"][direction][str(horizon)]["steps"], 20)

    def test_a_clock_that_goes_wrong_is_noticed_both_ways(self):
        experiment = self._experiment(observation_noise=0.0)
        metadata = experiment.data.metadata
        slow = latent_evaluation.measure_prediction(experiment, _oscillator(metadata, 9, frequency=1.9))["prediction"]
        slower = latent_evaluation.measure_prediction(experiment, _oscillator(metadata, 9, frequency=1.8))["prediction"]
        for direction in ("forward", "backward"):
            self.assertBetween(slow[direction]["120"]["steps"], 5.0, 60.0)
            self.assertLess(slower[direction]["120"]["steps"], slow[direction]["120"]["steps"])

    def test_few_frames_seen(self):
        experiment = self._experiment(observation_noise=0.0)
        found = latent_evaluation.measure_prediction(experiment, _oscillator(experiment.data.metadata, 3))
        self.assertEqual(found["prediction_clips"]["simulated_steps"], {"before": 114, "after": 114})
        for times in found["prediction"].values():
            self.assertEqual(times["120"]["steps"], 120.0)

    def test_clips_that_are_long_enough_are_not_carried_on(self):
        experiment = self._experiment(observation_noise=0.0, num_test_steps=140)
        found = latent_evaluation.measure_prediction(experiment, _oscillator(experiment.data.metadata, 9))
        self.assertEqual(found["prediction_clips"]["simulated_steps"], {"before": 0, "after": 0})
        for times in found["prediction"].values():
            self.assertEqual(times["120"]["steps"], 120.0)

    def test_trajectories_that_cannot_be_followed_are_left_out_and_counted(self):
        experiment, follow = self._experiment(observation_noise=0.0), simulation.follow
        dynamics = _oscillator(experiment.data.metadata, 9)

        def follow_some(setting, start, drawn):
            path, accurate = follow(setting, start, drawn)
            return path, accurate & (np.arange(len(accurate)) != (3 if setting.dt > 0 else 5))

        with absltest.mock.patch.object(simulation, "follow", follow_some):
            found = latent_evaluation.measure_prediction(experiment, dynamics)
        self.assertEqual((found["prediction_clips"]["num_examples"], found["prediction_clips"]["left_out"]), (7, 2))
        self.assertEqual(found["prediction"]["backward"]["120"]["steps"], 120.0)
        with absltest.mock.patch.object(simulation, "follow", lambda s, x, d: (x, np.zeros(len(x.q), bool))):
            found = latent_evaluation.measure_prediction(experiment, dynamics)
        self.assertEqual(found["prediction"], {"forward": {}, "backward": {}})
        self.assertIn("float64", found["not_measured"]["valid_prediction_time"])

    def test_videos_are_taken_as_they_are(self):
        simulated = self._experiment(observation_noise=0.0)
        videos = types.SimpleNamespace(data=Clips(simulated.data.splits, {"source": "/videos"}))
        dynamics = _oscillator(simulated.data.metadata, 4)
        found = latent_evaluation.measure_prediction(videos, dynamics)
        self.assertEqual(found["prediction_clips"]["compared_with"], "observed frames")
        whole = {"5": {"steps": 5.0, "fraction": 1.0, "horizon": 5}}
        self.assertEqual(found["prediction"], {"forward": whole, "backward": whole})
        found = latent_evaluation.measure_prediction(videos, dynamics._replace(num_seen=9))
        self.assertEqual(found["prediction"], {"forward": {}, "backward": {}})
        self.assertIn("beyond those that the model sees", found["not_measured"]["valid_prediction_time"])


class LatentsTest(parameterized.TestCase):
    def _examples(self):
        start = PhaseState(*np.random.default_rng(0).standard_normal((2, 40, 1)).astype(np.float32))
        path = rollout(_SYSTEM.hamiltonian, start, _DT, 12)
        return {name: np.swapaxes(half, 0, 1) for name, half in zip(("q", "p"), path, strict=True)}

    def test_the_true_states_are_canonical(self):
        examples = self._examples()
        found = latent_evaluation.measure_latents(PhaseState(examples["q"], examples["p"]), examples)["latent"]
        self.assertEqual((found["score"], found["order"], found["num_latents"]), (1.0, 1, 2))

    def test_states_of_any_shape_at_fewer_times(self):
        examples = self._examples()
        spread = np.random.default_rng(1).standard_normal((4, 4, 3))
        grid = PhaseState(*(examples[name][:, :-1, :, None, None] * spread for name in ("q", "p")))
        found = latent_evaluation.measure_latents(grid, examples)["latent"]
        self.assertEqual((found["score"], found["num_latents"]), (1.0, 2))  # one pair of 48
        unrelated = PhaseState(*(half[::-1] for half in grid))
        self.assertEqual(latent_evaluation.measure_latents(unrelated, examples)["latent"]["score"], 0.0)

    def test_pairs_that_the_posterior_does_not_know_are_dropped(self):
        examples = self._examples()
        noise = np.random.default_rng(1).standard_normal((2, 40, 13, 1))
        latents = PhaseState(*(np.concatenate([x, e], axis=-1) for x, e in zip(examples.values(), noise, strict=True)))
        variance = np.tile([0.1, 0.9, 0.2, 0.8], (40, 1))
        self.assertEqual(latent_evaluation.measure_latents(latents, examples, variance)["latent"]["num_latents"], 2)
        self.assertEqual(latent_evaluation.measure_latents(latents, examples)["latent"]["num_latents"], 4)

    def test_what_is_not_finite_is_none(self):
        examples = self._examples()
        broken = PhaseState(examples["q"] / np.float32(0.0), examples["p"])
        found = latent_evaluation.measure_latents(broken, examples)["latent"]
        self.assertEqual((found["score"], found["distance"]), (0.0, None))

    def test_says_why_it_is_not_measured(self):
        examples = self._examples()
        latents = PhaseState(examples["q"], examples["p"])
        videos = latent_evaluation.measure_latents(latents, {"image": None})
        self.assertIn("videos do not tell", videos["not_measured"]["SyMetric"])
        few = jax.tree.map(lambda x: x[:1], (latents, examples))
        self.assertIn("16 points", latent_evaluation.measure_latents(*few)["not_measured"]["SyMetric"])

    def test_gathers_all_that_is_not_measured(self):
        parts = ({"a": 1}, {"b": 2, "not_measured": {"x": "no"}}, {"not_measured": {"y": "nor"}})
        self.assertEqual(latent_evaluation.gather(*parts), {"a": 1, "b": 2, "not_measured": {"x": "no", "y": "nor"}})
        self.assertEqual(latent_evaluation.gather({"a": 1}, {}), {"a": 1})


if __name__ == "__main__":
    absltest.main()
