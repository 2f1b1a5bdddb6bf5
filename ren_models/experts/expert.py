"""The protocols of experts and of their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ren_models.inputs.matrices import Inputs
from ren_models.splits.parts import Part


class Expert(Protocol):
    """An expert on one region, or on several (`region` None).

    Attributes
    ----------
    classes_ : ndarray of int
        Classes in the order of the columns of `predict_proba`; of the expert once it is fitted.
    """

    region: str | None
    classes_: NDArray[np.int64]

    @property
    def params(self) -> dict[str, Any]:
        """What it was fitted with, as JSON holds it."""

    def fit(self, train: Part) -> Self:
        """Learn from the rows of the part train; a LeakageError for any other."""

    def predict_proba(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803 - as scikit-learn has it
        """Probability of each class; rows sum to 1, shape (scan, class)."""

    def save(self, path: Path) -> None:
        """Write one file that a class method `load` reads."""


class ExpertSettings(Protocol):
    """Settings of the experts of one experiment."""

    @property
    def version(self) -> str:
        """Version of the expert's definition and of the library behind it."""

    def as_dict(self) -> dict[str, Any]:
        """All settings, as JSON holds them."""

    def expert(self, inputs: Inputs) -> Expert:
        """An expert on these inputs, not fitted yet."""
