"""What limits a model: each of its parts replaced by the truth: `python -m experiments.replaced_by_truth RUN`.

A model of frames predicts with three parts: a state that it infers, an energy that it rolls out and a picture that it
decodes. Where its states are the true ones but for an affine map, as states of keypoints and of rods are, each part can
be replaced: by the true state, the true system, or the renderer. The table shows the skill beyond the clip of all eight
combinations, so that it says which part costs what. A last row follows the true law from true states by the integrator
of the model: what its steps from frame to frame cost, before anything is learned.

What no true state does, such as a drift of the middle between two bodies that are always opposite each other, is lost
where a learned state is mapped to a true one, to be drawn by the renderer or followed by the true system.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.clips.beyond import STEPS, extend_clips, measure_frames
from experiments.clips.data import Clips
from experiments.clips.divergence import follow_true, has_one_energy
from experiments.clips.long_clips import LongClips
from experiments.clips.long_rollouts import Rollout, compare, roll_out
from experiments.clips.prediction import CompiledDynamics
from experiments.reporting.tables import Table, to_markdown
from experiments.run import command_line
from experiments.run.command_line import UserError
from experiments.run.run_directory import RunDirectory
from experiments.run.trainer import Run
from hgn_jax.physics.phase_space import PhaseState

_MIN_R_SQUARED = 0.9
_RCOND = 1e-4  # of least squares: two bodies opposite each other move in a subspace
_COLUMNS = (
    "state",
    "energy",
    "picture",
    "in the clip",
    *(f"{sign}{step}" for step in STEPS[:-1] for sign in ("+", "−")),
    "VPT after, before",
    "horizon after, before",
)


class Affine(NamedTuple):
    """The map `y = x A + b` of rows, and its inverse on the rows that it was fitted to."""

    matrix: np.ndarray
    offset: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return (x @ self.matrix + self.offset).astype(np.float32)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        return ((y - self.offset) @ np.linalg.pinv(self.matrix, rcond=_RCOND)).astype(np.float32)


def fit_affine(x: np.ndarray, y: np.ndarray, periodic: bool = False) -> tuple[Affine, float]:
    """Fits an affine map by least squares.

    Args:
      x: Rows along paths, `[paths, time, d]`.
      y: Rows to map them to, `[paths, time, e]`.
      periodic: Whether x and y are angles, which may jump by 2π: the matrix is then fitted to their differences from
        one time to the next, and is rounded to whole numbers, since a turn of one is a turn of the other.

    Returns:
      The map, and the part of the variance of y that it explains.
    """
    x, y = np.float64(x), np.float64(y)
    if periodic:
        x_steps, y_steps = (_wrap(np.diff(each, axis=1)).reshape(-1, each.shape[-1]) for each in (x, y))
        matrix = np.round(np.linalg.lstsq(x_steps, y_steps, rcond=_RCOND)[0])
        offset = np.angle(np.exp(1j * (y - x @ matrix)).mean(axis=(0, 1)))
        residual, total = _wrap(y - x @ matrix - offset), np.exp(1j * y)
    else:
        x_mean, y_mean = x.mean(axis=(0, 1)), y.mean(axis=(0, 1))
        rows = [(each - mean).reshape(-1, each.shape[-1]) for each, mean in ((x, x_mean), (y, y_mean))]
        matrix = np.linalg.lstsq(*rows, rcond=_RCOND)[0]
        offset = y_mean - x_mean @ matrix
        residual, total = y - x @ matrix - offset, y
    unexplained = np.square(residual).mean() / np.square(np.abs(total - total.mean(axis=(0, 1)))).mean()
    return Affine(matrix, offset), float(1.0 - unexplained)


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


class Parts(NamedTuple):
    """A model, and the truth that it learned from.

    Attributes:
      clips: The data set.
      long_clips: Its long clips.
      targets: Best predictions of their frames, `[clips, time, size, size, 3]`.
      dynamics: The model.
      learned: Its rollouts over the long clips.
      to_learned: The maps from true to learned positions and momenta.
    """

    clips: Clips
    long_clips: LongClips
    targets: np.ndarray
    dynamics: CompiledDynamics
    learned: Rollout
    to_learned: PhaseState

    @property
    def true_state(self) -> PhaseState:
        """True positions and momenta, each `[clips, d]`, at the frame at which states are inferred."""
        return PhaseState(*(half[:, self.learned.anchor] for half in (self.long_clips.q, self.long_clips.p)))

    def images(self, state: str, energy: str) -> dict[str, np.ndarray]:
        """The frames `[clips, time, size, size, 3]` with these parts and each picture, `"learned"` or `"true"`."""
        halves = self.true_state
        if state == "learned":
            halves = [x[self.learned.anchor].reshape(x.shape[1], -1) for x in self.learned.path]
        if energy == "learned":
            if state == "true":
                halves = [to_learned(x) for to_learned, x in zip(self.to_learned, halves, strict=True)]
            learned_q = self._follow_learned(halves)
            true_q = self.to_learned.q.inverse(learned_q)
        else:
            if state == "learned":
                halves = [to_learned.inverse(x) for to_learned, x in zip(self.to_learned, halves, strict=True)]
            z = np.concatenate(halves, axis=-1)
            true_q = follow_true(self.clips, self.long_clips, self.learned.anchor, z).q
            learned_q = self.to_learned.q(true_q)
        rendered = self.long_clips._replace(q=true_q).expected_images(self.clips.metadata)
        return {"learned": self._decode(learned_q), "true": rendered}

    def _follow_learned(self, halves: Sequence[np.ndarray]) -> np.ndarray:
        """Positions `[clips, time, d]` by the learned energy, from learned positions and momenta `[clips, d]`."""
        shape = self.learned.path.q.shape
        state = PhaseState(*(half.reshape(shape[1:]) for half in halves))
        return _by_clip(self.dynamics.path_through(state, self.learned.anchor, shape[0]).q)

    def _decode(self, q: np.ndarray) -> np.ndarray:
        q = np.swapaxes(q, 0, 1).reshape(self.learned.path.q.shape)
        return self.dynamics.decode(PhaseState(q, np.zeros_like(q)))

    def measure(self, images: np.ndarray) -> dict[str, Any]:
        """What `measure_frames` measures of frames `[clips, time, size, size, 3]`."""
        rollout = self.learned._replace(images=images)
        return measure_frames(compare(self.clips, self.long_clips, self.targets, rollout))


def _by_clip(path: np.ndarray) -> np.ndarray:
    """Turns a path `[time, clips, ...]` into rows `[clips, time, d]`."""
    return np.swapaxes(path.reshape(*path.shape[:2], -1), 0, 1)


def find_parts(run: Run, dynamics: CompiledDynamics) -> Parts:
    """Rolls a model out over long clips, and maps the true states to its own.

    Args:
      run: The run.
      dynamics: Its model.

    Raises:
      UserError: If the states of the model are not the true ones but for an affine map.
    """
    clips = run.data
    if not has_one_energy(clips):
        raise UserError("needs a simulated data set without friction and with the same constants in all clips")
    long_clips = extend_clips(clips, STEPS[-2])
    first = long_clips.margins[0]
    rollout = roll_out(dynamics, long_clips.frames, first + (clips.num_frames - dynamics.num_seen) // 2)
    in_clip = slice(first, first + clips.num_frames)
    maps = {}
    true_states = long_clips.q, long_clips.p
    for name, true, path in zip(("positions", "momenta"), true_states, rollout.path, strict=True):
        learned = _by_clip(path)
        if learned.shape != true.shape:
            raise UserError(f"the {name} of the model have {learned.shape[-1]} entries, the true ones {true.shape[-1]}")
        periodic = name == "positions" and dynamics.dynamics.angles
        maps[name], r_squared = fit_affine(true[:, in_clip], learned[:, in_clip], periodic)
        if r_squared < _MIN_R_SQUARED:
            raise UserError(
                f"the {name} of the model are no affine map of the true ones: it explains {r_squared:.3f} of their "
                f"variance, and {_MIN_R_SQUARED} are needed"
            )
    targets = long_clips.expected_images(clips.metadata)
    return Parts(clips, long_clips, targets, dynamics, rollout, PhaseState(*maps.values()))


def measure(parts: Parts) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Measures the frames of long clips with each part of a model learned or true.

    Returns:
      What `measure_frames` measures, by what the state, the energy and the picture are, each `"learned"` or `"true"`.
    """
    return {
        (state, energy, picture): parts.measure(images)
        for state, energy in itertools.product(("learned", "true"), repeat=2)
        for picture, images in parts.images(state, energy).items()
    }


