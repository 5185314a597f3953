"""Tests of `experiments.figures.integrator`."""

import pathlib

import imageio.v3 as imageio
import numpy as np
from absl.testing import absltest, parameterized

from experiments.figures import files as figure_files
from experiments.figures import integrator as integrator_figure
from hgn_jax.physics import systems

_TRIANGLE = np.array([[0.1, 0.2], [0.9, 0.3], [0.4, 0.8]])


class AreaTest(parameterized.TestCase):
    def test_known_areas(self):
        square = np.array([[0, 0], [2, 0], [2, 3], [0, 3]], float)
        self.assertEqual(integrator_figure.area(square), 6.0)
        self.assertEqual(integrator_figure.area(square[::-1] + 7.0), 6.0)  # the sense of rotation is of no account
        notched = np.array([[0, 0], [2, 0], [2, 2], [1, 1], [0, 2]], float)  # a square without a triangle
        np.testing.assert_allclose(integrator_figure.area(np.stack([notched, 2 * notched])), [3.0, 12.0])
        angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
        disc = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        self.assertAlmostEqual(float(integrator_figure.area(disc)), np.pi, places=4)

    @parameterized.parameters((2.0, 0.5, 0.125), (1.0, 1.0, 0.3), (5.0, 0.2, 0.05))
    def test_area_over_time(self, k, m, dt):
        """The step of Euler's method is the matrix [[1, dt / m], [-k dt, 1]]; that of leapfrog has determinant 1."""
        system = systems.mass_spring(k=k, m=m)
        factor = np.linalg.det([[1.0, dt / m], [-k * dt, 1.0]])
        self.assertAlmostEqual(integrator_figure.euler_factor(system, dt), factor, places=12)
        for integrator, expected in (("euler", factor ** np.arange(26)), ("leapfrog", np.ones(26))):
            path = integrator_figure.carry(_TRIANGLE, integrator, dt, 25, system)
            self.assertEqual((path.shape, path.dtype), ((26, 3, 2), np.float64))
            np.testing.assert_array_equal(path[0], _TRIANGLE)
            areas = integrator_figure.area(path) / integrator_figure.area(_TRIANGLE)
            np.testing.assert_allclose(areas, expected, rtol=1e-12, err_msg=integrator)

    def test_leapfrog_stays_near_the_true_path(self):
        """Which turns clockwise, by sqrt(k / m) dt a step, in the plane of sqrt(k m) q and p."""
        system, dt = systems.mass_spring(k=2.0, m=0.5), 0.01
        path = integrator_figure.carry(_TRIANGLE, "leapfrog", dt, 50, system)
        angle = 2.0 * dt * 50
        turned = _TRIANGLE @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(path[-1], turned, atol=1e-4)


class PictureTest(absltest.TestCase):
    def test_files_and_caption(self):
        directory = pathlib.Path(self.create_tempdir().full_path)
        drawn = integrator_figure.draw(directory)
        self.assertGreater(np.std(imageio.imread(directory / f"{drawn.name}.png")), 1.0)
        self.assertStartsWith((directory / f"{drawn.name}.pdf").read_bytes(), b"%PDF")
        self.assertIn("1 + dt² k/m = 1.0625, which makes 3.3619 in 20 steps", drawn.caption)  # 1.0625^20

    def test_schematic_has_positions_at_whole_and_momenta_at_half_steps(self):
        figure, axes = figure_files.plt.subplots()
        integrator_figure.draw_schematic(axes, num_steps=3)
        times = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
        figure_files.plt.close(figure)
        self.assertEqual(times["position"], [0, 1, 2, 3])
        self.assertEqual(times["momentum at a half step"], [0.5, 1.5, 2.5])
        self.assertEqual(times["momentum at a whole step"], [0, 1, 2, 3])


if __name__ == "__main__":
    absltest.main()
