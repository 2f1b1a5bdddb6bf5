"""Gradient-boosted trees with XGBoost's predictions, several times faster on the few hundred rows of a cohort.

A chance control fits thousands of experts and keeps no model. XGBoost's `hist` method, written for millions of rows, spends most
of such a fit on its own administration. Here features are binned once, at XGBoost's own cuts, and rows stay sorted by bin.
Splits are found in XGBoost's order with its arithmetic (gradients, gains and leaves in float32, sums in float64), so that
probabilities differ by less than 1e-6 (`tests/ren_models/experts/test_boosting.py`). Where the gains of two splits differ by
rounding alone, as in nodes of a few rows, either can be taken; trees deeper than `DEEPEST` are therefore left to XGBoost.

References
----------
Chen and Guestrin, KDD 2016: gain of a split (eq. 7), weight of a leaf (eq. 5).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from xgboost import QuantileDMatrix

from ren_features.store import Matrix
from ren_features.voxels.kernel import kernel
from ren_models.experts.expert import Embeddings, classes_of
from ren_models.experts.settings import RadiomicsSettings
from ren_models.splits.parts import Part

MOST_BINS = 256
"""Of XGBoost: bins of a feature."""

LEAST_GAIN = np.float32(1e-6)
"""Of XGBoost: a split must gain more."""


class Binned(NamedTuple):
    """Features in bins.

    Attributes
    ----------
    medians : ndarray of float, shape (feature,)
        Of the rows, in place of missing values; 0 for a feature without a value.
    cuts : tuple of ndarray of float
        Upper limits of the bins of each feature.
    bins : ndarray of uint16, shape (feature, row)
    order : ndarray of int32, shape (feature, row)
        Rows sorted by bin.
    """

    medians: NDArray[np.float64]
    cuts: tuple[NDArray[np.float32], ...]
    bins: NDArray[np.uint16]
    order: NDArray[np.int32]

    @classmethod
    def of(cls, X: NDArray[np.float64]) -> Binned:  # noqa: N803 - as scikit-learn has it
        """Bins of training rows, shape (row, feature), at XGBoost's cuts."""
        missing = np.isnan(X)
        medians = np.array(
            [np.median(column[~gaps]) if not gaps.all() else 0.0 for column, gaps in zip(X.T, missing.T, strict=True)]
        )
        filled = np.where(missing, medians, X)
        limits, values = QuantileDMatrix(filled, max_bin=MOST_BINS, nthread=1).get_quantile_cut()
        cuts = tuple(np.split(values, limits[1:-1]))
        bins = _binned(filled, cuts)
        return cls(medians, cuts, bins, np.argsort(bins, axis=1, kind="stable").astype(np.int32))

    def place(self, X: NDArray[np.float64]) -> NDArray[np.uint16]:  # noqa: N803
        """Bins of other rows, shape (feature, row)."""
        return _binned(np.where(np.isnan(X), self.medians, X), self.cuts)


def _binned(X: NDArray[np.float64], cuts: tuple[NDArray[np.float32], ...]) -> NDArray[np.uint16]:  # noqa: N803
    columns = zip(X.T.astype(np.float32), cuts, strict=True)
    return np.stack([np.minimum(np.searchsorted(cut, column, "right"), len(cut) - 1) for column, cut in columns]).astype(
        np.uint16
    )


@lru_cache(maxsize=64)
def _binned_once(content: bytes, features: int) -> Binned:
    """Bins of the same rows under other labels are the same."""
    return Binned.of(np.frombuffer(content).reshape(-1, features))


class BoostedExpert:
    """The radiomics expert's predictions without its model, for controls of two classes.

    Parameters
    ----------
    settings : RadiomicsSettings
        Without a search, early stopping and random subsets.
    """

    def __init__(self, settings: RadiomicsSettings) -> None:
        self.settings = settings

    @property
    def params(self) -> dict[str, Any]:
        """Settings that it was fitted with."""
        return self.settings.as_dict()

    @property
    def changed(self) -> dict[str, Any]:
        """Settings that differ from REN's."""
        return self.settings.changed()

    def fit(self, train: Part[Matrix], val: Part[Matrix] | None = None) -> Self:  # noqa: ARG002 - selects nothing on val
        """Learn from the rows of the part train; errors as of `RadiomicsExpert.fit`."""
        rows = train.only("train", "an expert's fit")
        self.classes_ = classes_of(rows)
        y = (rows.y == self.classes_[1]).astype(np.float32)
        self.binned_ = _binned_once(np.ascontiguousarray(rows.examples.X).tobytes(), rows.examples.X.shape[1])
        self.base_ = np.float32(np.log(y.mean(dtype=np.float64) / (1 - y.mean(dtype=np.float64))))
        own = self.settings
        self.trees_ = _boost(
            self.binned_.bins,
            self.binned_.order,
            y,
            self.base_,
            own.n_estimators,
            own.max_depth,
            np.float32(own.learning_rate),
            own.reg_lambda,
            own.min_child_weight,
        )
        return self

    def predict_proba(self, examples: Matrix) -> NDArray[np.float64]:
        """Probability of each class of `classes_`, shape (scan, class)."""
        margin = _margins(self.binned_.place(examples.X), *self.trees_, self.base_)
        p = (1 / (1 + np.exp(-margin))).astype(np.float64)
        return np.column_stack([1 - p, p])

    def embed(self, examples: Matrix) -> Embeddings:  # noqa: ARG002
        """None: trees have no layers."""
        return {}

    def save(self, path: object) -> None:
        """Refuse: a control keeps no model."""
        raise NotImplementedError(f"{path}: a control keeps no model")


