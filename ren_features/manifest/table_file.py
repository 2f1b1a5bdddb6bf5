"""Tables of users (manifests, labels): CSV of any usual form, Parquet, Excel. What is not plain is said, or refused."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl

from ren_features.errors import CohortError
from ren_features.manifest.table_cells import as_text, with_decimal_points, with_iso_dates, without_unknown_words

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Encodings by the byte order mark with which a file begins."""

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

OTHER_KINDS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old form (.xls)",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file (.parquet)",
    b"%PDF": "a PDF",
}
"""Files that come under the name of a CSV file, by their first bytes."""

INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__")
"""Names under which pandas and R write the numbers of rows."""

EXPECTED = "expected a table (CSV, Parquet or Excel)"


@dataclass(frozen=True)
class TableForm:
    """Form of a table, as far as its user states it.

    Parameters
    ----------
    encoding : str, optional
        Of the text of a CSV file; by default UTF-8, or UTF-16 with its byte order mark.
    date_format : str, optional
        Of `scan_date`, as strptime has it (`%d.%m.%Y`); by default ISO 8601.
    separator : str, optional
        Between the cells of a CSV file; by default the one that parts its first line into most cells.
    """

    encoding: str | None = None
    date_format: str | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        if self.date_format and not all(re.search(part, self.date_format) for part in ("%d", "%[mbB]", "%[Yy]")):
            raise CohortError(f"date format: expected day, month and year as in '%d.%m.%Y', got {self.date_format!r}")
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise CohortError(f"encoding: expected a name such as latin-1, cp1252 or utf-16, got {self.encoding!r}") from error


PLAIN = TableForm()


@dataclass(frozen=True)
class Table:
    """Cells as stripped text, None where empty, no empty rows; notes say what was not plain."""

    cells: pl.DataFrame
    notes: tuple[str, ...]


def read_table(path: Path, form: TableForm = PLAIN) -> Table:
    """Read a table of a user: CSV, Parquet, or the first sheet of a workbook.

    Dates in `scan_date` come back as YYYY-MM-DD, words for unknown values in labels, dates and masks as None.

    Raises
    ------
    CohortError
        When it is something else, when a row has more or fewer cells than there are columns, and when two columns have one name
        (capitals do not tell names apart in SQL).
    """
    if not path.is_file():
        raise CohortError(f"{path}: {EXPECTED}, found no file")
    try:
        table, notes = _frame(path, form)
        table, index = _without_index(table)
        _refuse_repeated(table.columns)
        table = table.rename(str.strip)
        cells = table.select(as_text(column) for column in table)
    except (pl.exceptions.PolarsError, fastexcel.FastExcelError, csv.Error, OSError) as error:
        raise CohortError(f"{path}: {EXPECTED}, could not read it: {error}") from error
    except CohortError as error:
        raise CohortError(*(f"{path}: {problem}" for problem in error.problems)) from error
    cells = cells.with_columns(pl.when(pl.all() == "").then(None).otherwise(pl.all()).name.keep())
    filled = cells.filter(~pl.all_horizontal(pl.all().is_null()))
    notes += index + ([f"{len(cells) - len(filled)} empty rows are left out"] if len(filled) < len(cells) else [])
    filled, unknown = without_unknown_words(filled)
    filled, dates = with_iso_dates(filled, form.date_format)
    return Table(filled, tuple(f"{path.name}: {text}" for text in (*notes, *unknown, *dates)))


