"""The finished run of a colleague is evaluated into a directory of one's own, or refused in one line."""

import os
import pathlib
import tempfile

from places import FLOW, expect, program

with tempfile.TemporaryDirectory() as directory:
    os.chmod(directory, 0o755)
    run, mine = pathlib.Path(directory, "run"), pathlib.Path(directory, "mine")
    mine.mkdir(), mine.chmod(0o777)
    status, output = program(*FLOW, f"--workdir={run}")
    expect(status == 0, "training", output)
    paths = [run, *run.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in paths}
    reader = {"environment": {"HOME": str(mine), "JAX_COMPILATION_CACHE_DIR": None}}
    status, output = program("experiments.evaluate", f"--workdir={run}", **reader)
    expect(status == 2 and output.count("\n") == 1, "evaluation into the run", output)
    expect(f"--workdir={run}" in output and "--output=DIR" in output, "the line names both flags", output)
    status, output = program("experiments.evaluate", f"--workdir={run}", f"--output={mine}/new", **reader)
    expect(status == 0 and (mine / "new/report/index.html").exists(), "evaluation elsewhere", output)
    expect(before == {path: path.stat().st_mtime_ns for path in [run, *run.rglob("*")]}, "nothing changes in the run")
    for path in paths:
        path.chmod(0o755)
print("OK")
