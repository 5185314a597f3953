"""Checkpoints of a run, written by orbax and verified by a digest, since orbax does not notice a changed byte."""

import ast
import contextlib
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

_FORMAT = 2  # in format 1 the digest covered only the numbers, in the order in which they were saved
_MAX_REASON_LENGTH = 200  # characters quoted from a message of orbax or tensorstore
_OVERHEAD = 100_000  # approximate size in bytes of everything in a checkpoint but its arrays

Arrays = dict[str, np.ndarray]


class CheckpointError(Exception):
    """A checkpoint cannot be written, or none can be restored; the message is one line with the reason."""


class Restored(NamedTuple):
    """A restored checkpoint.

    Attributes:
      state: The pytree that was saved.
      notes: The notes that were saved with it.
      damaged: One line for each newer checkpoint that could not be used.
    """

    state: Any
    notes: dict[str, Any]
    damaged: list[str]


class _Checkpoint(NamedTuple):
    """A checkpoint as it is on disk, its arrays named by their paths in the pytree, such as `params/encoder/w`."""

    step: int
    arrays: Arrays
    notes: dict[str, Any]


class Checkpoints:
    """The checkpoints in one directory. An interrupted save leaves the earlier ones intact.

    Args:
      directory: The directory; it is created if it does not exist.
      keep: Number of checkpoints to keep; older ones are deleted.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 3):
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=False,  # orbax would do so only for all processes of a job together
            enable_async_checkpointing=False,
            # Of several processes only one uses the checkpoints, with whole arrays on its host.
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=jax.process_index(), active_processes={jax.process_index()}
            ),
        )
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    @property
    def latest_step(self) -> int | None:
        """Number of steps done at the newest checkpoint; None without a checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, notes: dict[str, Any]) -> None:
        """Writes a checkpoint, unless the newest one is of the same step.

        Args:
          step: Number of steps done.
          state: A pytree of arrays.
          notes: Further values, saved as JSON.

        Raises:
          CheckpointError: If it cannot be written. The earlier checkpoints stay intact.
        """
        if step == self.latest_step:
            return
        state = jax.device_get(state)
        header = {"format": _FORMAT, "digest": _digest(_named_leaves(state), notes), "notes": notes}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), header=ocp.args.JsonSave(header))
        try:
            self._require_space(state)
            self._manager.save(step, args=items)
        except Exception as error:  # orbax and tensorstore have no common class of errors for a full disk
            raise CheckpointError(
                f"checkpoint {step} cannot be written to {self._directory}: {_reason(error)}"
            ) from error

    def _require_space(self, state: Any) -> None:
        needed = _OVERHEAD + sum(x.nbytes for x in jax.tree.leaves(state))
        if shutil.disk_usage(self._directory).free < needed:
            raise OSError(f"No space left on device: it takes {needed} bytes")

    def restore(self, template: Any) -> Restored:
        """Returns the newest intact checkpoint, with its arrays on the first device of this process.

        Newer checkpoints that are damaged are renamed to `<step>.damaged`, so that their steps can be saved again.

        Args:
          template: A pytree with the structure, shapes and types of the saved one, of arrays or of
            `jax.ShapeDtypeStruct`.

        Raises:
          FileNotFoundError: If there is no checkpoint.
          CheckpointError: If no checkpoint is intact, or the newest intact one has other arrays than the template or
            was written by a newer version.
        """
        checkpoint, damaged = self._newest_intact()
        difference = _difference(checkpoint.arrays, _named_leaves(template))
        if difference:
            raise CheckpointError(f"{self._describe(checkpoint.step)} is of another model: {difference}")
        for step in damaged:
            with contextlib.suppress(PermissionError):  # whoever may only read the run saves nothing either
                (self._directory / str(step)).rename(self._directory / f"{step}.damaged")
        if damaged:
            self._manager.reload()
        leaves = [checkpoint.arrays[name] for name in _named_leaves(template)]
        state = jax.tree.unflatten(jax.tree.structure(template), jax.device_put(leaves, jax.local_devices()[0]))
        return Restored(state, checkpoint.notes, list(damaged.values()))

    def read_arrays(self) -> Arrays:
        """Returns the arrays of the newest intact checkpoint by their paths in the pytree; changes nothing on disk.

        Raises:
          FileNotFoundError, CheckpointError: As `restore`.
        """
        return self._newest_intact()[0].arrays

    def read_params(self, template: Any) -> Any:
        """Returns the parameters of the newest intact checkpoint; changes nothing on disk.

        Args:
          template: A pytree with their structure, shapes and types.

        Raises:
          FileNotFoundError, CheckpointError: As `restore`.
        """
        checkpoint, _ = self._newest_intact()
        expected = _named_leaves({"params": template})
        arrays = {name: x for name, x in checkpoint.arrays.items() if name.startswith("params/")}
        difference = _difference(arrays, expected)
        if difference:
            raise CheckpointError(f"{self._describe(checkpoint.step)} is of another model: {difference}")
        leaves = [arrays[name] for name in expected]
        return jax.tree.unflatten(jax.tree.structure(template), jax.device_put(leaves, jax.local_devices()[0]))

    def read_notes(self) -> dict[str, Any]:
        """Returns the notes of the newest intact checkpoint; changes nothing on disk.

        Raises:
          FileNotFoundError, CheckpointError: As `restore`.
        """
        return self._newest_intact()[0].notes

    def _newest_intact(self) -> tuple[_Checkpoint, dict[int, str]]:
        """The newest intact checkpoint, and one line by the step of each newer one that is damaged."""
        damaged = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self._read(step), damaged
            except CheckpointError:
                raise
            except Exception as error:  # orbax and tensorstore have no common class of errors for damaged files
                damaged[step] = f"{self._describe(step)} is damaged: {_reason(error)}"
        if not damaged:
            raise FileNotFoundError(f"no checkpoint in {self._directory}")
        raise CheckpointError(f"no checkpoint is whole: {'; '.join(damaged.values())}")

    def _read(self, step: int) -> _Checkpoint:
        header = self._manager.restore(step, args=ocp.args.Composite(header=ocp.args.JsonRestore()))["header"]
        if header["format"] > _FORMAT:
            raise CheckpointError(
                f"{self._describe(step)} has format {header['format']}, written by a newer version of hgn_jax"
            )
        items = ocp.args.Composite(state=ocp.args.StandardRestore())
        arrays, notes = _named_leaves(self._manager.restore(step, args=items)["state"]), header["notes"]
        if header["format"] == 1:
            digest = _format_1_digest(arrays, notes, self._directory / str(step) / "state" / "_METADATA")
        else:
            digest = _digest(arrays, notes)
        if header["digest"] != digest:
            raise ValueError("the numbers read differ from those written")
        return _Checkpoint(step, arrays, notes)

    def _describe(self, step: int) -> str:
        return f"checkpoint {step} in {self._directory}"

    def close(self) -> None:
        """Releases the resources of orbax."""
        self._manager.close()


