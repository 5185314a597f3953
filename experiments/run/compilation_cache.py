"""JAX's persistent compilation cache, for the programs: what one run has compiled the next one reads.

It lies in `hgn_jax` below $XDG_CACHE_HOME or ~/.cache. JAX's own settings go first: $JAX_COMPILATION_CACHE_DIR names
another place, and JAX_ENABLE_COMPILATION_CACHE=false turns it off. A library user's JAX is left as it is.
"""

import contextlib
import hashlib
import os
import pathlib
import platform
import time
import warnings

_LONGEST_KEPT = 30 * 24 * 3600  # seconds since an entry was written
_SHORTEST_COMPILATION = "0.2"  # seconds, to be worth a file
_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


def use() -> None:
    """Turns the cache on for this process and those it starts; to be called before JAX is imported.

    Whatever goes wrong with it afterwards, a full disk or a damaged entry, JAX compiles as if there were none.
    """
    # So JAX says, with a traceback's worth of detail, what nobody need act upon.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    if _VARIABLE in os.environ:
        return
    with contextlib.suppress(OSError, RuntimeError):  # without a home directory, or one that can be read
        directory = _directory()
        _forget_old(directory)
        os.environ[_VARIABLE] = str(directory)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _SHORTEST_COMPILATION)


def _directory() -> pathlib.Path:
    """One for each kind of processor, as machines that differ may share a home.

    JAX's key holds the processor's features too (jax 0.10: the fingerprint of the topology), but for a backend that
    cannot tell them no more than the word cpu, and code for another processor would crash this one.
    """
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(root) / "hgn_jax" / f"xla_{hashlib.sha256(_processor().encode()).hexdigest()[:16]}"


def _processor() -> str:
    """Text that differs between processors with other instructions."""
    described = {platform.machine(), platform.processor()}
    with contextlib.suppress(OSError):  # Linux alone has it
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "flags", "Features", "CPU part")):
                described.add(line)
    return "\n".join(sorted(described))


def _forget_old(directory: pathlib.Path) -> None:
    for path in directory.glob("*-cache"):
        with contextlib.suppress(OSError):  # another process may have been first
            if time.time() - path.stat().st_mtime > _LONGEST_KEPT:
                path.unlink()
