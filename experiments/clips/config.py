"""The parts of a configuration that all models of frames share: the data set, and the final evaluation.

No JAX is imported before a configuration has been checked, and no `from __future__ import annotations` may stand here:
the overrides on the command line read the types of the fields.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from data_builders import overrides
from hgn_jax.config_checks import at_least, path, places, raise_together, sizes
from hgn_jax.memory import FLOAT_BYTES, Need

if TYPE_CHECKING:
    from tensorflow_datasets.core import BuilderConfig

# Number of coordinates q of the simulated systems.
SYSTEMS = {"mass_spring": 1, "pendulum": 1, "two_body": 4, "three_body": 6, "double_pendulum": 2}

NUM_TEST = 2  # smallest number of test trajectories that errors can be estimated from


@dataclasses.dataclass
class DataConfig:
    """The data set. A field that is None is as in the builder's configuration.

    Attributes:
      name: Name of the builder, that of a system or `video_folder`.
      config: Name of the builder's configuration: `paper`, `small`, `noise_free`, ... The image size is the model's.
      data_dir: Root of the data sets; None for $TFDS_DATA_DIR or ~/tensorflow_datasets.
      num_steps: Number of frames after the first.
      num_train: Number of training trajectories (this field and the next two are for simulated systems only).
      num_test: Number of test trajectories.
      observation_noise: Standard deviation of the noise on the coordinates.
      source: Directory of your videos (this field and all that follow, but `fields`, are for `video_folder` only).
      fingerprint: Fingerprint of the files in `source`, filled in when a run starts and compared when it goes on.
      frame_step: Number of frames of a video from one taken frame to the next.
      stride: Number of taken frames between the start of one window and the start of the next.
      fit: Method by which a frame becomes a square: `stretch`, `crop` to the middle, or `motion`, which crops to where
        things move.
      timing: `real`, where frames of films are taken at a constant rate by their times, or `frames`, one by one.
      rate: Number of frames to take per second of films that tell their times; that of the slowest film if not given.
      axes: Order of the axes of arrays, such as `TNHW` for time, clips, height and width.
      range: Values of black and of white, such as `0,4095`, in arrays and in pictures of more than 8 bits.
      backdrop: Colour behind what is transparent: a name, `#rrggbb`, or three numbers from 0 to 255.
      split_by: Unit that is kept for testing: whole files (`file`), clips of files that hold many (`clip`), or the end
        of every clip (`time`).
      test_fraction: Fraction of the data that is kept for testing.
      split_seed: Seed of the choice of these files or clips.
      fields: Other fields of the builder's configuration as JSON, such as {"damping": 0.1, "constants": {"g": 2}}.
    """

    name: str = "mass_spring"
    config: str = "paper"
    data_dir: str | None = path(None)
    num_steps: int | None = None
    num_train: int | None = None
    num_test: int | None = None
    observation_noise: float | None = None
    source: str | None = path(None)
    fingerprint: str | None = None
    frame_step: int | None = None
    stride: int | None = None
    fit: str | None = None
    timing: str | None = None
    rate: float | None = None
    axes: str | None = None
    range: str | None = None
    backdrop: str | None = None
    split_by: str | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    fields: str | None = None


@dataclasses.dataclass
class EvaluationConfig:
    """The final evaluation.

    Attributes:
      num_examples: Number of trajectories of each split that are reconstructed, from the first; None for all.
      batch_size: Number of trajectories at a time, which bounds the memory.
      horizons: Numbers of steps beyond the seen frames to which predictions are followed, forwards and backwards.
    """

    num_examples: int | None = at_least(10_000, 2)
    batch_size: int = at_least(50, 1)
    horizons: tuple[int, ...] = sizes(60, 120)


def validate(data: DataConfig, evaluation: EvaluationConfig) -> None:
    """Raises ValueError in one line for fields that do not fit together, whatever the data set holds."""
    if data.name == "video_folder" and not data.source:
        raise ValueError("data.source is missing: name the directory of your videos, --config.data.source=DIR")
    if data.fields is not None:
        overrides.parse_json(data.fields)
    if not evaluation.horizons:
        raise ValueError("evaluation.horizons must hold at least one number of steps")


def dataset_config(config: Any) -> "BuilderConfig":
    """Returns the builder configuration that `config.data` and the image size ask for; ValueError if there is none."""
    from data_builders import datasets  # imports JAX

    changes = {field: value for field, value in vars(config.data).items() if value is not None}
    name, base = changes.pop("name"), changes.pop("config")
    changes.pop("data_dir", None)
    fields = overrides.parse_json(changes.pop("fields", "{}"))
    raise_together(_misplaced(config, changes, fields))
    return datasets.derive_config(name, base, image_size=config.image_size, **changes, **fields)


def _misplaced(config: Any, changes: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """Yields where a value belongs that the builder of the data set cannot take from where it stands.

    Args:
      config: The configuration of the run.
      changes: The fields of the builder's configuration that have fields of their own in `config.data`.
      fields: Those in `config.data.fields`.
    """
    from data_builders import datasets  # imports JAX

    allowed = {name: datasets.config_fields(name) for name in datasets.NAMES}
    if config.data.name not in allowed:
        return
    own = allowed[config.data.name]
    for field in changes:
        if field not in own:
            others = [name for name in allowed if field in allowed[name]]
            yield f"data.{field} is for data.name={' or '.join(others)}; it has no meaning for {config.data.name}"
    for field in fields:
        elsewhere = [f"--config.{place}" for place in places(config, field)]
        if field in changes:
            yield f"{field} is given twice, in data.fields and by --config.data.{field}"
        elif elsewhere and (field not in own or field == "image_size"):
            yield f"{field} does not belong in data.fields; set it by {' or '.join(elsewhere)}"


def resolve(config: Any) -> tuple[Any, "BuilderConfig"]:
    """Fills in what a configuration leaves to the files in `data.source`, if it names any.

    Returns:
      The configuration, and that of the builder of its data set.

    Raises:
      ValueError: If there is no such data set, or it is known to be too small before it is built.
    """
    dataset = dataset_config(config)
    if config.data.source is not None:
        known = {field: getattr(dataset, field) for field in ("source", "fingerprint")}
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, **known))
    if dataset.num_trajectories():  # of videos it is not known before they are read
        require_enough_trajectories(config, dataset.num_trajectories())
    return config, dataset


NUM_LONG_CLIPS = 32  # whose predictions are followed beyond their ends
_IMAGE_COPIES = 4  # of each frame in float32: observed, predicted, expected, and their differences


def evaluation_needs(config: Any, dataset: "BuilderConfig") -> list[Need]:
    """Lists what the final evaluation holds at once of frames, or of states where the model has no frames."""
    evaluation = config.evaluation
    num_values = 2 * config.state_size if getattr(config, "model", None) == "state" else 3 * config.image_size**2
    num_clips = min(evaluation.batch_size, evaluation.num_examples or evaluation.batch_size)
    num_clips = min(num_clips, max(dataset.num_trajectories().values(), default=num_clips))
    num_steps = max(dataset.num_steps, getattr(dataset, "num_test_steps", 0))
    fields = {"image_size": config.image_size, "evaluation.batch_size": num_clips, "data.num_steps": num_steps}
    value_bytes = _IMAGE_COPIES * FLOAT_BYTES * num_values
    longest = max(evaluation.horizons)
    return [
        Need("the evaluation of a batch", value_bytes * num_clips * num_steps, fields),
        Need(
            "the prediction beyond the clip",
            value_bytes * NUM_LONG_CLIPS * 2 * longest,
            {"evaluation.horizons": evaluation.horizons, "image_size": config.image_size},
        ),
    ]


def require_enough_trajectories(config: Any, num_trajectories: Mapping[str, int], advice: str = "") -> None:
    """Raises ValueError if the training split is too small for a batch, or the test split to be measured, or both.

    Args:
      config: The configuration of the run.
      num_trajectories: Number of trajectories, or windows of films, in each split.
      advice: What the user can do, to end the message.
    """
    noun, problems = "window" if config.data.source else "trajectory", []
    nouns = "windows" if config.data.source else "trajectories"
    if config.training.batch_size > num_trajectories["train"]:
        number = num_trajectories["train"]
        problems.append(
            f"training.batch_size is {config.training.batch_size}, but there {'is' if number == 1 else 'are'} only "
            f"{number} {noun if number == 1 else nouns} to train on"
        )
    if num_trajectories["test"] < NUM_TEST:
        problems.append(f"the test split has one {noun}, and two are needed to measure a model")
    if problems:
        raise ValueError(f"{'; '.join(problems)}{advice}")
