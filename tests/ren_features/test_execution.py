"""Tasks in worker processes that may die."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from ren_features.execution import WorkerDiedError, WorkerStartError, run_tasks


def double(number, threads):
    return 2 * number


def die_on(number, threads, *, fatal, how):
    if number == fatal:
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), how)
    return number


def wait_then_name_process(seconds, threads):
    time.sleep(seconds)
    return os.getpid()


@pytest.mark.parametrize("jobs", [0, 1, 2, 9])
def test_every_task_comes_back_once(jobs):
    assert dict(run_tasks(double, range(5), jobs=jobs)) == {number: 2 * number for number in range(5)}


def test_no_tasks_need_no_workers():
    assert list(run_tasks(double, [], jobs=2)) == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [(signal.SIGKILL, "SIGKILL; perhaps it ran out of memory"), (signal.SIGSEGV, "SIGSEGV"), ("exit", "exit status 3")],
)
def test_a_dying_worker_takes_one_task_along(how, reason):
    results = dict(run_tasks(partial(die_on, fatal=2, how=how), range(6), jobs=2))
    death = results.pop(2)
    assert isinstance(death, WorkerDiedError)
    assert reason in str(death)
    assert results == {number: number for number in (0, 1, 3, 4, 5)}


def test_a_function_that_raises_ends_its_worker_and_no_other():
    results = dict(run_tasks(double, [1, None, 3], jobs=2))
    assert isinstance(results.pop(None), WorkerDiedError)
    assert results == {1: 2, 3: 6}


def test_a_worker_that_is_killed_costs_the_task_it_has():
    results = run_tasks(wait_then_name_process, [0, 0.5, 0.5, 0.5], jobs=1)
    _, worker = next(results)
    os.kill(worker, signal.SIGKILL)
    rest = [result for _, result in results]
    assert len(rest) == 3
    assert sum(isinstance(result, WorkerDiedError) for result in rest) == 1


def spawned():
    """Worker processes of this one."""
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def until(happens, seconds=10):
    """Wait for something that a busy machine may delay."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_worker_that_is_killed_while_it_starts_costs_one_task():
    results = run_tasks(wait_then_name_process, [0, 0, 0, 0], jobs=1)
    _, first = next(results)
    os.kill(first, signal.SIGKILL)
    next(results)  # the killed worker's task; another worker is starting now
    until(spawned)
    (starting,) = spawned()
    starting.kill()
    rest = [result for _, result in results]
    assert [isinstance(result, WorkerDiedError) for result in rest] == [True, False]


def test_workers_that_cannot_start_are_not_blamed_on_tasks(tmp_path):
    (tmp_path / "script.py").write_text(
        "from ren_features.execution import run_tasks\n"
        "def same(task, threads): return task\n"
        "print(list(run_tasks(same, [1], jobs=1)))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{WorkerStartError.__name__}: a worker process ended before it could work" in done.stderr
    assert "under `if __name__ == '__main__':`" in done.stderr


def blocked_signals(task, threads):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigBlk"))
    mask = int(line.split()[1], 16)
    return {number for number in (signal.SIGINT, signal.SIGTERM) if mask >> (number - 1) & 1}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, which only Linux has")
def test_every_worker_leaves_signals_to_the_parent():
    results = dict(run_tasks(blocked_signals, range(4), jobs=2))
    assert set(map(frozenset, results.values())) == {frozenset({signal.SIGINT, signal.SIGTERM})}


def test_closing_the_iterator_stops_busy_workers():
    results = run_tasks(wait_then_name_process, [0, 600, 600], jobs=2)
    next(results)
    workers = spawned()
    assert len(workers) >= 2
    results.close()
    until(lambda: not any(worker.is_running() for worker in workers))


def threads_of(task, threads):
    import SimpleITK as sitk

    return threads, sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), os.environ["OPENBLAS_NUM_THREADS"]


@pytest.mark.parametrize("threads", [1, 2])
def test_workers_have_the_threads_that_they_are_given(threads):
    before = dict(os.environ)
    assert dict(run_tasks(threads_of, [0], jobs=1, threads=threads)) == {0: (threads, threads, str(threads))}
    assert dict(os.environ) == before
