"""Errors that programs report in one line. They are defined here so that a program can name them without JAX."""


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or the name of its class if the message is empty."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class DataError(ValueError):
    """Examples cannot be read or used; the message is one line that names the first of them."""


class OtherProcessError(Exception):
    """Another process failed and reports the reason itself; the message is one line that names the process."""


class Stopped(Exception):
    """Training stopped on request after saving its state.

    Attributes:
      step: Number of the last completed step.
    """

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}, which is saved")
        self.step = step


class DivergenceError(RuntimeError):
    """A quantity of the training step is no longer finite.

    Attributes:
      step: Number, from 1, of the first step in which it is not finite.
    """

    def __init__(self, step: int, names: list[str]):
        super().__init__(f"{', '.join(names)} not finite at step {step}")
        self.step = step
