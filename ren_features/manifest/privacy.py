"""Refusing to write what tells who a patient of an export is."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ren_features.errors import CohortError
from ren_features.images.dicom.identities import Identities
from ren_features.manifest.rows import note

NOT_WORDS = ("patient_id", "scan_id", "study_id", "series_uid")
"""Columns of pseudonyms, and of the UID that finds a series among others, which a store never holds."""

PATHS = {"image": "paths of images", "mask": "paths of masks"}


def refuse_identities(table: pl.DataFrame, identities: Identities, output: Path) -> None:
    """Refuse names of columns and cells that hold an id, a name or a birth date of the headers; none of them is repeated.

    Raises
    ------
    CohortError
        With the column and the scans, by their pseudonyms.
    """
    problems = []
    for position, name in enumerate(table.columns, start=1):
        if identities.stand_in(name):
            problems.append(f"the name of column {position} tells who a patient is")
        elif name not in NOT_WORDS:
            problems += _problems_of(name, table.select("patient_id", "scan_id", value=name), identities, output)
    if problems:
        raise CohortError(*(f"{output}: {problem}" for problem in problems))


def _problems_of(name: str, cells: pl.DataFrame, identities: Identities, output: Path) -> list[str]:
    telling = [
        scan
        for patient, scan, value in cells.iter_rows()
        if value and identities.stand_in(_as_stored(name, value, output), patient)
    ]
    if name in PATHS:
        return note(f"{PATHS[name]} tell who the patient is, and a store keeps paths: --links DIR lists links instead", telling)
    return note(f"cells of column {name} hold an id, a name or a birth date of the headers", telling)


def _as_stored(name: str, value: str, output: Path) -> str:
    """A path as a store keeps it, with all folders above."""
    return str(output.resolve().parent / value) if name in PATHS else value
