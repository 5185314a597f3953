"""A data set with a constant, a time step or another number that is NaN or infinite is refused in one line.

What is finite itself, but makes the motion infinite, is noticed by the simulator.
"""

import subprocess
import sys
import tempfile

from refusals import refuse

COMMAND = "data_builders.build {} --config=small --config.num_train=8 --config.num_test=4"
refuse(
    {
        f"{COMMAND.format(system)} {rest}": words
        for system, rest, words in (
            ("mass_spring", "--config.constants.k=nan", "k=nan"),
            ("pendulum", "--config.dt=1e400", "dt inf"),
            ("two_body", "--config.constants.m=-Infinity", "m=-inf"),
            ("three_body", "--config.half_width=inf", "half_width inf"),
            ("double_pendulum", '--config.constant_ranges={"l1":[1,Infinity]}', "constant_ranges l1"),
            ("pendulum", "--config.dt=nan --config.damping=inf --config.constants.g=nan", "dt damping g=nan"),
        )
    },
    status=1,
)
with tempfile.TemporaryDirectory() as directory:
    command = COMMAND.format("mass_spring").split() + ["--config.constants.m=0", "--num_workers=1"]
    command = [sys.executable, "-m", *command, f"--data_dir={directory}"]
    done = subprocess.run(command, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    if done.returncode != 1 or "m=0" not in last or "Traceback" in done.stderr:
        sys.exit(f"FAULT: a mass of 0: {done.stderr}")
print("OK")
