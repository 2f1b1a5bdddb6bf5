"""Progress of a command: a bar on a terminal, lines elsewhere. Both on standard error."""

from __future__ import annotations

import math
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


@contextmanager
def counter(total: int, what: str) -> Iterator[Callable[[str, int], None]]:
    """A function to be told what is done, and how many that is of `total`; a log gets a line every five seconds at most."""
    done, told = 0, -math.inf

    def tell(name: str, count: int) -> None:
        nonlocal done, told
        done += count
        if done == total or time.monotonic() - told > 5:
            told = time.monotonic()
            print_line(f"[{done}/{total}] {name}")

    with bars() as progress:
        if progress is None:
            yield tell
        else:
            task = progress.add_task(what, total=total)
            yield lambda _, count: progress.advance(task, count)


@contextmanager
def bars() -> Iterator[Progress | None]:
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


class Rate(ProgressColumn):
    """Scans a minute."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        return Text(f"{task.speed * 60:.1f}/min" if task.speed else "-/min")
