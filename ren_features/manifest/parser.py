"""Read a manifest into a cohort, checked as a whole: every problem of every row at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ren_features.cohort import Cohort
from ren_features.errors import CohortError
from ren_features.manifest.table_cells import LABEL_PREFIX, OPTIONAL, REQUIRED, date_problem, label_problem, parse_date
from ren_features.manifest.table_file import PLAIN, TableForm, read_table
from ren_features.regions import LABEL_SCHEMES
from ren_features.scan import Scan

BINARY = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
"""Cells of a label of two classes."""

# Ids become file names and part of SQL answers, so they stay plain.
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SAFE_UID = re.compile(r"[0-9.]{1,64}")
SAFE_TASK = re.compile(r"[A-Za-z0-9_]+")


def read_cohort(path: str | Path, form: TableForm = PLAIN) -> Cohort:
    """Read and check a manifest.

    Parameters
    ----------
    path : str or Path
        CSV, Parquet or Excel with the columns `patient_id, scan_id, image`; optional `series_uid, mask, mask_scheme,
        scan_date` (YYYY-MM-DD); `label_<task>` (0, 1 or empty; of more classes 0, 1, 2, ... without a gap); every other column is
        kept as an attribute. Relative paths are relative to the manifest. What is not plain is in the cohort's `notes`.
    form : TableForm, optional
        Encoding of the text and format of the dates, where they are not UTF-8 and YYYY-MM-DD.

    Raises
    ------
    CohortError
        With every problem of every row. Absent image files are no problem of the manifest: see `validation`.

    Examples
    --------
    >>> cohort = read_cohort("cohort.csv")
    >>> cohort.labels["ill"]["s1"]
    1
    """
    path = Path(path)
    folder = path.parent.resolve()
    read = read_table(path, form)
    table, slashes = _with_slashes(read.cells, folder)
    _raise_if_any(path, _column_problems(table))
    rows = [
        Row(number, {name: value for name, value in row.items() if value is not None})
        for number, row in enumerate(table.iter_rows(named=True), start=1)
    ]
    if not rows:
        raise CohortError(f"{path}: expected at least one scan, got no rows")
    classes = {name: _classes(table[name]) for name in _label_columns(table)}
    problems = [f"{row}: {problem}" for row in rows for problem in row.problems(classes, form)] + _duplicates(rows)
    if problems:
        # The list is to be complete: what files lack is told with what rows lack.
        sound = [row for row in rows if not any(row.problems(classes, form))]
        problems += [f"{row}: {problem}" for row in sound for problem in row.scan(folder).missing_files()]
    _raise_if_any(path, problems)
    labels = {name.removeprefix(LABEL_PREFIX): _labels(rows, name) for name in _label_columns(table)}
    return Cohort(tuple(row.scan(folder) for row in rows), labels, (*read.notes, *(f"{path.name}: {text}" for text in slashes)))


def _with_slashes(table: pl.DataFrame, folder: Path) -> tuple[pl.DataFrame, list[str]]:
    """Paths of Windows with `/` between their names, unless a file's name has the backslash; a note for each column."""
    notes = []
    for name in [name for name in ("image", "mask") if name in table.columns]:
        cells = table[name].to_list()
        slashed = [cell.replace("\\", "/") if "\\" in (cell or "") and not (folder / cell).exists() else cell for cell in cells]
        if changed := sum(cell != path for cell, path in zip(cells, slashed, strict=True)):
            notes.append(f"column {name}: {changed} paths have \\ between their names and are read with /")
            table = table.with_columns(pl.Series(name, slashed, pl.String))
    return table, notes


def _raise_if_any(path: Path, problems: list[str]) -> None:
    if problems:
        raise CohortError(*(f"{path}: {problem}" for problem in problems))


