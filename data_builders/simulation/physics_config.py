"""The configuration of a simulated data set, and the named configurations that every system has."""

import dataclasses
import inspect
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow_datasets as tfds

from data_builders.configs import field_names
from data_builders.rendering import images as rendering
from data_builders.simulation.draws import CHUNK_SIZE, Simulation, constant_shape
from hgn_jax.config_checks import raise_together
from hgn_jax.memory import Need
from hgn_jax.physics import systems

# System -> layout of its scene, and number of discs. (The system itself would tell, but making it starts JAX, which no
# import should do.)
_SCENES = {
    "mass_spring": ("vertical", 1),
    "pendulum": ("pendulum", 1),
    "two_body": ("plane", 2),
    "three_body": ("plane", 3),
    "double_pendulum": ("double_pendulum", 2),
}

# System -> names of the constants that are lengths of rods in the scene, from the pivot outwards.
_RODS = {"pendulum": ("l",), "double_pendulum": ("l1", "l2")}

# Name of a configuration -> its changes to the paper's. Each also has a `small_` variant.
_VARIANTS: dict[str, dict[str, Any]] = {
    "noise_free": {"observation_noise": 0.0},
    "64x64": {"image_size": 64},
    "damped": {"damping": 0.05},
    "long_test": {"num_test_steps": 256},
    "dt_0.05": {"dt": 0.05},
}
_SMALL = {"num_train": 4_000, "num_test": 1_000}

# Fields that hold positive numbers, and fields that may also be 0.
_POSITIVE = ("num_train", "num_test", "num_steps", "dt", "image_size", "half_width", "disc_radius")
_NON_NEGATIVE = ("observation_noise", "velocity_perturbation", "edge_temperature", "seed", "damping")
_NON_NEGATIVE += ("num_test_steps", "num_colours", "canvas_offset")

# Bytes of each coordinate of a state while it is made: float64 arrays of q, p, their derivatives and observed values.
_STATE_BYTES = 8 * 6
_IMAGE_BYTES = 1 + 4 * 4  # of each colour of a pixel: the image, and float32 arrays of it and of the expected image
_WORKER_BYTES = 200e6  # of a process that has started JAX

_LARGEST = 2**63 - 1  # of whole numbers

# Type of a field -> conversion of a given value, so that lists and integers from JSON are accepted.
_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    int: lambda value: _whole(value),
    float: float,
    str: str,
    tuple[float, float]: lambda pair: _pair(pair),
    rendering.Colour: lambda colour: _colour(colour),
    tuple[rendering.Colour, ...]: lambda colours: tuple(map(_colour, colours)),
    dict[str, float]: lambda constants: {name: float(value) for name, value in constants.items()},
    dict[str, tuple[float, float]]: lambda ranges: {name: _pair(pair) for name, pair in ranges.items()},
}


def _whole(value: Any) -> int:
    if abs(operator.index(value)) > _LARGEST:
        raise ValueError(f"the largest whole number is {_LARGEST}")
    return operator.index(value)


def _pair(pair: Any) -> tuple[float, float]:
    low, high = pair
    return float(low), float(high)


def _colour(colour: Any) -> rendering.Colour:
    red, green, blue = map(operator.index, colour)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError("a colour is three numbers from 0 to 255")
    return red, green, blue


