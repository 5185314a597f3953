"""Tests of `experiments.figures.phase_portrait`."""

import jax
import numpy as np
import sklearn.decomposition
from absl.testing import absltest

from experiments.figures import files as figure_files
from experiments.figures import phase_portrait
from hgn_jax import HGNConfig, PhaseState, make_hgn

_CONFIG = HGNConfig(
    image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
    decoder_filters=(4,), dt=0.05,
)  # fmt: skip


class ComponentsTest(absltest.TestCase):
    def test_a_plane_is_found_again(self):
        """Points of a plane in seven dimensions: their distances, and the variances along the axes of the ellipse."""
        generator = np.random.default_rng(0)
        flat = generator.standard_normal((400, 2)) * (3.0, 1.0)
        axes, _ = np.linalg.qr(generator.standard_normal((7, 7)))
        found = phase_portrait.principal_components(5.0 + flat @ axes[:2])
        self.assertAlmostEqual(found.explained.sum(), 1.0)
        np.testing.assert_allclose(
            np.linalg.norm(found.points[:-1] - found.points[1:], axis=1), np.linalg.norm(flat[:-1] - flat[1:], axis=1)
        )
        np.testing.assert_allclose(found.explained, [0.9, 0.1], atol=0.03)

    def test_agrees_with_scikit_learn(self):
        points = np.random.default_rng(1).standard_normal((60, 9)) * np.arange(1, 10)
        found, expected = phase_portrait.principal_components(points), sklearn.decomposition.PCA(2).fit(points)
        np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_)
        np.testing.assert_allclose(np.abs(found.points), np.abs(expected.transform(points)))

    def test_points_that_do_not_differ(self):
        found = phase_portrait.principal_components(np.ones((5, 4)))
        np.testing.assert_array_equal(found.points, 0.0)
        np.testing.assert_array_equal(found.explained, 0.0)


class FollowTest(absltest.TestCase):
    def test_states_and_energies_of_the_rollouts(self):
        clips = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), dtype=np.uint8)
        hgn = make_hgn(_CONFIG)
        params = hgn.init(jax.random.PRNGKey(0), {"image": clips})
        states, energies = phase_portrait.follow(hgn, params, clips)
        self.assertEqual((states.shape, energies.shape), ((5, 3, 64), (5, 3)))
        np.testing.assert_array_less(energies.std(axis=0), 0.05 * energies.std(axis=1).min())  # leapfrog keeps it
        start = jax.jit(lambda params, clips: hgn.initial_state(params, hgn.infer(params, clips).mean))(params, clips)
        np.testing.assert_allclose(states[0], np.concatenate([x.reshape(3, -1) for x in start], axis=-1), atol=1e-6)
        end = PhaseState(*(x.reshape(start.q.shape) for x in np.split(states[-1], 2, axis=-1)))
        np.testing.assert_allclose(jax.jit(hgn.hamiltonian(params))(end), energies[-1], rtol=1e-5)
        self.assertGreater(np.abs(states[-1] - states[0]).max(), 1e-3)


class PanelTest(absltest.TestCase):
    def test_every_state_has_the_colour_of_its_energy(self):
        energies = np.arange(12.0).reshape(4, 3)
        points = np.random.default_rng(0).standard_normal((12, 2))
        projection = phase_portrait.Projection(points, np.array([0.75, 0.125]))
        figure, axes = figure_files.plt.subplots()
        phase_portrait.draw_panel(axes, projection, "true energy, units of the system", energies)
        (dots,) = axes.collections
        np.testing.assert_array_equal(dots.get_offsets(), points)
        np.testing.assert_array_equal(dots.get_array(), energies.ravel())
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), points[::3])  # the first path, of three
        np.testing.assert_array_equal(axes.lines[-1].get_xydata(), points[:3])  # where they start
        self.assertEqual(axes.get_xlabel(), "principal component 1 (75% of the variance)")
        self.assertEqual(axes.get_ylabel(), "principal component 2 (12% of the variance)")
        figure_files.plt.close(figure)


if __name__ == "__main__":
    absltest.main()
