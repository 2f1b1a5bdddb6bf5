"""Running an experiment: its fits, and their rows in the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ren_features import FeatureStore
from ren_features.store.connection import transaction
from ren_features.store.rows import delete, insert_frame
from ren_features.store.writing import computing
from ren_models.experiments.evaluation import Fit, cross_validate
from ren_models.experiments.experiment import Experiment, attribution_of
from ren_models.experiments.rows import ResultRows
from ren_models.experts.files import model_folder, remove_unnamed

Listener = Callable[[str, int], None]

OF_EXPERIMENT = "WHERE experiment = ? AND task = ? AND split_id = ?"

SAME_FIT = " AND ".join(
    f"r.{result} IS NOT DISTINCT FROM m.{model}"
    for result, model in {
        name: "architecture" if name == "method" else name
        for name in ("experiment", "task", "split_id", "method", "region", "round", "permutation")
    }.items()
)
"""Whether a row r of `results` is of model m."""

CHANGED_RESULTS = f"""
    WITH of_models AS (
        SELECT m.model_id, m.experiment, m.task, m.split_id, m.architecture, m.region, m.round, m.permutation,
               metric.key AS metric, TRY_CAST(metric.value AS DOUBLE) AS value
        FROM models m, json_each(m.metrics) AS metric {OF_EXPERIMENT}
    ), of_results AS (SELECT * FROM results {OF_EXPERIMENT})
    SELECT model_id, coalesce(m.architecture, r.method) AS method, coalesce(m.region, r.region) AS region,
           coalesce(m.round, r.round) AS round, coalesce(m.permutation, r.permutation) AS permutation,
           coalesce(m.metric, r.metric) AS metric, m.value AS stored, r.value AS found
    FROM of_models m FULL JOIN of_results r ON {SAME_FIT} AND r.metric = m.metric
    WHERE m.metric IS NULL OR r.metric IS NULL OR m.value IS DISTINCT FROM r.value ORDER BY ALL
"""
"""Results that are not those their models were stored with: changed by hand, deleted, or added."""


def run_experiment(
    store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], *, jobs: int, listener: Listener | None = None
) -> None:
    """Make the fits that the store lacks, and remove rows of the experiment that belong to none of the fits.

    All of them are stored, or none. The same fits give the same rows, but for the run that they name.
    """
    planned = {experiment.model_id(fit): fit for fit in fits}
    kept = planned.keys() & stored_models(store, experiment).keys()
    missing = [fit for model_id, fit in planned.items() if model_id not in kept]
    try:
        with computing(store.connection, experiment.spec_id) as run_id:
            rows = ResultRows(store.path, experiment, run_id)
            for evaluation in cross_validate(missing, experiment.settings, jobs=jobs):
                rows.add(evaluation)
                if listener:
                    listener(evaluation.fit.inputs.name, 1)
            _replace(store, experiment, kept, rows)
    finally:
        remove_unnamed(store)


def missing_fits(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> int:
    """Number of fits that the store lacks."""
    stored = stored_models(store, experiment)
    return sum(experiment.model_id(fit) not in stored for fit in fits)


def is_stored(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> bool:
    """Whether the store has the models of exactly these fits, complete."""
    planned = {experiment.model_id(fit) for fit in fits}
    models = store.sql(f"SELECT count(*) FROM models {OF_EXPERIMENT}", list(experiment.key.values())).item()
    return planned == stored_models(store, experiment).keys() and models == len(planned)


def stored_models(store: FeatureStore, experiment: Experiment) -> dict[str, int]:
    """Seed of the control of each complete model: its results are those it was stored with, its predictions and file exist."""
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


def _replace(store: FeatureStore, experiment: Experiment, kept: Collection[str], rows: ResultRows) -> None:
    key = list(experiment.key.values())
    with transaction(store.connection):
        gone = f"model_id IN (SELECT model_id FROM models {OF_EXPERIMENT}) AND NOT list_contains(?, model_id)"
        for table in ("predictions", "models"):
            store.connection.execute(f"DELETE FROM {table} WHERE {gone}", [*key, list(kept)])
        store.connection.execute(f"DELETE FROM results r {OF_EXPERIMENT} AND NOT EXISTS (FROM models m WHERE {SAME_FIT})", key)
        # Its numbers explain the models that go.
        delete(store.connection, experiment.key | {"experiment": attribution_of(experiment.name)}, "results")
        for table, frame in rows.frames():
            insert_frame(store.connection, table, frame)
