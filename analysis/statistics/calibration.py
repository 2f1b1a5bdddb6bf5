"""Calibration: whether predicted probabilities are as high as outcomes are frequent.

Weak calibration (Van Calster et al., J Clin Epidemiol 2016;74:167) of all test scans together: in a single round of a few
patients a slope is noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import norm
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from ren_models.metrics import Rows

FLOOR = 1e-6
"""Probabilities are this far from 0 and 1 before their logarithm is taken."""


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


UNKNOWN = Estimate(np.nan, np.nan, np.nan)


class Calibration(NamedTuple):
    """Slope and intercept; 1 and 0 are perfect.

    Attributes
    ----------
    slope : Estimate
        Slope of the logistic regression of the outcome on the log odds (Cox, Biometrika 1958;45:562); below 1 where
        probabilities are too extreme.
    intercept : Estimate
        Intercept of the same regression with the slope held at 1, calibration in the large; above 0 where probabilities are
        too low.
    """

    slope: Estimate
    intercept: Estimate


def calibration(rows: Rows) -> Calibration:
    """Slope and intercept of calibration, with intervals that know that scans of a patient are alike.

    Parameters
    ----------
    rows : Rows
        Of two classes. The intervals come from variances clustered by patient (Liang and Zeger, Biometrika 1986;73:13).

    Returns
    -------
    Calibration
        NaN of one class; the slope is NaN of perfectly separated classes, which have no finite one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=2000)
    >>> rows = Rows((rng.uniform(size=2000) < p).astype(int), np.column_stack([1 - p, p]), np.arange(2000).astype(str))
    >>> round(calibration(rows).slope.value, 1)
    1.0
    """
    if not rows.usable:
        return Calibration(UNKNOWN, UNKNOWN)
    log_odds = logit(np.clip(rows.positive, FLOOR, 1 - FLOOR))
    groups = np.unique(rows.patients, return_inverse=True)[1]
    intercept = _regress(rows.y, np.ones((len(rows.y), 1)), groups, log_odds)
    if _separated(rows):
        return Calibration(UNKNOWN, intercept)
    return Calibration(_regress(rows.y, np.column_stack([np.ones(len(rows.y)), log_odds]), groups), intercept)


def _regress(
    y: NDArray[np.int64], columns: NDArray[np.float64], groups: NDArray[np.int64], offset: NDArray[np.float64] | None = None
) -> Estimate:
    """The last coefficient of a logistic regression."""
    fit = GLM(y, columns, family=Binomial(), offset=offset).fit(cov_type="cluster", cov_kwds={"groups": groups})
    reach = float(norm.ppf(0.975) * fit.bse[-1])
    return Estimate(float(fit.params[-1]), float(fit.params[-1] - reach), float(fit.params[-1] + reach))


def _separated(rows: Rows) -> bool:
    positive, negative = rows.positive[rows.y == 1], rows.positive[rows.y == 0]
    return bool(positive.min() >= negative.max() or positive.max() <= negative.min())
