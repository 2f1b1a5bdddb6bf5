"""The one place where rows are handed out for fitting, validating and testing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import LeakageError, SplitError
from ren_features.store import Matrix
from ren_models.groups import group_names
from ren_models.splits import PARTS, Round


@dataclass(frozen=True)
class Part:
    """Rows of one part of one round; it knows which, so that a fit can refuse what it must not see.

    Attributes
    ----------
    name : str
        `train`, `val` or `test`.
    round : int
    X : ndarray of float, shape (scan, feature)
    y : ndarray of int, shape (scan,)
    scan_ids, patient_ids : ndarray of str, shape (scan,)
    group_ids : ndarray of str, shape (scan,)
        The first of the patients who share an image with the patient; mostly the patient alone. A group is never divided.
    """

    name: str
    round: int
    X: NDArray[np.float64]
    y: NDArray[np.int64]
    scan_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    group_ids: NDArray[np.str_]

    def only(self, name: str, use: str) -> Part:
        """This part, if it is the one of that name.

        Raises
        ------
        LeakageError
            When it is another.
        """
        if self.name != name:
            raise LeakageError(f"round {self.round}: {use} expected rows of {name}, got rows of {self.name}")
        return self


class Parts(NamedTuple):
    """The three parts of a round."""

    train: Part
    val: Part
    test: Part


def read_parts(matrix: Matrix, each: Round) -> Parts:
    """The rows of each part of a round; scans of patients that the split does not have are in none.

    Raises
    ------
    SplitError
        When a part has no row.
    """
    return Parts(*(read_part(matrix, each, name) for name in PARTS))


def read_part(matrix: Matrix, each: Round, name: str) -> Part:
    """The rows of one part of a round.

    Raises
    ------
    SplitError
        When it has none.
    """
    rows = np.isin(matrix.patient_ids, sorted(each.patients(name)))
    if not rows.any():
        raise SplitError(f"round {each.index}: expected rows in {name}, got none")
    own = matrix.select_rows(rows)
    groups = group_names(own.patient_ids.tolist(), each.groups)
    return Part(
        name, each.index, own.X, own.y, own.scan_ids, own.patient_ids, np.array([groups[each] for each in own.patient_ids])
    )


def lack(matrix: Matrix, each: Round) -> str | None:
    """What a round lacks for a fit: rows in a part, or two classes in train; None when it lacks nothing."""
    found = {name: matrix.y[np.isin(matrix.patient_ids, sorted(each.patients(name)))] for name in PARTS}
    empty = [name for name, y in found.items() if not len(y)]
    if empty:
        return f"no rows in {' and '.join(empty)}"
    return "one class in train" if len(np.unique(found["train"])) < 2 else None


def permute_labels(parts: Parts, seed: int) -> Parts:
    """Labels shuffled between the patients of each part: what is left of an AUC then is leakage or chance.

    A patient's scans take the labels of another patient's scans, in the order of the rows; of a patient with fewer or more
    scans, those at the same share of its rows: where classes differ in scans a patient, the share of scans of a class changes.
    Regions that the same patients have are shuffled alike.
    """
    return Parts(*(_permuted(part, seed, number) for number, part in enumerate(parts)))


def _permuted(part: Part, seed: int, number: int) -> Part:
    return replace(part, y=labels_of_donors(part.y, part.patient_ids, np.random.default_rng([seed, part.round, number])))


def labels_of_donors(y: NDArray[np.int64], patients: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels after each patient's have been given to another one, shape (scan,)."""
    places = [np.flatnonzero(patients == name) for name in np.unique(patients)]
    shuffled = y.copy()
    for own, donor in zip(places, rng.permutation(len(places)), strict=True):
        given = y[places[donor]]
        shuffled[own] = given[np.arange(len(own)) * len(given) // len(own)]
    return shuffled
