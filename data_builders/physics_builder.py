"""What the builders of the simulated data sets share: the configuration, the features, the metadata.

A builder folder holds one class of configuration, with its row of the table of systems as defaults, and a `Builder`
whose `BUILDER_CONFIGS` are `standard_configs` of it.
"""

import dataclasses
import hashlib
import inspect
import math
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_builders import rendering, simulation
from hgn_jax import systems
from hgn_jax.progress import progress_bar

# System -> how its coordinates are drawn, and the number of discs. (Making the system would tell as much, but also
# start JAX, which nothing should do on import.)
_SCENES = {
    "mass_spring": ("vertical", 1),
    "pendulum": ("pendulum", 1),
    "two_body": ("plane", 2),
    "three_body": ("plane", 3),
}

# Name of a configuration -> what it changes in the paper's.
_VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "small": {"num_train": 4_000, "num_test": 1_000},
    "noise_free": {"observation_noise": 0.0},
    "small_noise_free": {"num_train": 4_000, "num_test": 1_000, "observation_noise": 0.0},
    "paper_64x64": {"image_size": 64},
    "small_64x64": {"num_train": 4_000, "num_test": 1_000, "image_size": 64},
}

_BLOCK_SIZE = 50  # trajectories rendered at once; bounds the memory float32 images take

# How a value given for a field becomes what is stored, so that JSON's lists and integers do as well.
_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    int: operator.index,
    float: float,
    str: str,
    tuple[float, float]: lambda pair: tuple(map(float, pair)),
    rendering.Colour: lambda colour: tuple(map(int, colour)),
    tuple[rendering.Colour, ...]: lambda colours: tuple(tuple(map(int, colour)) for colour in colours),
    dict[str, float]: lambda constants: {name: float(value) for name, value in constants.items()},
}


@dataclasses.dataclass(eq=False)
class PhysicsConfig(tfds.core.BuilderConfig):
    """Everything that determines a data set. Treat as frozen; `PhysicsBuilder.derive_config` makes changed copies.

    Attributes:
      system: a name in `hgn_jax.systems.SYSTEMS`.
      constants: physical constants of the system; those left out take the system's defaults.
      radius_range: range of the initial radius (Sec. 4 of the paper).
      observation_noise: standard deviation of the noise added to each coordinate before rendering; the paper's
        "sigma^2".
      velocity_perturbation: relative standard deviation of the bodies' initial speeds.
      num_train: number of training trajectories.
      num_test: number of test trajectories.
      num_steps: frames after the first.
      dt: time between frames.
      image_size: pixels along a side.
      half_width: half the side of the canvas, in units of the system.
      disc_radius: radius of the discs, in units of the system.
      edge_temperature: steepness of the discs' edge per canvas width.
      background: RGB, 0 to 255.
      colours: RGB of each body, 0 to 255.
      seed: seed of all draws; the splits draw from disjoint streams of it.
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

    def __post_init__(self):
        for name, converter in _converters().items():
            try:
                setattr(self, name, converter(getattr(self, name)))
            except (TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{name}: cannot use {getattr(self, name)!r} ({error})") from None
        self._complete_constants()
        self._check_values()
        if self.description is None:
            self.description = (
                f"{self.num_train} training and {self.num_test} test trajectories of {self.num_steps + 1} frames,"
                f" {self.image_size}x{self.image_size}, observation noise {self.observation_noise:g}."
            )

    def _complete_constants(self) -> None:
        if self.system not in _SCENES:
            raise ValueError(f"unknown system {self.system!r}; choose one of {', '.join(_SCENES)}")
        parameters = inspect.signature(systems.SYSTEMS[self.system]).parameters
        defaults = {name: float(parameter.default) for name, parameter in parameters.items()}
        unknown = sorted(set(self.constants) - set(defaults))
        if unknown:
            raise ValueError(f"{self.system} has no constant {', '.join(unknown)}; it has {', '.join(defaults)}")
        self.constants = {**defaults, **self.constants}

    def _check_values(self) -> None:
        positive = ("num_train", "num_test", "num_steps", "dt", "image_size", "half_width", "disc_radius")
        non_negative = ("observation_noise", "velocity_perturbation", "edge_temperature", "seed")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in non_negative:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.radius_range[0] <= self.radius_range[1]:
            raise ValueError(f"radius_range must be 0 <= low <= high, got {self.radius_range}")
        if len(self.colours) != _SCENES[self.system][1]:
            raise ValueError(f"{self.system} needs {_SCENES[self.system][1]} colours, got {len(self.colours)}")

    @property
    def num_coordinates(self) -> int:
        """Length d of a stored `q`: 1, or 2n for n bodies."""
        layout, num_discs = _SCENES[self.system]
        return 2 * num_discs if layout == "plane" else 1

    @property
    def simulation(self) -> simulation.Simulation:
        """The part that determines the trajectories."""
        names = [field.name for field in dataclasses.fields(simulation.Simulation)]
        return simulation.Simulation(**{name: getattr(self, name) for name in names})

    @property
    def canvas(self) -> rendering.Canvas:
        """The part that determines how they look."""
        shared = ("image_size", "half_width", "disc_radius", "edge_temperature", "background", "colours")
        return rendering.Canvas(
            layout=_SCENES[self.system][0],
            rod_length=self.constants.get("l", 1.0),
            **{name: getattr(self, name) for name in shared},
        )

    def values(self) -> dict[str, Any]:
        """The fields that determine the data, that is all but name and description."""
        return {name: getattr(self, name) for name in _converters()}

    def num_trajectories(self) -> dict[str, int]:
        """Number of trajectories in each split."""
        return {"train": self.num_train, "test": self.num_test}

    def estimated_bytes(self) -> int:
        """Size on disk, roughly: what zlib was seen to spend on the discs' edges, and the states in float32."""
        edge_length = len(self.colours) * self.disc_radius / self.half_width
        frame = 900 * edge_length * (self.image_size / 32) ** 1.8 + 4 * (4 * self.num_coordinates + 1)
        return int((self.num_train + self.num_test) * (self.num_steps + 1) * frame)


