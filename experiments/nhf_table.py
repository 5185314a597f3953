"""The table of finished runs of `experiments.nhf`, in Markdown: `python -m experiments.nhf_table runs/*`."""

import json
import pathlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, read_task

_COLUMNS = ("preset", "seeds", "KL or NLL", "each seed", "ELBO's", "Gaussian's", "inverse error", "minima", "CPU s")


def read_runs(paths: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The `metrics.json` of finished runs by preset, in the order of their seeds; runs of other programs are left out.

    Raises:
      UserError: for a path without a run, or when no finished run of a flow is left.
    """
    runs = defaultdict(list)
    for path in paths:
        run = RunDirectory(pathlib.Path(path))
        if read_task(run).name == "nhf" and run.metrics.exists():
            results = json.loads(run.metrics.read_text())
            runs[results["run"]["preset"]].append(results)
    if not runs:
        raise UserError("no finished run of experiments.nhf among the directories given")
    return {preset: sorted(results, key=lambda r: r["run"]["seed"]) for preset, results in sorted(runs.items())}


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """One row a preset.

    Of a known density: KL(target || model) from the largest K, the same from the ELBO, and that of a Gaussian with the
    target's moments. Of a table of data: the negative log-likelihoods of the test rows. In nats per point.
    """
    lines = [" | ".join(_COLUMNS), " | ".join("---" for _ in _COLUMNS)]
    lines += [" | ".join(_row(preset, results)) for preset, results in runs.items()]
    return "\n".join(f"| {line} |" for line in lines)


def _row(preset: str, runs: list[dict[str, Any]]) -> list[str]:
    tests = [run["test"] for run in runs]
    known = "kl" in tests[0]
    offset = tests[0]["exact_log_prob"]["mean"] if known else 0.0
    best = [test["kl"] if known else _negative(list(test["log_prob"].values())[-1]) for test in tests]
    elbo = _mean([offset - test["elbo"]["mean"] for test in tests])
    gaussian = tests[0]["gaussian_kl"]["mean"] if known else -tests[0]["gaussian_log_prob"]["mean"]
    minima = [run["minima"]["fraction_of_modes"] for run in runs if "minima" in run]
    return [
        f"`{preset}`",
        ", ".join(str(run["run"]["seed"]) for run in runs),
        f"**{_mean([value['mean'] for value in best]):.4f}**",
        ", ".join(f"{value['mean']:.4f} ± {value['standard_error']:.4f}" for value in best),
        f"{elbo:.3f}",
        f"{gaussian:.3f}",
        f"{max(run['map']['float32']['inverse'] for run in runs):.0e}",
        f"{_mean(minima):.0%}" if minima else "-",
        f"{max(run['run']['cpu_time_s']['training'] for run in runs):.0f}",
    ]


def _negative(value: dict[str, float]) -> dict[str, float]:
    return value | {"mean": -value["mean"]}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def main(argv: Sequence[str]) -> None:
    print(table(read_runs(argv[1:])))


if __name__ == "__main__":
    command_line.run(main, takes_arguments=True)
