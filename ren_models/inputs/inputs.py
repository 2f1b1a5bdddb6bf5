"""Inputs: a method with the examples that its experts learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, Self

import numpy as np

from ren_features.digest import short_digest
from ren_models.methods import Method
from ren_models.splits.examples import E


@dataclass(frozen=True)
class Inputs(Generic[E]):
    """Examples for the experts of one method.

    Attributes
    ----------
    method : Method
    examples : Examples
    """

    method: Method
    examples: E

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the examples with their scans and patients, and of the labels."""
        labels = "\n".join(map(str, self.examples.scan_ids)) + "\n".join(map(str, self.examples.y))
        return {"features": self.examples.digest, "labels": short_digest(labels)}

    def of_patients(self, patients: Iterable[str]) -> Self:
        """The rows of some patients."""
        return replace(self, examples=self.examples.select_rows(np.isin(self.examples.patient_ids, sorted(patients))))
