"""What the explorer's page shows of a run: the traced model, test films with their states, energies on a grid."""

import base64
import html
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.clips import long_clips
from experiments.explorer import graph
from experiments.hgn.presets import Config
from experiments.hgn.states import reading_with_density
from experiments.reporting.names import pretty
from experiments.run.command_line import UserError
from experiments.run.trainer import Run
from hgn_jax import data
from hgn_jax.models.hgn_config import inferred_frame, num_seen
from hgn_jax.physics import systems
from hgn_jax.physics.phase_space import PhaseState
from hgn_jax.whole_files import whole_file

_FOLDER = pathlib.Path(__file__).parent
_NUM_FILMS, _NUM_STATES = 4, 200  # shown, and used for the ranges of the axes and the true energy
_GRID = 96
_HORIZON = 60  # steps before and after
_MARGIN = 0.15  # beyond the states visited, as a fraction of their range


def require_shown(config: Config) -> None:
    """Raises UserError for a model that the page cannot show."""
    wrong = [
        f"{name}={value!r} instead of {wanted!r}"
        for name, value, wanted in (
            ("state_channels", config.state_channels, 1),
            ("hamiltonian", config.hamiltonian, "separable"),
            ("integrator", config.integrator, "leapfrog"),
            ("friction", config.friction, None),
        )
        if value != wanted
    ]
    if config.data.name == "video_folder":
        wrong.append("films, whose true energy is not known")
    if config.latent == "spatial":
        wrong.append("latent='spatial' instead of 'keypoints' or 'vector'")
    if wrong:
        raise UserError(f"the explorer shows models of one coordinate; this run has {', '.join(wrong)}")


def write(run: Run, path: pathlib.Path) -> None:
    """Writes the page of a run of HGN; raises UserError if the page cannot show it."""
    require_shown(run.config)
    system = run.config.data.name
    values = {
        "title": f"Explore what a model learned of a {pretty(system)}",
        "text": f"It saw films of a {pretty(system)}, and found a coordinate q, its momentum p and an energy H(q, p).",
        "size": str(run.config.image_size),
        "seen": str(num_seen(run.config) or run.data.num_frames),
    }
    text = (_FOLDER / "explorer.html").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{{ {name} }}}}", html.escape(value))
    model = json.dumps(describe(run), separators=(",", ":"), default=int).replace("</", "<\\/")
    script = (_FOLDER / "explorer.js").read_text(encoding="utf-8")
    text = text.replace("{{ script }}", script).replace("{{ model }}", model)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def describe(run: Run) -> dict[str, Any]:
    """Returns all that the page needs as an object for JSON."""
    run = reading_with_density(run)
    hgn, params, config = run.model, run.state.params, run.config
    hamiltonian = hgn.hamiltonian(params)
    point = jnp.zeros((1, 1))
    states, films = _states(run)
    q_range, p_range = (_range(x) for x in states)
    grid = PhaseState(*(jnp.asarray(x.reshape(-1, 1)) for x in _grid(q_range, p_range)))
    return {
        "size": config.image_size,
        "dt": config.dt,
        "substeps": config.substeps,
        "horizon": _HORIZON,
        "period": 2 * np.pi if config.chart == "rods" else None,
        "q": q_range,
        "p": p_range,
        "grid": _GRID,
        "learned": _rounded(jax.jit(hamiltonian)(grid)),
        "true": _rounded(_true_energy(run, states, grid)),
        "clips": films,
        "decode": graph.trace(lambda q: hgn.decode(params, q), point),
        "energy": graph.trace(lambda q, p: hamiltonian(PhaseState(q, p)), point, point),
        "slope": graph.trace(
            lambda q, p: tuple(jax.grad(lambda s: jnp.sum(hamiltonian(s)))(PhaseState(q, p))), point, point
        ),
    }


def _states(run: Run) -> tuple[PhaseState, list[dict[str, Any]]]:
    """States of test clips, `[clips]`, at the frame that each is inferred for, and the films that are shown."""
    test, num_frames = run.data.splits["test"], run.data.num_frames
    rows = np.arange(min(_NUM_STATES, len(test)))
    first, anchor = _window(run)
    seen = data.stack(test, rows, ("image",))["image"][:, first : first + (num_seen(run.config) or num_frames)]
    inferred = jax.jit(run.model.infer_state)(run.state.params, seen)
    states = PhaseState(*(np.asarray(x, np.float64)[:, 0] for x in inferred))
    examples = long_clips.first_examples(run.data, _NUM_FILMS, num_frames)
    films = long_clips.extend(run.data, examples, _HORIZON - anchor, _HORIZON - (num_frames - 1 - anchor)).frames
    return states, [
        {"state": [[q], [p]], "frames": base64.b64encode(film.tobytes()).decode()}
        for q, p, film in zip(*states, films, strict=False)
    ]


def _window(run: Run) -> tuple[int, int]:
    """The first frame seen in the middle of a clip, and the frame that the state belongs to."""
    first = (run.data.num_frames - (num_seen(run.config) or run.data.num_frames)) // 2
    return first, first + inferred_frame(run.config)


def _range(x: np.ndarray) -> list[float]:
    margin = _MARGIN * np.ptp(x)
    return [float(x.min() - margin), float(x.max() + margin)]


def _grid(q_range: list[float], p_range: list[float]) -> list[np.ndarray]:
    """Values of q and p, `[_GRID, _GRID]`, of the pixels of a picture whose first row is the largest p."""
    middles = (np.arange(_GRID) + 0.5) / _GRID
    q = q_range[0] + middles * (q_range[1] - q_range[0])
    p = p_range[1] - middles * (p_range[1] - p_range[0])
    return np.meshgrid(q, p)


def _true_energy(run: Run, states: PhaseState, grid: PhaseState) -> np.ndarray:
    """The energy of the true system on the grid, in true coordinates that are linear in the model's."""
    _, anchor = _window(run)
    rows = np.arange(len(states.q))
    true = data.stack(run.data.splits["test"], rows, ("q", "p"))
    # Angles are compared on their branch nearest to the model's.
    angles = run.config.chart == "rods"
    coordinates = []
    for name, inferred, values in zip(("q", "p"), states, grid, strict=True):
        target = np.asarray(true[name], np.float64)[:, anchor].reshape(len(rows), -1)[:, 0]
        if angles and name == "q":
            shift = np.angle(np.mean(np.exp(1j * (target - inferred))))
            target = inferred + shift + np.angle(np.exp(1j * (target - inferred - shift)))
        slope, offset = np.polyfit(inferred, target, 1)
        coordinates.append(slope * np.asarray(values) + offset)
    system = systems.get_system(run.data.metadata["system"], **run.data.metadata["constants"])
    return np.asarray(jax.jit(system.hamiltonian)(PhaseState(*map(jnp.asarray, coordinates))))


def _rounded(x: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in np.asarray(x, np.float64).ravel()]
