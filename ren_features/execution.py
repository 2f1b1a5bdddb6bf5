"""Run one function over many tasks: in this process, or in worker processes that may die without taking the rest along."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDiedError(Exception):
    """The process that worked on a task ended: killed from outside, out of memory, or a crash in compiled code."""


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int
) -> Iterator[tuple[Task, Result | WorkerDiedError]]:
    """Yield every task with its result, in order of completion. Closing the iterator stops the workers at once.

    Parameters
    ----------
    function : callable
        A module's function, or a partial of one, that returns its errors; what it raises is raised here.
    tasks : sequence
    jobs : int
        Worker processes; 0 runs the tasks in this process, one after another (for a debugger).
    """
    if jobs == 0:
        yield from ((task, function(task)) for task in tasks)
    elif tasks:
        yield from _run_on_processes(function, tasks, min(jobs, len(tasks)))


def threads_per_worker(jobs: int) -> int:
    """Threads for each of so many workers, so that workers and threads do not fight over cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, jobs))


def _run_on_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Result | WorkerDiedError]]:
    # Spawned, not forked: DuckDB's and Polars' threads and locks do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(jobs, context=context, initializer=_prepare_worker, initargs=[threads_per_worker(jobs)])
    try:
        running: dict[Future[Result], Task] = {pool.schedule(function, args=[task]): task for task in tasks}
        for future in as_completed(running):
            try:
                result: Result | WorkerDiedError = future.result()
            except ProcessExpired as expired:
                result = WorkerDiedError(f"the worker process died ({_exit_reason(expired.exitcode)})")
            yield running.pop(future), result
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _exit_reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    reason = "; perhaps it ran out of memory" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.Signals(-code).name}{reason}"


def _prepare_worker(threads: int) -> None:
    import SimpleITK as sitk

    # Ctrl-C reaches every process of the terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    sitk.ProcessObject.GlobalWarningDisplayOff()
