"""`sample` refuses trajectories whose frames exceed the memory, before it restores anything."""

import pathlib
import sys
import tempfile

from refusals import refuse

from experiments.hgn import presets
from experiments.run.run_directory import RunDirectory, write_config

with tempfile.TemporaryDirectory() as directory:
    run = RunDirectory(pathlib.Path(directory))
    run.checkpoints.mkdir(parents=True)
    write_config(run, presets.get("mass_spring_small"))
    command = f"experiments.sample --workdir={directory}"
    refuse({f"{command} --{name}=1000000000": f"memory --{name}=1000000000" for name in ("num_steps", "num_samples")})
    if sorted(path.name for path in run.path.iterdir()) != ["checkpoints", "config.json"]:
        sys.exit("FAULT: something was written")
print("OK")
