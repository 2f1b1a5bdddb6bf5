"""Tests of whether one method is better than another [METHOD section 9].

`corrected_t` (Nadeau and Bengio) decides where experts were trained in rounds. `paired_t`, the paper's test, takes rounds as
independent although they share training patients. `cluster_bootstrap` and `delong` take experts as given: they hold on a cohort
on which no expert was trained, and raise false alarms on pooled cross-validated predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata, t
from statsmodels.stats.multitest import multipletests

from analysis.statistics.bootstrap import RESAMPLES, interval, one_auc, patient_counts, weighted_auc
from ren_models.mean import corrected_error, mean_over_rounds


class Difference(NamedTuple):
    """Of two methods: the first minus the second, its 95 % confidence interval, and the p-value of no difference."""

    value: float
    low: float
    high: float
    p: float


NOTHING = Difference(np.nan, np.nan, np.nan, np.nan)
"""Of too few rounds, or of one class."""


def paired_t(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """Student's paired t-test over rounds, as the paper has it. Its p-values are too small: rounds share training patients.

    Parameters
    ----------
    first, second : ndarray of float, shape (round,)
        NaN where a round has no value; such a round is left out.

    Examples
    --------
    >>> round(paired_t(np.array([0.9, 0.8, 0.85]), np.array([0.7, 0.75, 0.65])).p, 2)
    0.1
    """
    return corrected_t(first, second, 0.0)


def corrected_t(first: NDArray[np.float64], second: NDArray[np.float64], test_share: float) -> Difference:
    """Paired t-test with the variance corrected for overlapping training parts.

    The variance of the mean of J differences is (1/J + n_test/n_train) s^2 instead of s^2/J.

    Parameters
    ----------
    first, second : ndarray of float, shape (round,)
        NaN where a round has no value; such a round is left out.
    test_share : float
        Number of patients in test divided by that in train.

    References
    ----------
    Nadeau and Bengio, Machine Learning 2003;52:239, the corrected resampled t-test.

    Examples
    --------
    >>> difference = corrected_t(np.array([0.9, 0.8, 0.85]), np.array([0.7, 0.75, 0.65]), test_share=1 / 8)
    >>> round(difference.value, 2), round(difference.p, 2)
    (0.15, 0.12)
    """
    differences = (first - second)[~np.isnan(first - second)]
    if len(differences) < 2:
        return NOTHING
    if _equal(differences):
        return _without_spread(float(np.mean(differences)))
    mean = mean_over_rounds(differences, test_share)
    error = corrected_error(differences, test_share)
    return Difference(mean.mean, mean.low, mean.high, float(2 * t.sf(abs(mean.mean) / error, mean.rounds - 1)))


def _equal(differences: NDArray[np.float64]) -> bool:
    return bool(np.ptp(differences) < 1e-12)  # AUCs are fractions: equal ones differ by rounding


def _without_spread(value: float) -> Difference:
    """Equal differences: no difference at all, or nothing to test it against."""
    return Difference(0.0, 0.0, 0.0, 1.0) if value == 0 else Difference(value, np.nan, np.nan, np.nan)


def cluster_bootstrap(
    y: NDArray[np.int64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    patients: NDArray[np.str_],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Difference of the AUCs of two given methods on the same rows, by resampling patients.

    Its level holds where no expert was trained on these patients.

    Parameters
    ----------
    y : ndarray of int, shape (scan,)
    first, second : ndarray of float, shape (scan,)
        Probabilities.
    patients : ndarray of str, shape (scan,)
        Whose scan it is: all scans of a patient are drawn together.

    References
    ----------
    Efron 1979; of clusters, Field and Welsh, J R Stat Soc B 2007;69:369. The p-value inverts the percentile interval: twice the
    smaller share of resamples on one side of 0, with one added to each count (Davison and Hinkley 1997, section 4.2.5).

    Examples
    --------
    >>> y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> cluster_bootstrap(y, scores, -scores, np.array(["a", "b", "c", "d"]), resamples=50).value
    0.5
    """
    if len(np.unique(y)) < 2:
        return NOTHING
    counts = patient_counts(patients, resamples=resamples, seed=seed)
    differences = weighted_auc(y, first, counts) - weighted_auc(y, second, counts)
    finite = differences[~np.isnan(differences)]
    value = one_auc(y, first) - one_auc(y, second)
    smaller = min((finite <= 0).sum(), (finite >= 0).sum())
    return Difference(value, *interval(finite), min(1.0, 2 * (smaller + 1) / (len(finite) + 1)))


def delong(y: NDArray[np.int64], first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """Test of DeLong for the AUCs of two given methods on the same independent rows: one row a patient.

    Its level holds where no expert was trained on these patients.

    Parameters
    ----------
    y : ndarray of int, shape (patient,)
    first, second : ndarray of float, shape (patient,)

    References
    ----------
    DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; by mid-ranks, Sun and Xu, IEEE Signal Process Lett 2014;21:1389.

    Examples
    --------
    >>> y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> delong(y, scores, scores).value
    0.0
    """
    if min(np.sum(y == 1), np.sum(y == 0)) < 2:
        return NOTHING
    parts = [_placements(y, scores) for scores in (first, second)]
    of_positives, of_negatives = (np.array([part[kind] for part in parts]) for kind in (0, 1))
    value = float(of_positives[0].mean() - of_positives[1].mean())
    covariance = np.cov(of_positives) / of_positives.shape[1] + np.cov(of_negatives) / of_negatives.shape[1]
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance <= 1e-15:
        return _without_spread(value)
    error = float(np.sqrt(variance))
    reach = float(norm.ppf(0.975)) * error
    return Difference(value, value - reach, value + reach, float(2 * norm.sf(abs(value) / error)))


def _placements(y: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive, the share of negatives below it; for each negative, the share of positives above it."""
    positive, negative = scores[y == 1], scores[y == 0]
    among_all = rankdata(np.concatenate([positive, negative]))
    of_positives = (among_all[: len(positive)] - rankdata(positive)) / len(negative)
    of_negatives = 1 - (among_all[len(positive) :] - rankdata(negative)) / len(positive)
    return of_positives, of_negatives


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """P-values adjusted for the number of methods in a table (Holm, Scand J Statist 1979;6:65); NaN stays, and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.array(p_values, float)
    finite = ~np.isnan(p)
    if finite.any():
        p[finite] = multipletests(p[finite], method="holm")[1]
    return p