def measure_integrator(parts: Parts, integrator: str, substeps: int) -> dict[str, Any]:
    """Measures the frames of long clips, followed from true states by the true law and an integrator.

    Args:
      parts: The model and the truth.
      integrator: Name of the integrator.
      substeps: Number of its steps per frame.

    Returns:
      What `measure_frames` measures.
    """
    start, z = parts.learned.first_seen, np.concatenate(parts.true_state, axis=-1)
    followed = follow_true(parts.clips, parts.long_clips, start, z, integrator=integrator, substeps=substeps)
    return parts.measure(followed.expected_images(parts.clips.metadata))


def _row(choice: Sequence[str], numbers: Mapping[str, Any]) -> list[str]:
    cells = [_cell(numbers["skill"], ".3f")]
    for step in map(str, STEPS[:-1]):
        cells += [_cell(numbers[side][step], ".3f") for side in ("skill_forward", "skill_backward")]
    return [*choice, *cells, *(", ".join(_cell(side, "g") for side in numbers[name]) for name in ("vpt", "horizon"))]


def _cell(number: float | None, form: str) -> str:
    return "–" if number is None else f"{number:{form}}"


def main(argv: Sequence[str]) -> None:
    # Imported here because JAX takes seconds, which neither `--help` nor a mistake should cost.
    from experiments.hgn.evaluation import compiled_dynamics
    from experiments.hgn.states import reading_with_density
    from experiments.run import trainer

    if len(argv) != 2:
        raise UserError("give the directory of one run of experiments.hgn")
    task, run = trainer.restore(RunDirectory(argv[1]))
    if task.name != "hgn":
        raise UserError(f"{argv[1]} holds a run of experiments.{task.name}, not of experiments.hgn")
    run = reading_with_density(run)
    dynamics, config = compiled_dynamics(run), run.config
    parts = find_parts(run, dynamics)
    rows = [_row(choice, numbers) for choice, numbers in measure(parts).items()]
    integrated = measure_integrator(parts, config.integrator, config.substeps)
    rows.append(_row(("true", f"true, {config.integrator} × {config.substeps}", "true"), integrated))
    print(to_markdown(Table(_COLUMNS[0], rows, columns=_COLUMNS[1:])))


if __name__ == "__main__":
    command_line.run(main, takes_arguments=True)
