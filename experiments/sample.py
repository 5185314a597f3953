"""New trajectories from a trained HGN: `python -m experiments.sample --workdir=runs/pendulum --num_steps=120`.

Writes a movie (`.gif` and `.mp4`) and a strip of frames (`.png`) of each kind to `samples/` of the run: from the prior,
and from test clips reconstructed, carried on past their end, run backwards, fast and slowly, and blended into one
another.
"""

import math
import pathlib
from collections.abc import Sequence

from absl import flags

from experiments.hgn import presets
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory, lock, read_config, require_checkpoint


def check() -> None:
    """Raises UserError for what cannot be, before anything slow starts."""
    if not 0 < _DT_SCALE.value < math.inf:
        raise UserError(f"--dt_scale must be positive and finite, got {_DT_SCALE.value}")
    run = _run()
    read_config(run, presets.Config)
    require_checkpoint(run)


def main(argv: Sequence[str]) -> None:
    del argv
    from experiments.hgn import sampling
    from experiments.run import trainer

    run = _run()
    directory = pathlib.Path(_OUTPUT.value) if _OUTPUT.value else run.path / "samples"
    with lock(run):
        _, experiment = trainer.restore(run)
    options = sampling.Options(_NUM_SAMPLES.value, _NUM_STEPS.value, _DT_SCALE.value, _SEED.value)
    for kind in sampling.write(experiment, options, directory):
        print(f"{kind}: {directory / kind}.gif, .mp4 and .png")


def _run() -> RunDirectory:
    return RunDirectory(pathlib.Path(_WORKDIR.value))


if __name__ == "__main__":
    _WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
    _NUM_SAMPLES = flags.DEFINE_integer("num_samples", 4, "Trajectories of each kind.", lower_bound=2)
    _NUM_STEPS = flags.DEFINE_integer("num_steps", 60, "Steps after the first frame.", lower_bound=1)
    _DT_SCALE = flags.DEFINE_float("dt_scale", 1.0, "Speed: 2 is twice as fast, 0.5 half as fast as in training.")
    _SEED = flags.DEFINE_integer("seed", 0, "Of the samples from the prior.", lower_bound=0)
    _OUTPUT = flags.DEFINE_string("output", None, "Directory for the files; by default samples/ in the run's.")
    command_line.run(main, check=check)
