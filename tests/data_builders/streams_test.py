"""Tests of `data_builders.streams`, in processes of their own with real pipes, disks and terminals."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.root import ROOT

_PROGRAM = """
import csv, json, pathlib, sys
from data_builders import streams

streams.print_any_character()
with streams.one_line_if_output_fails(2):
    {statement}
"""
_FULL = pathlib.Path("/dev/full")


def _run(statement, cwd, **options):
    command = [sys.executable, "-c", _PROGRAM.format(statement=statement.replace("\n", "\n    "))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    return subprocess.run(command, cwd=cwd, text=True, env=environment, **pipes)


@pytest.mark.parametrize("statement", ["print('x')", "print('x' * 100_000)", "sys.exit(print('x'))"])
def test_a_reader_that_has_gone_is_no_error(tmp_path, statement):
    read, write = os.pipe()
    os.close(read)
    done = _run(statement, tmp_path, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_another_broken_pipe_is_an_error(tmp_path):
    done = _run("raise BrokenPipeError(32, 'Broken pipe')", tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: input or output: Broken pipe\n")


@pytest.mark.skipif(not _FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "statement",
    [
        "pathlib.Path('a.txt').write_text('x')",
        "with open('a.txt', 'w') as file:\n    json.dump([1] * 100_000, file)",
        "file = open('a.txt', 'a')\ncsv.writer(file).writerow([1])\nfile.flush()",
        "import numpy as np\nnp.save(pathlib.Path('a.txt').open('wb'), np.zeros(100_000))",
        "other = pathlib.Path('b.txt')\nfile = open('a.txt', 'w')\nfile.write('x')\nfile.flush()",
        "output = pathlib.Path('.')\n(output / 'a.txt').write_bytes(bytes(100_000))",
    ],
)
def test_a_full_disk_names_the_file(tmp_path, statement):
    (tmp_path / "a.txt").symlink_to(_FULL)
    done = _run(statement, tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: a.txt: No space left on device\n")


@pytest.mark.skipif(not _FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("length", [1, 100_000])
def test_a_full_disk_behind_the_standard_output(tmp_path, length):
    with _FULL.open("w") as full:
        done = _run(f"path = pathlib.Path('a.txt')\nprint('x' * {length})", tmp_path, stdout=full)
    assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    done = _run("open('nowhere/a.txt')", tmp_path)
    assert done.stderr == "error: nowhere/a.txt: No such file or directory\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_characters_that_a_terminal_lacks_are_question_marks(tmp_path, monkeypatch, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    text = "−1 ± 2 × θ → ω"
    done = _run(f"print({text!r}); print({text!r}, file=sys.stderr)", tmp_path, encoding=encoding)
    assert done.returncode == 0
    assert done.stdout.strip() == done.stderr.strip() == text.encode(encoding, "replace").decode(encoding)
