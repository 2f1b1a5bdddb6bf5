"""Style of figures, and their four files: PNG, SVG, the CSV behind it, and the caption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import Any, cast

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from ren_features.draft import draft_of
from ren_features.errors import StoreError

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.16
"""Widths in inches, of IEEE journals."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Distinct for colour-blind readers (Okabe and Ito 2008)."""

MORE_COLOURS = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#CC6677", "#882255")
"""As distinct (Tol's muted scheme), for something else in the same figure."""

STYLE: dict[str, Any] = {
    "font.size": 7,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "svg.fonttype": "none",
    # The same numbers give the same file.
    "svg.hashsalt": "ren",
}

DPI = 300

WRAP = 110
"""Characters of a line of the mark of stale results: as many as the narrowest figure has room for."""


@dataclass(frozen=True, repr=False)
class Drawing:
    """A figure with what it shows.

    Attributes
    ----------
    figure : Figure
    data : polars.DataFrame
        Every number in it.
    caption : str
        What it shows, and how to read it.
    numbers : polars.DataFrame, optional
        Rows for the table `results`, with the columns of `analysis.kept_results`, where the figure computes what no experiment
        has stored.
    stale : tuple of str
        Reasons why its results are stale; they are written over the figure and before the caption.
    """

    figure: Figure
    data: pl.DataFrame
    caption: str
    numbers: pl.DataFrame | None = None
    stale: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.stale:
            text = "\n".join(fill(f"STALE: {reason}", WRAP) for reason in self.stale)
            self.figure.suptitle(text, color=COLOURS[1], fontsize=6, fontweight="bold", ha="left", x=0.01)
            object.__setattr__(self, "caption", f"STALE: {'; '.join(self.stale)}. {self.caption}")

    def save(self, folder: Path, name: str) -> list[Path]:
        """Write `<name>.png`, `.svg`, `.csv` and `.txt`; returns their paths.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return list(self._write(folder, name))
        except OSError as error:
            raise StoreError(f"figure {name}: expected a folder that can be written, got {error}") from error

    def __repr__(self) -> str:
        return f"Drawing of {len(self.data)} rows: {self.caption.partition('.')[0]}"

    def _repr_png_(self) -> bytes:
        """Picture for notebooks."""
        buffer = BytesIO()
        with style():
            self.figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
        return buffer.getvalue()

    def _write(self, folder: Path, name: str) -> Iterator[Path]:
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            with draft_of(folder / f"{name}.{kind}") as draft, style():
                self.figure.savefig(draft, format=kind, dpi=DPI, metadata=metadata)
            yield folder / f"{name}.{kind}"
        with draft_of(folder / f"{name}.csv") as draft:
            self.data.write_csv(draft)
        yield folder / f"{name}.csv"
        with draft_of(folder / f"{name}.txt") as draft:
            draft.write_text(self.caption + "\n", encoding="utf-8")
        yield folder / f"{name}.txt"


def number(value: float) -> str:
    """Two decimals, with a minus sign where it is below 0 when rounded."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings for drawing and saving; what a notebook has set is put back."""
    with mpl.rc_context(cast(Any, STYLE)):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that is in no list of pyplot, so that nothing has to be closed; inches."""
    return Figure(figsize=(width, height), layout="constrained")
