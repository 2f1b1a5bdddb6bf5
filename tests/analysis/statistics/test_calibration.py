"""Slope and intercept of calibration, and what their intervals promise."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit
from statsmodels.tools import add_constant

from analysis.statistics.calibration import calibration
from ren_models.metrics import Rows


def binary(y, p, patients=None):
    patients = np.arange(len(y)) if patients is None else patients
    return Rows(np.asarray(y), np.column_stack([1 - np.asarray(p), p]), patients.astype(str))


def values(found):
    return found.slope.value, found.intercept.value


def test_true_probabilities_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.02, 0.98, 200_000)
    y = (rng.random(p.size) < p).astype(int)
    assert values(calibration(binary(y, p))) == pytest.approx((1, 0), abs=0.02)


def test_overconfident_probabilities_have_their_slope():
    rng = np.random.default_rng(1)
    z = rng.normal(0, 1, 200_000)
    y = (rng.random(z.size) < 1 / (1 + np.exp(-z))).astype(int)
    found = calibration(binary(y, 1 / (1 + np.exp(-2 * z))))
    assert values(found) == pytest.approx((0.5, 0), abs=0.02)


def test_slope_and_intercept_are_those_of_statsmodels():
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 300)
    y, log_odds = (rng.random(300) < p**2).astype(int), np.log(p / (1 - p))
    found = calibration(binary(y, p))
    assert found.slope.value == pytest.approx(Logit(y, add_constant(log_odds)).fit(disp=0).params[1], rel=1e-4)
    in_the_large = brentq(lambda shift: expit(log_odds + shift).mean() - y.mean(), -50, 50)
    assert found.intercept.value == pytest.approx(in_the_large, rel=1e-6)
    assert found.intercept.high < -0.5


def test_one_class_and_separated_classes_have_no_slope():
    assert np.isnan(calibration(binary([1, 1], [0.2, 0.4]))).all()
    assert np.isnan(calibration(binary([0, 0, 1], [0.1, 0.2, 0.3])).slope).all()


def test_the_interval_covers_the_slope_although_scans_of_a_patient_are_alike():
    """Sixty patients with four scans, the log odds twice too large; an interval that takes scans as independent fails."""
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(60), 4)
    clustered, independent = [], []
    for _ in range(300):
        log_odds = rng.normal(0, 1, 60)
        y = (rng.random(60) < expit(log_odds)).astype(int)[patients]
        p = expit(2 * log_odds[patients] + rng.normal(0, 0.05, 240))
        for groups, covered in ((patients, clustered), (np.arange(240), independent)):
            slope = calibration(binary(y, p, groups)).slope
            covered.append(slope.low <= 0.5 <= slope.high)
    assert np.mean(clustered) > 0.9
    assert np.mean(independent) < 0.8
