"""Tests of `data_builders.locks`."""

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from unittest import mock

import pytest

from data_builders import locks
from tests.root import ROOT

_HOLD = """
import errno, fcntl, os, pathlib, sys, time
from data_builders import locks
if sys.argv[2]:
    def no_locks(*_):
        raise OSError(int(sys.argv[2]), os.strerror(int(sys.argv[2])))
    fcntl.flock = no_locks
with locks.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
_ANSWERS = (None, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


@contextlib.contextmanager
def _flock_answers(number):
    """Lets flock fail with an error, as on a file system without locks."""
    if number is None:
        yield
        return
    with mock.patch.object(fcntl, "flock", side_effect=OSError(number, os.strerror(number))):
        yield


@contextlib.contextmanager
def _other_process(path, number):
    command = [sys.executable, "-c", _HOLD, path, str(number or "")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", _ANSWERS)
def test_one_process_at_a_time_until_it_ends_however_it_ends(tmp_path, capsys, number):
    path = tmp_path / ".lock"
    with _flock_answers(number):
        with _other_process(path, number), pytest.raises(locks.HeldError) as raised, locks.held(path):
            pass
        for _ in range(2):  # the other process was killed
            with locks.held(path):
                pass
    warned = f"warning: the file system of {tmp_path} has no locks" in capsys.readouterr().err
    assert warned == (number is not None)
    assert ("delete" in str(raised.value)) == warned


def test_waits_where_there_is_something_to_print(tmp_path, capsys):
    path = tmp_path / ".lock"
    with _other_process(path, None) as process:

        def end(text, **_):
            assert text == "waiting"
            process.kill()

        with mock.patch.object(locks, "print", end, create=True), locks.held(path, waiting="waiting"):
            assert process.wait() != 0


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as raised, locks.held(tmp_path / "file" / ".lock"):
        pass
    assert raised.value.errno in (errno.ENOTDIR, errno.EEXIST)


def test_errors_of_the_block_pass_and_release(tmp_path):
    for _ in range(2):
        with pytest.raises(OSError, match="Operation not supported"), locks.held(tmp_path / ".lock"):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
