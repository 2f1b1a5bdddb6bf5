"""TreeSHAP of test scans."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import data_catalog
from analysis.figures.attribution import draw_attribution
from analysis.figures.tree_shap import Attribution, attribute
from analysis.stored_results import read_setting
from ren_features import FeatureStore
from ren_features.errors import StoreError
from ren_models.experiments.running import run_experiment
from ren_models.experts import RadiomicsExpert
from ren_models.experts.files import model_folder
from ren_models.experts.settings import RadiomicsSettings
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.parts import read_parts
from ren_models.splits.stored import store_split
from tests.random_store import INFORMATIVE, TASK


def test_shares_sum_to_the_log_odds_of_scans_that_the_expert_has_not_seen(setting):
    found = attribute(setting, "LLL")
    matrix = setting.store.matrix(region="LLL", task=TASK)
    for each in setting.split.rounds:
        test = read_parts(matrix, each).test
        checkpoint = setting.store.sql(
            "SELECT checkpoint FROM models WHERE region = 'LLL' AND round = ? AND experiment = 'radiomics'", [each.index]
        ).item()
        expert = RadiomicsExpert.load(model_folder(setting.store.path) / checkpoint)
        p = expert.predict_proba(test.examples)[:, 1]
        rest = np.log(p / (1 - p)) - found.values[found.rounds == each.index].sum(1)
        assert rest == pytest.approx(rest[0], abs=1e-4)  # the expected value, the same for all
    assert len(found.values) == sum(np.isin(matrix.patient_ids, sorted(each.test)).sum() for each in setting.split.rounds)


def test_the_feature_that_was_planted_comes_first_and_speaks_for_the_class(setting):
    found = attribute(setting, "RLL")
    assert found.names[int(np.argmax(found.importance))] == list(data_catalog.features())[INFORMATIVE]
    assert found.direction[INFORMATIVE] > 0.5
    assert 0 < found.stability <= 1


@pytest.mark.parametrize(
    ("orders", "trained", "stability"),
    [
        ([(3, 2, 1), (3, 2, 1)], [0, 1], 1),
        ([(3, 2, 1), (1, 2, 3)], [0, 1], -1),
        ([(3, 2, 1), (3, 2, 1), (1, 2, 3)], [0, 1, 2], -1 / 3),
        # Rounds that swap val and test have one expert: that it agrees with itself says nothing.
        ([(3, 2, 1), (3, 2, 1), (1, 2, 3), (1, 2, 3)], [0, 0, 1, 1], -1),
    ],
)
def test_stability_is_the_rank_correlation_between_experts_of_other_training_patients(orders, trained, stability):
    values, places = np.array(orders, float), np.arange(len(orders))
    found = Attribution(values, values, places, np.array(trained), ("a", "b", "c"), places.astype(str), "spec")
    assert found.stability == pytest.approx(stability)


def test_features_that_changed_since_are_not_explained(evaluated, tmp_path):
    path = Path(shutil.copy(evaluated, tmp_path / "ren.duckdb"))
    shutil.copytree(model_folder(evaluated), model_folder(path))
    with FeatureStore(path, read_only=False) as store:
        assert len(attribute(read_setting(store, TASK), "LLL").values)
        name = list(data_catalog.features())[INFORMATIVE]
        store.connection.execute(f"UPDATE radiomics SET {name} = -{name}")
        with pytest.raises(StoreError, match="expected the features of LLL that its predictions were made of, got others"):
            attribute(read_setting(store, TASK), "LLL")


def test_trees_without_a_split_have_an_empty_panel_and_no_summary(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        store_split(store, TASK, protocol="paper", folds=2)
        settings = RadiomicsSettings(min_child_weight=1000, n_estimators=2)
        run_experiment(store, *plan_radiomics(store, TASK, settings=settings), jobs=2)
        drawn = dict(draw_attribution(read_setting(store, TASK)))
    assert list(drawn) == ["shap"]
    assert (drawn["shap"].data["mean_abs_shap"] == 0).all()


def test_a_region_without_experts_is_named(setting):
    with pytest.raises(StoreError, match="expected radiomics experts of HEART, found none"):
        attribute(setting, "HEART")
