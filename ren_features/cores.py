"""Cores that this process may use, and threads of linear algebra."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
_limits: list[Any] = []
"""One entry for each use at this moment; the first holds the numbers of threads to restore."""


def available_cores() -> int:
    """Cores that the process may run on, which a scheduler can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def linear_algebra_on_one_thread() -> Iterator[None]:
    """Keep numpy's linear algebra from starting a thread for each core in each of our own threads.

    Its results differ in the last bits with the number of threads. That number belongs to the process: of several uses at once
    the first sets it, and the last sets it back.
    """
    with _lock:
        _limits.append(None if _limits else ThreadpoolController().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            first = _limits.pop(0)
            if _limits:
                _limits[0] = first
            else:
                first.restore_original_limits()
