"""Tests of overrides on the command line."""

from absl.testing import parameterized

from data_builders import overrides


class OverridesTest(parameterized.TestCase):
    def test_are_separated_from_the_other_flags(self):
        argv = ["build.py", "three_body", "--config=small", "--config.dt=0.05", "-config.radius_range=0.5,1"]
        argv += ["--config.constants.g=2", '--config.constants={"m": 3}', "--data_dir=x", "--config.system=two_body"]
        rest, values = overrides.parse_flags(argv)
        self.assertEqual(rest, ["build.py", "three_body", "--config=small", "--data_dir=x"])
        expected = {"dt": 0.05, "radius_range": [0.5, 1], "constants": {"m": 3}, "system": "two_body"}
        self.assertEqual(values, expected)

    def test_entries_of_a_field_are_collected(self):
        _, values = overrides.parse_flags(["--config.constant_ranges.m=1,2", "--config.constant_ranges.g=3,4"])
        self.assertEqual(values, {"constant_ranges": {"m": [1, 2], "g": [3, 4]}})

    @parameterized.parameters(
        (["--config.dt"], "--config.dt: give the value after an equals sign, --config.dt=VALUE"),
        (["--config.constants=1", "--config.constants.g=2"], "constants is given twice, as a whole and in part"),
    )
    def test_wrong_flags(self, argv, message):
        with self.assertRaisesRegex(ValueError, message):
            overrides.parse_flags(argv)

    def test_json(self):
        self.assertEqual(overrides.parse_json('{"damping": 0.1}'), {"damping": 0.1})
        for text in ("{", "[1]", "damping=0.1"):
            with self.assertRaisesRegex(ValueError, "^fields must be JSON"):
                overrides.parse_json(text)
