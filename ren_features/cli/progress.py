"""Progress of a build, scan by scan: `Bar` on a terminal, `Lines` elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress

from ren_features.building.build_store import Listener
from ren_features.building.plan import Plan
from ren_features.console.progress import bars, print_line
from ren_features.measuring.outcome import Failure, Outcome
from ren_features.scan import Scan


@contextmanager
def listener() -> Iterator[Listener]:
    """The listener to a build that suits standard error."""
    with bars() as progress:
        yield Bar(progress) if progress else Lines()


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


def _line(outcome: Outcome) -> str:
    stored = f"{len(outcome.measurement.rows)} regions stored" if outcome.measurement else "nothing stored"
    failed = f", failed at {outcome.failure.stage}: {outcome.failure.message}" if outcome.failure else ""
    return f"{outcome.scan.scan_id}: {stored}{failed}"
