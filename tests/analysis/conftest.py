"""A store with results of experts and of the ablation, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.stored_results import Setting, read_setting
from ren_features import FeatureStore
from ren_models.experiments.running import run_experiment
from ren_models.plans.ablation import plan_ablation
from ren_models.plans.baselines import plan_baselines
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.stored import store_split
from tests.random_store import TASK, write_random_store


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the store: 24 patients, two rounds of the paper's protocol."""
    path = write_random_store(
        tmp_path_factory.mktemp("evaluated") / "ren.duckdb",
        patients=24,
        signal=2.0,
        absent=frozenset((patient, "RML") for patient in range(5)),
    )
    with FeatureStore(path, read_only=False) as store:
        store_split(store, TASK, protocol="paper", folds=2)
        for plan in (plan_radiomics, plan_baselines, plan_ablation):
            run_experiment(store, *plan(store, TASK), jobs=2)
    return path


@pytest.fixture
def setting(evaluated: Path) -> Iterator[Setting]:
    """Its task and split."""
    with FeatureStore(evaluated) as store:
        yield read_setting(store, TASK)
