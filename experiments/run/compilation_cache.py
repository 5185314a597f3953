"""JAX's persistent compilation cache, used by the programs so that a second run need not compile again.

It is kept in the folder `hgn_jax` of $XDG_CACHE_HOME or ~/.cache. JAX's own settings take precedence:
$JAX_COMPILATION_CACHE_DIR names another place, and JAX_ENABLE_COMPILATION_CACHE=false turns the cache off. Importing
the library does not change JAX's settings.
"""

import contextlib
import hashlib
import os
import pathlib
import platform
import time
import warnings

_MAX_AGE = 30 * 24 * 3600  # seconds since an entry was written
_MIN_COMPILE_SECONDS = "0"  # short compilations are kept too: a program has dozens of them, which take seconds
_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


def use() -> None:
    """Turns the cache on for this process and the processes it starts. Must be called before JAX is imported.

    If the cache cannot be read or written later, because of a full disk or a damaged entry, JAX compiles without it.
    """
    # JAX's warnings about that are long, and nobody need act on them.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", _MIN_COMPILE_SECONDS)
    if _VARIABLE in os.environ:
        return
    with contextlib.suppress(OSError, RuntimeError):  # there is no home directory, or it cannot be read
        directory = _directory()
        _delete_old_entries(directory)
        os.environ[_VARIABLE] = str(directory)


def _directory() -> pathlib.Path:
    """Returns a directory for this kind of processor, because different machines may share a home directory.

    JAX's own key includes the features of the processor where the backend reports them (jax 0.10), and otherwise only
    the word cpu. Code compiled for another processor would crash this one.
    """
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(root) / "hgn_jax" / f"xla_{hashlib.sha256(_processor().encode()).hexdigest()[:16]}"


def _processor() -> str:
    """Describes the processor, so that processors with different instructions have different descriptions."""
    lines = {platform.machine(), platform.processor()}
    with contextlib.suppress(OSError):  # the file exists on Linux only
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "flags", "Features", "CPU part")):
                lines.add(line)
    return "\n".join(sorted(lines))


def _delete_old_entries(directory: pathlib.Path) -> None:
    for path in directory.glob("*-cache"):
        with contextlib.suppress(OSError):  # another process may have been first
            if time.time() - path.stat().st_mtime > _MAX_AGE:
                path.unlink()
