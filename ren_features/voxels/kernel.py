"""`@kernel`: loops compiled to machine code when they are first called, and kept on disk for every later process.

Numba keeps code by the content of the file that a function stands in, although functions called from other files are compiled
into it. So the folder is named by the content of all files with kernels: an upgrade never meets code of another version.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from fcntl import LOCK_EX, LOCK_UN, flock
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import numba
from numba.core.caching import FunctionCache

PACKAGE = Path(__file__).parents[1]

CONFIG: Any = numba.config

_decorating = Lock()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function for arrays; while it runs, other threads run too."""
    dispatcher: Any = numba.njit(nogil=True)(function)
    if folder := cache_folder():
        dispatcher._cache = _SharedCache.within(folder, function)
    return dispatcher


class _SharedCache(FunctionCache):
    """Numba's cache of one function, used by many processes at once.

    Numba reads and writes the index of a function's versions without a lock: two processes that compile two versions can leave
    one's arguments with the other's code. What cannot be read or written here is compiled anew.
    """

    @classmethod
    def within(cls, folder: Path, function: Callable[..., Any]) -> _SharedCache:
        """The cache of a function in a folder, which numba takes from its configuration."""
        with _decorating:
            before, CONFIG.CACHE_DIR = CONFIG.CACHE_DIR, str(folder)
            try:
                return cls(function)
            finally:
                CONFIG.CACHE_DIR = before

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Code of a version, or None where there is none that can be read."""
        return self._locked(super().load_overload, sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code of a version, if it can be written."""
        self._locked(super().save_overload, sig, data)

    def _locked(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            with Path(self.cache_path, "lock").open("w") as lock:
                flock(lock, LOCK_EX)
                try:
                    return work(*arguments)
                except (EOFError, pickle.UnpicklingError):  # damaged: begin a new index
                    self.flush()  # type: ignore[no-untyped-call]  # numba has no annotation there
                finally:
                    flock(lock, LOCK_UN)  # closing is not enough where a process was forked meanwhile
        except OSError:  # a full disk, or a file system without locks: compiled code works without being kept
            return None


@cache
def cache_folder() -> Path | None:
    """Where machine code is kept, shared by all processes; None where nothing can be written.

    In the package's own folder, or else in the user's (`XDG_CACHE_HOME` or `~/.cache`), unless `NUMBA_CACHE_DIR` names one.
    """
    chosen = CONFIG.CACHE_DIR
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - it knows users without a home
    parents = [Path(chosen)] if chosen else [PACKAGE / "__pycache__", Path(user, "ren-toolkit")]
    name = f"kernels-{_digest()}"
    return next((parent / name for parent in parents if _can_write(parent / name)), None)


def _digest() -> str:
    files = sorted(PACKAGE.rglob("*.py"))
    kernels = [content for content in (file.read_bytes() for file in files) if b"@kernel" in content]
    return sha256(b"\0".join([numba.__version__.encode(), *kernels])).hexdigest()[:12]


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
