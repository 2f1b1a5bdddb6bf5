"""Examples: labelled rows that experts learn from, whatever they are made of."""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray


class Examples(Protocol):
    """Rows with labels: a matrix of features, or volumes."""

    @property
    def y(self) -> NDArray[np.int64]:
        """Labels, shape (scan,)."""

    @property
    def scan_ids(self) -> NDArray[np.str_]:
        """Scans, shape (scan,)."""

    @property
    def patient_ids(self) -> NDArray[np.str_]:
        """Patient of each scan, shape (scan,)."""

    @property
    def digest(self) -> str:
        """Digest of everything but the labels."""

    def select_rows(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Some of the rows: those where a mask of shape (scan,) is True, or those at given places."""

    def with_labels(self, y: NDArray[np.int64]) -> Self:
        """The same rows with other labels."""


E = TypeVar("E", bound=Examples)
"""Kind of examples."""
