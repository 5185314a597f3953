"""Tests of `hgn_jax.config_checks`."""

import dataclasses

import jax
from absl import flags
from absl.testing import parameterized
from ml_collections import config_flags

from hgn_jax.config_checks import (
    MAX_SEED,
    any_seed,
    at_least,
    check_fields,
    checked,
    choice,
    finite,
    places,
    positive,
    sizes,
    within,
)


@dataclasses.dataclass
class Part:
    decay: float = within(0.9, "[0, 1)")
    fraction: float = within(0.5, "(0, 1]")


@dataclasses.dataclass
class Config:
    name: str = ""
    latent: str = choice("grid", ("grid", "vector"))
    dt: float = positive(0.125)
    tolerance: float = finite(-10.0)
    steps: int = at_least(10, 1)
    frames: int | None = at_least(None, 2)
    clip: float | None = positive(None)
    samples: int = checked(64, "a power of two", lambda value: value > 0 and not value & (value - 1))
    widths: tuple[int, ...] = sizes(8, 8)
    learned: bool = False
    part: Part = dataclasses.field(default_factory=Part)


_NAN, _INFINITY = float("nan"), float("inf")


class CheckFieldsTest(parameterized.TestCase):
    @parameterized.parameters(
        {}, {"latent": "vector"}, {"dt": 1}, {"tolerance": 3.0}, {"frames": 2}, {"clip": 1e-3}, {"samples": 1},
        {"widths": ()}, {"widths": [4]}, {"part": Part(decay=0.0, fraction=1)},
    )  # fmt: skip
    def test_accepts(self, **changes):
        check_fields(Config(**changes))

    @parameterized.parameters(
        ({"name": 3}, "name must be text; got 3"),
        ({"latent": "ring"}, "latent must be one of grid, vector; got 'ring'"),
        ({"latent": None}, "latent must be text; got None"),
        ({"dt": 0.0}, "dt must be positive and finite; got 0.0"),
        ({"dt": _NAN}, "dt must be positive and finite; got nan"),
        ({"dt": _INFINITY}, "dt must be positive and finite; got inf"),
        ({"dt": True}, "dt must be a number; got True"),
        ({"tolerance": -_INFINITY}, "tolerance must be finite; got -inf"),
        ({"tolerance": _NAN}, "tolerance must be finite; got nan"),
        ({"steps": 0}, "steps must be 1 or more; got 0"),
        ({"steps": 2.0}, "steps must be a whole number; got 2.0"),
        ({"frames": 1}, "frames must be 2 or more, or None; got 1"),
        ({"clip": "no"}, "clip must be a number, or None; got 'no'"),
        ({"samples": 6}, "samples must be a power of two; got 6"),
        ({"widths": (8, 0)}, "widths must be positive whole numbers; got (8, 0)"),
        ({"widths": (8, 0.5)}, "widths must be a tuple of whole numbers; got (8, 0.5)"),
        ({"learned": 1}, "learned must be True or False; got 1"),
        ({"part": Part(decay=1.0)}, "part.decay must be in [0, 1); got 1.0"),
        ({"part": Part(decay=_NAN)}, "part.decay must be in [0, 1); got nan"),
        ({"part": Part(fraction=0.0)}, "part.fraction must be in (0, 1]; got 0.0"),
    )
    def test_refuses(self, changes, message):
        with self.assertRaises(ValueError) as raised:
            check_fields(Config(**changes))
        self.assertEqual(str(raised.exception), message)

    def test_all_wrong_values_are_named_at_once(self):
        with self.assertRaises(ValueError) as raised:
            check_fields(Config(dt=0.0, steps=1.5, part=Part(decay=1.0)))
        message = "dt must be .* got 0.0; steps must be .* got 1.5; part.decay must be .* got 1.0"
        self.assertRegex(str(raised.exception), f"^{message}$")

    @parameterized.parameters(0, 1, 2**31, MAX_SEED)
    def test_seeds_that_are_allowed_make_different_keys(self, seed):
        check_fields(dataclasses.make_dataclass("Run", [("seed", int, any_seed(0))])(seed))
        self.assertEqual(int(jax.random.key_data(jax.random.key(seed))[1]), seed)

    @parameterized.parameters(-1, MAX_SEED + 1, 2**63, 10**30)
    def test_other_seeds_are_refused(self, seed):
        config = dataclasses.make_dataclass("Run", [("seed", int, any_seed(0))])(seed)
        with self.assertRaisesRegex(ValueError, "^seed must be 0 or more and at most 4294967295; got "):
            check_fields(config)

    def test_places(self):
        config = dataclasses.make_dataclass("Run", [("decay", float), ("part", Part)])(0.1, Part())
        self.assertEqual(places(config, "decay"), ["decay", "part.decay"])
        self.assertEqual(places(config, "fraction"), ["part.fraction"])
        self.assertEqual(places(config, "colour"), [])

    def test_prefix(self):
        with self.assertRaisesRegex(ValueError, "^model.part.decay must be"):
            check_fields(Config(part=Part(decay=2.0)), "model.")

    def test_command_line_overrides(self):
        """ml_collections reads the types of declared fields, including those whose default is None."""
        values = flags.FlagValues()
        arguments = ["", "--config.frames=3", "--config.clip=0.5", "--config.widths=(1, 2)", "--config.part.decay=0"]
        config = config_flags.DEFINE_config_dataclass("config", Config(), flag_values=values, sys_argv=arguments)
        values(arguments)
        self.assertEqual(config.value, Config(frames=3, clip=0.5, widths=(1, 2), part=Part(decay=0.0)))
