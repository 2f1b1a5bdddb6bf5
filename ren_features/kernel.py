"""`@kernel`: loops compiled to machine code when they are first called, and kept on disk for every later process.

Numba keeps code by the content of the file that a function stands in, although functions called from other files are compiled
into it. So the folder is named by the content of all files with kernels: an upgrade never meets code of another version.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numba

PACKAGE = Path(__file__).parent

CONFIG: Any = numba.config


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function for arrays; while it runs, other threads run too."""
    folder = cache_folder()
    with _numba_cache(folder):
        return numba.njit(nogil=True, cache=folder is not None)(function)


@cache
def cache_folder() -> Path | None:
    """Where machine code is kept, shared by all processes; None where nothing can be written.

    In the package's own folder, or else in the user's (`XDG_CACHE_HOME` or `~/.cache`), unless `NUMBA_CACHE_DIR` names one.
    """
    chosen = CONFIG.CACHE_DIR
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    parents = [Path(chosen)] if chosen else [PACKAGE / "__pycache__", user / "ren-toolkit"]
    name = f"kernels-{_digest()}"
    return next((parent / name for parent in parents if _can_write(parent / name)), None)


def _digest() -> str:
    files = sorted(PACKAGE.rglob("*.py"))
    kernels = [content for content in (file.read_bytes() for file in files) if b"@kernel" in content]
    return sha256(b"\0".join(kernels)).hexdigest()[:12]


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@contextmanager
def _numba_cache(folder: Path | None) -> Iterator[None]:
    """Numba looks for the folder once for each function, when it is decorated."""
    before = CONFIG.CACHE_DIR
    CONFIG.CACHE_DIR = str(folder or before)
    try:
        yield
    finally:
        CONFIG.CACHE_DIR = before
