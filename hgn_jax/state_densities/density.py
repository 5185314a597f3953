"""A density of states: a mixture or a flow, fitted to whitened states and corrected by their energies."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hgn_jax.errors import first_line
from hgn_jax.state_densities import flow, mixture
from hgn_jax.state_densities.energy_correction import EnergyCorrection, fit_energy_correction
from hgn_jax.state_densities.mixture import Mixture
from hgn_jax.state_densities.whitening import Whitening, fit_whitening
from hgn_jax.whole_files import whole_file

KINDS = ("mixture", "flow")
Energy = Callable[[np.ndarray], np.ndarray]  # of points [n, d] to energies [n]

_VERSION = 1
_PARTS = ("whitening", "parameters", "correction")
_HELD_OUT = 0.1  # of the groups
_MAX_HELD_OUT = 1000
_DRAWN_AT_ONCE = 4096
_MAX_FRUITLESS_DRAWS = 100


class Density(NamedTuple):
    """A density of points `[n, d]`.

    Attributes:
      kind: `mixture` or `flow`.
      whitening: The coordinates that it was fitted in.
      parameters: A `Mixture`, or the parameters of the flow.
      correction: Correction of the energies of samples; None if there is none.
      held_out: Mean log-density of held-out points in nats, in whitened coordinates and before the correction. That of
        a flow is a lower bound.
    """

    kind: str
    whitening: Whitening
    parameters: Any
    correction: EnergyCorrection | None
    held_out: float


def fit(kind: str, points: np.ndarray, groups: np.ndarray, energy: Energy, seed: int = 0) -> Density:
    """Fits a density.

    Args:
      kind: `mixture` or `flow`.
      points: Points to fit, `[n, d]`.
      groups: Number of the group of each point, such as its trajectory, `[n]`; whole groups are held out.
      energy: Energy of points.
      seed: Seed of the fit.

    Raises:
      ValueError: If a point is not finite, or there are fewer than two groups.
    """
    points = np.asarray(points, np.float64)
    if not np.isfinite(points).all():
        raise ValueError("a density needs finite states, and some of those inferred are not")
    held_out = _hold_out(groups, seed)
    whitening = fit_whitening(points)
    train, test = (whitening.whiten(points[rows]) for rows in (~held_out, held_out))
    if kind == "mixture":
        parameters = mixture.fit_mixture(train, test, seed)
    else:
        parameters = flow.fit_flow(train, seed)
    log_prob = {"mixture": mixture, "flow": flow}[kind].log_prob(parameters, test[:_MAX_HELD_OUT])
    density = Density(kind, whitening, parameters, None, float(np.mean(log_prob)))
    candidates = _draw(density, jax.random.PRNGKey(seed), 2 * _DRAWN_AT_ONCE)
    return density._replace(correction=fit_energy_correction(energy(points), energy(candidates)))


def _hold_out(groups: np.ndarray, seed: int) -> np.ndarray:
    """Chooses the points that are held out, those of a tenth of the groups; returns a mask `[n]`."""
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError("a density needs states of two clips or more")
    chosen = np.random.default_rng(seed).permutation(names)[: max(1, round(_HELD_OUT * len(names)))]
    return np.isin(groups, chosen)


def sample(density: Density, energy: Energy, key: jax.Array, num_samples: int) -> np.ndarray:
    """Draws points `[num_samples, d]`, the first ones of a longer sample with the same key.

    Raises:
      ValueError: If none of very many samples is kept, because the energy is not that of the fit.
    """
    kept, number = [], 0
    while number < num_samples:
        if not number and len(kept) >= _MAX_FRUITLESS_DRAWS:
            raise ValueError("no sample has an energy of the data: the density was fitted with another energy")
        key, draw_key, uniform_key = jax.random.split(key, 3)
        points = _draw(density, draw_key, _DRAWN_AT_ONCE)
        if density.correction is not None:
            uniform = np.asarray(jax.random.uniform(uniform_key, (_DRAWN_AT_ONCE,)))
            points = points[density.correction.accept(energy(points), uniform)]
        kept.append(points)
        number += len(points)
    return np.concatenate(kept)[:num_samples]


def _draw(density: Density, key: jax.Array, num_samples: int) -> np.ndarray:
    draw = {"mixture": mixture, "flow": flow}[density.kind].sample
    return density.whitening.unwhiten(np.asarray(draw(density.parameters, key, num_samples), np.float64))


def write(path: pathlib.Path, density: Density, **facts: int | str) -> None:
    """Writes a density and facts about it as plain arrays in an `.npz` file, whole or not at all."""
    arrays = {"version": _VERSION, "kind": density.kind, **to_arrays(density)}
    arrays |= {f"facts/{name}": value for name, value in facts.items()}
    with whole_file(path) as part:
        np.savez(part, **arrays)


def read(path: pathlib.Path) -> tuple[Density, dict[str, int | str]]:
    """Reads a density and the facts about it.

    Raises:
      FileNotFoundError: If there is no file.
      ValueError: If it is damaged or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except FileNotFoundError:
        raise
    except Exception as error:  # of many kinds: zipfile's, NumPy's, the operating system's
        raise ValueError(f"{path} is damaged: {first_line(error)}") from error
    if arrays.get("version") != _VERSION:
        raise ValueError(f"{path} has version {arrays.get('version')}, and this program reads {_VERSION}")
    try:
        return from_arrays(str(arrays["kind"]), arrays), _part(arrays, "facts", lambda value: value.item())
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} lacks {error}") from error


def to_arrays(density: Density) -> dict[str, np.ndarray]:
    """Returns all of a density but its kind as arrays by name."""
    arrays = {"held_out": np.float64(density.held_out)}
    for part in _PARTS:
        leaves, _ = jax.tree_util.tree_flatten_with_path(getattr(density, part))
        arrays |= {f"{part}/{_name(leaf_path)}": leaf for leaf_path, leaf in leaves}
    return {name: np.asarray(x) for name, x in arrays.items()}


def from_arrays(kind: str, arrays: dict[str, np.ndarray]) -> Density:
    """Returns the density of a kind that `to_arrays` gave; raises KeyError or TypeError if arrays are missing."""
    whitening, parameters, correction = (_part(arrays, part) for part in _PARTS)
    whitening = Whitening(**whitening)
    if kind == "mixture":
        parameters = Mixture(**parameters)
    else:
        leaves, structure = jax.tree_util.tree_flatten_with_path(flow.template(len(whitening.axes)))
        parameters = jax.tree.unflatten(structure, [parameters[_name(leaf_path)] for leaf_path, _ in leaves])
    correction = EnergyCorrection(**correction) if correction else None
    return Density(kind, whitening, parameters, correction, float(arrays["held_out"]))


def _name(leaf_path: Any) -> str:
    return jax.tree_util.keystr(leaf_path, simple=True, separator="/")


def _part(arrays: dict[str, np.ndarray], part: str, convert: Callable[[np.ndarray], Any] = lambda x: x) -> dict:
    """The arrays whose names begin with that of a part, by the rest of their names."""
    prefix = f"{part}/"
    return {name.removeprefix(prefix): convert(x) for name, x in arrays.items() if name.startswith(prefix)}
