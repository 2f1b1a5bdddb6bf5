"""A cohort: its scans and their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ren_features.errors import CohortError
from ren_features.scan import Scan


@dataclass(frozen=True)
class Cohort:
    """Scans in manifest order, with their labels.

    Parameters
    ----------
    scans : tuple of Scan
        Each `scan_id` once.
    labels : mapping of str to mapping of str to int
        Task -> scan_id -> 0 or 1, or the number of the class; an unknown label has no entry.
    notes : tuple of str
        Cells of the manifest that were read differently from plain CSV, in words.

    Examples
    --------
    >>> from pathlib import Path
    >>> Cohort((Scan("p1", "s1", Path("ct.nii.gz")),), {"has_ILD": {"s1": 1}}).patients
    ('p1',)
    """

    scans: tuple[Scan, ...]
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        repeated = sorted(scan_id for scan_id, count in Counter(scan.scan_id for scan in self.scans).items() if count > 1)
        if repeated:
            raise CohortError(*(f"scan {scan_id}: expected once, got several" for scan_id in repeated))

    @property
    def patients(self) -> tuple[str, ...]:
        """Patient ids, each once, in order of appearance."""
        return tuple(dict.fromkeys(scan.patient_id for scan in self.scans))
