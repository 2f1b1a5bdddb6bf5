"""Running an experiment: its fits, and their rows in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ren_features import FeatureStore
from ren_features.store.connection import transaction
from ren_features.store.rows import delete, insert_frame
from ren_features.store.writing import computing
from ren_models.cross_validation import Fit, cross_validate
from ren_models.experiment import Experiment, attribution_of
from ren_models.model_files import model_folder, remove_unnamed
from ren_models.result_rows import ResultRows

Listener = Callable[[str, int], None]


def run_experiment(
    store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], *, jobs: int, listener: Listener | None = None
) -> None:
    """Make the fits, and put their rows in place of those that the experiment had of this task and split.

    All of them are stored, or none. The same fits give the same rows, but for the run that they name.
    """
    try:
        with computing(store.connection, experiment.spec_id) as run_id:
            rows = ResultRows(store.path, experiment, run_id)
            for evaluation in cross_validate(fits, experiment.settings, jobs=jobs):
                rows.add(evaluation)
                if listener:
                    listener(evaluation.fit.inputs.name, 1)
            _replace(store, experiment, rows)
    finally:
        remove_unnamed(store)


def is_stored(store: FeatureStore, experiment: Experiment, fits: Iterable[Fit]) -> bool:
    """Whether the store has the models of exactly these fits with their files, and results and predictions of as many."""
    key = list(experiment.key.values())
    which = "WHERE experiment = ? AND task = ? AND split_id = ?"
    models = store.sql(f"SELECT model_id, checkpoint FROM models {which}", key)
    results = f"SELECT count(*) FROM (SELECT DISTINCT method, region, round, permutation FROM results {which})"
    predictions = f"SELECT count(DISTINCT model_id) FROM predictions WHERE model_id IN (SELECT model_id FROM models {which})"
    counts = [store.sql(results, key).item()]
    counts += [store.sql(predictions, key).item()] if "predictions" in experiment.keeps else []
    files = [model_folder(store.path) / name for name in models["checkpoint"].drop_nulls()]
    return (
        set(models["model_id"]) == {experiment.model_id(fit) for fit in fits}
        and all(count == len(models) for count in counts)
        and all(path.is_file() for path in files)
    )


def _replace(store: FeatureStore, experiment: Experiment, rows: ResultRows) -> None:
    which = "SELECT model_id FROM models WHERE experiment = ? AND task = ? AND split_id = ?"
    with transaction(store.connection):
        store.connection.execute(f"DELETE FROM predictions WHERE model_id IN ({which})", list(experiment.key.values()))
        delete(store.connection, experiment.key, "models", "results")
        # Its numbers explain the models that go.
        delete(store.connection, experiment.key | {"experiment": attribution_of(experiment.name)}, "results")
        for table, frame in rows.frames():
            insert_frame(store.connection, table, frame)
