"""Each block of Python in README.md runs in a file of its own, from any directory, as it is printed."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = os.getcwd()
snippets = re.findall(r"```python\n(.*?)```", pathlib.Path("README.md").read_text(encoding="utf-8"), re.S)
if not snippets:
    sys.exit("FAULT: there are none")
with tempfile.TemporaryDirectory() as directory:
    for number, text in enumerate(snippets):
        path = pathlib.Path(directory, f"snippet{number}.py")
        path.write_text(text, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": root, "TFDS_DATA_DIR": directory}
        done = subprocess.run([sys.executable, path], cwd=directory, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"FAULT: the one that begins {text.splitlines()[0]!r}: {done.stderr.splitlines()[-1]}")
print("OK")
