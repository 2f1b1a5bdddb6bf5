"""Acquisition of a scan: the technical DICOM tags that a store keeps, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Acquisition:
    """Technical tags of a series; None where a header, or a file of another format, does not say.

    Of `contrast_told`, whether a header names a contrast medium, the store keeps no more than the finding that none does.
    `uneven_mm` is how far a slice lies from an even grid, where that was tolerated; it becomes a finding.
    """

    kernel: str | None = None
    slice_thickness_mm: float | None = None
    kvp: float | None = None
    vendor: str | None = None
    model: str | None = None
    contrast_told: bool = False
    uneven_mm: float = 0.0


TECHNICAL_TAGS = ("kernel", "slice_thickness_mm", "kvp", "vendor", "model")
"""All that a store keeps of DICOM headers."""

UNTOLD = Acquisition()
"""Of an image that is no DICOM series."""
