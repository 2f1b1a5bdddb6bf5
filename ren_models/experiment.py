"""An experiment: fits of one kind over a split, and its rows in the store."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from ren_features import FeatureStore
from ren_features.provenance import Run
from ren_features.store.connection import transaction
from ren_features.store.rows import delete, insert_frame
from ren_features.store.writing import begin_run, finish_run
from ren_models.cross_validation import Evaluation, Fit, cross_validate
from ren_models.experts.settings import RadiomicsSettings
from ren_models.splits import Split

Listener = Callable[[str, int], None]


class Experiment(NamedTuple):
    """What its results are kept under, and what decides them.

    Attributes
    ----------
    name : str
    split : Split
    spec_id : str
        Settings of the features.
    settings : RadiomicsSettings
    keeps : frozenset of str
        What is kept beside results: `predictions`, and `files` of the models.
    kind : str
        Of the models, in the store.
    """

    name: str
    split: Split
    spec_id: str
    settings: RadiomicsSettings
    keeps: frozenset[str] = frozenset()
    kind: str = "expert"

    @property
    def key(self) -> dict[str, Any]:
        """Columns that its results share."""
        return {"experiment": self.name, "task": self.split.task, "split_id": self.split.split_id}

    def model_id(self, fit: Fit) -> str:
        """First 16 hexadecimal digits of the SHA-256 of everything that decides what the model is."""
        what = [fit.inputs.method, fit.inputs.region, fit.round.index, fit.permutation]
        content = json.dumps([*self.key.values(), self.spec_id, self.settings.as_dict(), *what])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def model_folder(store: Path) -> Path:
    """Where the files of a store's models stand."""
    return store.with_name(f"{store.name}.models")


def run_experiment(
    store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], *, jobs: int, listener: Listener | None = None
) -> None:
    """Make the fits, and put their rows in place of those that the experiment had of this task and split.

    All of them are stored, or none. The same fits give the same rows, but for the run that they name.
    """
    run = Run.begin()
    with transaction(store.connection):
        begin_run(store.connection, run, experiment.spec_id)
    status = "interrupted"
    try:
        evaluations = []
        for evaluation in cross_validate(fits, experiment.settings, jobs=jobs):
            evaluations.append(evaluation)
            if listener:
                listener(" ".join(filter(None, (evaluation.fit.inputs.method, evaluation.fit.inputs.region))), 1)
        _store(store, experiment, evaluations, run.run_id)
        status = "finished"
    finally:
        finish_run(store.connection, run.run_id, status)


def is_stored(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> bool:
    """Whether the store has the models of exactly these fits."""
    known = store.sql(
        "SELECT model_id FROM models WHERE experiment = ? AND task = ? AND split_id = ?", list(experiment.key.values())
    )
    return set(known.to_series()) == {experiment.model_id(fit) for fit in fits}


def _store(store: FeatureStore, experiment: Experiment, evaluations: Sequence[Evaluation], run_id: str) -> None:
    before = _files(store, experiment)
    with transaction(store.connection):
        _forget(store, experiment)
        insert_frame(store.connection, "results", _results(experiment, evaluations, run_id))
        if "predictions" in experiment.keeps:
            insert_frame(store.connection, "models", _models(store, experiment, evaluations, run_id))
            insert_frame(store.connection, "predictions", _predictions(experiment, evaluations))
    for path in before - _files(store, experiment):
        path.unlink(missing_ok=True)


def _files(store: FeatureStore, experiment: Experiment) -> set[Path]:
    named = store.sql(
        "SELECT checkpoint FROM models WHERE experiment = ? AND task = ? AND split_id = ? AND checkpoint IS NOT NULL",
        list(experiment.key.values()),
    )
    return {store.path.parent / name for name in named.to_series()}


def _forget(store: FeatureStore, experiment: Experiment) -> None:
    which = "SELECT model_id FROM models WHERE experiment = ? AND task = ? AND split_id = ?"
    store.connection.execute(f"DELETE FROM predictions WHERE model_id IN ({which})", list(experiment.key.values()))
    delete(store.connection, experiment.key, "models", "results")


def _results(experiment: Experiment, evaluations: Iterable[Evaluation], run_id: str) -> pl.DataFrame:
    rows = [
        experiment.key
        | {"method": each.fit.inputs.method, "region": each.fit.inputs.region, "round": each.fit.round.index}
        | {"metric": metric, "permutation": each.fit.permutation, "value": _or_none(value), "run_id": run_id}
        for each in evaluations
        for metric, value in each.metrics.items()
    ]
    return pl.DataFrame(rows, schema_overrides={"region": pl.String, "value": pl.Float64}, infer_schema_length=None)


def _models(store: FeatureStore, experiment: Experiment, evaluations: Iterable[Evaluation], run_id: str) -> pl.DataFrame:
    rows = [
        {
            **experiment.key,
            "model_id": experiment.model_id(each.fit),
            "kind": experiment.kind,
            "architecture": each.fit.inputs.method,
            "region": each.fit.inputs.region,
            "round": each.fit.round.index,
            "permutation": each.fit.permutation,
            "spec_id": experiment.spec_id,
            "params": json.dumps(each.expert.chosen_.as_dict()),
            "metrics": json.dumps({name: _or_none(value) for name, value in each.metrics.items()}),
            "checkpoint": _save(store, experiment, each) if "files" in experiment.keeps else None,
            "run_id": run_id,
        }
        for each in evaluations
    ]
    return pl.DataFrame(rows, schema_overrides={"region": pl.String, "checkpoint": pl.String}, infer_schema_length=None)


def _save(store: FeatureStore, experiment: Experiment, evaluation: Evaluation) -> str:
    path = model_folder(store.path) / f"{experiment.model_id(evaluation.fit)}.json"
    path.parent.mkdir(exist_ok=True)
    evaluation.expert.save(path)
    return str(path.relative_to(store.path.parent))


def _predictions(experiment: Experiment, evaluations: Iterable[Evaluation]) -> pl.DataFrame:
    frames = [
        pl.DataFrame(
            {
                "scan_id": each.part.scan_ids,
                "patient_id": each.part.patient_ids,
                "part": each.part.name,
                "probability": each.rows.positive if each.rows.binary else None,
                "probabilities": None if each.rows.binary else each.rows.probabilities.tolist(),
                "model_id": experiment.model_id(evaluation.fit),
                "region": evaluation.fit.inputs.region,
                "architecture": evaluation.fit.inputs.method,
                "round": evaluation.fit.round.index,
            },
            schema_overrides={"probability": pl.Float64, "probabilities": pl.List(pl.Float64), "region": pl.String},
        )
        for evaluation in evaluations
        for each in evaluation.predictions
    ]
    return pl.concat(frames)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
