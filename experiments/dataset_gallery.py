"""Shows a data set in numbers and as Fig. 5 of the paper: `python -m experiments.dataset_gallery pendulum`."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from data_builders import overrides
from experiments.run import command_line
from experiments.run.command_line import UserError, run, user_errors


def main(argv: Sequence[str]) -> None:
    from data_builders import datasets  # imports JAX, which takes seconds

    if len(argv) < 2:
        raise UserError(f"name a data set: {', '.join(datasets.NAMES)}")
    output = pathlib.Path(_OUTPUT.value)
    configs = {}
    for name in argv[1:]:  # all are checked before anything slow starts
        source = {"source": _SOURCE.value} if name == "video_folder" else {}
        if source == {"source": None}:
            raise UserError("video_folder needs --source, the directory of your videos")
        with user_errors():
            base = _CONFIG.value or ("default" if source else "small")
            changes = overrides.parse_json(_FIELDS.value) | overrides.parse_flags(_OVERRIDES)[1]
            configs[name] = datasets.derive_config(name, base, **{**source, **changes})
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to --output={output}: {error.strerror}") from error
    for name, config in configs.items():
        print(f"picture: {show(name, config, _DATA_DIR.value, output)}")


def show(name: str, config: Any, data_dir: str | None, output: pathlib.Path) -> pathlib.Path:
    """Builds a data set if it is missing, prints its numbers and draws its picture.

    Args:
      name: Name of the data set, from `data_builders.datasets.NAMES`.
      config: Configuration of the data set, or the name of one.
      data_dir: Root of the data sets; None for TFDS's.
      output: Directory of the picture.

    Returns:
      The path of the picture, `<name>_<configuration>.png`.
    """
    from data_builders import datasets
    from experiments.figures import dataset, dataset_summary
    from experiments.reporting import style, tables
    from hgn_jax import data

    path = datasets.ensure_built(name, config, data_dir)
    splits, metadata = data.open_dataset(path)
    summaries = {split: dataset_summary.summarise(splits[split], f"{name} {split}") for split in ("train", "test")}
    full_name = f"{name}/{path.parent.name}"
    tables.print_tables([dataset_summary.table(full_name, summaries, metadata)])
    picture = output / f"{name}_{path.parent.name}.png"
    clips = dataset.shown_clips(splits["test"])
    style.save(dataset.draw_dataset(full_name, metadata, summaries, clips)[0], picture)
    return picture


if __name__ == "__main__":
    command_line.expand_flag_files(sys.argv)
    _OVERRIDES = [argument for argument in sys.argv if argument.startswith(("--config.", "-config."))]
    sys.argv = [argument for argument in sys.argv if argument not in _OVERRIDES]
    _CONFIG = flags.DEFINE_string(
        "config",
        None,
        "Configuration of the builder (default: small), before overrides of its fields, --config.field=value.",
    )
    _FIELDS = flags.DEFINE_string("fields", "{}", "JSON of fields to change in it, as '{\"damping\": 0.1}'.")
    _DATA_DIR = command_line.define_path("data_dir", None, "Root of the data sets; by default TFDS's.")
    _SOURCE = command_line.define_path("source", None, "Directory of your videos, for video_folder.")
    _OUTPUT = command_line.define_path("output", "gallery", "Directory of the pictures.")
    run(main, takes_arguments=True)
