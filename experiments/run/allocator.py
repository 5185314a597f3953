"""The C library's memory allocator, told to keep what a training step has freed for the next one.

XLA on a CPU allocates the intermediate arrays of every call anew. By default glibc returns large ones to the system at
once, and the next step pays for fresh pages: about a quarter of the time of a step (`benchmarks/README.md`).
"""

import contextlib
import ctypes

_TOP_PAD, _MMAP_THRESHOLD = -2, -3  # numbers of the parameters of mallopt(3)
_KEPT = 64 * 2**20  # bytes of free memory that are kept at the end of a heap
_LARGEST_IN_HEAP = 32 * 2**20  # bytes of the largest array in a heap, the most that glibc allows


def keep_freed_memory() -> None:
    """Lets glibc keep freed memory, for this process. With another C library nothing happens.

    Must be called before JAX is imported, because it affects what is allocated from then on.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
        mallopt(_TOP_PAD, _KEPT)
