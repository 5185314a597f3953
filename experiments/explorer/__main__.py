"""Writes a page that runs a trained model in the browser: `python -m experiments.explorer --workdir=runs/pendulum`.

The page is one file, needs neither a server nor a network, and shows HGNs of one coordinate: drag a point in phase
space and see the frame, the path and the energies.
"""

import pathlib
from collections.abc import Sequence

from experiments.hgn import presets
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.run_directory import (
    RunDirectory,
    define_moved_data,
    lock,
    read_config,
    read_task,
    require_checkpoint,
    require_writable,
)


def check() -> None:
    """Raises UserError if there is no run of HGN with a checkpoint, or the page cannot be written."""
    directory = _directory()
    if (name := read_task(directory).name) != "hgn":
        raise UserError(f"--workdir={directory.path} holds a run of {name}; the explorer shows those of hgn")
    read_config(directory, presets.Config)
    require_checkpoint(directory)
    require_writable(_output().parent, "output", "give another --output")


def main(argv: Sequence[str]) -> None:
    del argv
    from experiments.explorer import page  # imports JAX, which takes seconds
    from experiments.run import trainer

    with lock(_directory(), only_reads=True):
        _, run = trainer.restore(_directory())
        page.write(run, _output())
    print(f"{_output()} ({_output().stat().st_size / 1e6:.1f} MB)")


def _directory() -> RunDirectory:
    return RunDirectory(_WORKDIR.value, None, _MOVED())


def _output() -> pathlib.Path:
    return pathlib.Path(_OUTPUT.value) if _OUTPUT.value else _directory().path / "explorer.html"


if __name__ == "__main__":
    _WORKDIR = command_line.define_path("workdir", None, "Directory of the run.", required=True)
    _OUTPUT = command_line.define_path("output", None, "File of the page; by default explorer.html in the run's.")
    _MOVED = define_moved_data()
    command_line.run(main, check=check)
