"""Compilation with the options that suit the backend."""

from collections.abc import Callable
from typing import Any

import jax

# XLA:CPU 0.10 routes 3x3 convolutions to a slow kernel library unless that library is restricted to matrix products.
FAST_EXECUTION = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}
# For functions that run once. At the full level LLVM takes about a second to optimise each random draw.
FAST_COMPILATION = {"xla_backend_optimization_level": 1}


def compile_for_backend(
    function: Callable[..., Any], *args: Any, cpu_options: dict[str, Any] = FAST_EXECUTION
) -> Callable[..., Any]:
    """Compiles a function for arguments of given shapes.

    Args:
      function: A function transformed by `jax.jit` or `jax.pmap`.
      *args: Example arguments; only their shapes, types and static values matter.
      cpu_options: Compiler options on a CPU; other backends use their defaults.

    Returns:
      The compiled function.
    """
    lowered = function.lower(*args)
    if jax.default_backend() == "cpu":
        try:
            return lowered.compile(compiler_options=cpu_options)
        except jax.errors.JaxRuntimeError as error:
            if "INVALID_ARGUMENT" not in str(error):  # raised by versions of jaxlib that lack an option
                raise
    return lowered.compile()
