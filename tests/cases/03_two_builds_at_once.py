"""Several commands that need the same missing data set: one builds it, all end well, and nothing is left over."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from places import ROOT, expect

BUILDS = 3

with tempfile.TemporaryDirectory() as directory:
    films = pathlib.Path(directory, "films")
    films.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (3, 50, 16, 16, 3), np.uint8)
    for number, film in enumerate(noise):
        np.save(films / f"{number}.npy", film)
    requests = {
        "pendulum": ["--config=small", "--config.num_train=40", "--config.num_test=20"],
        "video_folder": [f"--config.source={films}"],
    }
    for name, flags in requests.items():
        data = pathlib.Path(directory, name)
        command = [sys.executable, "-m", "data_builders.build", name, *flags, f"--data_dir={data}"]
        jobs = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(BUILDS)
        ]
        outputs = [job.communicate()[0] for job in jobs]
        for job, output in zip(jobs, outputs, strict=True):
            expect(job.returncode == 0, f"build of {name}", output)
        verb = "Simulating" if name == "pendulum" else "Cutting"
        expect(sum(verb in output for output in outputs) == 1, f"{name} is built once", outputs)
        left = [str(path) for path in data.rglob("*") if "incomplete" in path.name or "lock" in path.name]
        expect(not left, "left over", left)
print("OK")
