"""Boosted trees of controls against XGBoost."""

from itertools import pairwise

import numpy as np
import pytest

from ren_features.errors import LeakageError, SplitError
from ren_features.store import Matrix
from ren_models.experiments.controls import ShuffledLabels
from ren_models.experiments.evaluation import Fit, evaluate_together
from ren_models.experts.boosting import BoostedExpert
from ren_models.experts.radiomics import RadiomicsExpert
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.inputs import Inputs
from ren_models.methods import Method
from ren_models.splits.parts import Part
from ren_models.splits.rounds import Round


def part(X, y, name="train"):
    ids = np.array([f"p{number:04}" for number in range(len(y))])
    matrix = Matrix(X, y, ids, ids, tuple(f"f{number}" for number in range(X.shape[1])))
    return Part(name, 0, matrix, ids)


def pair(settings, X, y, tested):
    train, test = part(X, y), part(tested, np.zeros(len(tested), int), "test").examples
    experts = BoostedExpert(settings).fit(train), RadiomicsExpert(None, train.examples.feature_names, settings).fit(train)
    return [expert.predict_proba(test) for expert in experts]


CASES = {
    "REN": RadiomicsSettings(),
    "stumps": RadiomicsSettings(max_depth=1, learning_rate=1.0),
    "weights": RadiomicsSettings(min_child_weight=5.0, reg_lambda=0.1),
    "little penalty": RadiomicsSettings(reg_lambda=0.2, min_child_weight=0.5, max_depth=2),
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
@pytest.mark.parametrize("rows", [12, 90, 700], ids=lambda rows: f"{rows} rows")
def test_probabilities_are_those_of_xgboost(settings, rows):
    for seed in range(8):
        rng = np.random.default_rng([seed, rows])
        X, tested = rng.standard_normal((rows, 25)), rng.standard_normal((60, 25))
        y = (rng.random(rows) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
        y[:2] = 0, 1
        ours, theirs = pair(settings, X, y, tested)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [40, 700])
def test_ties_constants_copies_and_gaps_fall_alike(rows):
    rng = np.random.default_rng(rows)
    X, tested = (np.round(rng.standard_normal((count, 12)), 1) for count in (rows, 60))
    for values in (X, tested):
        values[:, 6:] = np.exp(values[:, :6])  # another feature with the same order
        values[:, 3] = 7.0
        values[rng.random(values.shape) < 0.1] = np.nan
        values[:, 4] = np.nan
    y = (np.nan_to_num(X[:, 0]) + rng.standard_normal(rows) > 0).astype(int)
    ours, theirs = pair(RadiomicsSettings(), X, y, tested)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_values_far_outside_and_on_a_cut_are_placed_as_xgboost_places_them():
    X, y = np.arange(40.0)[:, None] ** 1.5, np.random.default_rng(0).integers(0, 2, 40)
    tested = np.concatenate([X, X + 0.5, [[-1e9], [1e9]]])
    ours, theirs = pair(RadiomicsSettings(), X, y, tested)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_other_labels_of_the_same_rows_are_fitted_anew():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((50, 6))
    for one, other in pairwise(rng.permuted(np.tile([0, 1], (4, 25)), axis=1)):
        for y in (one, other):
            ours, theirs = pair(RadiomicsSettings(), X, y, X)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_other_parts_and_one_class_are_refused():
    X = np.zeros((4, 2))
    with pytest.raises(LeakageError, match="expected rows of train, got rows of test"):
        BoostedExpert(RadiomicsSettings()).fit(part(X, np.array([0, 1, 0, 1]), "test"))
    with pytest.raises(SplitError, match="expected two classes in train"):
        BoostedExpert(RadiomicsSettings()).fit(part(X, np.ones(4, int)))


@pytest.mark.parametrize(
    ("settings", "classes", "kind"),
    [
        (RadiomicsSettings(), 2, BoostedExpert),
        (RadiomicsSettings(max_depth=2, reg_lambda=3.0), 2, BoostedExpert),
        (RadiomicsSettings(), 3, RadiomicsExpert),
        (RadiomicsSettings(subsample=0.5), 2, RadiomicsExpert),
        (RadiomicsSettings(colsample_bytree=0.5), 2, RadiomicsExpert),
        (RadiomicsSettings(early_stopping_rounds=3), 2, RadiomicsExpert),
        (RadiomicsSettings(search={"max_depth": [1, 2]}), 2, RadiomicsExpert),
        (RadiomicsSettings(max_depth=4), 2, RadiomicsExpert),
        (RadiomicsSettings(reg_lambda=0.0), 2, RadiomicsExpert),
    ],
)
def test_xgboost_itself_fits_what_the_faster_trees_do_not_do(settings, classes, kind):
    matrix = part(np.zeros((4, 2)), np.array([0, 1, 0, 1])).examples
    assert isinstance(settings.control_expert(Inputs(Method("radiomics", "LLL"), matrix), classes), kind)


def test_a_control_has_the_auc_of_xgboost():
    rng = np.random.default_rng(4)
    matrix = part(rng.standard_normal((80, 10)), rng.integers(0, 2, 80)).examples
    ids = matrix.patient_ids.tolist()
    number = Round(0, frozenset(ids[:50]), frozenset(ids[50:60]), frozenset(ids[60:]))
    shuffled = dict(zip(ids, rng.permutation(matrix.y).tolist(), strict=True))
    inputs = Inputs(Method("radiomics", "LLL"), matrix)
    control = evaluate_together([Fit(inputs, number, 2, ShuffledLabels(1, shuffled))], RadiomicsSettings())[0]
    y = np.array([shuffled[patient] for patient in ids])
    honest = evaluate_together([Fit(Inputs(inputs.method, matrix.with_labels(y)), number, 2)], RadiomicsSettings())[0]
    assert control.metrics["auc_test"] == pytest.approx(honest.metrics["auc_test"], abs=1e-12)
