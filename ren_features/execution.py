"""Run one function over many tasks: in this process, or in worker processes that may die without taking the rest along.

Ready-made pools either fail as a whole when one worker is killed, or cannot tell which task it had. Here each worker has its
own pipe: whatever happens to it, the parent knows the task, and starts another worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pkgutil import resolve_name
from typing import Any, Generic, TypeVar

from ren_features.errors import RenError

LINEAR_ALGEBRA_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Without these, numpy's linear algebra takes every core in every worker."""

READY = "ready"
"""A worker's first message."""

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Named:
    """A function by its name, `package.module:function`, imported where it is called."""

    name: str

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        return resolve_name(self.name)(*arguments, **options)


class WorkerDiedError(Exception):
    """The process that worked on a task ended: killed from outside, out of memory, or a crash in compiled code."""


class WorkerStartError(RenError):
    """Worker processes cannot be started here: no task can be to blame."""


def run_tasks(
    function: Callable[[Task, int], Result], tasks: Sequence[Task], *, jobs: int, threads: int = 1
) -> Generator[tuple[Task, Result | WorkerDiedError], None, None]:
    """Yield every task with its result, in order of completion. Closing the iterator stops the workers at once.

    Parameters
    ----------
    function : callable
        A module's function, or a partial of one, of a task and the number of threads that it may use. It returns its
        errors; one that it raises ends its worker.
    tasks : sequence
    jobs : int
        Worker processes; 0 runs the tasks in this process, one after another (for a debugger).
    threads : int
        Threads of each worker: jobs times threads is the number of cores in use.
    """
    if jobs == 0:
        yield from ((task, function(task, threads)) for task in tasks)
    else:
        yield from _run_on_processes(function, deque(tasks), min(jobs, len(tasks)), threads)


class Worker(Generic[Task, Result]):
    """A process that works on one task at a time."""

    def __init__(self, function: Callable[[Task, int], Result], threads: int) -> None:
        # Spawned, not forked: DuckDB's and Polars' threads and locks do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.started = False
        self.pipe, child_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(child_end, function, threads), daemon=True)
        with _signals_left_to_the_parent(), _environment(dict.fromkeys(LINEAR_ALGEBRA_THREADS, str(threads))):
            self.process.start()
        child_end.close()

    def give(self, task: Task) -> None:
        """Hand over a task; should the worker die meanwhile, that shows when its result is taken."""
        self.task = task
        with suppress(BrokenPipeError):
            self.pipe.send(task)

    def just_started(self, *, others_have: bool) -> bool:
        """Take the worker's first message, if that is what the pipe is ready with.

        Raises
        ------
        WorkerStartError
            When it ended instead, and no other worker has ever started.
        """
        if self.started:
            return False
        try:
            self.started = self.pipe.recv() == READY
        except (EOFError, OSError) as error:
            if others_have:
                return False  # it was killed: taking its result will tell
            self.process.join()
            reason = _exit_reason(self.process.exitcode)
            raise WorkerStartError(
                f"a worker process ended before it could work ({reason}); "
                "in a script of your own, build() belongs under `if __name__ == '__main__':`"
            ) from error
        return True

    def take(self) -> Result | WorkerDiedError:
        """The result of the task, once the pipe is ready."""
        try:
            result: Result = self.pipe.recv()
        except (EOFError, OSError):  # OSError: it was killed while it sent
            self.process.join()
            return WorkerDiedError(f"the worker process died ({_exit_reason(self.process.exitcode)})")
        return result

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _run_on_processes(
    function: Callable[[Task, int], Result], tasks: deque[Task], jobs: int, threads: int
) -> Iterator[tuple[Task, Result | WorkerDiedError]]:
    workers: dict[Any, Worker[Task, Result]] = {}
    any_started = False

    def start_new() -> None:
        worker = Worker(function, threads)
        workers[worker.pipe] = worker
        worker.give(tasks.popleft())

    try:
        for _ in range(jobs):
            start_new()
        while workers:
            for pipe in wait(list(workers)):
                worker = workers[pipe]
                if worker.just_started(others_have=any_started):
                    any_started = True
                    continue
                task, result = worker.task, worker.take()
                if tasks and worker.process.is_alive():
                    worker.give(tasks.popleft())
                else:
                    workers.pop(pipe).stop()
                    if tasks:
                        start_new()
                yield task, result
    finally:
        for worker in workers.values():
            worker.stop()


def _serve(pipe: Connection, function: Callable[[Any, int], Any], threads: int) -> None:
    """Loop of a worker: take a task, give its result, until the parent is gone."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    sitk.ProcessObject.GlobalWarningDisplayOff()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        pipe.send(READY)
        while True:
            pipe.send(function(pipe.recv(), threads))


@contextmanager
def _signals_left_to_the_parent() -> Iterator[None]:
    """Processes started here never see Ctrl-C or SIGTERM, which reach the whole group: the parent decides what they mean."""
    # The tracker of shared resources would be started with the first worker, and lift the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables for processes started here: libraries read them when they are loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _exit_reason(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit status {code}"
    reason = "; perhaps it ran out of memory" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.Signals(-code).name}{reason}"
