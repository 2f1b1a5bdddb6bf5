"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Task = Annotated[
    str, typer.Option(help="Task whose labels are predicted, as has_ILD of the column label_has_ILD.", show_default=False)
]
SplitId = Annotated[str | None, typer.Option("--split", help="A split by its id.", show_default="the last of the task")]
