"""Numbers that only a figure computes, kept in the table `results` beside those of the experiments."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ren_features import FeatureStore
from ren_features.store.connection import transaction
from ren_features.store.rows import replace
from ren_models.splits.rounds import Split

COLUMNS = ("experiment", "method", "region", "round", "metric", "value", "spec_id")
"""Of rows to keep; a value that does not exist is null."""


KEY = ("experiment", "task", "split_id", "round")
"""Columns of which rows to keep replace those that are kept."""

PLACE = "FROM results WHERE experiment = ? AND task = ? AND split_id = ? AND list_contains(?, round)"
"""Rows that give way to others."""


def keep(path: Path, split: Split, rows: pl.DataFrame) -> None:
    """Put rows in place of those of the same experiment and rounds.

    Parameters
    ----------
    path : Path
        The store. It is opened for writing only where its rows differ.
    split : Split
        The one that the numbers were computed with.
    rows : polars.DataFrame
        With `COLUMNS`, of one experiment and one spec.
    """
    rows = rows.select(COLUMNS).with_columns(
        task=pl.lit(split.task), split_id=pl.lit(split.split_id), permutation=0, scope=pl.col("region").fill_null("all_regions")
    )
    place = [rows["experiment"][0], split.task, split.split_id, rows["round"].unique().to_list()]
    with FeatureStore(path) as store:
        if _equal(rows, store.sql(f"SELECT * EXCLUDE run_id {PLACE}", place)):
            return
    with (
        FeatureStore(path, read_only=False) as store,
        store.computing(rows["spec_id"][0]) as run_id,
        transaction(store.connection),
    ):
        replace(
            store.connection, "results", rows.with_columns(run_id=pl.lit(run_id)), ("experiment", "task", "split_id", "round")
        )


def _equal(rows: pl.DataFrame, kept: pl.DataFrame) -> bool:
    """True when the rows are the same, in whatever order."""
    return rows.select(kept.columns).cast(kept.schema).sort(pl.all()).equals(kept.sort(pl.all()))
