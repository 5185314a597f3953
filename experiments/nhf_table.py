"""Prints the table of finished runs of `experiments.nhf`, in Markdown: `python -m experiments.nhf_table runs/*`."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean

from experiments.nhf.results import Estimate, FlowResults
from experiments.reporting import tables
from experiments.reporting.tables import Table
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.results import read_results
from experiments.run.run_directory import RunDirectory, read_task

_COLUMNS = ("seeds", "KL or NLL", "each seed", "ELBO's", "Gaussian's", "inverse error", "minima", "CPU s")


def read_runs(paths: Sequence[str]) -> dict[str, list[FlowResults]]:
    """Reads the results of finished flows by preset, ordered by seed; runs of other programs are left out.

    Raises:
      UserError: For a path without a run, or if no finished run of a flow is left.
    """
    runs = defaultdict(list)
    for path in paths:
        directory = RunDirectory(path)
        if read_task(directory).name == "nhf" and directory.metrics.exists():
            results = read_results(directory.metrics, FlowResults)
            runs[results.run.preset].append(results)
    if not runs:
        raise UserError("no finished run of experiments.nhf among the directories given")
    return {preset: sorted(results, key=lambda r: r.run.seed) for preset, results in sorted(runs.items())}


def table(runs: dict[str, list[FlowResults]]) -> Table:
    """Returns the table, with a row for each preset, in nats per point.

    For a known density these are KL(target || model) from the largest K, the same from the ELBO, and the KL of a
    Gaussian with the target's moments. For a table of data they are negative log-likelihoods of the test rows.
    """
    return Table("preset", [_row(preset, results) for preset, results in runs.items()], columns=_COLUMNS)


def _row(preset: str, runs: list[FlowResults]) -> list[str]:
    tests = [run.test for run in runs]
    known = tests[0].kl is not None
    offset = tests[0].exact_log_prob.mean if known else 0.0
    best = [test.kl if known else _negative(test.tightest) for test in tests]
    gaussian = tests[0].gaussian_kl.mean if known else -tests[0].gaussian_log_prob.mean
    minima = [run.minima.fraction_of_modes for run in runs if run.minima]
    return [
        f"`{preset}`",
        ", ".join(str(run.run.seed) for run in runs),
        f"**{mean(estimate.mean for estimate in best):.4f}**",
        ", ".join(f"{estimate.mean:.4f} ± {estimate.standard_error:.4f}" for estimate in best),
        f"{mean(offset - test.elbo.mean for test in tests):.3f}",
        f"{gaussian:.3f}",
        f"{max(run.map['float32'].inverse for run in runs):.0e}",
        f"{mean(minima):.0%}" if minima else "-",
        f"{max(run.run.cpu_time_s['training'] for run in runs):.0f}",
    ]


def _negative(estimate: Estimate) -> Estimate:
    return Estimate(mean=-estimate.mean, standard_error=estimate.standard_error)


def main(argv: Sequence[str]) -> None:
    print(tables.to_markdown(table(read_runs(argv[1:]))))


if __name__ == "__main__":
    command_line.run(main, takes_arguments=True)
