"""Run one function over many tasks: in this process, or in worker processes that may die without taking the rest along.

Ready-made pools either fail as a whole when one worker is killed, or cannot tell which task it had. Here each worker has its
own pipe: whatever happens to it, the parent knows the task, and starts another worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

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
        A module's function, or a partial of one. It returns its errors; one that it raises ends its worker.
    tasks : sequence
    jobs : int
        Worker processes; 0 runs the tasks in this process, one after another (for a debugger).
    """
    if jobs == 0:
        yield from ((task, function(task)) for task in tasks)
    elif tasks:
        yield from _run_on_processes(function, deque(tasks), min(jobs, len(tasks)))


def threads_per_worker(jobs: int) -> int:
    """Threads for each of so many workers, so that workers and threads do not fight over cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, jobs))


class Worker(Generic[Task, Result]):
    """A process that works on one task at a time."""

    def __init__(self, function: Callable[[Task], Result], threads: int) -> None:
        # Spawned, not forked: DuckDB's and Polars' threads and locks do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.pipe, child_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(child_end, function, threads), daemon=True)
        with _signals_left_to_the_parent():
            self.process.start()
        child_end.close()

    def give(self, task: Task) -> None:
        """Hand over a task; a worker that died meanwhile shows when its result is taken."""
        self.task = task
        with suppress(BrokenPipeError):
            self.pipe.send(task)

    def take(self) -> Result | WorkerDiedError:
        """The result of the task, once the pipe is ready."""
        try:
            result: Result = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return WorkerDiedError(f"the worker process died ({_exit_reason(self.process.exitcode)})")
        return result

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _run_on_processes(
    function: Callable[[Task], Result], tasks: deque[Task], jobs: int
) -> Iterator[tuple[Task, Result | WorkerDiedError]]:
    threads = threads_per_worker(jobs)
    busy: dict[Any, Worker[Task, Result]] = {}

    def start(worker: Worker[Task, Result]) -> None:
        busy[worker.pipe] = worker
        worker.give(tasks.popleft())

    try:
        for _ in range(jobs):
            start(Worker(function, threads))
        while busy:
            for pipe in wait(list(busy)):
                worker = busy.pop(pipe)
                task, result = worker.task, worker.take()
                if tasks and not isinstance(result, WorkerDiedError):
                    start(worker)
                else:
                    worker.stop()
                    if tasks:
                        start(Worker(function, threads))
                yield task, result
    finally:
        for worker in busy.values():
            worker.stop()


def _serve(pipe: Connection, function: Callable[[Any], Any], threads: int) -> None:
    """What a worker does: take a task, give its result, until the parent is gone."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    sitk.ProcessObject.GlobalWarningDisplayOff()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(function(pipe.recv()))


@contextmanager
def _signals_left_to_the_parent() -> Iterator[None]:
    """Processes started here never see Ctrl-C or SIGTERM, which reach the whole group: the parent decides what they mean."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    reason = "; perhaps it ran out of memory" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.Signals(-code).name}{reason}"
