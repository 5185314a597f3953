"""The command lines of all programs: flags, and errors in one line.

Nothing imported here imports JAX, which takes seconds: `--help` and mistakes are answered before that.
"""

import contextlib
import dataclasses
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import config_flags

from data_builders import interruption
from experiments.run import compilation_cache
from experiments.run.presets import pick
from hgn_jax.config_checks import places
from hgn_jax.errors import DataError, OtherProcessError, Stopped
from hgn_jax.training import hosts

_FAILURE = 2
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


def define_config(
    presets: Mapping[str, Any], default: str, flag_values: flags.FlagValues = flags.FLAGS
) -> flags.FlagHolder:
    """Defines `--config=NAME`, which picks a preset, and `--config.field=value`, which overrides a field of it."""
    get = functools.partial(pick, presets)
    text = f"Preset ({', '.join(presets)}), before overrides of its fields, --config.a.b=value."
    try:  # ml_collections reads the overrides at once, and answers a wrong one with a traceback
        _check_config_fields(sys.argv, get(default))
    except ValueError as error:
        _fail(str(error))
    config = config_flags.DEFINE_config_dataclass("config", get(default), text, flag_values, parse_fn=get)
    flag_values.register_key_flag_for_module(sys.argv[0], flag_values["config"])  # for --help of the program
    return config


def define_hosts() -> None:
    """Defines the flags with which several processes, on one host or many, train together."""
    flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0, if several processes train together.")
    flags.DEFINE_integer("num_processes", None, "Number of processes that train together.")
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

    def guarded(argv: Sequence[str]) -> None:
        logging.set_verbosity(logging.FATAL)  # errors are reported once, by the lines below
        threading.excepthook = lambda raised: print(f"warning: {raised.exc_value}", file=sys.stderr)
        if len(argv) > 1 and not takes_arguments:
            _fail(f"unexpected argument {argv[1]!r}; settings are given as --name=value")
        try:
            with user_errors():
                check()
                os.environ["JAX_ENABLE_X64"] = "0"  # programs choose the precision themselves, wherever they run
                compilation_cache.use()
                if "coordinator" in flags.FLAGS:
                    hosts.start(flags.FLAGS.coordinator, flags.FLAGS.num_processes, flags.FLAGS.process_id)
            main(argv)
        except (UserError, DataError, OtherProcessError) as error:
            _fail(str(error))
        except MemoryError as error:
            _fail(_out_of_memory(error))
        except RuntimeError as error:  # JAX's errors are of this class
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            _fail(_out_of_memory(error))
        except OSError as error:  # such as a full disk
            _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
        except Stopped as stopped:
            print(f"{stopped}; the same command goes on from there", file=sys.stderr)
            sys.exit(_STOPPED)

    app.run(guarded, flags_parser=parse_flags)


def _out_of_memory(error: Exception) -> str:
    detail = (str(error).splitlines() or ["no more can be had"])[0].removeprefix("RESOURCE_EXHAUSTED: ")
    return f"out of memory: {detail}; lower a batch size, the number of frames or points, or the size of a network"


def parse_flags(argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Sets the flags and returns the arguments that are not flags; a mistake ends the program with one line."""
    try:
        return flag_values(argv)
    except (flags.Error, ValueError, TypeError) as error:
        _fail(" ".join(str(error).split()))


def _check_config_fields(argv: Sequence[str], config: Any) -> None:
    """Raises ValueError for an override of a field that does not exist."""
    names = [argument.lstrip("-").partition("=")[0] for argument in argv[1:] if argument.startswith("-")]
    if any(name.startswith("config.") for name in names[: names.index("config") if "config" in names else 0]):
        raise ValueError("give --config=NAME before the overrides --config.field=value")
    for name in names:
        if name.startswith("config."):
            _check_field(config, name)


def _check_field(config: Any, name: str) -> None:
    parents, here = [], config
    for part in name.split(".")[1:]:
        fields = [field.name for field in dataclasses.fields(here)] if dataclasses.is_dataclass(here) else []
        if part not in fields:
            place = ".".join(["config", *parents])
            elsewhere = [f"--config.{field}" for field in places(config, part)]
            hint = f"; did you mean {' or '.join(elsewhere)}?" if elsewhere else ""
            raise ValueError(f"--{name}: {place} has no field {part!r}; it has {', '.join(fields) or 'none'}{hint}")
        parents.append(part)
        here = getattr(here, part)
    if dataclasses.is_dataclass(here):
        fields = ", ".join(field.name for field in dataclasses.fields(here))
        raise ValueError(f"--{name} is a group of fields; set one of them: {fields}")


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(_FAILURE)
