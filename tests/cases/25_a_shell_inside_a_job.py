"""Variables of SLURM or Open MPI in a shell that neither has started: one line, or a word on whom it waits for."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from places import ROOT, TOY, expect, program

SLURM = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_JOB_ID": str(os.getpid() % 4096), "SLURM_STEP_NODELIST": "localhost",
         "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}  # fmt: skip

with tempfile.TemporaryDirectory() as directory:
    for few in ({"SLURM_STEP_NUM_TASKS": "4"}, {"OMPI_COMM_WORLD_SIZE": "4"}):
        status, output = program(*TOY, f"--workdir={directory}/a", environment=few, cwd=ROOT)
        lines = output.removeprefix("started\n").splitlines()
        expect(status == 2 and len(lines) == 1 and "--num_processes=1" in lines[0], f"only {few}", output)
    command = [sys.executable, "-m", *TOY, f"--workdir={directory}/a"]
    log = pathlib.Path(directory, "log")
    with log.open("w") as file:
        job = subprocess.Popen(command, cwd=ROOT, env=os.environ | SLURM, stdout=file, stderr=file)
        deadline = time.monotonic() + 120
        while "waiting for" not in log.read_text() and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.2)
        job.send_signal(signal.SIGKILL)
        job.wait()
    line = "waiting for the 4 processes that srun of SLURM starts; to train alone: --num_processes=1"
    expect(line in log.read_text(), "a lone process says what it waits for", log.read_text())
    status, output = program(*TOY, f"--workdir={directory}/a", "--num_processes=1", environment=SLURM, cwd=ROOT)
    expect(status == 0, "--num_processes=1", output)
print("OK")
