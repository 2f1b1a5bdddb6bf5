"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ren_features import FeatureStore

Task = Annotated[
    str, typer.Option(help="Task whose labels are predicted, as has_ILD of the column label_has_ILD.", show_default=False)
]
SplitId = Annotated[str | None, typer.Option("--split", help="A split by its id.", show_default="the last of the task")]

SoundOnly = Annotated[
    bool,
    typer.Option(
        "--sound-only",
        help="Leave out regions of scans with warnings or errors in quality (quality_ok), and all scans but one of an image.",
    ),
]


def open_to_write(store: Path) -> FeatureStore:
    """A store that is there, as its one writer: these commands add to a store, and make none."""
    from ren_features import FeatureStore

    FeatureStore(store).close()
    return FeatureStore(store, read_only=False)
