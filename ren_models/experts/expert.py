"""The protocols of experts and of their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import SplitError
from ren_models.inputs.inputs import Inputs
from ren_models.splits.parts import Part

Embeddings = dict[str, NDArray[np.float32]]
"""Vectors of scans by the name of their layer, shape (scan, value) each."""


class Expert(Protocol):
    """An expert on one region, or on several.

    Attributes
    ----------
    classes_ : ndarray of int
        Classes in the order of the columns of `predict_proba`; of the expert once it is fitted.
    """

    classes_: NDArray[np.int64]

    @property
    def params(self) -> dict[str, Any]:
        """Settings that it was fitted with, as JSON holds them."""

    @property
    def changed(self) -> dict[str, Any]:
        """Settings that it was fitted with and that differ from REN's."""

    def fit(self, train: Part[Any], val: Part[Any] | None = None) -> Self:
        """Learn from the part train; select on the part val, if the settings say so.

        Raises
        ------
        LeakageError
            When a part is another one.
        """

    def predict_proba(self, examples: Any) -> NDArray[np.float64]:
        """Probability of each class; rows sum to 1, shape (scan, class)."""

    def embed(self, examples: Any) -> Embeddings:
        """Embeddings of scans; none of an expert without layers."""

    def save(self, path: Path) -> None:
        """Write one file that a class method `load` reads."""


class ExpertSettings(Protocol):
    """Settings of the experts of one experiment."""

    @property
    def version(self) -> str:
        """Version of the expert's definition and of the library behind it."""

    @property
    def selects_on_val(self) -> bool:
        """True when the fit reads val; then no other round shares the expert, for it may test these patients."""

    @property
    def suffix(self) -> str:
        """Ending of the files of these experts, as `.json`."""

    def as_dict(self) -> dict[str, Any]:
        """All settings, as JSON holds them."""

    def changed(self) -> dict[str, Any]:
        """Settings that differ from REN's."""

    def expert(self, inputs: Inputs[Any]) -> Expert:
        """An expert on these inputs, not fitted yet."""

    def control_expert(self, inputs: Inputs[Any], classes: int) -> Expert:
        """An expert with the same predictions for a control, which keeps no model."""


def classes_of(train: Part[Any]) -> NDArray[np.int64]:
    """Classes that the part train has, in order.

    Raises
    ------
    SplitError
        When there is one alone.
    """
    classes = np.unique(train.y)
    if len(classes) < 2:
        raise SplitError(f"round {train.round}: expected two classes in train, got {classes.tolist()}")
    return classes
