"""Functions of JAX as lists of elementary operations, which `explorer.js` carries out in a browser."""

import base64
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend import core

# Operations that the page knows, with the parameters that it needs.
_OPERATIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("add", "sub", "mul", "div", "max", "min", "neg", "abs", "exp", "log", "log1p", "sin", "cos", "sqrt", "rsqrt",
         "tanh", "logistic", "ge", "gt", "le", "lt", "eq", "ne", "select_n", "pow"),
        (),
    ),
    "integer_pow": ("y",),
    "broadcast_in_dim": ("shape", "broadcast_dimensions"),
    "reduce_sum": ("axes",),
    "concatenate": ("dimension",),
    "transpose": ("permutation",),
    "split": ("sizes", "axis"),
    "dot_general": ("dimension_numbers",),
}  # fmt: skip
_SYNONYMS = {"add_any": "add"}
_SAME_NUMBERS = ("reshape", "squeeze", "expand_dims", "stop_gradient", "convert_element_type", "copy")  # in their order


class UnknownOperationError(ValueError):
    """An operation that the page cannot carry out."""


def trace(function: Callable[..., Any], *examples: jax.Array) -> dict[str, Any]:
    """Returns the operations of a function of arrays, as an object for JSON.

    Whatever does not depend on the arguments is computed now.

    Args:
      function: A function of arrays that JAX can trace; its result is a pytree of arrays.
      *examples: Arguments; their shapes and types matter only.

    Returns:
      `arguments`, the numbers of their values; `constants`, a list of number, shape and float32 values in base64;
      `operations`, a list of name, numbers of the operands, of the results, their shapes, and parameters; and
      `results`.

    Raises:
      UnknownOperationError: In one line, if the function needs an operation that the page does not know.
    """
    closed = jax.make_jaxpr(function)(*examples)
    tracer = _Tracer()
    arguments = [tracer.new(x.shape) for x in examples]
    results = tracer.run(closed.jaxpr, closed.consts, arguments)
    return {
        "arguments": [x.number for x in arguments],
        "results": [tracer.variable(x).number for x in results],
        "constants": tracer.constants,
        "operations": tracer.operations,
    }


class _Variable:
    """A value that is known in the browser only."""

    def __init__(self, number: int, shape: tuple[int, ...]):
        self.number, self.shape = number, shape


class _Tracer:
    """Walks through a jaxpr and all that it calls."""

    def __init__(self):
        self.constants: list[dict[str, Any]] = []
        self.operations: list[dict[str, Any]] = []
        self._count = 0
        self._known: dict[int, tuple[Any, _Variable]] = {}  # the arrays themselves keep their identity unique

    def new(self, shape: tuple[int, ...]) -> _Variable:
        self._count += 1
        return _Variable(self._count - 1, tuple(shape))

    def variable(self, value: Any) -> _Variable:
        """The variable of a value; a known array becomes a constant."""
        if isinstance(value, _Variable):
            return value
        if id(value) not in self._known:
            array = np.asarray(value, np.float32)
            variable = self.new(array.shape)
            data = base64.b64encode(array.astype("<f4").tobytes()).decode()
            self.constants.append({"number": variable.number, "shape": array.shape, "data": data})
            self._known[id(value)] = value, variable
        return self._known[id(value)][1]

    def run(self, jaxpr: core.Jaxpr, constants: list[Any], arguments: list[Any]) -> list[Any]:
        """Records the operations of a jaxpr and returns its results."""
        values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

        def read(atom):
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(x) for x in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [read(x) for x in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Any]) -> list[Any]:
        name, parameters = equation.primitive.name, equation.params
        if not any(isinstance(x, _Variable) for x in operands):
            results = equation.primitive.bind(*operands, **parameters)
            return list(results) if equation.primitive.multiple_results else [results]
        if inner := parameters.get("jaxpr", parameters.get("call_jaxpr")):
            return self.run(inner.jaxpr, inner.consts, operands)
        results = [self.new(x.aval.shape) for x in equation.outvars]
        name = _SYNONYMS.get(name, name)
        if name == "stack":
            shape = list(results[0].shape)
            shape[parameters["axis"]] = 1
            parts = [self._record("reshape", [x], [self.new(shape)])[0] for x in operands]
            return self._record("concatenate", parts, results, {"dimension": parameters["axis"]})
        if name == "cumsum":
            return self._cumsum(operands[0], results, parameters)
        if name in _SAME_NUMBERS:
            return self._record("reshape", operands, results)
        if name not in _OPERATIONS:
            raise UnknownOperationError(f"the page of the explorer does not know the operation {name}")
        return self._record(name, operands, results, {key: parameters[key] for key in _OPERATIONS[name]})

    def _cumsum(self, operand: Any, results: list[_Variable], parameters: dict[str, Any]) -> list[_Variable]:
        """Sums along an axis as a product with a triangle of ones, and that axis in its place again."""
        axis, rank = parameters["axis"], len(results[0].shape)
        ones = np.triu(np.ones((results[0].shape[axis],) * 2, np.float32))
        if parameters["reverse"]:
            ones = ones.T
        others = [i for i in range(rank) if i != axis]
        product = self.new([*(results[0].shape[i] for i in others), results[0].shape[axis]])
        dimensions = (((axis,), (0,)), ((), ()))
        self._record("dot_general", [operand, ones], [product], {"dimension_numbers": dimensions})
        order = [rank - 1 if i == axis else others.index(i) for i in range(rank)]
        return self._record("transpose", [product], results, {"permutation": order})

    def _record(
        self, name: str, operands: list[Any], results: list[_Variable], parameters: dict[str, Any] | None = None
    ) -> list[_Variable]:
        self.operations.append({
            "name": name,
            "operands": [self.variable(x).number for x in operands],
            "results": [x.number for x in results],
            "shapes": [x.shape for x in results],
            **(parameters or {}),
        })  # fmt: skip
        return results
