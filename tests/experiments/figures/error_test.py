"""Tests of `experiments.figures.error`."""

import pathlib
import unittest.mock

import numpy as np
from absl.testing import absltest, parameterized

from experiments.comparison.rows import ROWS
from experiments.figures import error as error_figure
from experiments.figures import files as figure_files
from experiments.figures.runs import Model
from experiments.hgn import presets
from experiments.hnn import presets as hnn_presets
from experiments.run.run_directory import RunDirectory

_STEPS = 5


def _model(row, system="pendulum", level=1.0, energy=None):
    program = {"hgn": presets, "hnn": hnn_presets}[ROWS[row].program]
    config = program.get(system + ROWS[row].preset + "_small")
    for field, value in ROWS[row].changes.items():
        setattr(config, field, value)
    references = {name: {"mse_per_step": [0.0, *[2.0 + i] * 4]} for i, name in enumerate(error_figure.REFERENCES)}
    results = {
        split: {"mse_per_step": [level + i + step for step in range(_STEPS)], "reference": references}
        for i, split in enumerate(("train", "test"))
    }
    energy = energy or {"mean": -75.0155, "variance": 0.0048898, "drift": 0.03824}
    results["dynamics"] = {"energy": {config.integrator: energy}}
    results["frames_seen"] = config.inference_frames or _STEPS if ROWS[row].program == "hgn" else 2
    return Model(ROWS[row].label, RunDirectory(pathlib.Path(f"runs/{system}_{row}")), config, results)


class LegendTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"mean": -75.0155, "variance": 0.0048898}, "HGN (leapfrog), E = -75.0 ± 0.0049"),
        ({"mean": 0.25, "variance": 0.0}, "HGN (leapfrog), E = 0.250 ± 0.0"),
        ({"mean": -127.3, "variance": 25.4}, "HGN (leapfrog), E = -127 ± 25"),
        ({"mean": None, "variance": None}, "HGN (leapfrog), E not finite"),
    )
    def test_energy(self, energy, expected):
        self.assertEqual(error_figure.legend_label(_model("hgn_leapfrog", energy=energy)), expected)

    def test_the_energy_is_that_under_the_models_own_integrator(self):
        model = _model("hgn_euler")
        model.results["dynamics"]["energy"]["leapfrog"] = {"mean": 1.0, "variance": 1.0}
        self.assertIn("E = -75.0", error_figure.legend_label(model))
        model.config.integrator = "yoshida4"
        self.assertEqual(error_figure.legend_label(model), "HGN (Euler)")


class FigureTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _draw(self, groups):
        with unittest.mock.patch.object(figure_files, "save") as save:
            drawn = error_figure.draw(groups, self.directory)
        figure = save.call_args.args[0]
        self.addCleanup(figure_files.plt.close, figure)
        return drawn, {axes.get_title(): axes for axes in figure.axes}

    def test_every_model_has_its_line_in_the_panels_of_its_system(self):
        groups = {
            "pendulum": [_model(row, level=float(i)) for i, row in enumerate(ROWS)],
            "two_body": [_model("hgn_leapfrog", "two_body", level=9.0)],
        }
        drawn, panels = self._draw(groups)
        self.assertCountEqual(panels, ["pendulum, train", "pendulum, test", "two-body, train", "two-body, test"])
        for title, axes in panels.items():
            system, split = title.replace("-", "_").split(", ")
            lines = {line.get_label(): line for line in axes.lines}
            self.assertLen(lines, len(groups[system]) + 3)
            for model in groups[system]:
                errors = lines[error_figure.legend_label(model)].get_ydata()
                np.testing.assert_array_equal(errors, model.results[split]["mse_per_step"])
            np.testing.assert_array_equal(lines["first frame held"].get_ydata(), [np.nan, 3, 3, 3, 3])
            self.assertEqual(axes.get_yscale(), "log")
            looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
            self.assertLen(looks, len(lines))  # told apart
        legend = [text.get_text() for text in panels["two-body, test"].get_legend().get_texts()]
        self.assertEqual(legend[0], "HGN (leapfrog), E = -75.0 ± 0.0049")
        self.assertIn("two-body: HGN (leapfrog) 0.038.", drawn.caption)
        self.assertIn("HGN (5 frames) 5, HGN (leapfrog) 5", drawn.caption)
        self.assertIn("HNN 2, ", drawn.caption)
        self.assertLen(drawn.runs, len(ROWS) + 1)

    def test_without_true_states(self):
        model = _model("hgn_leapfrog")._replace(label="HGN")
        for split in ("train", "test"):
            model.results[split]["reference"] = {"mean_image": {"mse_per_step": [1.0] * _STEPS}}
        del model.results["frames_seen"]
        drawn, panels = self._draw({"video_folder": [model]})
        labels = [line.get_label() for line in panels["video-folder, test"].lines]
        self.assertEqual(labels, ["HGN, E = -75.0 ± 0.0049", "mean image"])
        self.assertIn("sees: not known", drawn.caption)


if __name__ == "__main__":
    absltest.main()
