"""Metrics against counting, and against what they must be."""

import numpy as np
import pytest
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools import add_constant

import data_catalog
from ren_models.metrics import (
    Rows,
    auc,
    average_precision,
    brier,
    by_patient,
    calibration,
    evaluate,
    sensitivity,
    specificity,
    threshold_at_specificity,
)


def binary(y, positive):
    positive = np.asarray(positive, float)
    return Rows(np.asarray(y), np.column_stack([1 - positive, positive]))


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 60), rng.integers(0, 8, 60) / 8
    pairs = [(a > b) + (a == b) / 2 for a in p[y == 1] for b in p[y == 0]]
    assert auc(binary(y, p)) == pytest.approx(np.mean(pairs))


def test_of_three_classes_auc_is_the_mean_of_each_against_the_rest():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 60), rng.dirichlet([1, 1, 1], 60)
    each = [auc(binary(y == k, p[:, k])) for k in range(3)]
    assert auc(Rows(y, p)) == pytest.approx(np.mean(each))
    assert average_precision(Rows(y, p)) == pytest.approx(np.mean([average_precision(binary(y == k, p[:, k])) for k in range(3)]))


def test_average_precision_and_brier_by_hand():
    rows = binary([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert average_precision(rows) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert brier(rows) == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert brier(Rows(np.array([0]), np.array([[0.5, 0.3, 0.2]]))) == pytest.approx(0.25 + 0.09 + 0.04)


def test_true_probabilities_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.02, 0.98, 200_000)
    y = (rng.random(p.size) < p).astype(int)
    assert calibration(binary(y, p)) == pytest.approx((1, 0), abs=0.02)


def test_overconfident_probabilities_have_their_slope():
    rng = np.random.default_rng(1)
    z = rng.normal(0, 1, 200_000)
    y = (rng.random(z.size) < 1 / (1 + np.exp(-z))).astype(int)
    found = calibration(binary(y, 1 / (1 + np.exp(-2 * z))))
    assert found == pytest.approx((0.5, 0), abs=0.02)


def test_slope_and_intercept_are_those_of_statsmodels():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 300)
    y, log_odds = (rng.random(300) < p**2).astype(int), np.log(p / (1 - p))
    found = calibration(binary(y, p))
    assert found.slope == pytest.approx(Logit(y, add_constant(log_odds)).fit(disp=0).params[1], rel=1e-4)
    in_the_large = GLM(y, np.ones(300), family=Binomial(), offset=log_odds).fit()
    assert found.intercept == pytest.approx(in_the_large.params[0], rel=1e-6)
    assert found.intercept < -0.5


def test_what_does_not_exist_is_nan():
    one_class = binary([1, 1], [0.2, 0.4])
    assert np.isnan([auc(one_class), average_precision(one_class), *calibration(one_class)]).all()
    assert np.isnan(calibration(binary([0, 0, 1], [0.1, 0.2, 0.3])).slope)  # perfectly separated
    threshold = threshold_at_specificity(one_class)
    assert np.isnan([threshold, sensitivity(one_class, threshold), specificity(binary([0], [0.1]), threshold)]).all()


def test_the_threshold_of_val_keeps_nine_of_ten_negatives():
    val = binary([0] * 10 + [1], [*np.arange(10) / 10, 0.95])
    threshold = threshold_at_specificity(val)
    assert threshold == 0.8
    assert specificity(val, threshold) == pytest.approx(0.9)
    assert sensitivity(val, threshold) == 1


def test_every_metric_is_described_and_no_other():
    rows = binary([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    described = {name for name in data_catalog.metrics() if "_val" in name or "_test" in name}
    assert {*evaluate(rows, rows), *(f"{name}_patient" for name in evaluate(rows, rows))} == described


def test_a_threshold_is_taken_from_val_and_never_from_test():
    val = binary([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    one, other = binary([0, 1], [0.5, 0.6]), binary([0, 1], [0.05, 0.6])
    found = [evaluate(val, test) for test in (one, other)]
    assert [each["specificity_at_threshold_test"] for each in found] == [0, 1]
    assert [each["sensitivity_at_90_specificity_test"] for each in found] == [1, 1]


def test_a_patient_is_one_row_of_mean_probability():
    rows = by_patient(binary([0, 0, 1, 0], [0.2, 0.4, 0.9, 0.1]), np.array(["b", "b", "a", "a"]))
    assert rows.y.tolist() == [1, 0]
    assert rows.positive == pytest.approx([0.5, 0.3])


def test_three_classes_have_no_threshold():
    rng = np.random.default_rng(0)
    rows = Rows(np.arange(9) % 3, rng.dirichlet([1, 1, 1], 9))
    assert set(evaluate(rows, rows)) == {
        f"{name}_{part}" for name in ("auc", "average_precision", "brier") for part in ("val", "test")
    }
