"""Metrics of probabilities: pure functions of labels, probabilities and patients.

A value that does not exist is NaN: the AUC of one class, a threshold from too few negatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, brier_score_loss

SPECIFICITY = 0.9
"""Specificity at which sensitivity is reported."""

NEGATIVE_PATIENTS = 10
"""Fewest negative patients that set a threshold: of fewer, a specificity of 90 % is not even a possible share."""

METRICS_VERSION = 3
"""Version of the definitions in this module; raise it with any change that could change a value."""


class Rows(NamedTuple):
    """Labels and predicted probabilities; a row is a scan or a patient.

    Attributes
    ----------
    y : ndarray of int, shape (row,)
    probabilities : ndarray of float, shape (row, class)
        Probabilities of the classes 0, 1, ... in their order.
    patients : ndarray of str, shape (row,)
        Patient of each row.

    Examples
    --------
    >>> Rows(np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"])).positive.tolist()
    [0.2, 0.7]
    """

    y: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    patients: NDArray[np.str_]

    @property
    def binary(self) -> bool:
        """True for two classes."""
        return bool(self.probabilities.shape[1] == 2)

    @property
    def positive(self) -> NDArray[np.float64]:
        """Probability of class 1."""
        return self.probabilities[:, 1]

    @property
    def usable(self) -> bool:
        """True when every class has a row; ranks need all of them."""
        return bool(len(np.unique(self.y)) == self.probabilities.shape[1])


def by_patient(rows: Rows) -> Rows:
    """One row a patient: the mean of the probabilities, and the largest label of these rows [METHOD section 4].

    A patient whose label changes with time has the label of those scans that have the region.

    Examples
    --------
    >>> scans = Rows(np.array([0, 1]), np.array([[0.75, 0.25], [0.25, 0.75]]), np.array(["p1", "p1"]))
    >>> by_patient(scans)
    Rows(y=array([1]), probabilities=array([[0.5, 0.5]]), patients=array(['p1'], dtype='<U2'))
    """
    patients, place = np.unique(rows.patients, return_inverse=True)
    sums = np.zeros((len(patients), rows.probabilities.shape[1]))
    np.add.at(sums, place, rows.probabilities)
    y = np.full(len(patients), -1)
    np.maximum.at(y, place, rows.y)
    return Rows(y, sums / np.bincount(place)[:, None], patients)


def auc(rows: Rows) -> float:
    """Area under the ROC curve; of more than two classes, the unweighted mean of each against the rest.

    Examples
    --------
    >>> auc(Rows(np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.9, 0.1], [0.3, 0.7]]), np.array(["a", "b", "c"])))
    0.5
    """
    return _mean_over_classes(rows, _rank_auc)


def _rank_auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Share of pairs of a positive and a negative in the right order, ties counting half (Mann and Whitney 1947)."""
    # scikit-learn's function checks its arguments for longer than a shuffled expert takes to predict.
    positives = int(positive.sum())
    smallest = positives * (positives + 1) / 2
    return float((rankdata(scores)[positive].sum() - smallest) / (positives * (len(scores) - positives)))


def average_precision(rows: Rows) -> float:
    """Area under the precision-recall curve as a step function; of more than two classes, the mean of each against the rest.

    Examples
    --------
    >>> average_precision(Rows(np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"])))
    1.0
    """
    return _mean_over_classes(rows, average_precision_score)


def _mean_over_classes(rows: Rows, score: Callable[..., float]) -> float:
    if not rows.usable:
        return np.nan
    classes = [1] if rows.binary else range(rows.probabilities.shape[1])
    return float(np.mean([score(rows.y == label, rows.probabilities[:, label]) for label in classes]))


def brier(rows: Rows) -> float:
    """Mean squared distance of probability and outcome (Brier 1950); of more than two classes, summed over them.

    Examples
    --------
    >>> round(brier(Rows(np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"]))), 3)
    0.065
    """
    if rows.binary:
        return float(brier_score_loss(rows.y, rows.positive, pos_label=1))
    outcome = np.eye(rows.probabilities.shape[1])[rows.y]
    return float(((rows.probabilities - outcome) ** 2).sum(1).mean())


def threshold_at_specificity(val: Rows, specificity: float = SPECIFICITY) -> float:
    """Smallest threshold that at most the allowed share of the negatives of val exceeds; NaN of too few negative patients.

    Scans of one patient resemble each other: `NEGATIVE_PATIENTS` counts patients, whatever a row is.
    """
    negative = val.y == 0
    if len(np.unique(val.patients[negative])) < NEGATIVE_PATIENTS:
        return np.nan
    scores = np.sort(val.positive[negative])
    return float(scores[int(np.ceil(specificity * len(scores) - 1e-9)) - 1])


def sensitivity(rows: Rows, threshold: float) -> float:
    """Share of the positives above the threshold.

    Examples
    --------
    >>> sensitivity(Rows(np.array([1, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"])), 0.5)
    0.5
    """
    return _share(rows.positive[rows.y == 1] > threshold, threshold)


def specificity(rows: Rows, threshold: float) -> float:
    """Share of the negatives that are not above the threshold.

    Examples
    --------
    >>> specificity(Rows(np.array([0, 0]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"])), 0.5)
    0.5
    """
    return _share(rows.positive[rows.y == 0] <= threshold, threshold)


def _share(hits: NDArray[np.bool_], threshold: float) -> float:
    return float(hits.mean()) if len(hits) and not np.isnan(threshold) else np.nan


def score(val: Rows, test: Rows) -> dict[str, float]:
    """Compute every metric of both parts, of scans and (`..._patient`) of patients; the threshold comes from val.

    Parameters
    ----------
    val, test : Rows
        Rows of scans.

    Returns
    -------
    dict of str to float
        `auc_val`, `auc_test`, `auc_test_patient` and so on. With two classes also sensitivity at 90 % specificity, and the
        specificity that the threshold of val has in test.

    Examples
    --------
    >>> rows = Rows(np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"]))
    >>> score(rows, rows)["auc_test_patient"]
    1.0
    """
    of_patients = _metrics(by_patient(val), by_patient(test))
    return _metrics(val, test) | {f"{name}_patient": value for name, value in of_patients.items()}


def aucs_of_test(test: Rows) -> dict[str, float]:
    """AUCs of test alone, by the names of `score`: all that a chance control needs.

    Examples
    --------
    >>> rows = Rows(np.array([0, 1]), np.array([[0.8, 0.2], [0.3, 0.7]]), np.array(["a", "b"]))
    >>> aucs_of_test(rows)
    {'auc_test': 1.0, 'auc_test_patient': 1.0}
    """
    return {"auc_test": auc(test), "auc_test_patient": auc(by_patient(test))}


def _metrics(val: Rows, test: Rows) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for part, rows in (("val", val), ("test", test)):
        metrics |= {f"auc_{part}": auc(rows), f"average_precision_{part}": average_precision(rows), f"brier_{part}": brier(rows)}
    if test.binary:
        threshold = threshold_at_specificity(val)
        metrics |= {
            "sensitivity_at_90_specificity_test": sensitivity(test, threshold),
            "specificity_at_threshold_test": specificity(test, threshold),
        }
    return metrics