def _reason(error: Exception) -> str:
    system_error = re.search(r"os_error_code='(\d+)'", str(error))  # at the end of a long line of tensorstore's
    return os.strerror(int(system_error[1])) if system_error else first_line(error)[:_MAX_REASON_LENGTH]


def _named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their paths. Dictionaries, tuples and named tuples of equal keys have equal paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _difference(arrays: Arrays, expected: dict[str, Any]) -> str | None:
    """Describes the first array whose name, shape or type is not as expected; None if there is no such array."""
    for name in sorted(arrays.keys() | expected.keys()):
        saved, wanted = (f"{x[name].dtype} {x[name].shape}" if name in x else "absent" for x in (arrays, expected))
        if saved != wanted:
            return f"its array {name} is {saved}, the model's is {wanted}"
    return None


def _digest(arrays: Arrays, notes: dict[str, Any]) -> str:
    """Hash of the names, shapes, types and numbers of arrays, and of the notes."""
    parts = [json.dumps(notes, sort_keys=True).encode()]
    for name, x in sorted(arrays.items()):
        parts += [f"{name} {x.dtype} {x.shape}".encode(), np.asarray(x).tobytes()]
    return _hash(parts)


def _format_1_digest(arrays: Arrays, notes: dict[str, Any], metadata: pathlib.Path) -> str:
    """Hash of the numbers of arrays in the order in which orbax's metadata list them, and of the notes."""
    names = ["/".join(ast.literal_eval(key)) for key in json.loads(metadata.read_text())["tree_metadata"]]
    numbers = [arrays[name].tobytes() for name in names if name in arrays]  # an empty optimiser state has none
    return _hash([json.dumps(notes, sort_keys=True).encode(), *numbers])


def _hash(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
