"""States (q, p) of a mechanical system."""

import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# An array, or a pytree of arrays such as `{"cart": x, "pole": angle}`.
Coordinates = Any


class PhaseState(NamedTuple):
    """A point (q, p) of phase space, or a batch or a path of such points.

    A JAX pytree, so it passes through `jit`, `grad`, `vmap` and `scan`. Batch axes come first.

    Attributes:
      q: Generalised positions, an array of any shape, or a pytree of arrays with the same batch axes; floating-point,
        of one type.
      p: Generalised momenta, of the same structure, shapes and type as `q`.
    """

    q: Coordinates
    p: Coordinates


def flip_momentum(state: PhaseState) -> PhaseState:
    """Returns the time-reversed state (q, -p): integrating it forwards retraces the past."""
    return PhaseState(state.q, jax.tree.map(jnp.negative, state.p))


def as_state(state: Any) -> PhaseState:
    """Returns a state with JAX arrays as leaves.

    Args:
      state: A `PhaseState`, another object with `q` and `p`, or a pair of both. Python numbers take the type of the
        array beside them.

    Raises:
      ValueError: If `q` and `p` differ in structure, shape or type, or are not floating-point.
    """
    if not (hasattr(state, "q") and hasattr(state, "p")):
        if not isinstance(state, tuple | list) or len(state) != 2:
            raise ValueError(f"a state must be a PhaseState(q, p) or a pair (q, p), got a {type(state).__name__}")
        state = PhaseState(*state)
    positions, structure = jax.tree.flatten(state.q)
    momenta, other_structure = jax.tree.flatten(state.p)
    if structure != other_structure:
        raise ValueError(f"q and p of a state must have the same structure, got {structure} and {other_structure}")
    if not positions:
        raise ValueError("a state must hold at least one array")
    pairs = [_arrays(q, p) for q, p in zip(positions, momenta, strict=True)]
    for q, p in pairs:
        if q.shape != p.shape:
            raise ValueError(f"q and p of a state must have the same shape, got {q.shape} and {p.shape}")
    types = sorted({str(x.dtype) for pair in pairs for x in pair})
    if len(types) > 1 or not jnp.issubdtype(pairs[0][0].dtype, jnp.floating):
        raise ValueError(f"the arrays of a state must have one floating-point type, got {' and '.join(types)}")
    return PhaseState(*(jax.tree.unflatten(structure, leaves) for leaves in zip(*pairs, strict=True)))


def _arrays(q: Any, p: Any) -> tuple[jax.Array, jax.Array]:
    number = [isinstance(x, numbers.Number) and not hasattr(x, "dtype") for x in (q, p)]
    dtype = jnp.result_type(q, p) if number[0] != number[1] else None
    return tuple(jnp.asarray(x, dtype if is_number else None) for x, is_number in zip((q, p), number, strict=True))


def align(factor: Any, x: jax.Array) -> jax.Array:
    """Returns a factor with axes of length 1 appended, so that it multiplies along the leading axes of an array."""
    return jnp.reshape(factor, (*jnp.shape(factor), *[1] * (x.ndim - jnp.ndim(factor))))


def step_along(x: Coordinates, factor: Any, slope: Coordinates) -> Coordinates:
    """Returns `x + factor * slope`, where an array of factors multiplies along the leading axes."""
    return jax.tree.map(lambda x, slope: x + align(factor, x) * slope, x, slope)
