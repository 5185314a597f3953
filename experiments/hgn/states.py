"""The distribution of states that new trajectories of an HGN begin with: the prior, or a density fitted to states.

The fitted density is that of the states of training clips at random times. It is kept in the run's directory.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.run.trainer import Run
from hgn_jax import data
from hgn_jax.models.hgn_config import HGNConfig, latent_shape, num_seen
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.state_densities import density
from hgn_jax.state_densities.density import Density
from hgn_jax.state_densities.prior import with_prior, without_prior
from hgn_jax.state_densities.sampling import energy_of_points, sample_states, to_points
from hgn_jax.training import compile_for_backend
from hgn_jax.training.progress import progress_bar

_NUM_CLIPS, _MIN_CLIPS, _NUM_STATES = 2000, 100, 8000
_MAX_DECODED = 60_000  # images, if the refinement of states compares pixels
_CLIPS_PER_CALL = 50
_SEED = 0


class StateDensity(NamedTuple):
    """A distribution of states.

    Attributes:
      kind: `prior`, `mixture` or `flow`.
      description: The distribution in words, which complete "new trajectories begin with ...".
      sample: `(key, num_samples) -> PhaseState [num_samples, ...]`. It cannot be traced by JAX.
      fitted: The density; None for the prior.
    """

    kind: str
    description: str
    sample: Callable[[jax.Array, int], PhaseState]
    fitted: Density | None = None


class _Points(NamedTuple):
    """States of clips at random times as points.

    Attributes:
      points: All numbers of q and then of p, `[n, d]`.
      clips: Number of the clip of each point, `[n]`.
    """

    points: np.ndarray
    clips: np.ndarray


def fit_or_load(run: Run) -> StateDensity:
    """Returns the distribution of states that the configuration of a run names.

    A density is read from the run's directory. If there is none of this kind and checkpoint, it is fitted, which takes
    up to a few minutes, and stored there. Where a model has gone so wrong that its states are not finite, they have no
    density, and the prior is returned.
    """
    if run.config.state_density == "prior":
        return _prior(run)
    fitted, num_clips = _read(run)
    if fitted is None:
        points, clips = collect_points(run)
        if len(np.unique(clips)) < 2:
            return _prior(run, ", because the states of the training clips are not finite")
        fitted, num_clips = _fit(run, points, clips)
    return _fitted(run, fitted, num_clips)


def reading_with_density(run: Run) -> Run:
    """Returns a run whose model reads noisy frames with the density of its states as prior; see `with_prior`."""
    if run.model.config.position_noise is None:
        return run
    params = with_prior(run.state.params, run.model.config, fit_or_load(run).fitted)
    return run._replace(state=run.state._replace(params=params))


def _prior(run: Run, reason: str = "") -> StateDensity:
    hgn, shape = run.model, latent_shape(run.model.config)

    @jax.jit
    def initial_state(params: Any, z: jax.Array) -> PhaseState:
        return hgn.initial_state(params, z)

    def sample(key: jax.Array, num_samples: int) -> PhaseState:
        return initial_state(run.state.params, jax.random.normal(key, (num_samples, *shape)))

    return StateDensity("prior", f"samples z of the prior N(0, I){reason}", sample)


def _fitted(run: Run, fitted: Density, num_clips: int) -> StateDensity:
    def sample(key: jax.Array, num_samples: int) -> PhaseState:
        return sample_states(fitted, run.model, run.state.params, key, num_samples)

    if fitted.kind == "mixture":
        name = f"a mixture of {len(fitted.parameters.weights)} Gaussians"
    else:
        name = "a Neural Hamiltonian Flow"
    description = f"samples of {name} fitted to the states of {num_clips} training clips at random times"
    return StateDensity(fitted.kind, description, sample, fitted)


def _read(run: Run) -> tuple[Density | None, int]:
    """Reads the density of a run and the number of clips behind it; None if it is of another kind or checkpoint."""
    path = run.directory.state_density
    try:
        fitted, facts = density.read(path)
    except FileNotFoundError:
        return None, 0
    except ValueError as error:
        print(f"fitting the density of states again, because {error}")
        return None, 0
    if fitted.kind != run.config.state_density or facts["step"] != int(run.state.step):
        return None, 0
    return fitted, facts["num_clips"]


def _fit(run: Run, points: np.ndarray, clips: np.ndarray) -> tuple[Density, int]:
    kind, path = run.config.state_density, run.directory.state_density
    print(f"fitting a {kind} to the states of training clips, kept in {path}")
    fitted = density.fit(kind, points, clips, energy_of_points(run.model, run.state.params), _SEED)
    num_clips = len(np.unique(clips))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        density.write(path, fitted, step=int(run.state.step), num_clips=num_clips)
    except OSError as error:  # such as a run that may only be read
        print(f"the density is not kept: {path}: {error.strerror}")
    return fitted, num_clips


def collect_points(run: Run) -> _Points:
    """Returns the states of training clips at random times.

    The state of each clip is inferred from the frames in its middle and rolled out to both ends. States that are not
    finite are left out.
    """
    params, train = without_prior(run.state.params), run.data.splits["train"]
    num_frames = run.data.num_frames
    num_used = num_seen(run.model.config) or num_frames
    first = (num_frames - num_used) // 2
    num_clips = min(affordable_clips(run.model.config, num_used) or _NUM_CLIPS, len(train))
    states_per_clip = min(num_frames, _NUM_STATES // num_clips)
    whole_paths = jax.jit(lambda params, seen: run.model.follow(params, seen, num_frames - 1, first))
    roll_out = None
    rng = np.random.default_rng(_SEED)
    points = []
    with progress_bar(num_clips, "inferring states", "clip") as bar:
        for start in range(0, num_clips, _CLIPS_PER_CALL):
            rows = np.minimum(np.arange(start, start + _CLIPS_PER_CALL), num_clips - 1)  # compiled once
            seen = data.stack(train, rows, ("image",))["image"][:, first : first + num_used]
            roll_out = roll_out or compile_for_backend(whole_paths, params, seen)
            path = to_points(roll_out(params, seen), num_axes=2)
            times = rng.permuted(np.tile(np.arange(num_frames), (len(rows), 1)), axis=1)[:, :states_per_clip]
            points.append(path[times, np.arange(len(rows))[:, None]])
            bar.update(min(_CLIPS_PER_CALL, num_clips - start))
    points = np.concatenate(points)[:num_clips]
    points, clips = points.reshape(-1, points.shape[-1]), np.repeat(np.arange(num_clips), states_per_clip)
    finite = np.isfinite(points).all(axis=1)
    return _Points(points[finite], clips[finite])


def affordable_clips(config: HGNConfig, num_used: int) -> int | None:
    """The number of clips whose states can be inferred in about a minute, if each is refined on pixels; else None."""
    if not config.refinement_steps or config.refinement_target != "pixels":
        return None
    differences = 2 * latent_shape(config)[-1]  # of images, per step of the refinement
    per_clip = num_used * config.refinement_steps * (differences + 1)
    return int(np.clip(_MAX_DECODED // per_clip, _MIN_CLIPS, _NUM_CLIPS))
