"""Shows what a data set is, as Fig. 5 of the paper: `python -m experiments.dataset_gallery pendulum --config=small`."""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from data_builders import overrides
from experiments.run.command_line import UserError, run, user_errors


def main(argv: Sequence[str]) -> None:
    # Imported here, as the builders and JAX take seconds, which `--help` should not cost.
    from data_builders import datasets

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
    from experiments.figures import dataset as dataset_report

    for name, config in configs.items():
        print(f"picture: {dataset_report.show(name, config, _DATA_DIR.value, output)}")


if __name__ == "__main__":
    _OVERRIDES = [argument for argument in sys.argv if argument.startswith(("--config.", "-config."))]
    sys.argv = [argument for argument in sys.argv if argument not in _OVERRIDES]
    _CONFIG = flags.DEFINE_string(
        "config",
        None,
        "Configuration of the builder (default: small), before overrides of its fields, --config.field=value.",
    )
    _FIELDS = flags.DEFINE_string("fields", "{}", "JSON of fields to change in it, as '{\"damping\": 0.1}'.")
    _DATA_DIR = flags.DEFINE_string("data_dir", None, "Root of the data sets; by default TFDS's.")
    _SOURCE = flags.DEFINE_string("source", None, "Directory of your videos, for video_folder.")
    _OUTPUT = flags.DEFINE_string("output", "gallery", "Directory of the pictures.")
    run(main, takes_arguments=True)