@kernel
def _boost(bins, order, y, base, trees, depth, rate, reg_lambda, least_weight):
    """Feature (-1 for a leaf), last bin of the left side and value of the nodes of each tree, shape (tree, node) each."""
    rows = bins.shape[1]
    nodes = 2 ** (depth + 1) - 1
    feature = np.full((trees, nodes), -1, np.int32)
    cut = np.zeros((trees, nodes), np.int32)
    leaf = np.zeros((trees, nodes), np.float32)
    margin, node = np.full(rows, base, np.float32), np.zeros(rows, np.int32)
    gradient, hessian = np.empty(rows), np.empty(rows)
    one = np.float32(1.0)
    for tree in range(trees):
        sum_g, sum_h = np.zeros(nodes), np.zeros(nodes)
        for row in range(rows):
            p = one / (one + np.exp(-margin[row]))
            gradient[row] = np.float32(p - y[row])
            hessian[row] = np.float32(max(p * (one - p), np.float32(1e-16)))
            sum_g[0] += gradient[row]
            sum_h[0] += hessian[row]
            node[row] = 0
        for level in range(depth):
            _split_level(
                bins, order, gradient, hessian, node, level, sum_g, sum_h, feature[tree], cut[tree], reg_lambda, least_weight
            )
        for place in range(nodes):
            if sum_h[place] > 0:
                leaf[tree, place] = np.float32(-sum_g[place] / (sum_h[place] + reg_lambda)) * rate
        for row in range(rows):
            margin[row] += leaf[tree, node[row]]
    return feature, cut, leaf


@kernel
def _split_level(  # noqa: C901 - one kernel: the compiler makes loops of what stands together
    bins, order, gradient, hessian, node, level, sum_g, sum_h, feature, cut, reg_lambda, least_weight
):
    """Find the best split of every node of a level in passes over the sorted rows of each feature, and move the rows."""
    features, rows = bins.shape
    first, width = 2**level - 1, 2**level
    best, parent = np.zeros(width, np.float32), np.zeros(width, np.float32)
    sides = np.zeros((width, 4))
    part_g, part_h, last = np.empty(width), np.empty(width), np.empty(width, np.int32)
    for k in range(width):
        if sum_h[first + k] > 0:
            parent[k] = np.float32(sum_g[first + k] ** 2 / (sum_h[first + k] + reg_lambda))
    for f in range(features):
        part_g[:], part_h[:], last[:] = 0.0, 0.0, -1
        for place in range(rows):
            row = order[f, place]
            k = node[row] - first
            if k < 0:
                continue
            if last[k] >= 0 and bins[f, row] != last[k]:
                other_g, other_h = sum_g[first + k] - part_g[k], sum_h[first + k] - part_h[k]
                if part_h[k] >= least_weight and other_h >= least_weight:
                    gain = _gain(part_g[k], part_h[k], other_g, other_h, parent[k], reg_lambda)
                    if gain > best[k]:
                        best[k], feature[first + k], cut[first + k] = gain, f, last[k]
                        sides[k] = part_g[k], part_h[k], other_g, other_h
            part_g[k] += gradient[row]
            part_h[k] += hessian[row]
            last[k] = bins[f, row]
        # Where sums in this order differ from the node's in their last bits, XGBoost takes a value to be missing and looks from
        # the other end, too.
        for k in range(width):
            last[k] = -1 if part_g[k] != sum_g[first + k] or part_h[k] != sum_h[first + k] else -2
        if last.max() == -2:
            continue
        part_g[:], part_h[:] = 0.0, 0.0
        for place in range(rows - 1, -1, -1):
            row = order[f, place]
            k = node[row] - first
            if k < 0 or last[k] == -2:
                continue
            if last[k] >= 0 and bins[f, row] != last[k]:
                other_g, other_h = sum_g[first + k] - part_g[k], sum_h[first + k] - part_h[k]
                if part_h[k] >= least_weight and other_h >= least_weight:
                    gain = _gain(other_g, other_h, part_g[k], part_h[k], parent[k], reg_lambda)
                    if gain > best[k]:
                        best[k], feature[first + k], cut[first + k] = gain, f, last[k] - 1
                        sides[k] = other_g, other_h, part_g[k], part_h[k]
            part_g[k] += gradient[row]
            part_h[k] += hessian[row]
            last[k] = bins[f, row]
    for k in range(width):
        place = first + k
        if best[k] <= LEAST_GAIN:
            feature[place] = -1
        else:
            sum_g[2 * place + 1], sum_h[2 * place + 1], sum_g[2 * place + 2], sum_h[2 * place + 2] = sides[k]
    for row in range(rows):
        place = node[row]
        if place >= first and feature[place] >= 0:
            node[row] = 2 * place + (1 if bins[feature[place], row] <= cut[place] else 2)


@kernel
def _gain(left_g, left_h, right_g, right_h, parent, reg_lambda):
    """Gain of a split, in float32 as XGBoost has it."""
    left, right = np.float32(left_g * left_g / (left_h + reg_lambda)), np.float32(right_g * right_g / (right_h + reg_lambda))
    return np.float32(np.float32(left + right) - parent)


@kernel
def _margins(bins, feature, cut, leaf, base):
    """Log odds of rows, shape (row,)."""
    margin = np.full(bins.shape[1], base, np.float32)
    for row in range(bins.shape[1]):
        for tree in range(len(feature)):
            place = 0
            while feature[tree, place] >= 0:
                place = 2 * place + (1 if bins[feature[tree, place], row] <= cut[tree, place] else 2)
            margin[row] += leaf[tree, place]
    return margin
