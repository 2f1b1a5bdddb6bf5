"""`ren-features report`: a store as one page for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ren_features.console.command_line import Store


def report(
    store: Store,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.", show_default=False)],
    spec_id: Annotated[
        str | None, typer.Option(help="Settings to report on; by default those of the latest run.", show_default=False)
    ] = None,
) -> None:
    """Write one HTML page that opens anywhere: numbers, plots, findings, and every scan with its picture and values.

    Example: ren-features report --store ren.duckdb -o report.html
    """
    from ren_features.report import write_report

    written = write_report(store, output, spec_id=spec_id)
    typer.echo(f"{output}: {written.scans} scans, {written.measured - written.without_picture} with a picture")
    if missing := written.without_picture:
        scans, them = ("scan has", "it") if missing == 1 else ("scans have", "them")
        typer.echo(f"{missing} measured {scans} no picture: `ren-features build ... --store {store} --previews` makes {them}.")
