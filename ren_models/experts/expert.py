"""What every expert can do."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ren_models.parts import Part


class Expert(Protocol):
    """An expert on one region, or on several."""

    region: str | None

    def fit(self, train: Part) -> Self:
        """Learn from the rows of the part train; a LeakageError for any other."""

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803 - as scikit-learn has it
        """Probability of each class; rows sum to 1, shape (scan, class)."""
