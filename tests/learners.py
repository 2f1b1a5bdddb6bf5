"""Cohorts in memory, and a learner that is trained in every round, fast enough for simulations of statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from analysis.statistics.bootstrap import one_auc
from ren_features.store import Matrix
from ren_models.splits.parts import read_part
from ren_models.splits.rounds import Split, make_split


class Tested(NamedTuple):
    """AUC of test in each round, and the pooled test scans with their scores."""

    aucs: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    patients: np.ndarray


def simulate_cohort(rng: np.random.Generator, patients: int, signal: float, *, scans: int = 3, features: int = 10) -> Matrix:
    """Features of scans that resemble each other within a patient; the first three tell the label, in standard deviations."""
    y = rng.permutation(np.arange(patients) < 0.6 * patients).astype(int)
    owner = np.repeat(np.arange(patients), scans)
    between, within = np.sqrt(0.7), np.sqrt(0.3)
    values = (between * rng.standard_normal((patients, features)))[owner] + within * rng.standard_normal((len(owner), features))
    values[:, :3] += signal * y[owner, None]
    names = np.char.add("p", np.char.zfill(owner.astype(str), 4))
    scan_ids = np.char.add(names, np.char.add("_", np.tile(np.arange(scans), patients).astype(str)))
    return Matrix(values, y[owner], scan_ids, names, tuple(f"f{number}" for number in range(features)))


def split_of(matrix: Matrix) -> Split:
    """Ten rounds over the patients, stratified by their labels."""
    return make_split(dict(zip(matrix.patient_ids.tolist(), matrix.y.tolist(), strict=True)), "ill")


def cross_validate_ridge(matrix: Matrix, split: Split, features: slice = slice(None)) -> Tested:
    """Train ridge regression on the train part of each round and score its test part."""
    experts: dict[frozenset[str], np.ndarray] = {}
    aucs, parts, scores = [], [], []
    for number in split.rounds:
        if number.train not in experts:
            train = read_part(matrix, number, "train")
            experts[number.train] = _ridge(train.examples.X[:, features], train.y)
        if not np.isin(matrix.patient_ids, sorted(number.test)).any():
            aucs.append(np.nan)  # nobody of this part was drawn
            continue
        test = read_part(matrix, number, "test")
        scores.append(_with_constant(test.examples.X[:, features]) @ experts[number.train])
        aucs.append(one_auc(test.y, scores[-1]))
        parts.append(test)
    y, patients = (np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "patient_ids"))
    return Tested(np.array(aucs), y, np.concatenate(scores), patients)


def _ridge(features: np.ndarray, y: np.ndarray) -> np.ndarray:
    columns = _with_constant(features)
    return np.linalg.solve(columns.T @ columns + 3 * np.eye(columns.shape[1]), columns.T @ (2 * y - 1))


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features))])


@dataclass(frozen=True)
class SelectsOnVal:
    """Settings of an expert that takes the feature with the best AUC in val, as a network takes its best epoch."""

    version: str = "1"
    selects_on_val: bool = True
    suffix: str = ".json"

    def as_dict(self):
        return {}

    def changed(self):
        return {}

    def expert(self, inputs):  # noqa: ARG002
        return OneFeature()

    def control_expert(self, inputs, classes):  # noqa: ARG002
        return OneFeature()


class OneFeature:
    """The feature whose sign was learned from train and that is best in val."""

    params: ClassVar[dict] = {}
    changed: ClassVar[dict] = {}

    def fit(self, train, val=None):
        rows, selected_on = train.only("train", "a fit").examples, val.only("val", "a selection").examples
        self.classes_ = np.unique(rows.y)
        self.signs = np.where(_areas(rows) < 0.5, -1.0, 1.0)
        self.place = int(np.argmax(_areas(selected_on._replace(X=selected_on.X * self.signs))))
        return self

    def predict_proba(self, examples):
        p = expit(self.signs[self.place] * examples.X[:, self.place])
        return np.column_stack([1 - p, p])

    def embed(self, examples):  # noqa: ARG002
        return {}


def _areas(matrix):
    return np.array([roc_auc_score(matrix.y, column) for column in matrix.X.T])
