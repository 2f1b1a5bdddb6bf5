"""Cells of users' tables: which columns have a meaning, and how a date, an unknown value and a decimal comma are written."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta

import polars as pl

from ren_features.errors import CohortError

REQUIRED = ("patient_id", "scan_id", "image")
OPTIONAL = ("series_uid", "mask", "mask_scheme", "scan_date")
LABEL_PREFIX = "label_"

UNKNOWN = frozenset(("na", "nan", "n/a", "null", "none", "#n/a", "<na>", "nat", "."))
"""Words, in small letters, that R, pandas, Excel and SAS write for an unknown value."""

DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
EXCEL_SERIAL = re.compile(r"\d{5}(\.\d+)?")
EXCEL_EPOCH = date(1899, 12, 30)


def as_text(column: pl.Series) -> pl.Series:
    """A column's cells as a manifest would write them; ids and labels that are whole numbers without a decimal point."""
    if column.dtype.is_nested():
        raise CohortError(f"column {column.name}: expected single values, got {column.dtype}")
    if column.name.startswith(LABEL_PREFIX) and column.dtype == pl.Boolean:
        column = column.cast(pl.Int8)
    if column.name == "scan_date" and column.dtype == pl.Datetime:
        column = column.dt.replace_time_zone(None).cast(pl.Date)
    whole = column.dtype.is_float() and (column.drop_nulls() == column.drop_nulls().round()).all()
    if whole and (column.name in REQUIRED or column.name.startswith(LABEL_PREFIX)):
        column = column.cast(pl.Int64)
    return column.cast(pl.String).str.strip_chars()


def without_unknown_words(table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Empty the cells of labels, dates and masks that say `NA` and the like; a note for each such column.

    Ids stay as they are, for a patient may be called NA, and so do attributes, where `None` may be an answer.
    """
    notes = []
    for name in [name for name in table.columns if name in OPTIONAL or name.startswith(LABEL_PREFIX)]:
        unknown = table[name].str.to_lowercase().is_in(list(UNKNOWN)).fill_null(value=False)
        if unknown.any():
            words = ", ".join(sorted(set(table[name].filter(unknown))))
            notes.append(f"column {name}: {unknown.sum()} cells say {words} and are taken as unknown")
            table = table.with_columns(pl.when(~unknown).then(pl.col(name)).alias(name))
    return table, notes


def with_decimal_points(table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Write 63,5 as 63.5 in columns of such numbers alone; ids, paths and dates stay as they are."""
    changed = [column.name for column in table if column.name not in (*REQUIRED, *OPTIONAL) and _has_decimal_commas(column)]
    notes = [f"decimal commas are read as points in {', '.join(changed)}"] if changed else []
    return table.with_columns(pl.col(name).str.replace(",", ".", literal=True) for name in changed), notes


def _has_decimal_commas(column: pl.Series) -> bool:
    known = [cell for cell in column.drop_nulls() if cell.lower() not in UNKNOWN]
    return any("," in cell for cell in known) and all(DECIMAL_COMMA.fullmatch(cell) for cell in known)


def with_iso_dates(table: pl.DataFrame, date_format: str | None) -> tuple[pl.DataFrame, list[str]]:
    """Write every `scan_date` that is understood as YYYY-MM-DD; the others stay, for `date_problem` to name."""
    if "scan_date" not in table.columns:
        return table, []
    cells = table["scan_date"].to_list()
    dates = [None if cell is None else parse_date(cell, date_format) for cell in cells]
    written = [cell if day is None else day.isoformat() for cell, day in zip(cells, dates, strict=True)]
    changed = sum(cell != day for cell, day in zip(cells, written, strict=True))
    how = f", read as {date_format}" if date_format else ""
    notes = [f"column scan_date: {changed} cells are taken as YYYY-MM-DD{how}, without a time"] if changed else []
    return table.with_columns(pl.Series("scan_date", written, pl.String)), notes


def parse_date(text: str, date_format: str | None = None) -> date | None:
    """The day of a date of ISO 8601, with or without a time, or of the given format; None when it is no such date.

    Examples
    --------
    >>> parse_date("2020-04-03 00:00:00")
    datetime.date(2020, 4, 3)
    >>> parse_date("03.04.2020", "%d.%m.%Y")
    datetime.date(2020, 4, 3)
    >>> parse_date("03.04.2020") is None
    True
    """
    try:
        moment = datetime.strptime(text, date_format) if date_format else datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date()


def date_problem(text: str, date_format: str | None = None) -> str:
    """Reason why a cell is no date, and the option that reads it."""
    if date_format:
        return f"expected a date of the form {date_format} (as --date-format says), got {text!r}"
    if EXCEL_SERIAL.fullmatch(text):
        day = EXCEL_EPOCH + timedelta(days=int(float(text)))
        return (
            f"expected YYYY-MM-DD, got {text!r}, a serial number of Excel (perhaps {day}): format the column as YYYY-MM-DD there"
        )
    return (
        f"expected YYYY-MM-DD, got {text!r}; --date-format '%d.%m.%Y' reads 03.04.2020 as 3 April, '%m/%d/%Y' reads 04/03/2020 so"
    )


TRUE_FALSE = (("yes", "no"), ("true", "false"), ("y", "n"), ("ja", "nein"), ("positive", "negative"), ("pos", "neg"))


def label_problem(text: str) -> str:
    """Reason why a cell is no label, and the option that reads it."""
    problem = f"expected 0, 1 or an empty cell, got {text!r}"
    for true, false in TRUE_FALSE:
        if text.casefold() in (true, false):
            return (
                f'{problem}; `ren-features manifest --labels TABLE --label-values "{true}=1 {false}=0"` writes numbers for words'
            )
    return f"{problem} (of more classes, 0, 1, 2 and on without a gap)"


def label_values(text: str) -> dict[str, str]:
    """The numbers that words of labels stand for; words in small letters.

    Examples
    --------
    >>> label_values("Yes=1 no=0")
    {'yes': '1', 'no': '0'}

    Raises
    ------
    CohortError
        When it has another form, or says two things of one word.
    """
    pairs = [pair.partition("=") for pair in re.split(r"[\s,;]+", text.strip())]
    repeated = [word for word, count in Counter(word.casefold() for word, _, _ in pairs).items() if count > 1]
    if repeated or not all(word and number.isdecimal() for word, _, number in pairs):
        raise CohortError(f'label values: expected each word once, as in "yes=1 no=0", got {text!r}')
    return {word.casefold(): number for word, _, number in pairs}


def with_label_numbers(table: pl.DataFrame, numbers: dict[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Put numbers in place of the words of labels; a note for each column that had some."""
    notes = []
    for name in [name for name in table.columns if name.startswith(LABEL_PREFIX)]:
        words = table[name].str.to_lowercase()
        counts = Counter(word for word in words if word in numbers)
        if counts:
            told = ", ".join(f"{word}={numbers[word]} ({count})" for word, count in sorted(counts.items()))
            notes.append(f"column {name}: {told}")
            table = table.with_columns(words.replace_strict(numbers, default=table[name]).alias(name))
    return table, notes