@dataclasses.dataclass(eq=False)
class PhysicsConfig(tfds.core.BuilderConfig):
    """Everything that determines a data set. Treat as frozen; `PhysicsBuilder.derive_config` makes changed copies.

    Attributes:
      system: Name of the system, in `hgn_jax.physics.systems.SYSTEMS`.
      constants: Physical constants of the system; those left out take the system's defaults.
      radius_range: Range of the initial radius (Sec. 4 of the paper).
      observation_noise: Standard deviation of the noise added to each coordinate before rendering; the paper's
        "sigma^2".
      velocity_perturbation: Relative standard deviation of the bodies' initial speeds.
      num_train: Number of training trajectories.
      num_test: Number of test trajectories.
      num_steps: Number of frames after the first.
      dt: Time between frames.
      image_size: Number of pixels along a side.
      half_width: Half the side of the canvas, in units of the system.
      disc_radius: Radius of the discs, in units of the system.
      edge_temperature: Steepness of the discs' edge per canvas width.
      background: RGB of the background, 0 to 255.
      colours: RGB of each body, 0 to 255.
      seed: Seed of all draws; the splits draw from disjoint streams.
      damping: Friction gamma of dp/dt = -dH/dq - gamma dH/dp.
      num_test_steps: Number of frames after the first in the test split; 0 for `num_steps`.
      constant_ranges: Ranges of the constants that each trajectory draws uniformly for itself. Each of n bodies draws
        its own mass.
      num_colours: Number of colours, from the start of `rendering.PALETTE`, from which each trajectory draws different
        ones for its bodies; 0 for the fixed `colours`.
      canvas_offset: Largest shift of the scene in x and y, which each trajectory draws uniformly; 0 for none.
    """

    system: str = "mass_spring"
    constants: dict[str, float] = dataclasses.field(default_factory=dict)
    radius_range: tuple[float, float] = (0.1, 1.0)
    observation_noise: float = 0.0
    velocity_perturbation: float = 0.0
    num_train: int = 50_000
    num_test: int = 10_000
    num_steps: int = 30
    dt: float = 0.125
    image_size: int = 32
    half_width: float = 1.0
    disc_radius: float = 0.2
    edge_temperature: float = 80.0
    background: rendering.Colour = (81, 88, 93)
    colours: tuple[rendering.Colour, ...] = (rendering.YELLOW,)
    seed: int = 0
    damping: float = 0.0
    num_test_steps: int = 0
    constant_ranges: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    num_colours: int = 0
    canvas_offset: float = 0.0

    def __post_init__(self):
        raise_together(self._convert_fields())
        self._complete_constants()
        raise_together(self._wrong_values())
        if self.description is None:
            self.description = _describe(self)

    def _convert_fields(self) -> Iterator[str]:
        """Gives every field the type that it is declared with; yields one line for each field that cannot have it."""
        for name, converter in _converters().items():
            try:
                setattr(self, name, converter(getattr(self, name)))
            except (TypeError, ValueError, AttributeError, OverflowError) as error:
                yield f"{name}: cannot use {getattr(self, name)!r} ({error})"

    def _complete_constants(self) -> None:
        if self.system not in _SCENES:
            raise ValueError(f"unknown system {self.system!r}; choose one of {', '.join(_SCENES)}")
        parameters = inspect.signature(systems.SYSTEMS[self.system]).parameters
        defaults = {name: float(parameter.default) for name, parameter in parameters.items()}
        unknown = sorted((set(self.constants) | set(self.constant_ranges)) - set(defaults))
        if unknown:
            raise ValueError(f"{self.system} has no constant {', '.join(unknown)}; it has {', '.join(defaults)}")
        self.constants = {**defaults, **self.constants}

    def _wrong_values(self) -> Iterator[str]:
        """Yields one line for each value that is not allowed."""
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                yield f"{name} must be positive and finite, got {getattr(self, name)}"
        for name in _NON_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                yield f"{name} must be 0 or more and finite, got {getattr(self, name)}"
        for name, value in self.constants.items():
            if not math.isfinite(value):
                yield f"constants must be finite, got {name}={value}"
        if not 0 <= self.radius_range[0] <= self.radius_range[1] < math.inf:
            yield f"radius_range must be 0 <= low <= high and finite, got {self.radius_range}"
        for name, (low, high) in self.constant_ranges.items():
            if not 0 < low <= high < math.inf:
                yield f"constant_ranges must be 0 < low <= high and finite, got {low, high} for {name}"
        num_discs = _SCENES[self.system][1]
        if len(self.colours) != num_discs:
            yield f"{self.system} needs {num_discs} colours, got {len(self.colours)}"
        if self.num_colours and not num_discs <= self.num_colours <= len(rendering.PALETTE):
            yield f"num_colours must be 0 or from {num_discs} to {len(rendering.PALETTE)}, got {self.num_colours}"

    @property
    def num_coordinates(self) -> int:
        """Number d of coordinates of a state: 1, 2 for the double pendulum, or 2n for n bodies."""
        layout, num_discs = _SCENES[self.system]
        return 2 * num_discs if layout == "plane" else num_discs

    @property
    def simulation(self) -> Simulation:
        """The settings of the training trajectories."""
        names = [field.name for field in dataclasses.fields(Simulation)]
        return Simulation(**{name: getattr(self, name) for name in names})

    def split_simulation(self, split: str) -> Simulation:
        """Returns the settings of the trajectories of a split, which may have its own length."""
        return dataclasses.replace(self.simulation, num_steps=self.split_steps()[split])

    def split_steps(self) -> dict[str, int]:
        """Returns the number of frames after the first in each split."""
        return {"train": self.num_steps, "test": self.num_test_steps or self.num_steps}

    @property
    def canvas(self) -> rendering.Canvas:
        """The scene; rods whose lengths are drawn have their largest possible length."""
        shared = ("image_size", "half_width", "disc_radius", "edge_temperature", "background", "colours")
        rods = [max(self.constant_ranges.get(rod, (self.constants[rod],))) for rod in _RODS.get(self.system, ())]
        return rendering.Canvas(
            layout=_SCENES[self.system][0],
            **dict(zip(("rod_length", "second_rod_length"), rods, strict=False)),
            **{name: getattr(self, name) for name in shared},
        )

    @property
    def varies_scene(self) -> bool:
        """Whether trajectories differ in their colours, place on the canvas or lengths of rods."""
        return bool(
            self.num_colours or self.canvas_offset or set(_RODS.get(self.system, ())) & set(self.constant_ranges)
        )

    def rods(self, constants: Mapping[str, Any]) -> list[Any]:
        """Returns the lengths of two rods from the constants of trajectories; rods that a scene lacks have length 1."""
        lengths = [constants[name] for name in _RODS.get(self.system, ())]
        return lengths + [1.0] * (2 - len(lengths))

    def constant_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each constant in an example."""
        return {
            name: constant_shape(self.system, name) if name in self.constant_ranges else () for name in self.constants
        }

    def values(self) -> dict[str, Any]:
        """Returns the fields that determine the data: all but name and description."""
        return {name: getattr(self, name) for name in _converters()}

    def num_trajectories(self) -> dict[str, int]:
        """Returns the number of trajectories in each split."""
        return {"train": self.num_train, "test": self.num_test}

    def estimated_bytes(self) -> int:
        """Estimates the size on disk: zlib's measured cost of the discs' edges, and the states in float32."""
        edge_length = len(self.colours) * self.disc_radius / self.half_width
        frame = 900 * edge_length * (self.image_size / 32) ** 1.8 + 4 * (4 * self.num_coordinates + 1)
        steps = self.split_steps()
        return int(frame * sum(number * (steps[split] + 1) for split, number in self.num_trajectories().items()))

    def memory_needs(self, num_workers: int) -> list[Need]:
        """Lists what the processes that make the data hold at once: a chunk of trajectories, and its pictures."""
        steps = {name: getattr(self, name) for name in ("num_steps", "num_test_steps")}
        num_frames = 1 + max(steps.values())
        num_workers = max(1, min(num_workers, (self.num_train + self.num_test) // (2 * CHUNK_SIZE)))
        states = CHUNK_SIZE * num_frames * self.num_coordinates * _STATE_BYTES
        images = num_frames * 3 * self.image_size**2 * _IMAGE_BYTES
        return [
            Need("the simulation of a chunk", num_workers * states, steps),
            Need("starting the workers", (num_workers - 1) * _WORKER_BYTES, {"num_workers": num_workers}),
            Need("drawing a clip", num_workers * images, {"image_size": self.image_size, **steps}),
        ]


def _converters() -> dict[str, Callable[[Any], Any]]:
    """Returns the converter of each field of `PhysicsConfig`, without those that every TFDS configuration has."""
    types = {field.name: field.type for field in dataclasses.fields(PhysicsConfig)}
    return {name: _CONVERTERS[types[name]] for name in field_names(PhysicsConfig)}


def _describe(config: PhysicsConfig) -> str:
    steps = config.split_steps()
    frames = f"{steps['train'] + 1} frames"
    if steps["test"] != steps["train"]:
        frames += f" ({steps['test'] + 1} in the test split)"
    drawn = [*config.constant_ranges, *["colours"] * bool(config.num_colours), *["place"] * bool(config.canvas_offset)]
    parts = [
        f"{config.num_train} training and {config.num_test} test trajectories of {frames}, {config.dt:g} apart",
        f"{config.image_size}x{config.image_size}",
        f"observation noise {config.observation_noise:g}",
        *([f"damping {config.damping:g}"] if config.damping else []),
        *([f"each with its own {', '.join(drawn)}"] if drawn else []),
    ]
    return ", ".join(parts) + "."


def standard_configs(config_class: type[PhysicsConfig], **variants: dict[str, Any]) -> list[PhysicsConfig]:
    """Returns the named configurations of a system: `paper`, `small`, and each variant in both sizes.

    Args:
      config_class: Class of the configurations, with the paper's settings as defaults.
      **variants: Changed fields of each configuration that only this system has, by its name.
    """
    changes = {"paper": {}, "small": _SMALL}
    for name, change in {**_VARIANTS, **variants}.items():
        changes["paper_64x64" if name == "64x64" else name] = change
        changes[f"small_{name}"] = {**_SMALL, **change}
    return [config_class(name=name, **change) for name, change in changes.items()]
