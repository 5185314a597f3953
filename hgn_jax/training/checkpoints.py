"""Checkpoints of a run by orbax, with what orbax does not see: a flipped byte, another model, a newer format."""

import hashlib
import json
import os
import pathlib
import re
import shutil
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from hgn_jax.errors import first_line

_FORMAT = 1
_LONGEST_REASON = 200  # characters of what orbax or tensorstore says
_OVERHEAD = 100_000  # bytes of a checkpoint beside its arrays, roughly


class CheckpointError(Exception):
    """A checkpoint cannot be written, or none can be restored; the message is one line that says why."""


class Restored(NamedTuple):
    """A checkpoint.

    Attributes:
      state: the pytree that was saved.
      notes: what was saved beside it.
      damaged: a line for each newer checkpoint that could not be used.
    """

    state: Any
    notes: dict[str, Any]
    damaged: list[str]


class Checkpoints:
    """The checkpoints in one directory; a save that is interrupted leaves the earlier ones as they were.

    Args:
      directory: made if it is not there.
      keep: how many of the newest stay on disk.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 3):
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=False,  # orbax can do so for all processes of a job only
            enable_async_checkpointing=False,
            # Of several processes one keeps the checkpoints, with whole arrays from the host.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=jax.process_index(), active_processes={jax.process_index()}
            ),
        )
        directory.mkdir(parents=True, exist_ok=True)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    @property
    def latest_step(self) -> int | None:
        """Steps done at the newest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, notes: dict[str, Any]) -> None:
        """Writes the pytree `state`, and `notes` as JSON, as the checkpoint after `step` steps if it is new.

        Raises:
          CheckpointError: if it cannot be written; the earlier ones are as they were.
        """
        if step != self.latest_step:
            state = jax.device_get(state)
            header = {
                "format": _FORMAT,
                "structure": _structure(state),
                "digest": _digest(state, notes),
                "notes": notes,
            }
            items = ocp.args.Composite(state=ocp.args.StandardSave(state), header=ocp.args.JsonSave(header))
            try:
                self._require_space(state)
                self._manager.save(step, args=items)
            except Exception as error:  # orbax and tensorstore have no common class of errors for a disk that is full
                raise CheckpointError(
                    f"checkpoint {step} cannot be written to {self._manager.directory}: {_reason(error)}"
                ) from error

    def _require_space(self, state: Any) -> None:
        needed = _OVERHEAD + sum(x.nbytes for x in jax.tree.leaves(state))
        if shutil.disk_usage(self._manager.directory).free < needed:
            raise OSError(f"No space left on device: it takes {needed} bytes")

    def restore(self, template: Any) -> Restored:
        """Returns the newest checkpoint that is whole.

        Newer ones that are damaged are put aside as `<step>.damaged`, so that their steps can be saved again.

        Args:
          template: a state with the structure, shapes and types of the one that was saved.

        Raises:
          FileNotFoundError: if there is no checkpoint.
          CheckpointError: if there is none that is whole, or it is of another model or a newer version.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        if not steps:
            raise FileNotFoundError(f"no checkpoint in {self._manager.directory}")
        damaged = []
        for step in steps:
            try:
                state, notes = self._read(step, template)
            except CheckpointError:
                raise
            except Exception as error:  # orbax and tensorstore have no common class of errors for files gone wrong
                damaged.append(f"checkpoint {step} in {self._manager.directory} is damaged: {_reason(error)}")
                continue
            self._put_aside(steps[: len(damaged)])
            return Restored(state, notes, damaged)
        raise CheckpointError(f"no checkpoint is whole: {'; '.join(damaged)}")

    def _read(self, step: int, template: Any) -> tuple[Any, dict[str, Any]]:
        place = f"checkpoint {step} in {self._manager.directory}"
        header = self._manager.restore(step, args=ocp.args.Composite(header=ocp.args.JsonRestore()))["header"]
        if header["format"] > _FORMAT:
            raise CheckpointError(f"{place} has format {header['format']}, written by a newer version of hgn_jax")
        if header["structure"] != _structure(template):
            raise CheckpointError(f"{place} is of another model: its arrays have other names, shapes or types")
        items = ocp.args.Composite(state=ocp.args.StandardRestore(template))
        state = self._manager.restore(step, args=items)["state"]
        if header["digest"] != _digest(state, header["notes"]):
            raise ValueError("what was read is not what was written")
        return state, header["notes"]

    def _put_aside(self, steps: list[int]) -> None:
        directory = pathlib.Path(self._manager.directory)
        for step in steps:
            (directory / str(step)).rename(directory / f"{step}.damaged")
        if steps:
            self._manager.reload()

    def close(self) -> None:
        """Lets go of the directory."""
        self._manager.close()


def _reason(error: Exception) -> str:
    system_error = re.search(r"os_error_code='(\d+)'", str(error))  # at the end of a long line of tensorstore's
    return os.strerror(int(system_error[1])) if system_error else first_line(error)[:_LONGEST_REASON]


def _structure(state: Any) -> str:
    """Hash of the names, shapes and types of a pytree's arrays."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return _hash(*(f"{jax.tree_util.keystr(path)} {x.shape} {x.dtype}".encode() for path, x in leaves))


def _digest(state: Any, notes: dict[str, Any]) -> str:
    """Hash of the numbers of a pytree and of the notes."""
    arrays = (np.asarray(x).tobytes() for x in jax.tree.leaves(jax.device_get(state)))
    return _hash(json.dumps(notes, sort_keys=True).encode(), *arrays)


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
