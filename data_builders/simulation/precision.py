"""Where and how precisely JAX computes while data are made: on the CPU, in float64 where trajectories are concerned."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Runs JAX on the CPU inside the block, where there is one, so that every machine makes the same data.

    Nor do the simulator's thousands of small steps pay on an accelerator.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(RuntimeError):  # JAX_PLATFORMS may rule the CPU out
            stack.enter_context(jax.default_device(jax.local_devices(backend="cpu")[0]))
        yield


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Runs JAX in float64 on the CPU inside the block and leaves the process's settings as they were."""
    with jax.enable_x64(), on_cpu():
        yield
