"""No model, imputer or threshold sees a row that it must not: rows of test are changed, and nothing that was fitted moves."""

from dataclasses import replace

import numpy as np
import pytest

import data_catalog
from ren_features import FeatureStore
from ren_features.errors import LeakageError, SplitError
from ren_models.experiments.evaluation import Evaluation, Fit, cross_validate, evaluate_together
from ren_models.experts import RadiomicsExpert
from ren_models.experts.baseline import BaselineSettings
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.matrices import region_inputs, whole_set_inputs
from ren_models.splits.parts import read_parts
from ren_models.splits.rounds import Round
from ren_models.splits.stored import store_split
from tests.learners import SelectsOnVal
from tests.random_store import INFORMATIVE

PLANTED = "original_glcm_Contrast"
THOROUGH = RadiomicsSettings(search={"max_depth": [2, 3]}, early_stopping_rounds=3)


@pytest.fixture
def split_store(make_store):
    with FeatureStore(make_store(signal=1.0), read_only=False) as store:
        yield store, store_split(store, "ill").split


def plant(store, patients):
    """PLANTED is constant, but equal to the label for the patients."""
    store.connection.execute(f"UPDATE radiomics SET {PLANTED} = 0.5")
    equal = f"""UPDATE radiomics SET {PLANTED} = value FROM labels
        WHERE labels.scan_id = radiomics.scan_id AND task = 'ill' AND list_contains(?, patient_id)"""
    store.connection.execute(equal, [sorted(patients)])


def every_input(store):
    regions = region_inputs(store, "ill", store.latest_spec)
    return (*regions, *whole_set_inputs(store, regions))


def evaluate(inputs, each, settings) -> Evaluation:
    return evaluate_together([Fit(inputs, each, 2)], settings)[0]


@pytest.mark.parametrize("settings", [RadiomicsSettings(), THOROUGH], ids=["REN", "search and early stopping"])
def test_a_feature_that_is_the_label_in_test_alone_moves_no_number(split_store, settings):
    store, split = split_store
    for each in split.rounds[:2]:
        plant(store, ())
        honest = [evaluate(inputs, each, settings) for inputs in every_input(store)]
        plant(store, each.test)
        planted = [evaluate(inputs, each, settings) for inputs in every_input(store)]
        for one, other in zip(honest, planted, strict=True):
            assert one.metrics == other.metrics
            assert one.expert.chosen_ == other.expert.chosen_
            for before, after in zip(one.predictions, other.predictions, strict=True):
                assert np.array_equal(before.rows.probabilities, after.rows.probabilities)


@pytest.mark.parametrize(
    "settings",
    [RadiomicsSettings(), THOROUGH, BaselineSettings(), SelectsOnVal()],
    ids=["REN", "search and early stopping", "baseline", "selects on val"],
)
def test_patients_on_whom_one_round_selects_are_unseen_where_the_next_tests_them(split_store, settings):
    """Rounds 0 and 1 swap val and test: the label planted in val of round 0 moves no number of round 1."""
    store, split = split_store
    plant(store, ())
    before = _second_of_swapped(store, split, settings)
    plant(store, split.rounds[0].val)
    after = _second_of_swapped(store, split, settings)
    assert before.metrics == after.metrics
    for one, other in zip(before.predictions, after.predictions, strict=True):
        assert np.array_equal(one.rows.probabilities, other.rows.probabilities)


def _second_of_swapped(store, split, settings) -> Evaluation:
    fits = [Fit(every_input(store)[1], number, 2) for number in split.rounds[:2]]
    evaluations = [evaluation for together in cross_validate(fits, settings, jobs=2) for evaluation in together]
    return next(evaluation for evaluation in evaluations if evaluation.fit.round.index == 1)


def test_the_same_feature_in_train_is_found(split_store):
    store, split = split_store
    plant(store, {f"p{number:03}" for number in range(30)})
    found = evaluate(every_input(store)[0], split.rounds[0], RadiomicsSettings())
    assert found.metrics["auc_test"] == 1


def test_missing_values_are_replaced_by_medians_of_train(split_store):
    store, split = split_store
    parts = read_parts(every_input(store)[0].examples, split.rounds[0])
    values = parts.train.examples.X.copy()
    values[::3, 4] = np.nan
    expert = RadiomicsExpert("LUL", tuple(data_catalog.features())).fit(
        replace(parts.train, examples=parts.train.examples._replace(X=values))
    )
    assert expert.medians_[4] == np.nanmedian(values[:, 4])
    holes = np.full((1, values.shape[1]), np.nan)
    assert expert.impute(holes)[0] == pytest.approx(np.nanmedian(values, axis=0))


@pytest.mark.parametrize("settings", [RadiomicsSettings(), THOROUGH], ids=["REN", "search and early stopping"])
def test_values_of_test_fill_no_gap_of_train(split_store, settings):
    store, split = split_store
    informative, each = list(data_catalog.features())[INFORMATIVE], split.rounds[0]
    store.connection.execute(f"UPDATE radiomics SET {informative} = NULL WHERE hash(scan_id) % 3 = 0")
    honest = evaluate(every_input(store)[0], each, settings)
    assert informative in honest.expert.feature_names
    far = f"UPDATE radiomics SET {informative} = 1e6 WHERE list_contains(?, patient_id)"
    store.connection.execute(far, [sorted(each.test)])
    planted = evaluate(every_input(store)[0], each, settings)
    assert np.array_equal(honest.expert.medians_, planted.expert.medians_)
    assert np.array_equal(honest.predictions[0].rows.probabilities, planted.predictions[0].rows.probabilities)


def test_inner_folds_keep_a_patients_scans_together(split_store):
    store, split = split_store
    train = read_parts(every_input(store)[0].examples, split.rounds[0]).train
    folds = RadiomicsExpert("LUL", tuple(data_catalog.features())).inner_folds(train)
    assert len(folds) == RadiomicsSettings().inner_folds
    for fitted, held_back in folds:
        assert not set(train.patient_ids[fitted]) & set(train.patient_ids[held_back])
        assert len(fitted) + len(held_back) == len(train.y)


@pytest.mark.parametrize("part", ["val", "test"])
def test_an_expert_refuses_any_part_but_train(split_store, part):
    store, split = split_store
    parts = read_parts(every_input(store)[0].examples, split.rounds[0])
    with pytest.raises(LeakageError, match=f"round 0: an expert's fit expected rows of train, got rows of {part}"):
        RadiomicsExpert("LUL", tuple(data_catalog.features())).fit(getattr(parts, part))


def test_parts_have_the_rows_of_their_patients_and_no_other(split_store):
    store, split = split_store
    matrix = every_input(store)[3].examples
    parts = read_parts(matrix, split.rounds[4])
    assert [set(part.patient_ids) for part in parts] == [split.rounds[4].patients(part.name) for part in parts]
    assert sum(len(part.y) for part in parts) == len(matrix.y)


def test_an_empty_part_is_refused(split_store):
    store, _ = split_store
    with pytest.raises(SplitError, match="round 7: expected rows in val, got none"):
        read_parts(every_input(store)[0].examples, Round(7, frozenset({"p000"}), frozenset({"nobody"}), frozenset({"p001"})))
