"""The mean of a metric over the rounds of a split, with an interval that knows that rounds share training patients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t


class Mean(NamedTuple):
    """Mean over rounds.

    Attributes
    ----------
    rounds : int
        Number of rounds that have a value.
    mean, sd : float
        Mean and standard deviation of these values.
    low, high : float
        Limits of the 95 % interval of the mean.
    """

    rounds: int
    mean: float
    sd: float
    low: float
    high: float


def mean_over_rounds(values: NDArray[np.float64], test_share: float, *, least: float = -np.inf, most: float = np.inf) -> Mean:
    """Mean over the rounds that have a value, with the corrected 95 % interval.

    Parameters
    ----------
    values : ndarray of float, shape (round,)
        NaN where a round has no value.
    test_share : float
        Number of patients in test divided by that in train.
    least, most : float
        Smallest and largest possible value, where the interval is cut.

    Returns
    -------
    Mean
        Of one round the mean alone; of none, NaN.

    References
    ----------
    Nadeau and Bengio, Machine Learning 2003;52:239. In simulations with experts that were trained, the interval covers the
    expected AUC in 95 to 97 % of cohorts; see `tests/analysis/statistics/test_coverage.py`.

    Examples
    --------
    >>> mean = mean_over_rounds(np.array([0.7, 0.8, 0.9]), test_share=1 / 8, most=1)
    >>> round(mean.mean, 2), round(mean.low, 2), mean.high
    (0.8, 0.51, 1.0)
    """
    present = values[~np.isnan(values)]
    if len(present) < 2:
        return Mean(len(present), float(present[0]) if len(present) else np.nan, np.nan, np.nan, np.nan)
    mean, reach = float(present.mean()), float(t.ppf(0.975, len(present) - 1)) * corrected_error(present, test_share)
    return Mean(len(present), mean, float(present.std(ddof=1)), float(max(mean - reach, least)), float(min(mean + reach, most)))


def corrected_error(values: NDArray[np.float64], test_share: float) -> float:
    """Standard error of a mean over J rounds: the root of (1/J + n_test/n_train) s^2 in place of s^2/J.

    Examples
    --------
    >>> round(corrected_error(np.array([0.7, 0.8, 0.9]), 0.125), 3)
    0.068
    """
    return float(np.sqrt((1 / len(values) + test_share) * np.var(values, ddof=1)))
