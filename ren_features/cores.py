"""How many threads each of several workers may use."""

from __future__ import annotations

import os


def threads_per_worker(jobs: int) -> int:
    """Threads for each of so many workers, so that workers and threads do not fight over cores; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, jobs))
