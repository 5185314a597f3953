"""Tests of `benchmarks.program`."""

import pytest

from benchmarks import program
from experiments.run.command_line import UserError


def test_outputs_that_can_be_written(tmp_path):
    assert program.output_file(str(tmp_path / "a.json")) == tmp_path / "a.json"
    assert program.output_folder(str(tmp_path / "new" / "folder")) == tmp_path / "new" / "folder"
    assert not (tmp_path / "new").exists()
    assert program.output_file(None) is None and program.output_folder(None) is None


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (program.output_file, "missing/a.json"),
        (program.output_file, "folder"),
        (program.output_file, "file/a.json"),
        (program.output_folder, "file"),
        (program.output_folder, "file/folder"),
    ],
)
def test_outputs_that_cannot_be_written(tmp_path, output, path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"--output={tmp_path / path}"):
        output(str(tmp_path / path))
