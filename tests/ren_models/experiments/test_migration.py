"""Stores of schema version 5, whose models had one column for architectures, sets of regions and choices of features."""

import json

import duckdb
import pytest

from ren_features import FeatureStore
from ren_models.experiments.running import is_stored, run_experiment
from ren_models.experts.settings import RadiomicsSettings
from ren_models.plans.ablation import plan_ablation
from ren_models.plans.baselines import plan_baselines
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.stored import store_split
from tests.random_store import write_random_store

DOWNGRADE = """
    CREATE TABLE old_models AS
    SELECT * EXCLUDE (method, region_set, settings_id, changed) REPLACE (method AS architecture) FROM models;
    UPDATE predictions p SET architecture = m.architecture FROM old_models m WHERE m.model_id = p.model_id;
    DROP TABLE models;
    ALTER TABLE old_models RENAME TO models;
    CREATE TABLE old_results AS SELECT * EXCLUDE (scope) FROM results;
    DROP TABLE results;
    ALTER TABLE old_results RENAME TO results;
    DROP TABLE embeddings;
    ALTER TABLE runs DROP COLUMN pid;
    ALTER TABLE scans DROP COLUMN series;
    UPDATE schema_version SET version = 5;
"""

FEW = RadiomicsSettings(n_estimators=4, search={"max_depth": [1, 2]}, inner_folds=2)


def plans(store):
    return [
        plan_radiomics(store, "ill", settings=FEW),
        plan_radiomics(store, "ill", settings=FEW, permutations=1),
        plan_baselines(store, "ill"),
        plan_ablation(store, "ill"),
    ]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = write_random_store(tmp_path_factory.mktemp("old") / "ren.duckdb")
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("DELETE FROM radiomics WHERE region NOT IN ('LUL', 'LLL')")
        store_split(store, "ill")
        for plan in plans(store):
            run_experiment(store, *plan, jobs=2)
    with FeatureStore(path) as store:
        before = {table: store.sql(f"FROM {table} ORDER BY ALL") for table in ("results", "predictions", "models")}
    with duckdb.connect(str(path)) as connection:
        connection.execute(DOWNGRADE)
        connection.execute("INSERT INTO results SELECT * FROM results WHERE region IS NULL")  # which version 5 took
    return path, before


def test_rows_are_as_they_were_and_none_stands_twice(migrated):
    path, before = migrated
    with FeatureStore(path) as store:
        for table in ("results", "predictions"):
            assert store.sql(f"FROM {table} ORDER BY ALL").equals(before[table])
        models = store.sql("FROM models ORDER BY ALL")
    for column in set(models.columns) - {"settings_id", "changed"}:
        assert models[column].equals(before["models"][column]), column
    assert [json.loads(text) for text in models["changed"]] == [json.loads(text) for text in before["models"]["changed"]]


def test_nothing_is_fitted_again(migrated):
    path, _ = migrated
    with FeatureStore(path) as store:
        assert all(is_stored(store, *plan) for plan in plans(store))


def test_a_row_cannot_stand_twice(migrated):
    path, _ = migrated
    with FeatureStore(path, read_only=False) as store, pytest.raises(duckdb.ConstraintException, match="uplicate key"):
        store.connection.execute("INSERT INTO results SELECT * FROM results WHERE region IS NULL LIMIT 1")
