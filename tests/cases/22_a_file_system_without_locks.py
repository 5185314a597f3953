"""On a file system where flock fails a run goes on with a warning, and a second one in its directory is refused."""

import errno
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from places import ROOT, expect

PROGRAM = """
import fcntl, os, runpy, sys
def without_locks(*_, number=int(sys.argv[1])):
    raise OSError(number, os.strerror(number))
fcntl.flock = without_locks
sys.argv = ["toy", "--config=line", *sys.argv[2:]]
runpy.run_module("tests.experiments.toy", run_name="__main__")
"""

with tempfile.TemporaryDirectory() as directory:
    for number in (errno.EOPNOTSUPP, errno.ENOLCK):
        run = pathlib.Path(directory, str(number))
        command = [sys.executable, "-c", PROGRAM, str(number), f"--workdir={run}"]
        pipes = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        first = subprocess.Popen([*command, "--config.training.num_steps=100000"], **pipes)
        while not (run / "metrics.csv").exists():
            expect(first.poll() is None, "the first run goes on", first.stdout)
            time.sleep(0.1)
        second = subprocess.run([*command, "--config.training.num_steps=100000"], check=False, **pipes)
        refused = second.returncode == 2 and f"another process is at work in --workdir={run}" in second.stdout
        first.kill()
        output = first.communicate()[0]
        expect(refused, "the second run is refused", second.stdout)
        expect(f"warning: the file system of {run} has no locks" in output, "the first run warns", output)
        done = subprocess.run([*command[:-1], f"--workdir={run}2"], check=False, **pipes)
        expect(done.returncode == 0, os.strerror(number), done.stdout)
print("OK")
