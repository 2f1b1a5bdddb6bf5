"""Numbers that only a figure computes, kept in the table `results` beside those of the experiments."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ren_features import FeatureStore
from ren_features.store.connection import transaction
from ren_features.store.rows import delete, insert_frame
from ren_features.store.writing import computing
from ren_models.splits import Split

COLUMNS = ("experiment", "method", "region", "round", "metric", "value", "spec_id")
"""Of rows to keep; a value that does not exist is null."""


def keep(path: Path, split: Split, rows: pl.DataFrame) -> bool:
    """Put rows in place of those of the same experiment and round; returns whether the store had others, or none.

    Parameters
    ----------
    path : Path
        The store. It is opened for writing only where its rows differ.
    split : Split
        The one that the numbers were computed with.
    rows : polars.DataFrame
        With `COLUMNS`.
    """
    rows = rows.select(COLUMNS).with_columns(task=pl.lit(split.task), split_id=pl.lit(split.split_id), permutation=0)
    with FeatureStore(path) as store:
        if _are_kept(store, rows):
            return False
    with (
        FeatureStore(path, read_only=False) as store,
        computing(store.connection, rows["spec_id"][0]) as run_id,
        transaction(store.connection),
    ):
        for key in _keys(rows).iter_rows(named=True):
            delete(store.connection, key, "results")
        insert_frame(store.connection, "results", rows.with_columns(run_id=pl.lit(run_id)))
    return True


def _keys(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("experiment", "task", "split_id", "round").unique(maintain_order=True)


def _are_kept(store: FeatureStore, rows: pl.DataFrame) -> bool:
    """Whether the store has exactly these rows, whatever run they are of."""
    kept = store.sql("SELECT * EXCLUDE run_id FROM results").join(_keys(rows), on=_keys(rows).columns, how="semi")
    columns = sorted(rows.columns)
    one, other = (frame.select(columns).with_columns(pl.col("round", "permutation").cast(pl.Int64)) for frame in (rows, kept))
    return one.sort(columns).equals(other.sort(columns))
