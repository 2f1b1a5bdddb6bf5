"""Evaluations as rows of the store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from ren_features.store.rows import Row
from ren_models.experiments.evaluation import Evaluation, Prediction
from ren_models.experiments.experiment import Experiment
from ren_models.experts.files import save_model

TYPES: dict[str, Any] = {
    "region": pl.String,
    "region_set": pl.String,
    "value": pl.Float64,
    "checkpoint": pl.String,
    "probability": pl.Float64,
    "probabilities": pl.List(pl.Float64),
    "vector": pl.List(pl.Float32),
}
"""Types of columns that can be NULL throughout."""


def rows_of(evaluations: Iterable[Evaluation], experiment: Experiment, store: Path, run_id: str) -> dict[str, pl.DataFrame]:
    """Rows of evaluations by table, as the experiment keeps them; the files of their models are written.

    Parameters
    ----------
    evaluations : iterable of Evaluation
    experiment : Experiment
    store : Path
        Where the files of models stand beside it.
    run_id : str
    """
    tables: dict[str, list[pl.DataFrame]] = {}
    for evaluation in evaluations:
        model = _model(evaluation, experiment, store, run_id)
        tables.setdefault("models", []).append(_frame([model]))
        tables.setdefault("results", []).append(_frame(_results(evaluation, model)))
        for prediction in evaluation.predictions:
            if "predictions" in experiment.keeps:
                tables.setdefault("predictions", []).append(_predictions(prediction, model))
            if "embeddings" in experiment.keeps:
                tables.setdefault("embeddings", []).extend(_embeddings(prediction, model))
    return {table: pl.concat(frames) for table, frames in tables.items()}


def _model(evaluation: Evaluation, experiment: Experiment, store: Path, run_id: str) -> Row:
    fit, expert, model_id = evaluation.fit, evaluation.expert, experiment.model_id(evaluation.fit)
    method = fit.inputs.method
    params = expert.params if expert else experiment.settings.as_dict()
    keeps_file = expert and "files" in experiment.keeps
    return {
        **experiment.key,
        "model_id": model_id,
        "kind": experiment.kind,
        "method": method.name,
        "architecture": method.architecture,
        "region": method.region,
        "region_set": method.region_set,
        "round": fit.round.index,
        "permutation": fit.permutation,
        "spec_id": experiment.spec_id,
        "params": json.dumps(params | {"sound_only": experiment.sound_only}),
        "settings_id": experiment.settings_id,
        "changed": json.dumps(expert.changed if expert else experiment.settings.changed()),
        "metrics": json.dumps({name: _or_none(value) for name, value in evaluation.metrics.items()}),
        "inputs": json.dumps(experiment.inputs(fit)),
        "checkpoint": save_model(expert, store, model_id + experiment.settings.suffix) if expert and keeps_file else None,
        "run_id": run_id,
    }


def _results(evaluation: Evaluation, model: Row) -> list[Row]:
    names = ("experiment", "task", "split_id", "method", "region", "round", "permutation", "spec_id", "run_id")
    shared = {name: model[name] for name in names} | {"scope": evaluation.fit.inputs.method.scope}
    return [{**shared, "metric": metric, "value": _or_none(value)} for metric, value in evaluation.metrics.items()]


def _predictions(prediction: Prediction, model: Row) -> pl.DataFrame:
    rows = prediction.rows
    return _frame(
        {
            **{name: model[name] for name in ("model_id", "region", "architecture", "round")},
            "scan_id": prediction.scan_ids,
            "patient_id": rows.patients,
            "part": prediction.part,
            "label": rows.y,
            "probability": rows.positive if rows.binary else None,
            "probabilities": None if rows.binary else rows.probabilities.tolist(),
        }
    )


def _embeddings(prediction: Prediction, model: Row) -> list[pl.DataFrame]:
    return [
        _frame(
            {
                **{name: model[name] for name in ("model_id", "region", "architecture", "round")},
                "scan_id": prediction.scan_ids,
                "patient_id": prediction.rows.patients,
                "layer": layer,
                "vector": vectors.tolist(),
            }
        )
        for layer, vectors in prediction.embeddings.items()
    ]


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _frame(columns: Any) -> pl.DataFrame:
    names = columns[0] if isinstance(columns, list) else columns
    types = {name: kind for name, kind in TYPES.items() if name in names}
    return pl.DataFrame(columns, schema_overrides=types, infer_schema_length=None)
