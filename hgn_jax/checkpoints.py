"""Checkpoints of a run by orbax."""

import pathlib
from typing import Any

import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints in one directory; a save that is interrupted leaves the earlier ones as they were.

    Args:
      directory: made if it is not there.
      keep: how many of the newest stay on disk.
    """

    def __init__(self, directory: pathlib.Path, keep: int = 3):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    @property
    def latest_step(self) -> int | None:
        """Steps done at the newest checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, notes: dict[str, Any]) -> None:
        """Writes the pytree `state`, and `notes` as JSON, as the checkpoint after `step` steps if it is new."""
        if step != self.latest_step:
            items = ocp.args.Composite(state=ocp.args.StandardSave(state), notes=ocp.args.JsonSave(notes))
            self._manager.save(step, args=items)

    def restore(self, template: Any) -> tuple[Any, dict[str, Any]]:
        """Returns the newest checkpoint: the state, with the structure, shapes and types of `template`, and the notes.

        Raises:
          FileNotFoundError: if there is no checkpoint.
        """
        if self.latest_step is None:
            raise FileNotFoundError(f"no checkpoint in {self._manager.directory}")
        items = ocp.args.Composite(state=ocp.args.StandardRestore(template), notes=ocp.args.JsonRestore())
        restored = self._manager.restore(self.latest_step, args=items)
        return restored["state"], restored["notes"]

    def close(self) -> None:
        """Lets go of the directory."""
        self._manager.close()
