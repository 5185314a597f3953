"""Tests of `experiments.run.preset_checks`; what the presets make of them is in their own tests."""

from absl.testing import absltest, parameterized

from experiments.hgn import presets
from experiments.run import preset_checks


class PresetChecksTest(parameterized.TestCase):
    def test_picks_a_fresh_copy(self):
        there = {"a": [1], "b": [2]}
        preset_checks.pick(there, "a").append(3)
        self.assertEqual(there["a"], [1])
        with self.assertRaisesRegex(ValueError, "^unknown preset 'moon'; choose one of a, b$"):
            preset_checks.pick(there, "moon")

    def test_parses_fields(self):
        self.assertEqual(preset_checks.parse_fields('{"damping": 0.1}'), {"damping": 0.1})
        for text in ("", "{", "[1]", "3"):
            with self.assertRaisesRegex(ValueError, "^fields must be JSON"):
                preset_checks.parse_fields(text)

    @parameterized.parameters(
        ({"name": "video_folder"}, {}, "data.source is missing"),
        ({"fields": "{"}, {}, "fields must be JSON"),
        ({}, {"batch_size": 0}, "evaluation.batch_size must be 1 or more, got 0"),
        ({}, {"num_examples": 1}, "evaluation.num_examples must be 2 or more, or None; got 1"),
    )
    def test_what_cannot_be_is_named(self, data, evaluation, message):
        with self.assertRaisesRegex(ValueError, message):
            preset_checks.validate_clips(presets.DataConfig(**data), presets.EvaluationConfig(**evaluation))

    def test_what_can_be(self):
        preset_checks.validate_clips(presets.DataConfig(), presets.EvaluationConfig(num_examples=None))
        video = presets.DataConfig(name="video_folder", source="/videos", fields="{}")
        preset_checks.validate_clips(video, presets.EvaluationConfig())


if __name__ == "__main__":
    absltest.main()
