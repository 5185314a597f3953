"""What goes wrong in a run, here so that a program can name it before it has imported what raises it."""


def first_line(error: BaseException) -> str:
    """What an error of another library says, without what follows; its name if it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class DataError(ValueError):
    """Examples cannot be read or used; the message is one line that names the first of them."""


class OtherProcessError(Exception):
    """Another process failed, and says why itself; the message is one line that names it."""


class Stopped(Exception):
    """Training was asked to stop, and its state is saved; `step` is the last step done."""

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}, which is saved")
        self.step = step


class DivergenceError(RuntimeError):
    """A number of the training step is no longer finite; `step` is the first step (from 1) where it is not."""

    def __init__(self, step: int, names: list[str]):
        super().__init__(f"{', '.join(names)} not finite at step {step}")
        self.step = step
