"""A reader that goes early ends a program silently; a full disk is told with the name of the file."""

import os
import pathlib
import subprocess
import sys
import tempfile

from places import ROOT, TOY, expect, program

FULL = pathlib.Path("/dev/full")


def piped_to_nobody(*arguments):
    """Runs a program whose standard output nobody reads; returns its status and what it wrote on stderr."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    return done.returncode, done.stderr


with tempfile.TemporaryDirectory() as directory:
    for command in (["experiments.hgn", "--help"], ["data_builders.build", "--help"], ["experiments.table1", "--help"]):
        status, errors = piped_to_nobody(*command)
        expect(not errors, f"{command} | head", errors)
    job = subprocess.Popen(
        [sys.executable, "-m", *TOY, f"--workdir={directory}/a"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    job.stdout.readline()
    job.stdout.close()
    errors = job.stderr.read()
    expect(job.wait() == 141 and "rror" not in errors, "a run | head -1", errors)
    status, output = program(*TOY, f"--workdir={directory}/a", cwd=ROOT)
    expect(status == 0, "the same command goes on", output)
    if FULL.exists():
        for name in ("config.part.json", "metrics.part.json", "report/index.part.html"):
            part = pathlib.Path(directory, "a", name)
            part.symlink_to(FULL)
            status, output = program(*TOY, f"--workdir={directory}/a", cwd=ROOT)
            expect(
                status == 2 and f"error: {part}: No space left on device" in output, f"a full disk at {name}", output
            )
            expect(not part.is_symlink(), "nothing is left of what was half-written", part)
print("OK")
