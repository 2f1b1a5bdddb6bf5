"""TreeSHAP: shares of features in an expert's predictions for patients that it has not seen.

Each feature has its share of the log odds of a scan, exactly (Lundberg et al., Nat Mach Intell 2020;2:56).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl
import shap
from numpy.typing import NDArray
from scipy.stats import spearmanr

from analysis.stored_results import Setting, of_two_classes
from ren_features.errors import StoreError
from ren_features.store import Matrix
from ren_models.experts import RadiomicsExpert
from ren_models.experts.files import model_folder

EXPERIMENT = "radiomics"


class Attribution(NamedTuple):
    """SHAP of a region's test scans.

    Attributes
    ----------
    values, features : ndarray of float, shape (scan, feature)
        In log odds; and the features they are of, missing values replaced.
    rounds : ndarray of int, shape (scan,)
    trained : ndarray of int, shape (scan,)
        Number of the set of training patients: the two rounds that swap val and test have the same expert.
    names : tuple of str
    scan_ids : ndarray of str, shape (scan,)
    spec_id : str
        Settings of the features.
    """

    values: NDArray[np.float64]
    features: NDArray[np.float64]
    rounds: NDArray[np.int64]
    trained: NDArray[np.int64]
    names: tuple[str, ...]
    scan_ids: NDArray[np.str_]
    spec_id: str

    @property
    def importance(self) -> NDArray[np.float64]:
        """Mean |SHAP|, shape (feature,)."""
        return np.asarray(np.abs(self.values).mean(0))

    @property
    def direction(self) -> NDArray[np.float64]:
        """Rank correlation of value and SHAP, shape (feature,): above 0 where high values speak for class 1; NaN of constants."""
        return np.array([_rank_correlation(*columns) for columns in zip(self.features.T, self.values.T, strict=True)])

    def of_round(self, index: int) -> Attribution:
        """The part of one round."""
        of = self.rounds == index
        per_scan = ("values", "features", "rounds", "trained", "scan_ids")
        return self._replace(**{name: getattr(self, name)[of] for name in per_scan})

    @property
    def stability(self) -> float:
        """Mean Spearman correlation of mean |SHAP| between experts of other training patients; NaN when there are none."""
        every = [np.abs(self.values[self.trained == train]).mean(0) for train in np.unique(self.trained)]
        pairs = [_rank_correlation(one, other) for one, other in combinations(every, 2)]
        finite = [value for value in pairs if not np.isnan(value)]
        return float(np.mean(finite)) if finite else np.nan


def _rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's; NaN where one is constant."""
    return float(spearmanr(one, other).statistic) if np.ptp(one) > 0 and np.ptp(other) > 0 else np.nan


def attribute(setting: Setting, region: str) -> Attribution:
    """SHAP of the test scans of every round, by the stored expert of that round.

    Raises
    ------
    StoreError
        When the store has no expert of the region, or the task has more than two classes.
    """
    rows = setting.store.sql(
        """SELECT round, checkpoint, spec_id, scan_id, probability FROM models m JOIN predictions p USING (model_id, round)
        WHERE part = 'test' AND task = ? AND split_id = ? AND experiment = ? AND m.region = ? AND checkpoint IS NOT NULL
        ORDER BY round, scan_id""",
        [*setting.key, EXPERIMENT, region],
    )
    if rows.is_empty():
        raise StoreError(
            f"store {setting.store.path}: expected radiomics experts of {region}, found none; `ren-models radiomics` fits them"
        )
    of_two_classes(rows, setting)
    matrix = setting.store.matrix(region=region, task=setting.task, spec_id=rows["spec_id"][0])
    trains = list(dict.fromkeys(number.train for number in setting.split.rounds))
    parts = []
    for (index, checkpoint), scans in rows.group_by("round", "checkpoint", maintain_order=True):
        expert = RadiomicsExpert.load(model_folder(setting.store.path) / str(checkpoint))
        features = expert.impute(_as_predicted(matrix, expert, scans))
        shares = np.asarray(shap.TreeExplainer(expert.model_).shap_values(features), np.float64)
        numbers = (np.full(len(scans), number) for number in (index, trains.index(setting.split.rounds[int(str(index))].train)))
        parts.append((shares, features, *numbers, scans["scan_id"].to_numpy()))
    values, features, rounds, trained, scan_ids = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Attribution(values, features, rounds, trained, matrix.feature_names, scan_ids, rows["spec_id"][0])


def _as_predicted(matrix: Matrix, expert: RadiomicsExpert, rows: pl.DataFrame) -> NDArray[np.float64]:
    """Features of the scans, shape (scan, feature), if the expert still says of them what is stored.

    Raises
    ------
    StoreError
        When it does not: features or files of models have changed.
    """
    predicted = matrix.select_rows(np.isin(matrix.scan_ids, rows["scan_id"].to_numpy()))
    same = expert.feature_names == matrix.feature_names and len(predicted.y) == len(rows)
    if not same or not np.allclose(expert.predict_proba(predicted)[:, 1], rows["probability"].to_numpy(), rtol=0, atol=1e-6):
        raise StoreError(
            f"model {rows['checkpoint'][0]}: expected the features of {expert.region} that its predictions were made of, got "
            "others; `ren-models radiomics` fits it anew"
        )
    return predicted.X
