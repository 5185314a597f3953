"""Tests of `experiments.figures.rollouts`; `figures_test.py` draws whole figures."""

import jax
import numpy as np
from absl.testing import absltest

from experiments.figures import files as figure_files
from experiments.figures import rollouts as rollout_figures
from experiments.hgn import sampling
from hgn_jax import HGNConfig, make_hgn

_CONFIG = HGNConfig(
    image_size=8, state_channels=2, encoder_filters=(4, 4), transform_filters=(4,), hamiltonian_filters=(4,),
    decoder_filters=(4,), dt=0.05,
)  # fmt: skip
_CLIPS = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3), dtype=np.uint8)


class RolloutsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hgn = make_hgn(_CONFIG)
        cls.params = cls.hgn.init(jax.random.PRNGKey(0), {"image": _CLIPS})
        cls.rows = rollout_figures._speeds(cls.hgn, cls.params, _CLIPS)

    def test_rows(self):
        labels = ["forward, +dt", "back from the end, −dt", "before the start, −dt", "fast, +2 dt", "slow, +½ dt"]
        self.assertEqual(list(self.rows), [f"HGN {label}" for label in labels])
        for frames in self.rows.values():
            self.assertEqual(frames.shape, _CLIPS.shape)

    def test_the_way_back_is_the_way_there_reversed(self):
        forward = self.rows["HGN forward, +dt"]
        self.assertGreater(np.abs(forward[:, -1] - forward[:, 0]).max(), 1e-4)
        back = np.clip(self.rows["HGN back from the end, −dt"], 0, 1)
        np.testing.assert_allclose(back, forward[:, ::-1], atol=1e-5)
        before = self.rows["HGN before the start, −dt"]
        np.testing.assert_allclose(before[:, 0], forward[:, 0], atol=1e-5)
        self.assertGreater(np.abs(before[:, 1] - forward[:, 1]).max(), 1e-5)

    def test_the_training_clip_is_left_and_the_test_clip_right(self):
        clips = np.zeros((2, 3, 4, 4, 3))
        clips[0, ..., 0] = clips[1, ..., 1] = 1.0
        figure = rollout_figures._show_rollouts({"original": clips, **dict.fromkeys("abcde", clips), "HNN": clips})
        for axes, title, channel in zip(figure.axes, ("training clip", "test clip"), (0, 1), strict=True):
            self.assertEqual(axes.get_title(), title)
            shown = axes.images[0].get_array()
            self.assertEqual(set(np.unique(shown[..., channel])), {1.0})
            self.assertEqual(set(np.unique(shown[..., 2])), {0.0, 1.0})  # and white between
        self.assertLen(figure.axes[0].get_yticklabels(), 7)
        figure_files.plt.close(figure)

    def test_speeds_are_those_of_the_samples(self):
        """Every kind that starts from one clip is shown."""
        shown = set(rollout_figures._LABELS) - {rollout_figures._RETURNING}
        self.assertEqual(shown, set(sampling.KINDS) - {"prior", "interpolation"})


if __name__ == "__main__":
    absltest.main()