def _column_problems(table: pl.DataFrame) -> list[str]:
    missing = [
        f"column {name}: expected in the manifest, got {', '.join(table.columns)}" for name in REQUIRED if name not in table
    ]
    tasks = [name for name in _label_columns(table) if not SAFE_TASK.fullmatch(name.removeprefix(LABEL_PREFIX))]
    known = {
        name: name.casefold()
        for name in table.columns
        if name.casefold() in (*REQUIRED, *OPTIONAL) or name.casefold().startswith(LABEL_PREFIX)
    }
    return [
        *missing,
        *(f"column {name}: expected label_<task> of letters, digits and _" for name in tasks),
        *(
            f"column {name}: expected in small letters"
            for name in known
            if not name.startswith(LABEL_PREFIX) and name != known[name]
        ),
    ]


def _labels(rows: list[Row], column: str) -> dict[str, int]:
    return {row.cells["scan_id"]: int(float(row.cells[column])) for row in rows if column in row.cells}


def _classes(column: pl.Series) -> Mapping[str, int]:
    """Cells that a label may have: those of two classes; of more when the column has 0, 1, 2 and on without a gap."""
    cells = column.drop_nulls().unique()
    more = {f"{number}{ending}": number for number in range(len(cells)) for ending in ("", ".0")}
    found = {more.get(cell) for cell in cells}
    return more if len(cells) > 2 and found == set(range(len(cells))) else BINARY


def _label_columns(table: pl.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(LABEL_PREFIX)]


@dataclass(frozen=True)
class Row:
    """A line of a manifest; its cells are text, empty ones left out."""

    number: int
    cells: Mapping[str, str]

    def __str__(self) -> str:
        return f"row {self.number} (scan {self.cells.get('scan_id', '?')})"

    def problems(self, classes: Mapping[str, Mapping[str, int]], form: TableForm) -> Iterator[str]:
        """Everything that is wrong with this row, given what cells labels may have."""
        for name in REQUIRED:
            if name not in self.cells:
                yield f"{name}: expected a value, got an empty cell"
        for name in ("patient_id", "scan_id"):
            if not SAFE_ID.fullmatch(self.cells.get(name, "empty")):
                yield f"{name}: expected up to 128 letters, digits, '.', '_' and '-', got {self.cells[name]!r}"
        if self.cells.get("mask_scheme", "lungmask") not in LABEL_SCHEMES:
            yield f"mask_scheme: expected one of {', '.join(LABEL_SCHEMES)}, got {self.cells['mask_scheme']!r}"
        for name, value in self.cells.items():
            if name in classes and value not in classes[name]:
                yield f"{name}: {label_problem(value)}"
        if not SAFE_UID.fullmatch(self.cells.get("series_uid", "1")):
            yield f"series_uid: expected a DICOM UID of digits and dots, got {self.cells['series_uid']!r}"
        if "scan_date" in self.cells and parse_date(self.cells["scan_date"]) is None:
            yield f"scan_date: {date_problem(self.cells['scan_date'], form.date_format)}"

    def scan(self, folder: Path) -> Scan:
        """The scan of a row without problems."""
        cells = self.cells
        known = {*REQUIRED, *OPTIONAL}
        return Scan(
            cells["patient_id"],
            cells["scan_id"],
            folder / cells["image"],
            folder / cells["mask"] if "mask" in cells else None,
            cells.get("mask_scheme"),
            parse_date(cells.get("scan_date", "")),
            {name: value for name, value in cells.items() if name not in known and not name.startswith(LABEL_PREFIX)},
            cells.get("series_uid"),
        )


def _duplicates(rows: list[Row]) -> list[str]:
    """Scan ids that stand in several rows, of one patient or of two."""
    by_scan: dict[str, list[Row]] = {}
    for row in rows:
        if "scan_id" in row.cells:
            by_scan.setdefault(row.cells["scan_id"], []).append(row)
    problems = []
    for scan_id, same in by_scan.items():
        patients = sorted({row.cells.get("patient_id", "?") for row in same})
        numbers = ", ".join(str(row.number) for row in same)
        if len(patients) > 1:
            problems.append(f"scan {scan_id}: expected one patient, got {', '.join(patients)} in rows {numbers}")
        elif len(same) > 1:
            problems.append(f"scan {scan_id}: expected one row, got rows {numbers}")
    return problems
