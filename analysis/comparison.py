"""Whether one method is better than another [METHOD section 9].

Over rounds: the paper's paired t-test, which takes rounds as independent although their training parts overlap, and the corrected
test of Nadeau and Bengio. Over patients: a bootstrap that keeps a patient's scans together; where rows are independent (one a
patient), the test of DeLong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata, t, ttest_rel
from statsmodels.stats.multitest import multipletests

from analysis.bootstrap import RESAMPLES, interval, one_auc, patient_counts, weighted_auc


class Mean(NamedTuple):
    """Of values over rounds: how many there are, their mean and standard deviation, and the 95 % interval of the mean."""

    rounds: int
    mean: float
    sd: float
    low: float
    high: float


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
    """
    if len(first) < 2:
        return NOTHING
    value = float(np.mean(first - second))
    if _equal(first - second):
        return _without_spread(value)
    found = ttest_rel(first, second)
    low, high = found.confidence_interval(0.95)
    return Difference(value, float(low), float(high), float(found.pvalue))


def corrected_t(first: NDArray[np.float64], second: NDArray[np.float64], test_share: float) -> Difference:
    """Paired t-test with the variance corrected for overlapping training parts.

    The variance of the mean of J differences is (1/J + n_test/n_train) s^2 instead of s^2/J.

    Parameters
    ----------
    first, second : ndarray of float, shape (round,)
    test_share : float
        Number of patients in test divided by that in train.

    References
    ----------
    Nadeau and Bengio, Machine Learning 2003;52:239, the corrected resampled t-test.
    """
    if len(first) < 2:
        return NOTHING
    value, rounds = float(np.mean(first - second)), len(first)
    if _equal(first - second):
        return _without_spread(value)
    error = _corrected_error(first - second, test_share)
    low, high = over_rounds(first - second, test_share)[-2:]
    return Difference(value, low, high, float(2 * t.sf(abs(value) / error, rounds - 1)))


def over_rounds(values: NDArray[np.float64], test_share: float, *, least: float = -np.inf, most: float = np.inf) -> Mean:
    """Mean over the rounds that have a value, with an interval by the variance of `corrected_t`.

    Parameters
    ----------
    values : ndarray of float, shape (round,)
        NaN where there is none.
    test_share : float
        Number of patients in test divided by that in train.
    least, most : float
        What is possible: where the interval is cut.
    """
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return Mean(len(known), float(known[0]) if len(known) else np.nan, np.nan, np.nan, np.nan)
    mean, reach = float(known.mean()), float(t.ppf(0.975, len(known) - 1)) * _corrected_error(known, test_share)
    return Mean(len(known), mean, float(known.std(ddof=1)), float(max(mean - reach, least)), float(min(mean + reach, most)))


def _corrected_error(values: NDArray[np.float64], test_share: float) -> float:
    return float(np.sqrt((1 / len(values) + test_share) * np.var(values, ddof=1)))


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
    """Difference of the AUCs of two methods on the same rows, by resampling patients.

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
    """
    if len(np.unique(y)) < 2:
        return NOTHING
    counts = patient_counts(patients, resamples=resamples, seed=seed)
    differences = weighted_auc(y, first, counts) - weighted_auc(y, second, counts)
    known = differences[~np.isnan(differences)]
    value = one_auc(y, first) - one_auc(y, second)
    smaller = min((known <= 0).sum(), (known >= 0).sum())
    return Difference(value, *interval(known), min(1.0, 2 * (smaller + 1) / (len(known) + 1)))


def delong(y: NDArray[np.int64], first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """Test of DeLong for the AUCs of two methods on the same independent rows: one row a patient.

    Parameters
    ----------
    y : ndarray of int, shape (patient,)
    first, second : ndarray of float, shape (patient,)

    References
    ----------
    DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; by mid-ranks, Sun and Xu, IEEE Signal Process Lett 2014;21:1389.
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
    """P-values adjusted for the number of methods in a table (Holm, Scand J Statist 1979;6:65); NaN stays, and does not count."""
    p = np.asarray(p_values, float)
    known = ~np.isnan(p)
    if known.any():
        p[known] = multipletests(p[known], method="holm")[1]
    return p
