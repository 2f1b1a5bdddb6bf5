"""How a command shows its progress: a bar on a terminal, lines elsewhere. Both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ren_features.build_store import Listener
from ren_features.outcome import Failure, Outcome
from ren_features.plan import Plan
from ren_features.scan import Scan


@contextmanager
def listener() -> Iterator[Listener]:
    """The listener to a build that suits standard error."""
    with _progress() as progress:
        yield Bar(progress) if progress else Lines()


@contextmanager
def counter(total: int, what: str) -> Iterator[Callable[[str, int], None]]:
    """A function to be told what is done, and how many that is of `total`."""
    done = 0

    def tell(name: str, count: int) -> None:
        nonlocal done
        done += count
        print_line(f"[{done}/{total}] {name}")

    with _progress() as progress:
        if progress is None:
            yield tell
        else:
            task = progress.add_task(what, total=total)
            yield lambda _, count: progress.advance(task, count)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A place for bars, where standard error is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # One scan can take minutes: rates come from the last hour, not from rich's last 30 s.
    with Progress(*columns, console=console, speed_estimate_period=3600) as progress:
        yield progress


def print_line(line: str) -> None:
    """A line for a log; a reader of the log that goes away stops nothing."""
    with suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)


class Lines:
    """One line for each scan, for logs."""

    def __init__(self) -> None:
        self.total, self.count, self.start = 0, 0, time.monotonic()

    def planned(self, plan: Plan) -> None:
        """Say what there is to do."""
        self.total = len(plan.todo)
        print_line(f"{len(plan.todo)} scans to measure, {len(plan.done)} already done, {len(plan.failed_before)} failed before")

    def finished(self, outcome: Outcome) -> None:
        """Say what became of a scan."""
        self.count += 1
        print_line(f"[{self.count}/{self.total}] {_line(outcome)}, {time.monotonic() - self.start:.0f} s so far")

    def pictured(self, scan: Scan, failure: Failure | None, left: int) -> None:
        """Say that a picture was made."""
        print_line(f"picture of {scan.scan_id}: {failure.message if failure else 'made'}, {left} left")


class Bar:
    """A bar with rate and time left; failures are printed above it."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("scans", total=None)

    def planned(self, plan: Plan) -> None:
        """Set the length of the bar."""
        self.progress.update(self.task, total=len(plan.todo))

    def finished(self, outcome: Outcome) -> None:
        """Move the bar on by one scan."""
        self.progress.advance(self.task)
        if outcome.failure:
            self.progress.console.print(_line(outcome), markup=False, highlight=False, soft_wrap=True)

    def pictured(self, scan: Scan, failure: Failure | None, left: int) -> None:
        """Count down the pictures of scans that were measured before."""
        self.progress.update(self.task, description=f"pictures: {left} left, {scan.scan_id} {'failed' if failure else 'made'}")


class Rate(ProgressColumn):
    """Scans a minute."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        return Text(f"{task.speed * 60:.1f}/min" if task.speed else "-/min")


def _line(outcome: Outcome) -> str:
    stored = f"{len(outcome.measurement.rows)} regions stored" if outcome.measurement else "nothing stored"
    failed = f", failed at {outcome.failure.stage}: {outcome.failure.message}" if outcome.failure else ""
    return f"{outcome.scan.scan_id}: {stored}{failed}"
