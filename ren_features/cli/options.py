"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ren_features.spec import ExtractionSpec

SpecFile = Annotated[
    Path | None,
    typer.Option(help="Settings in YAML: the short form, or a PyRadiomics parameter file.", show_default=False),
]
RegionsFile = Annotated[
    Path | None, typer.Option(help="Your own regions in YAML, in place of the lobes and lungs.", show_default=False)
]
ToleranceMm = Annotated[
    float | None,
    typer.Option(min=0, help="DICOM: take a slice up to so many mm off an even grid; noted in quality.", show_default=False),
]

Encoding = Annotated[
    str | None,
    typer.Option(help="Encoding of a CSV table, such as latin-1.", show_default="UTF-8, or UTF-16 with its mark"),
]
DateFormat = Annotated[
    str | None, typer.Option(help="Format of scan_date in a table, such as %d.%m.%Y.", show_default="YYYY-MM-DD")
]


def read_settings(
    spec: Path | None, regions: Path | None, engine: str | None = None, tolerance_mm: float | None = None
) -> ExtractionSpec:
    """The spec that the options describe; options take the place of what the file says."""
    from dataclasses import replace

    from ren_features.regions import RegionSet
    from ren_features.spec import ExtractionSpec

    settings = ExtractionSpec.from_yaml(spec) if spec else ExtractionSpec()
    if regions:
        settings = replace(settings, regions=RegionSet.from_yaml(regions))
    if tolerance_mm is not None:
        settings = replace(settings, tolerance_mm=tolerance_mm)
    return replace(settings, engine=engine) if engine else settings


def echo_notes(notes: Iterable[str]) -> None:
    """Say what a person should know, beside the answer."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)