def _frame(path: Path, form: TableForm) -> tuple[pl.DataFrame, list[str]]:
    """The table as it stands in the file."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path), []
    if path.suffix.lower() in WORKBOOKS:
        return _sheet(path)
    text, notes = _text(path.read_bytes(), form.encoding)
    separator, body, said = _separator(text, form.separator)
    table, empty = _parsed(body, separator)
    table, commas = with_decimal_points(table) if separator == ";" else (table, [])
    return table, notes + said + empty + commas


def _sheet(path: Path) -> tuple[pl.DataFrame, list[str]]:
    workbook = fastexcel.read_excel(path)
    first, *others = workbook.sheet_names
    sheet = pl.DataFrame(workbook.load_sheet(first))
    names = ["" if name.startswith("__UNNAMED__") else name for name in sheet.columns]
    table, empty = _columns(names, sheet.get_columns())
    unread = f", not {', '.join(others)}" if others else ""
    return table, [f"sheet {first} of the workbook is read{unread}", *empty]


def _text(content: bytes, encoding: str | None) -> tuple[str, list[str]]:
    """The text of a CSV file, and a note when it is not UTF-8."""
    kind = next((kind for magic, kind in OTHER_KINDS.items() if content.startswith(magic)), None)
    if kind:
        raise CohortError(f"{EXPECTED}, got {kind}: save it as 'CSV UTF-8', or give it the name of its kind")
    marked = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    taken = marked or encoding or "utf-8"
    try:
        text = content.decode(taken)
    except UnicodeDecodeError as error:
        raise CohortError(_undecoded(content, error)) from error
    if "\0" in text:
        raise CohortError(
            f"{EXPECTED}, got bytes of zero in {taken} text: UTF-16 without its mark is read with --encoding utf-16-le"
        )
    return text, [] if taken.startswith("utf-8") else [f"the text is read as {taken}"]


def _undecoded(content: bytes, error: UnicodeDecodeError) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    row = f"row {line - 1}" if line > 1 else "the names of columns"
    # The text around the byte is not repeated: it is often a name.
    return (
        f"{row} (line {line}): expected {error.encoding} text, got byte 0x{content[error.start]:02X}, perhaps Latin-1 "
        "(Windows-1252): save the table as 'CSV UTF-8', or read it with --encoding latin-1"
    )


def _separator(text: str, given: str | None) -> tuple[str, str, list[str]]:
    """Separator of cells, the table's text without Excel's line `sep=`, and a note when these are no commas."""
    first, _, rest = text.partition("\n")
    if declared := re.fullmatch(r'"?sep=(.)"?\r?', first):
        return declared[1], rest, [f"cells are parted as the line {first.strip()} says"]
    if given:
        return given, text, []
    cells = {separator: len(next(csv.reader([first], delimiter=separator), [])) for separator in SEPARATORS}
    best = [separator for separator, count in cells.items() if count == max(cells.values())]
    if len(best) > 1 and cells[best[0]] > 1:
        both = " and ".join(SEPARATORS[separator] for separator in best)
        raise CohortError(f"expected one separator in the names of columns, got {both}: say which in a first line `sep=;`")
    return best[0], text, [] if best[0] == "," else [f"cells are parted by {SEPARATORS[best[0]]}"]


def _parsed(text: str, separator: str) -> tuple[pl.DataFrame, list[str]]:
    """Rows of text; a row with more cells than columns, or fewer, is refused."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names = [name.strip() for name in next(rows, [])]
    if not names:
        raise CohortError("expected the names of columns in the first line, got none")
    lines = [row for row in rows if row]
    ragged = [
        f"row {number}: expected {len(names)} cells as there are columns, got {len(row)} (a separator within a cell needs quotes)"
        for number, row in enumerate(lines, start=1)
        if len(row) < len(names) or any(cell.strip() for cell in row[len(names) :])
    ]
    if ragged:
        raise CohortError(*ragged)
    cells = ([row[position].strip() or None for row in lines] for position in range(len(names)))
    return _columns(names, [pl.Series(column, dtype=pl.String) for column in cells])


def _columns(names: list[str], columns: list[pl.Series]) -> tuple[pl.DataFrame, list[str]]:
    """A frame of the columns, without empty ones that have no name, as Excel writes them behind the last."""
    empty = [position for position, name in enumerate(names) if not name and columns[position].is_null().all()]
    kept = [position for position in range(len(names)) if position not in empty]
    if nameless := [str(position + 1) for position in kept[1:] if not names[position]]:
        raise CohortError(f"expected a name for every column, got none for column {', '.join(nameless)}, which has values")
    _refuse_repeated([names[position] for position in kept])
    notes = [f"{len(empty)} empty columns without a name are left out"] if empty else []
    return pl.DataFrame({names[position]: columns[position] for position in kept}), notes


def _without_index(table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Leave out the numbers of rows that pandas and R write beside the columns."""
    index = [name for name in table.columns if INDEX.fullmatch(name)]
    notes = [f"the column {name or 'without a name'} (an index of rows) is left out" for name in index]
    return table.drop(index), notes


def _refuse_repeated(names: list[str]) -> None:
    folded = [name.strip().casefold() for name in names]
    repeated = sorted({name for name, fold in zip(names, folded, strict=True) if folded.count(fold) > 1})
    if repeated:
        raise CohortError(f"expected each column once, got {', '.join(repeated)}")
