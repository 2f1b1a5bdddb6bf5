"""The one place where rows are handed out for fitting, validating and testing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import LeakageError, SplitError
from ren_features.store import Matrix
from ren_models.splits.groups import group_names
from ren_models.splits.rounds import PARTS, Round


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


def lack(matrix: Matrix, each: Round, parts: tuple[str, ...] = PARTS) -> str | None:
    """Say why a round cannot be fitted: no rows in one of the parts, or one class in train; None when it can."""
    labels = {name: matrix.y[np.isin(matrix.patient_ids, sorted(each.patients(name)))] for name in parts}
    empty = [name for name, y in labels.items() if not len(y)]
    if empty:
        return f"no rows in {' and '.join(empty)}"
    return "one class in train" if len(np.unique(labels["train"])) < 2 else None
