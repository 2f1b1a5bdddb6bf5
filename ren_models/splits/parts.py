"""The one place where rows are handed out for fitting, validating and testing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import LeakageError, SplitError
from ren_models.splits.examples import E, Examples
from ren_models.splits.groups import group_names
from ren_models.splits.rounds import PARTS, Round


@dataclass(frozen=True)
class Part(Generic[E]):
    """Examples of one part of one round; a part knows its name, so that a fit can refuse what it must not see.

    Attributes
    ----------
    name : str
        `train`, `val` or `test`.
    round : int
    examples : Examples
    group_ids : ndarray of str, shape (scan,)
        The first of the patients who share an image with the patient; mostly the patient alone. A group is never divided.
    """

    name: str
    round: int
    examples: E
    group_ids: NDArray[np.str_]

    @property
    def y(self) -> NDArray[np.int64]:
        """Labels, shape (scan,)."""
        return self.examples.y

    @property
    def scan_ids(self) -> NDArray[np.str_]:
        """Scans, shape (scan,)."""
        return self.examples.scan_ids

    @property
    def patient_ids(self) -> NDArray[np.str_]:
        """Patient of each scan, shape (scan,)."""
        return self.examples.patient_ids

    def only(self, name: str, use: str) -> Self:
        """This part, if it is the one of that name.

        Raises
        ------
        LeakageError
            When it is another.
        """
        if self.name != name:
            raise LeakageError(f"round {self.round}: {use} expected rows of {name}, got rows of {self.name}")
        return self


class Parts(NamedTuple, Generic[E]):
    """The three parts of a round."""

    train: Part[E]
    val: Part[E]
    test: Part[E]


def read_parts(examples: E, number: Round) -> Parts[E]:
    """The examples of each part of a round; scans of patients that the split does not have are in none.

    Raises
    ------
    SplitError
        When a part has no row.
    """
    return Parts(*(read_part(examples, number, name) for name in PARTS))


def read_part(examples: E, number: Round, name: str) -> Part[E]:
    """The examples of one part of a round.

    Raises
    ------
    SplitError
        When it has none.

    Examples
    --------
    >>> from ren_features import FeatureStore
    >>> from ren_models.splits.stored import read_split
    >>> with FeatureStore("ren.duckdb") as store:
    ...     matrix, split = store.matrix(region="LLL", task="ill"), read_split(store, "ill")
    >>> read_part(matrix, split.rounds[0], "test").examples.X.shape
    (6, 107)
    """
    rows = np.isin(examples.patient_ids, sorted(number.patients(name)))
    if not rows.any():
        raise SplitError(f"round {number.index}: expected rows in {name}, got none")
    chosen = examples.select_rows(rows)
    groups = group_names(chosen.patient_ids.tolist(), number.groups)
    return Part(name, number.index, chosen, np.array([groups[patient] for patient in chosen.patient_ids]))


def why_unfittable(examples: Examples, number: Round, parts: tuple[str, ...] = PARTS) -> str | None:
    """Reason why a round cannot be fitted: no rows in one of the parts, or one class in train; None when it can.

    Examples
    --------
    >>> from ren_features import FeatureStore
    >>> with FeatureStore("ren.duckdb") as store:
    ...     matrix = store.matrix(region="LLL", task="ill")
    >>> why_unfittable(matrix, Round(0, frozenset({"p000"}), frozenset({"p001"}), frozenset({"p002"})))
    'one class in train'
    """
    labels = {name: examples.y[np.isin(examples.patient_ids, sorted(number.patients(name)))] for name in parts}
    empty = [name for name, y in labels.items() if not len(y)]
    if empty:
        return f"no rows in {' and '.join(empty)}"
    return "one class in train" if len(np.unique(labels["train"])) < 2 else None
