"""The page of the trajectories that an HGN generates."""

import pathlib
from collections.abc import Sequence

from experiments.hgn.sampling import KINDS, NEW
from experiments.hgn.states import fit_or_load
from experiments.reporting.page import Picture, write_page
from experiments.run.provenance import provenance
from experiments.run.trainer import Run, facts

_CAPTIONS = {
    NEW: "Trajectories that belong to no clip, below clips of the test split. They should look like the latter, and go "
    "on doing so to the end; the clips are shorter, and grey after their end. {}",
    "forward": "Clips of the test split, and below them the rollouts from the states inferred from them, which go on "
    "past the end of the clips.",
    "backward": "Rollouts from the same states backwards in time, into the time before the clips.",
    "fast": "Rollouts from the same states with twice the time step: the same motion, twice as fast.",
    "slow": "Rollouts from the same states with half the time step: the same motion, half as fast.",
    "interpolation": "Rollouts from states on the line between those of two test clips, which come first and last.",
}


def pictures(stem: str, kind: str, sources: str = "") -> tuple[Picture, Picture]:
    """Returns the strip and the movie of a kind of trajectory; `stem` names the files, `sources` the distributions."""
    heading = KINDS[kind].caption.partition(",")[0].capitalize()
    caption = _CAPTIONS[kind].format(sources).strip()
    return (
        Picture(f"{stem}.png", heading, caption),
        Picture(f"{stem}.gif", f"{heading}, in motion", "The same trajectories as a movie."),
    )


def write(runs: Sequence[Run], directory: pathlib.Path, start: float) -> None:
    """Writes the page of the files that `sampling.write` left in a directory.

    Args:
      runs: The run, and the one beside it if there is one.
      directory: Directory of the files.
      start: The `time.monotonic()` at which sampling began.
    """
    sources = [f"Those of {run.directory.path.name} begin with {fit_or_load(run).description}." for run in runs]
    shown = [picture for kind in KINDS for picture in pictures(kind, kind, " ".join(sources))]
    title = f"Trajectories of {runs[0].directory.path.name}"
    origin = provenance(runs[0].directory, facts(runs[0], start))
    write_page(directory, title, sources, [], shown, origin)
