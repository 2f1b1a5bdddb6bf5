"""Chance: AUCs of experts on shuffled labels, and p-values against them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ren_features import FeatureStore
from ren_models.plans.radiomics import METHOD, SHUFFLED
from ren_models.splits.rounds import Split

COLUMNS = {
    "method": pl.String,
    "region": pl.String,
    "auc": pl.Float64,
    "shuffles": pl.Int64,
    "shuffled_mean": pl.Float64,
    "shuffled_sd": pl.Float64,
    "shuffled_low": pl.Float64,
    "shuffled_high": pl.Float64,
    "p": pl.Float64,
    "p_adjusted": pl.Float64,
    "p_smallest": pl.Float64,
}


class PValues(NamedTuple):
    """P-values of several experts against the same shuffles.

    Attributes
    ----------
    single, adjusted : ndarray of float, shape (expert,)
        Of each expert alone, and adjusted for the number of experts.
    """

    single: NDArray[np.float64]
    adjusted: NDArray[np.float64]


def permutation_p(observed: NDArray[np.float64], shuffled: NDArray[np.float64]) -> PValues:
    """Share of shuffles that reach an AUC, with one added to each count; adjusted by the largest AUC of each shuffle.

    The smallest possible p-value of B shuffles is 1 / (B + 1).

    Parameters
    ----------
    observed : ndarray of float, shape (expert,)
    shuffled : ndarray of float, shape (shuffle, expert)
        AUCs of the same experts; a row is one shuffle for all of them.

    References
    ----------
    Phipson and Smyth, Stat Appl Genet Mol Biol 2010;9:39 (one added); Westfall and Young 1993 (the largest of each shuffle).

    Examples
    --------
    >>> permutation_p(np.array([0.9, 0.6]), np.array([[0.5, 0.55], [0.4, 0.7], [0.7, 0.5]]))
    PValues(single=array([0.25, 0.5 ]), adjusted=array([0.25, 0.75]))
    """
    reached = shuffled >= observed - 1e-12  # AUCs are fractions: equal ones differ by rounding
    largest = np.nanmax(shuffled, axis=1, keepdims=True) >= observed - 1e-12
    single, adjusted = ((counts.sum(0) + 1) / (len(shuffled) + 1) for counts in (reached, largest))
    return PValues(single, adjusted)


def chance(store: FeatureStore, split: Split) -> pl.DataFrame:
    """Mean AUCs of the radiomics experts beside those of shuffled labels.

    Returns
    -------
    polars.DataFrame
        A row for each expert that was also fitted to shuffled labels, with `COLUMNS`: `auc` (None where the experts of the true
        labels were not fitted); number, mean, standard deviation and middle 95 % of the shuffles; the p-value of the expert
        alone, adjusted for the number of experts, and the smallest that this number of shuffles allows.
    """
    shuffled = mean_aucs(store, split, SHUFFLED)
    if shuffled.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    by_seed = shuffled.pivot("permutation", index=["method", "region"], values="value", maintain_order=True)
    observed = mean_aucs(store, split, METHOD).select("method", "region", auc="value")
    experts = by_seed.select("method", "region")
    table = experts.join(observed, on=["method", "region"], how="left", nulls_equal=True, maintain_order="left")
    aucs = by_seed.drop("method", "region").to_numpy().astype(float).T
    return table.with_columns(_statistics(table["auc"].to_numpy().astype(float), aucs)).select(*COLUMNS)


def mean_aucs(store: FeatureStore, split: Split, experiment: str) -> pl.DataFrame:
    """Mean test AUC over the rounds that have one: columns `method`, `region` (in their order), `permutation`, `value`."""
    return store.sql(
        """SELECT method, region, permutation, avg(value) AS value FROM results LEFT JOIN regions ON region = name
        WHERE task = ? AND split_id = ? AND experiment = ? AND metric = 'auc_test'
        GROUP BY method, region, position, permutation ORDER BY method, position NULLS LAST, permutation""",
        [split.task, split.split_id, experiment],
    )


def _statistics(observed: NDArray[np.float64], shuffled: NDArray[np.float64]) -> list[pl.Series]:
    low, high = np.nanquantile(shuffled, [0.025, 0.975], axis=0)
    p = permutation_p(observed, shuffled)
    missing = np.isnan(observed)
    columns = {
        "shuffles": np.full(len(observed), len(shuffled)),
        "shuffled_mean": np.nanmean(shuffled, axis=0),
        "shuffled_sd": np.nanstd(shuffled, axis=0),
        "shuffled_low": low,
        "shuffled_high": high,
        "p": np.where(missing, np.nan, p.single),
        "p_adjusted": np.where(missing, np.nan, p.adjusted),
        "p_smallest": np.full(len(observed), 1 / (len(shuffled) + 1)),
    }
    return [pl.Series(name, column, COLUMNS[name], nan_to_null=True) for name, column in columns.items()]
