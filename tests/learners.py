"""Cohorts in memory, and a learner that is trained in every round, fast enough for simulations of statistics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
            experts[number.train] = _ridge(train.X[:, features], train.y)
        if not np.isin(matrix.patient_ids, sorted(number.test)).any():
            aucs.append(np.nan)  # nobody of this part was drawn
            continue
        test = read_part(matrix, number, "test")
        scores.append(_with_constant(test.X[:, features]) @ experts[number.train])
        aucs.append(one_auc(test.y, scores[-1]))
        parts.append(test)
    y, patients = (np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "patient_ids"))
    return Tested(np.array(aucs), y, np.concatenate(scores), patients)


def _ridge(features: np.ndarray, y: np.ndarray) -> np.ndarray:
    columns = _with_constant(features)
    return np.linalg.solve(columns.T @ columns + 3 * np.eye(columns.shape[1]), columns.T @ (2 * y - 1))


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features))])
