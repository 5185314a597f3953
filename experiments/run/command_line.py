"""The command lines of all programs: flags, and errors in one line.

Nothing imported here imports JAX, which takes seconds: `--help` and mistakes are answered before that.
"""

import contextlib
import itertools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from data_builders import interruption, streams
from experiments.run import allocator, compilation_cache
from hgn_jax import config_checks
from hgn_jax.errors import DataError, OtherProcessError, Stopped
from hgn_jax.training import hosts

_FAILURE = 2
# Messages of Python and absl, and what they say to somebody who knows neither.
_PLAIN_WORDS = {
    r"invalid literal for int\(\) with base 10: (.*)": r"it must be a whole number, got \1",
    r"could not convert string to float: (.*)": r"it must be a number, got \1",
    r"\('Non-boolean argument to boolean flag', (.*)\)": r"it must be true or false, got \1",
    r"flag (--\w+)=None: Flag .* must have a value other than None\.": r"\1 is missing",
}
_STOPPED = 128 + signal.SIGTERM  # after Ctrl-C too: the training is saved, but a script must not think it finished


class UserError(Exception):
    """An error that the user can mend; the message is one line that says what is wrong and what is allowed."""


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Turns a ValueError, which the checks of configurations raise, into a UserError."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from error


def define_path(name: str, default: str | None, text: str, **kwargs: Any) -> flags.FlagHolder:
    """Defines a flag for the path of a file or directory, in which ~ stands for the home directory."""
    return flags.DEFINE(_PathParser(), name, default, text, **kwargs)


class _PathParser(flags.ArgumentParser):
    def parse(self, argument: str) -> str:
        return config_checks.expand_home(argument)


def define_hosts() -> None:
    """Defines the flags with which several processes, on one host or many, train together."""
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, if several processes train together.")
    flags.DEFINE_integer("num_processes", None, "Number of processes that train together; 1 to train alone.")
    flags.DEFINE_integer("process_id", None, "Number of this process, from 0; process 0 is the one that writes.")


def run(
    main: Callable[[Sequence[str]], None], takes_arguments: bool = False, check: Callable[[], None] = lambda: None
) -> NoReturn:
    """Runs a program. An error that the user can mend ends it with one line on stderr and exit status 2.

    Args:
      main: Function of the command and its arguments.
      takes_arguments: Whether arguments that are not flags are allowed.
      check: Function called before JAX is imported; it raises ValueError or UserError for flags that are wrong.
    """

    interruption.install()
    streams.print_any_character()

    def guarded(argv: Sequence[str]) -> None:
        logging.set_verbosity(logging.FATAL)  # errors are reported once, by the lines below
        threading.excepthook = lambda raised: print(f"warning: {_describe(raised.exc_value)}", file=sys.stderr)
        if len(argv) > 1 and not takes_arguments:
            fail(f"unexpected argument {argv[1]!r}; settings are given as --name=value")
        try:
            with user_errors():
                check()
                os.environ["JAX_ENABLE_X64"] = "0"  # programs choose the precision themselves, wherever they run
                compilation_cache.use()
                allocator.keep_freed_memory()
                if "coordinator" in flags.FLAGS:
                    hosts.start(flags.FLAGS.coordinator, flags.FLAGS.num_processes, flags.FLAGS.process_id)
            main(argv)
        except (UserError, DataError, OtherProcessError) as error:
            fail(str(error))
        except MemoryError as error:
            fail(_out_of_memory(error))
        except RuntimeError as error:  # JAX's errors are of this class
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            fail(_out_of_memory(error))
        except Stopped as stopped:
            print(f"{stopped}; the same command goes on from there", file=sys.stderr)
            sys.exit(_STOPPED)

    with streams.one_line_if_output_fails(_FAILURE):
        app.run(guarded, flags_parser=parse_flags)


def _describe(error: BaseException | None) -> str:
    return streams.describe(error) if isinstance(error, OSError) else str(error)


def expand_flag_files(argv: list[str]) -> None:
    """Puts the contents of each `--flagfile=PATH` in its place; a file that cannot be read ends the program."""
    try:
        argv[:] = flags.FLAGS.read_flags_from_files(argv, force_gnu=False)
    except flags.Error as error:
        fail(f"--flagfile: {str(error).rpartition('] ')[2]}")


def _out_of_memory(error: Exception) -> str:
    detail = (str(error).splitlines() or ["no more can be had"])[0].removeprefix("RESOURCE_EXHAUSTED: ")
    return f"out of memory: {detail}; lower a batch size, the number of frames or points, or the size of a network"


def parse_flags(argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Sets the flags and returns the arguments that are not flags; a mistake ends the program with one line."""
    for argument, following in itertools.pairwise(argv):
        name = argument.removeprefix("--")
        takes_value = argument != name and name in flag_values and not flag_values[name].boolean
        if takes_value and following.startswith("--"):  # or the flag that follows would be lost as a value
            fail(f"{argument} needs a value, {argument}=VALUE; it is followed by {following}")
    argv = list(argv)
    expand_flag_files(argv)
    try:
        return flag_values(argv)
    except (flags.Error, ValueError, TypeError) as error:
        fail(_in_plain_words(" ".join(str(error).split())))


def _in_plain_words(message: str) -> str:
    for pattern, words in _PLAIN_WORDS.items():
        message = re.sub(pattern, words, message)
    return message


def fail(message: str) -> NoReturn:
    """Ends the program with one line on stderr and the exit status of mistakes."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(_FAILURE)
