"""How good probabilities are: pure functions of labels and probabilities.

Where a value does not exist (an AUC of one class, the slope of perfectly separated classes) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

SPECIFICITY = 0.9
"""At which sensitivity is reported."""

METRICS_VERSION = 2
"""Of the definitions here; raise it with any change that could change a value."""

FLOOR = 1e-6
"""Probabilities are this far from 0 and 1 before their logarithm is taken."""


class Rows(NamedTuple):
    """Labels with what a model said.

    Attributes
    ----------
    y : ndarray of int, shape (row,)
    probabilities : ndarray of float, shape (row, class)
        Of the classes 0, 1, ... in their order.
    """

    y: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return bool(self.probabilities.shape[1] == 2)

    @property
    def positive(self) -> NDArray[np.float64]:
        """Probability of class 1."""
        return self.probabilities[:, 1]

    @property
    def usable(self) -> bool:
        """Whether every class has a row, without which ranks say nothing."""
        return bool(len(np.unique(self.y)) == self.probabilities.shape[1])


def by_patient(rows: Rows, patients: NDArray[np.str_]) -> Rows:
    """One row a patient: the mean of the probabilities, and the largest label of these rows [METHOD section 4].

    A patient whose label changes with time has the label of those scans that have the region.
    """
    names, place = np.unique(patients, return_inverse=True)
    sums = np.zeros((len(names), rows.probabilities.shape[1]))
    np.add.at(sums, place, rows.probabilities)
    y = np.full(len(names), -1)
    np.maximum.at(y, place, rows.y)
    return Rows(y, sums / np.bincount(place)[:, None])


def auc(rows: Rows) -> float:
    """Area under the ROC curve; of more than two classes, the unweighted mean of each against the rest."""
    return _mean_over_classes(rows, roc_auc_score)


def average_precision(rows: Rows) -> float:
    """Area under the precision-recall curve as a step function; of more than two classes, the mean of each against the rest."""
    return _mean_over_classes(rows, average_precision_score)


def _mean_over_classes(rows: Rows, score: Callable[..., float]) -> float:
    if not rows.usable:
        return np.nan
    classes = [1] if rows.binary else range(rows.probabilities.shape[1])
    return float(np.mean([score(rows.y == each, rows.probabilities[:, each]) for each in classes]))


def brier(rows: Rows) -> float:
    """Mean squared distance of probability and outcome (Brier 1950); of more than two classes, summed over them."""
    if rows.binary:
        return float(brier_score_loss(rows.y, rows.positive, pos_label=1))
    outcome = np.eye(rows.probabilities.shape[1])[rows.y]
    return float(((rows.probabilities - outcome) ** 2).sum(1).mean())


class Calibration(NamedTuple):
    """Weak calibration (Van Calster et al., J Clin Epidemiol 2016;74:167); 1 and 0 are perfect.

    Attributes
    ----------
    slope : float
        Of the logistic regression of the outcome on the log odds (Cox, Biometrika 1958;45:562); below 1 where probabilities
        are too extreme.
    intercept : float
        Of the same regression with the slope held at 1, calibration in the large; above 0 where probabilities are too low.
    """

    slope: float
    intercept: float


def calibration(rows: Rows) -> Calibration:
    """Slope and intercept; NaN of one class. Perfectly separated classes have no finite slope: NaN too."""
    if not rows.usable:
        return Calibration(np.nan, np.nan)
    log_odds = logit(np.clip(rows.positive, FLOOR, 1 - FLOOR))
    # At the maximum of the likelihood, probabilities sum to the number of positives.
    intercept = brentq(lambda shift: expit(log_odds + shift).mean() - rows.y.mean(), -50, 50)
    if _separated(rows):
        return Calibration(np.nan, float(intercept))
    fit = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(log_odds[:, None], rows.y)
    return Calibration(float(fit.coef_[0, 0]), float(intercept))


def _separated(rows: Rows) -> bool:
    positive, negative = rows.positive[rows.y == 1], rows.positive[rows.y == 0]
    return bool(positive.min() >= negative.max() or positive.max() <= negative.min())


def threshold_at_specificity(val: Rows, specificity: float = SPECIFICITY) -> float:
    """Smallest threshold above which no more than the allowed share of the negatives of val lies; NaN without negatives."""
    negatives = np.sort(val.positive[val.y == 0])
    if not len(negatives):
        return np.nan
    return float(negatives[int(np.ceil(specificity * len(negatives) - 1e-9)) - 1])


def sensitivity(rows: Rows, threshold: float) -> float:
    """Share of the positives above the threshold."""
    return _share(rows.positive[rows.y == 1] > threshold, threshold)


def specificity(rows: Rows, threshold: float) -> float:
    """Share of the negatives that are not above the threshold."""
    return _share(rows.positive[rows.y == 0] <= threshold, threshold)


def _share(hits: NDArray[np.bool_], threshold: float) -> float:
    return float(hits.mean()) if len(hits) and not np.isnan(threshold) else np.nan


def evaluate(val: Rows, test: Rows) -> dict[str, float]:
    """Every metric, of both parts; what takes a threshold takes it from val.

    Parameters
    ----------
    val, test : Rows

    Returns
    -------
    dict of str to float
        `auc_val`, `auc_test` and so on. With two classes also calibration, and sensitivity at 90 % specificity with the
        specificity that the threshold of val has in test.
    """
    found: dict[str, float] = {}
    for part, rows in (("val", val), ("test", test)):
        found |= {f"auc_{part}": auc(rows), f"average_precision_{part}": average_precision(rows), f"brier_{part}": brier(rows)}
    if test.binary:
        slope, intercept = calibration(test)
        threshold = threshold_at_specificity(val)
        found |= {
            "calibration_slope_test": slope,
            "calibration_intercept_test": intercept,
            "sensitivity_at_90_specificity_test": sensitivity(test, threshold),
            "specificity_at_threshold_test": specificity(test, threshold),
        }
    return found
