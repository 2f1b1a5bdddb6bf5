"""How a build shows its progress: a bar on a terminal, a line for each scan elsewhere. Both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
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
    """The listener that suits standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
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
        yield Bar(progress)


class Lines:
    """One line for each scan, for logs. A reader of the log that goes away does not stop the build."""

    def __init__(self) -> None:
        self.total, self.count, self.start = 0, 0, time.monotonic()

    def planned(self, plan: Plan) -> None:
        """Say what there is to do."""
        self.total = len(plan.todo)
        self._print(f"{len(plan.todo)} scans to measure, {len(plan.done)} already done, {len(plan.failed_before)} failed before")

    def finished(self, outcome: Outcome) -> None:
        """Say what became of a scan."""
        self.count += 1
        self._print(f"[{self.count}/{self.total}] {_line(outcome)}, {time.monotonic() - self.start:.0f} s so far")

    def pictured(self, scan: Scan, failure: Failure | None, left: int) -> None:
        """Say that a picture was made."""
        self._print(f"picture of {scan.scan_id}: {failure.message if failure else 'made'}, {left} left")

    def _print(self, line: str) -> None:
        with suppress(BrokenPipeError):
            print(line, file=sys.stderr, flush=True)


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
