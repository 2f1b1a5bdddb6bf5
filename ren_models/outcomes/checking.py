"""Recompute what a store says of its experts: metrics from predictions, parts from rounds, files, and freshness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from ren_features import FeatureStore
from ren_features.errors import RenError
from ren_models.experiments.running import CHANGED_RESULTS
from ren_models.experts.files import model_folder
from ren_models.metrics import Rows, score
from ren_models.outcomes.freshness import stale_results
from ren_models.splits.rounds import Split
from ren_models.splits.stored import read_split

TOLERANCE = 1e-9
"""Differences of recomputed metrics that are rounding."""

MISPLACED = """
    SELECT p.model_id, p.scan_id, p.part AS said, r.part AS is_in
    FROM predictions p JOIN models m USING (model_id)
    LEFT JOIN rounds r ON r.split_id = m.split_id AND r.round = p.round AND r.patient_id = p.patient_id
    WHERE m.split_id = ? AND p.part IS DISTINCT FROM r.part ORDER BY ALL
"""

PREDICTIONS = """
    SELECT model_id, part, patient_id, label, probability, probabilities FROM predictions
    WHERE model_id IN (SELECT model_id FROM models WHERE experiment = ? AND task = ? AND split_id = ?) ORDER BY ALL
"""


def check_store(store: FeatureStore, task: str | None = None) -> Iterator[str]:
    """Every disagreement within the stored splits, models, predictions and results; none when all is well.

    Parameters
    ----------
    store : FeatureStore
    task : str, optional
        By default every task that has a split.
    """
    splits = store.sql("SELECT task, split_id FROM splits WHERE ? IS NULL OR task = ? ORDER BY made_at", [task, task])
    for name, split_id in splits.rows():
        try:
            split = read_split(store, name, split_id)
        except RenError as error:
            yield str(error)
            continue
        yield from _check_split(store, split)


def _check_split(store: FeatureStore, split: Split) -> Iterator[str]:
    for model_id, scan_id, said, actual in store.sql(MISPLACED, [split.split_id]).rows():
        yield f"prediction of model {model_id}, scan {scan_id}: expected part {actual}, got {said}"
    query = "SELECT DISTINCT experiment FROM models WHERE task = ? AND split_id = ? ORDER BY 1"
    experiments = store.sql(query, [split.task, split.split_id])["experiment"].to_list()
    for experiment in experiments:
        key = [experiment, split.task, split.split_id]
        yield from _check_results(store, key)
        yield from _check_predictions(store, key)
        yield from _check_files(store, key)
    if experiments:
        yield from stale_results(store, split, *experiments)


def _check_results(store: FeatureStore, key: list[str]) -> Iterator[str]:
    for row in store.sql(CHANGED_RESULTS, [*key, *key]).iter_rows(named=True):
        yield f"results: expected {_place(key, row)} of {row['stored']} as its model has it, got {row['actual']}"


def _check_predictions(store: FeatureStore, key: list[str]) -> Iterator[str]:
    """Metrics of a model that differ from those that its predictions give."""
    models = store.sql(
        """SELECT model_id, method, region, round, permutation, metrics FROM models
        WHERE experiment = ? AND task = ? AND split_id = ? ORDER BY ALL""",
        key,
    )
    predictions = {str(model_id): rows for (model_id,), rows in store.sql(PREDICTIONS, key).group_by("model_id")}
    for model in models.iter_rows(named=True):
        if model["model_id"] not in predictions:
            continue
        recomputed = score(*(_rows(predictions[model["model_id"]].filter(part=part)) for part in ("val", "test")))
        for metric, stored in json.loads(model["metrics"]).items():
            value = recomputed.get(metric, np.nan)
            if not np.isclose(value, np.nan if stored is None else stored, rtol=0, atol=TOLERANCE, equal_nan=True):
                place = _place(key, model | {"metric": metric})
                yield f"models: expected {place} of {value} as predictions give it, got {stored}"


def _rows(predictions: pl.DataFrame) -> Rows:
    if predictions["probability"].null_count():
        probabilities = np.array(predictions["probabilities"].to_list())
    else:
        positive = predictions["probability"].to_numpy()
        probabilities = np.column_stack([1 - positive, positive])
    return Rows(predictions["label"].to_numpy(), probabilities, predictions["patient_id"].to_numpy().astype(np.str_))


def _place(key: list[str], row: dict[str, Any]) -> str:
    region = f" {row['region']}" if row["region"] else ""
    seed = f", permutation {row['permutation']}" if row["permutation"] else ""
    return f"{row['metric']} of {key[0]} {row['method']}{region}, task {key[1]}, round {row['round']}{seed}"


def _check_files(store: FeatureStore, key: list[str]) -> Iterator[str]:
    query = "SELECT checkpoint FROM models WHERE experiment = ? AND task = ? AND split_id = ? AND checkpoint IS NOT NULL"
    for name in store.sql(query, key)["checkpoint"]:
        path = model_folder(store.path) / name
        if not path.is_file():
            yield f"{path}: expected the file of a model of {key[0]}, found none"
