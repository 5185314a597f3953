"""The programs as commands of an installed package: `hgn`, `hnn`, `nhf` and `hgn-data`.

Each runs its module exactly as `python -m` does, so that help, messages and the processes that it starts are the same.
"""

import functools
import runpy


def _run(module: str) -> None:
    runpy.run_module(module, run_name="__main__", alter_sys=True)


hgn = functools.partial(_run, "experiments.hgn")
hnn = functools.partial(_run, "experiments.hnn")
nhf = functools.partial(_run, "experiments.nhf")
hgn_data = functools.partial(_run, "data_builders.build")
