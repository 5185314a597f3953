"""Device and precision of JAX while data are made: the CPU, float64 for trajectories, float32 for pictures."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Runs JAX on the CPU inside the block, if it is available, so that every machine makes the same data.

    The simulator's thousands of small steps would not be faster on an accelerator either.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(RuntimeError):  # JAX_PLATFORMS may exclude the CPU
            stack.enter_context(jax.default_device(jax.local_devices(backend="cpu")[0]))
        yield


@contextlib.contextmanager
def single_precision() -> Iterator[None]:
    """Runs JAX in float32 on the CPU inside the block, also where the user has turned float64 on."""
    with jax.enable_x64(False), on_cpu():
        yield


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Runs JAX in float64 on the CPU inside the block; leaves the settings of the process unchanged."""
    with jax.enable_x64(), on_cpu():
        yield
