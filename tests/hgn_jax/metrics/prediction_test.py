"""Tests of `hgn_jax.metrics.prediction`."""

import numpy as np
from absl.testing import parameterized

from hgn_jax.metrics import prediction as prediction_metrics


def _clips(num_frames=40, examples=3):
    """Frames that all differ, with mean square 1."""
    clips = np.random.default_rng(0).standard_normal((examples, num_frames, 4, 4, 3))
    return clips / np.sqrt(np.mean(clips**2, axis=(2, 3, 4), keepdims=True))


class ValidStepsTest(parameterized.TestCase):
    def test_relative_errors(self):
        observed = np.full((1, 2, 2, 2, 3), 2.0)
        predicted = observed.copy()
        predicted[0, 1, 0] += 0.4  # half of the pixels: 0.16 / 2 of a mean square of 4
        np.testing.assert_allclose(prediction_metrics.relative_errors(predicted, observed), [[0.0, 0.02]])

    def test_black_frames(self):
        black = np.zeros((1, 2, 2, 2, 3))
        grey = black.copy()
        grey[0, 1] = 0.1
        np.testing.assert_array_equal(prediction_metrics.relative_errors(grey, black), [[0.0, np.inf]])

    @parameterized.parameters(
        ([0.0, 0.02, 0.025, 0.026, 0.0], 3),  # the threshold itself is valid, and later recovery does not count
        ([0.03, 0.0, 0.0, 0.0, 0.0], 0),
        ([0.0] * 5, 5),
        ([0.0, np.nan, 0.0, 0.0, 0.0], 1),
    )
    def test_valid_steps(self, errors, expected):
        np.testing.assert_array_equal(prediction_metrics.valid_steps(np.array([errors])), [expected])

    def test_median_and_fraction(self):
        errors = np.ones((3, 8))
        errors[0, :2] = errors[1, :6] = errors[2, :] = 0.0
        time = prediction_metrics.valid_prediction_time(errors)
        self.assertEqual(time, {"steps": 6.0, "fraction": 0.75, "horizon": 8})


class ExtrapolationTest(parameterized.TestCase):
    def _predict(self, clips, good_steps):
        """Predicts the clips exactly for a number of steps beyond the four observed frames, then constant images."""

        def predict(frames, num_steps, backward):
            self.assertEqual(frames.shape[1], 4)
            first = clips.shape[1] - 4 if backward else 0
            np.testing.assert_array_equal(frames, clips[:, first : first + 4])
            numbers = first + np.arange(num_steps + 1) * (-1 if backward else 1)
            images = clips[:, numbers].copy()
            beyond = np.arange(num_steps + 1) - (0 if backward else 3)
            images[:, beyond > good_steps] = 0.3
            return images

        return predict

    @parameterized.product(backward=(False, True), good_steps=(0, 7, 20))
    def test_counts_from_the_observed_frames(self, backward, good_steps):
        clips = _clips()
        predict = self._predict(clips, good_steps)
        errors = prediction_metrics.extrapolation_errors(predict, clips, 4, 20, backward)
        self.assertEqual(errors.shape, (3, 20))
        np.testing.assert_array_equal(prediction_metrics.valid_steps(errors), [good_steps] * 3)

    def test_all_horizons(self):
        clips = _clips(130)
        times = prediction_metrics.valid_prediction_times(self._predict(clips, 90), clips, 4)
        for direction in ("forward", "backward"):
            self.assertEqual(
                times[direction],
                {
                    "60": {"steps": 60.0, "fraction": 1.0, "horizon": 60},
                    "120": {"steps": 90.0, "fraction": 0.75, "horizon": 120},
                },
            )

    def test_observed_frames_may_differ_from_the_targets(self):
        targets = _clips(130)
        observed = np.round(targets * 10).astype(np.int8)  # like a noisy, quantised version

        def predict(frames, num_steps, backward):
            first = 126 if backward else 0
            np.testing.assert_array_equal(frames, observed[:, first : first + 4])
            return targets[:, first + np.arange(num_steps + 1) * (-1 if backward else 1)]

        times = prediction_metrics.valid_prediction_times(predict, observed, 4, targets=targets)
        self.assertEqual(times["forward"]["120"]["steps"], 120.0)
        self.assertEqual(times["backward"]["120"]["steps"], 120.0)

    def test_margins_are_predicted_and_never_observed(self):
        """Clips of ten frames with margins of 13 and 15; the first or the last four of the ten are observed."""
        clips = _clips(38)

        def predict(frames, num_steps, backward):
            first, direction = (13 + 6, -1) if backward else (13, 1)
            np.testing.assert_array_equal(frames, clips[:, first : first + 4])
            self.assertEqual(num_steps, 19 if backward else 3 + 19)
            return clips[:, first + direction * np.arange(num_steps + 1)]

        times = prediction_metrics.valid_prediction_times(predict, clips, 4, margins=(13, 15))
        expected = {"19": {"steps": 19.0, "fraction": 1.0, "horizon": 19}}  # 6 + 13, less than 6 + 15
        self.assertEqual(times, {"forward": expected, "backward": expected})

    def test_a_constant_image_is_never_valid(self):
        clips = _clips()
        constant = lambda frames, num_steps, backward: np.full((3, num_steps + 1, 4, 4, 3), clips.mean())
        times = prediction_metrics.valid_prediction_times(constant, clips, 4)
        self.assertEqual(times["forward"]["36"]["steps"], 0.0)
        self.assertEqual(times["backward"]["36"]["fraction"], 0.0)

    def test_horizons_that_fit(self):
        self.assertEqual(prediction_metrics.horizons_within(257, 31), (60, 120))
        self.assertEqual(prediction_metrics.horizons_within(100, 31), (60,))
        self.assertEqual(prediction_metrics.horizons_within(31, 5), (26,))
        self.assertEqual(prediction_metrics.horizons_within(31, 31), ())
        times = prediction_metrics.valid_prediction_times(None, _clips(31), 31)
        self.assertEqual(times, {"forward": {}, "backward": {}})

    def test_refuses_clips_that_are_too_short(self):
        with self.assertRaisesRegex(ValueError, "4 frames and 37 steps beyond need longer clips than 40 frames"):
            prediction_metrics.extrapolation_errors(None, _clips(), 4, 37)
        with self.assertRaisesRegex(ValueError, "must be 1 or more"):
            prediction_metrics.extrapolation_errors(None, _clips(), 4, 0)
