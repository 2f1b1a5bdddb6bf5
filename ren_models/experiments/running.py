"""Running an experiment: its fits, and their rows in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from ren_features import FeatureStore
from ren_features.store.connection import Connection, transaction
from ren_features.store.rows import delete, replace
from ren_models.experiments.evaluation import Evaluation, Fit, cross_validate
from ren_models.experiments.experiment import Experiment, attribution_of
from ren_models.experiments.rows import rows_of
from ren_models.experts.files import model_folder, named_files, remove_unnamed

Listener = Callable[[str, int], None]

COMMIT_S = 1.0
"""Fits are stored once in this time: one that takes longer by itself, those of milliseconds together."""

OF_EXPERIMENT = "WHERE experiment = ? AND task = ? AND split_id = ?"

FIT = ("experiment", "task", "split_id", "method", "region", "round", "permutation")
"""Columns that tell the fits of a store apart."""

SAME_FIT = " AND ".join(f"r.{name} IS NOT DISTINCT FROM m.{name}" for name in FIT)
"""Condition that a row r of `results` belongs to model m."""

CHANGED_RESULTS = f"""
    WITH of_models AS (
        SELECT m.model_id, m.experiment, m.task, m.split_id, m.method, m.region, m.round, m.permutation,
               metric.key AS metric, TRY_CAST(metric.value AS DOUBLE) AS value
        FROM models m, json_each(m.metrics) AS metric {OF_EXPERIMENT}
    ), of_results AS (SELECT * FROM results {OF_EXPERIMENT})
    SELECT model_id, coalesce(m.method, r.method) AS method, coalesce(m.region, r.region) AS region,
           coalesce(m.round, r.round) AS round, coalesce(m.permutation, r.permutation) AS permutation,
           coalesce(m.metric, r.metric) AS metric, m.value AS stored, r.value AS actual
    FROM of_models m FULL JOIN of_results r ON {SAME_FIT} AND r.metric = m.metric
    WHERE m.metric IS NULL OR r.metric IS NULL OR m.value IS DISTINCT FROM r.value ORDER BY ALL
"""
"""Results that are not those their models were stored with: changed by hand, deleted, or added."""


def run_experiment(
    store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], *, jobs: int, listener: Listener | None = None
) -> None:
    """Make the fits that the store lacks, store them as they are ready, and remove rows that belong to none of the fits.

    An interrupted run leaves what it has stored; the next one makes the rest. The same fits give the same rows, but for the run
    that they name. A store that is open for reading is free for other processes between the moments in which fits are stored.
    """
    planned = {experiment.model_id(fit): fit for fit in fits}
    stored = stored_models(store, experiment)
    missing = {model_id: fit for model_id, fit in planned.items() if model_id not in stored}
    candidates = named_files(store.connection) | {model_id + experiment.settings.suffix for model_id in missing}
    with store.released(), store.computing(experiment.spec_id) as run_id:
        _remove_explanations(store, experiment)
        try:
            _make(store, experiment, list(missing.values()), run_id, jobs=jobs, listener=listener)
            _remove_others(store, experiment, planned)
        finally:
            with store.writing() as connection:
                remove_unnamed(connection, store.path, candidates)


def _make(
    store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], run_id: str, *, jobs: int, listener: Listener | None
) -> None:
    """Make fits, and store them as they are ready."""
    pending: list[Evaluation] = []
    stored_at = time.monotonic()
    for evaluations in cross_validate(fits, experiment.settings, jobs=jobs, parts=experiment.parts):
        pending += evaluations
        if time.monotonic() - stored_at > COMMIT_S:
            _store(store, experiment, pending, run_id)
            pending, stored_at = [], time.monotonic()
        if listener:
            for evaluation in evaluations:
                listener(str(evaluation.fit.inputs.method), 1)
    _store(store, experiment, pending, run_id)


def _store(store: FeatureStore, experiment: Experiment, evaluations: Sequence[Evaluation], run_id: str) -> None:
    """Rows of evaluations in place of those of the same fits, in one transaction."""
    if not evaluations:
        return
    tables = rows_of(evaluations, experiment, store.path, run_id)
    with store.writing() as connection, transaction(connection):
        for table, frame in tables.items():
            replace(connection, table, frame, FIT if table in ("models", "results") else ("model_id",))
        _remove_orphans(connection)


def _remove_others(store: FeatureStore, experiment: Experiment, planned: Collection[str]) -> None:
    """Remove the experiment's rows that are of none of the planned fits."""
    key = list(experiment.key.values())
    with store.writing() as connection, transaction(connection):
        connection.execute(f"DELETE FROM models {OF_EXPERIMENT} AND NOT list_contains(?, model_id)", [*key, list(planned)])
        connection.execute(f"DELETE FROM results r {OF_EXPERIMENT} AND NOT EXISTS (FROM models m WHERE {SAME_FIT})", key)
        _remove_orphans(connection)


def _remove_orphans(connection: Connection) -> None:
    """Remove predictions and embeddings of models that are gone."""
    for table in ("predictions", "embeddings"):
        connection.execute(f"DELETE FROM {table} t WHERE NOT EXISTS (FROM models m WHERE m.model_id = t.model_id)")


def _remove_explanations(store: FeatureStore, experiment: Experiment) -> None:
    """Remove results that explain models which go now."""
    with store.writing() as connection, transaction(connection):
        delete(connection, experiment.key | {"experiment": attribution_of(experiment.name)}, "results")


def missing_fits(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> int:
    """Number of fits that the store lacks."""
    stored = stored_models(store, experiment)
    return sum(experiment.model_id(fit) not in stored for fit in fits)


def is_stored(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> bool:
    """True when the store has the models of exactly these fits, complete."""
    planned = {experiment.model_id(fit) for fit in fits}
    models = store.sql(f"SELECT count(*) FROM models {OF_EXPERIMENT}", list(experiment.key.values())).item()
    return planned == stored_models(store, experiment).keys() and models == len(planned)


def stored_models(store: FeatureStore, experiment: Experiment) -> dict[str, int]:
    """Seed of the control of each complete model: one with its predictions, its file, and unchanged results."""
    key = list(experiment.key.values())
    models = store.sql(
        f"""SELECT model_id, permutation, checkpoint FROM models m {OF_EXPERIMENT}
        AND (NOT ? OR permutation > 0 OR EXISTS (FROM predictions p WHERE p.model_id = m.model_id))""",
        [*key, "predictions" in experiment.keeps],
    )
    changed = set(store.sql(CHANGED_RESULTS, [*key, *key])["model_id"])
    folder = model_folder(store.path)
    return {
        model_id: seed
        for model_id, seed, checkpoint in models.rows()
        if model_id not in changed and (checkpoint is None or (folder / checkpoint).is_file())
    }
