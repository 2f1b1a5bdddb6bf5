"""Evaluations as rows of `results`, `models` and `predictions`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ren_models.experiments.evaluation import Evaluation, Prediction
from ren_models.experiments.experiment import Experiment
from ren_models.experts.files import save_model

Row = dict[str, Any]


class ResultRows:
    """Rows of an experiment, collected evaluation by evaluation; experts are saved and let go.

    Parameters
    ----------
    store : Path
    experiment : Experiment
    run_id : str
    """

    def __init__(self, store: Path, experiment: Experiment, run_id: str) -> None:
        self.store, self.experiment, self.run_id = store, experiment, run_id
        self.results: list[Row] = []
        self.models: list[Row] = []
        self.predictions: list[pl.DataFrame] = []

    def add(self, evaluation: Evaluation) -> None:
        """Take what is to be kept of an evaluation."""
        fit, metrics = evaluation.fit, {name: _or_none(value) for name, value in evaluation.metrics.items()}
        shared = {
            **self.experiment.key,
            "region": fit.inputs.region,
            "round": fit.round.index,
            "permutation": fit.permutation,
            "spec_id": self.experiment.spec_id,
            "run_id": self.run_id,
        }
        self.results += [
            {**shared, "method": fit.inputs.method, "metric": metric, "value": value} for metric, value in metrics.items()
        ]
        model_id = self.experiment.model_id(fit)
        inputs = json.dumps(self.experiment.inputs(fit))
        self.models.append({**shared, **self._model(evaluation, model_id), "metrics": json.dumps(metrics), "inputs": inputs})
        if "predictions" in self.experiment.keeps:
            self.predictions += [_frame(evaluation, each, model_id) for each in evaluation.predictions]

    def _model(self, evaluation: Evaluation, model_id: str) -> Row:
        files = "files" in self.experiment.keeps
        return {
            "model_id": model_id,
            "kind": self.experiment.kind,
            "architecture": evaluation.fit.inputs.method,
            "params": json.dumps(self._params(evaluation) | {"sound_only": self.experiment.sound_only}),
            "checkpoint": save_model(evaluation.expert, self.store, model_id) if files and evaluation.expert else None,
        }

    def _params(self, evaluation: Evaluation) -> dict[str, Any]:
        return evaluation.expert.params if evaluation.expert else self.experiment.settings.as_dict()

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Tables with their rows."""
        types = {"region": pl.String, "value": pl.Float64, "checkpoint": pl.String}
        for table, rows in (("results", self.results), ("models", self.models)):
            if rows:
                known = {name: kind for name, kind in types.items() if name in rows[0]}
                yield table, pl.DataFrame(rows, schema_overrides=known, infer_schema_length=None)
        if self.predictions:
            yield "predictions", pl.concat(self.predictions)


def _frame(evaluation: Evaluation, prediction: Prediction, model_id: str) -> pl.DataFrame:
    rows = prediction.rows
    columns = {
        "model_id": model_id,
        "scan_id": prediction.scan_ids,
        "patient_id": rows.patients,
        "region": evaluation.fit.inputs.region,
        "architecture": evaluation.fit.inputs.method,
        "round": evaluation.fit.round.index,
        "part": prediction.part,
        "label": rows.y,
        "probability": rows.positive if rows.binary else None,
        "probabilities": None if rows.binary else rows.probabilities.tolist(),
    }
    types: dict[str, Any] = {"probability": pl.Float64, "probabilities": pl.List(pl.Float64), "region": pl.String}
    return pl.DataFrame(columns, schema_overrides=types)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
