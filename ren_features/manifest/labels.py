"""Joining a table of labels to the scans of a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ren_features.errors import CohortError
from ren_features.manifest.rows import Rows, note
from ren_features.manifest.table_cells import LABEL_PREFIX, label_values, with_label_numbers
from ren_features.manifest.table_file import PLAIN, TableForm, read_table

JOIN_KEYS = ("scan_id", "patient_id")


@dataclass(frozen=True)
class LabelsTable:
    """A table of labels, and how it is read.

    Parameters
    ----------
    path : Path
        CSV, Parquet or Excel with `scan_id` or `patient_id`.
    form : TableForm, optional
        Its encoding and the format of its dates.
    values : str, optional
        Numbers for words in labels, as in `yes=1 no=0`.
    keep : tuple of str, optional
        Columns to join beside labels and `scan_date`, or several names in one text; by default all, and of an export none.
    """

    path: Path
    form: TableForm = PLAIN
    values: str | None = None
    keep: tuple[str, ...] = ()

    def is_file(self, other: Path) -> bool:
        """True for that file."""
        return self.path.exists() and other.exists() and other.samefile(self.path)

    def joined_to(self, table: pl.DataFrame, rows: Rows) -> tuple[pl.DataFrame, list[str]]:
        """The scans with the columns of this table, and notes on what was left out or matches no scan.

        Raises
        ------
        CohortError
            When it has no key, a key twice, or a column that the scans have already.
        """
        read = read_table(self.path, self.form)
        labels, notes = with_label_numbers(read.cells, label_values(self.values)) if self.values else (read.cells, [])
        if "patient_id" in labels.columns:
            labels = labels.with_columns(pl.col("patient_id").replace(dict(rows.pseudonyms)))
        key = self._key(labels, rows)
        added, left_out = self._chosen(labels.drop([name for name in JOIN_KEYS if name != key], strict=False), key, rows)
        if clash := [name for name in added.columns if name != key and name in table.columns]:
            raise CohortError(f"{self.path}: expected columns beside those of the manifest, got {', '.join(clash)}")
        joined = table.join(added, on=key, how="left", maintain_order="left")
        unmatched = labels.filter(~pl.col(key).is_in(table[key].to_list()))[key].drop_nulls().to_list()
        return joined, [*read.notes, *notes, *left_out, *_unmatched(unmatched, rows.pseudonyms), *_unlabelled(joined, added)]

    def _key(self, labels: pl.DataFrame, rows: Rows) -> str:
        """The column that the tables share, each value once."""
        key = next((name for name in JOIN_KEYS if name in labels.columns), None)
        if key is None:
            raise CohortError(f"{self.path}: expected a column scan_id or patient_id, got {_shown(labels.columns, rows)}")
        repeated = labels.filter(labels[key].is_duplicated())[key].unique().drop_nulls().to_list()
        if repeated:
            got = f"several for {len(repeated)}" if rows.identities else f"several for {', '.join(sorted(repeated))}"
            raise CohortError(f"{self.path}: expected one row for each {key}, got {got}")
        return key

    def _chosen(self, labels: pl.DataFrame, key: str, rows: Rows) -> tuple[pl.DataFrame, list[str]]:
        """Columns to join: of an export, what is not asked for could tell who a patient is."""
        if not self.keep and rows.identities is None:
            return labels, []
        kept = {name for text in self.keep for name in ([text] if text in labels.columns else re.split(r"[\s,]+", text.strip()))}
        if absent := sorted(kept - set(labels.columns)):
            raise CohortError(f"{self.path}: --keep: expected columns of the table, got {', '.join(absent)}")
        known = {key, "scan_date"} | kept
        left_out = [name for name in labels.columns if name not in known and not name.startswith(LABEL_PREFIX)]
        notes = [f"columns of the labels table are left out, --keep NAME takes one: {_shown(left_out, rows)}"] if left_out else []
        return labels.drop(left_out), notes


def _shown(columns: list[str], rows: Rows) -> str:
    """Names of columns, but for those that tell who a patient is."""
    telling = rows.identities.stand_in if rows.identities else lambda _: False
    return ", ".join("(a name that tells who a patient is)" if telling(name) else name for name in columns)


def _unmatched(ids: list[str], pseudonyms: Mapping[str, str]) -> list[str]:
    """A note on rows without a scan; the ids of an export's patients are not for a log."""
    what = "rows of the labels table match no scan"
    return [f"{len(ids)} {what}"] if ids and pseudonyms else note(what, ids)


def _unlabelled(joined: pl.DataFrame, added: pl.DataFrame) -> list[str]:
    """A note on scans that no label is known of."""
    labels = [name for name in added.columns if name.startswith(LABEL_PREFIX)]
    unlabelled = (
        joined.filter(pl.all_horizontal(pl.col(name).is_null() for name in labels))["scan_id"].to_list() if labels else []
    )
    return note("scans have no label", unlabelled)
