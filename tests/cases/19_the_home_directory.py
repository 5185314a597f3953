"""~ in the path of a flag is the home directory for every program, and need not be writable."""

import pathlib
import tempfile

from places import TOY, expect, program

with tempfile.TemporaryDirectory() as directory:
    home, here = pathlib.Path(directory, "home"), pathlib.Path(directory, "here")
    home.mkdir(), here.mkdir()
    own = {"HOME": str(home), "XDG_CACHE_HOME": None}
    status, output = program(*TOY, "--workdir=~/runs/a", cwd=here, environment=own)
    expect(status == 0 and (home / "runs/a/metrics.json").exists(), "--workdir=~/runs/a", output)
    status, output = program("experiments.evaluate", "--workdir=~/runs/a", cwd=here, environment=own)
    expect("unknown program 'toy'" in output, "evaluate finds the run", output)
    status, output = program(
        "experiments.nhf", "--config=file", "--config.data.path=~/nowhere.csv", cwd=here, environment=own
    )
    expect(status == 2 and f"{home}/nowhere.csv" in output, "--config.data.path=~/nowhere.csv", output)
    expect(not (here / "~").exists(), "a directory called ~", list(here.iterdir()))
    home.chmod(0o555)
    other = own | {"JAX_COMPILATION_CACHE_DIR": None}
    status, output = program(*TOY, "--workdir=a", cwd=here, environment=other)
    expect(status == 0, "a home directory that may not be written", output)
    home.chmod(0o755)
print("OK")