def _converters() -> dict[str, Callable[[Any], Any]]:
    """Field of `PhysicsConfig` -> its converter; leaves out the fields every TFDS configuration has."""
    common = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
    return {f.name: _CONVERTERS[f.type] for f in dataclasses.fields(PhysicsConfig) if f.name not in common}


def standard_configs(config_class: type[PhysicsConfig]) -> list[PhysicsConfig]:
    """The named configurations of a system, whose defaults are those of the paper: `paper`, `small`, ..."""
    return [config_class(name=name, **changes) for name, changes in _VARIANTS.items()]


def _file_name(base: str, changes: dict[str, Any]) -> str:
    """A name for `base` with `changes` made of letters, digits, `_`, `-` and `.` alone."""
    parts = [base]
    for name, value in sorted(changes.items()):
        text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
        parts.append(f"{name}_{re.sub(r'[^A-Za-z0-9.]+', '_', text).strip('_')}")
    name = "-".join(parts)
    if len(name) > 120:  # file systems allow 255 bytes, and TFDS puts more into file names
        name = f"{name[:100]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name


class PhysicsMetadata(tfds.core.Metadata):
    """A data set's metadata: a dictionary kept as JSON, where TFDS keeps that of any data set.

    `tfds.core.MetadataDict` would do, if TFDS did not load it lazily, which `get` and `in` do not notice and which
    `--update_metadata_only` does not survive.
    """

    def save_metadata(self, data_dir) -> None:
        tfds.core.MetadataDict(self).save_metadata(data_dir)

    def load_metadata(self, data_dir) -> None:
        loaded = tfds.core.MetadataDict()
        loaded.load_metadata(data_dir)
        self.clear()
        self.update(loaded)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the metadata of the data set in the directory `path`; see `PhysicsBuilder` for what is in it."""
    metadata = PhysicsMetadata()
    metadata.load_metadata(path)
    return dict(metadata)


class _SplitStatistics:
    """Running statistics of a split, of pixels scaled to [0, 1]."""

    def __init__(self, config: PhysicsConfig):
        self._config = config
        self._num_trajectories = 0
        self._image_sum = 0.0
        self._squares = 0.0
        self._floor = 0.0
        self._clipped = 0.0
        self._clipped_noise_free = 0.0
        self._energy_error = 0.0

    def add(self, part: simulation.Trajectories, images: np.ndarray) -> None:
        """Takes in trajectories `[n, T + 1, d]` and their images, uint8 `[n, T + 1, H, W, 3]`."""
        canvas, noise = self._config.canvas, self._config.observation_noise
        observed = images.astype(np.float32) / 255.0
        expected = rendering.expected_render(canvas, part.q, noise)
        self._num_trajectories += len(part.q)
        self._image_sum += observed.sum(axis=(0, 1), dtype=np.float64)
        self._squares += np.square(observed).sum(axis=(0, 1), dtype=np.float64).mean()
        self._floor += np.square(observed - expected).sum(axis=(0, 1), dtype=np.float64).mean()
        self._clipped += rendering.is_clipped(canvas, part.observed_q).sum()
        self._clipped_noise_free += rendering.is_clipped(canvas, part.q).sum()
        self._energy_error = max(self._energy_error, part.energy_error.max())

    def summary(self) -> dict[str, float]:
        """See `PhysicsBuilder` for the entries."""
        num_frames = self._num_trajectories * (self._config.num_steps + 1)
        return {
            "num_trajectories": self._num_trajectories,
            "noise_floor_mse": float(self._floor / num_frames),
            "mean_image_mse": float(self._squares / num_frames - np.square(self._image_sum / num_frames).mean()),
            "clipped_fraction": float(self._clipped / num_frames),
            "clipped_fraction_noise_free": float(self._clipped_noise_free / num_frames),
            "max_relative_energy_error": float(self._energy_error),
        }


class _Examples(Iterable):
    """Examples that know how many they are, which gives TFDS's progress bar a total, the rate and the time left.

    Where there is no terminal for the bar, a line now and then says how far it is.
    """

    def __init__(self, generate: Callable[[], Iterator[tuple[int, Any]]], num_examples: int, label: str):
        self._generate = generate
        self._num_examples = num_examples
        self._label = label

    def __len__(self) -> int:
        return self._num_examples

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if sys.stderr.isatty():
            yield from self._generate()
            return
        with progress_bar(self._num_examples, self._label, "clip") as bar:
            for example in self._generate():
                yield example
                bar.update()


class PhysicsBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base class of the builders.

    An example is one trajectory of T + 1 frames: `image` uint8 `[T + 1, H, W, 3]`, drawn with observation noise;
    noise-free `q`, `p`, `dq_dt`, `dp_dt` float32 `[T + 1, d]` and `energy` `[T + 1]`; the scalar `constants`; and the
    `index` of the trajectory in its split.

    The metadata of a built data set holds every field of its `PhysicsConfig`, the `canvas` (see
    `rendering.canvas_from_metadata`), and for each split under `splits` the number of trajectories these are of, and

    - `noise_floor_mse`: error of the expected image given the true state, `rendering.expected_images`: the least
      any predictor can reach that does not know the noise;
    - `mean_image_mse`: error of the split's mean image, the least that any constant image can reach;
    - `clipped_fraction` and `clipped_fraction_noise_free`: of frames in which a disc lies partly outside the canvas;
    - `max_relative_energy_error`: of the simulation.

    Errors are mean squares over pixels and frames, with pixels scaled to [0, 1].
    """

    def __init__(self, *, file_format: str | None = "array_record", **kwargs: Any):
        """Array records by default: TFDS builds and reads them without TensorFlow."""
        super().__init__(file_format=file_format, **kwargs)

    def _create_builder_config(self, builder_config, version):
        config = builder_config
        if not isinstance(config, PhysicsConfig) or config.name in self.builder_configs:
            config = super()._create_builder_config(builder_config, version)  # would log a warning for derived ones
        if config.system != self.BUILDER_CONFIGS[0].system:
            raise ValueError(f"the builder {self.name} cannot build a configuration of {config.system}")
        return config

    @classmethod
    def derive_config(cls, base: str | PhysicsConfig, **overrides: Any) -> PhysicsConfig:
        """Returns a configuration with some fields changed.

        Args:
          base: the name of one of this builder's configurations, or a configuration of it.
          **overrides: new values of fields of `PhysicsConfig`; `constants` need name only the constants that change.

        Returns:
          The named configuration that is equal to the result, if there is one; else a new one, whose name is that of
          `base` and the changes, and may serve as a directory's.

        Raises:
          ValueError: for an unknown configuration, an unknown field or a value that will not do.
        """
        if isinstance(base, str):
            base = cls.named_config(base)
        unknown = sorted(set(overrides) - set(base.values()))
        if unknown:
            raise ValueError(f"unknown field {', '.join(unknown)}; choose from {', '.join(base.values())}")
        if "constants" in overrides:
            overrides["constants"] = {**base.constants, **overrides["constants"]}
        derived = type(base)(name="", **{**base.values(), **overrides})
        for config in (*cls.BUILDER_CONFIGS, base):
            if config.values() == derived.values():
                return config
        changes = {name: value for name, value in derived.values().items() if value != getattr(base, name)}
        derived.name = _file_name(base.name, changes)
        return derived

    @classmethod
    def named_config(cls, name: str) -> PhysicsConfig:
        """Returns the configuration called `name`; raises ValueError listing the names there are."""
        if name not in cls.builder_configs:
            raise ValueError(
                f"unknown configuration {name!r} of {cls.name}; choose one of {', '.join(cls.builder_configs)}"
            )
        return cls.builder_configs[name]

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        num_frames, size = config.num_steps + 1, config.image_size
        state = tfds.features.Tensor(shape=(num_frames, config.num_coordinates), dtype=np.float32)
        features = {
            "image": tfds.features.Tensor(shape=(num_frames, size, size, 3), dtype=np.uint8, encoding="zlib"),
            "q": state,
            "p": state,
            "dq_dt": state,
            "dp_dt": state,
            "energy": tfds.features.Tensor(shape=(num_frames,), dtype=np.float32),
            "constants": {name: tfds.features.Scalar(np.float32) for name in config.constants},
            "index": tfds.features.Scalar(np.int64),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://arxiv.org/abs/1909.13789",
            metadata=PhysicsMetadata(),
        )

    def _split_generators(self, dl_manager) -> dict[str, _Examples]:
        del dl_manager
        config = self.builder_config
        # TFDS writes the metadata after the splits, so what the generators put in here is written too.
        self.info.metadata.clear()
        self.info.metadata.update(config.values(), canvas=dataclasses.asdict(config.canvas), splits={})
        return {
            split: _Examples(lambda split=split: self._generate_examples(split), number, f"{self.name} {split}")
            for split, number in config.num_trajectories().items()
        }

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        statistics = _SplitStatistics(config)
        index = 0
        for chunk in simulation.simulate(config.simulation, split, config.num_trajectories()[split]):
            for begin in range(0, len(chunk.q), _BLOCK_SIZE):
                block = simulation.Trajectories(*(x[begin : begin + _BLOCK_SIZE] for x in chunk))
                with simulation.on_cpu():
                    images = rendering.render(config.canvas, block.observed_q)
                    statistics.add(block, images)
                # Kept current, because TFDS may stop asking for examples at any time (--max_examples_per_split).
                self.info.metadata["splits"][split] = statistics.summary()
                for row, image in enumerate(images):
                    yield index, {"image": image, "index": index, **_states(block, row), "constants": config.constants}
                    index += 1

    def _log_download_bytes(self) -> None:
        """Replaces TFDS's message, which speaks of downloads of unknown size."""
        config = self.builder_config
        trajectories = f"{config.num_train} + {config.num_test} trajectories of {config.num_steps + 1} frames"
        megabytes = math.ceil(config.estimated_bytes() / 1e6)
        print(f"Simulating {config.system}: {trajectories}, about {megabytes} MB, into {self.data_dir}", flush=True)


def _states(block: simulation.Trajectories, row: int) -> dict[str, np.ndarray]:
    names = ("q", "p", "dq_dt", "dp_dt", "energy")
    return {name: getattr(block, name)[row].astype(np.float32) for name in names}
