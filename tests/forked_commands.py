"""Runs many command lines quickly, up to the point where they would begin to work.

A process imports everything that the programs need, which takes seconds, and forks a child for each command. There the
work itself, training a run or building a data set, is replaced by the words `STARTED` and the end of the program.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from tests.root import ROOT

STARTED = "about to work"

# Reads modules and arguments from stdin, writes an exit status per line, and what the commands print into a directory.
_SCRIPT = """
import json, os, runpy, sys, traceback, warnings
warnings.filterwarnings("ignore")
import data_builders.build, experiments.figures.runs, experiments.run.program, experiments.run.trainer
from data_builders import datasets
from experiments.run import command_line
from hgn_jax import training

def begin(*args, **kwargs):
    print("about to work", flush=True)
    os._exit(0)

def execute(task, config, workdir):
    import jax
    with command_line.user_errors():
        config = task.resolve(config)
        training.validate(config.optimizer, config.training, jax.device_count())
    begin()

experiments.run.program.execute = execute
datasets.ensure_built = data_builders.tfds_backend.build_command.execute = begin
for number, (module, arguments) in enumerate(json.loads(sys.stdin.read())):
    child = os.fork()
    if not child:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[1]}/{number}.{name}", os.O_CREAT | os.O_WRONLY), stream)
        sys.argv, code = [module, *arguments], 0
        sys.modules.pop(module, None)
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                code = print(code, file=sys.stderr) or 1
        except BaseException:
            code = 99
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run(commands: list[tuple[str, list[str]]]) -> list[tuple[int, str, str]]:
    """Runs modules with their arguments; returns the exit status of each, and what it printed on stdout and stderr.

    The status is 99 after a traceback.
    """
    with tempfile.TemporaryDirectory() as directory:
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _SCRIPT, directory],
            input=json.dumps(commands),
            cwd=directory,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        codes = list(map(int, result.stdout.splitlines()))
        assert len(codes) == len(commands)
        place = pathlib.Path(directory)
        texts = [[(place / f"{number}.{name}").read_text() for name in ("out", "err")] for number in range(len(codes))]
    return [(code, *text) for code, text in zip(codes, texts, strict=True)]
