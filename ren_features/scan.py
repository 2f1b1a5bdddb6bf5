"""One scan: its files, and what the manifest says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ren_features.errors import LabelError
from ren_features.regions import RegionSet


@dataclass(frozen=True)
class Scan:
    """One CT of one patient: where it is, and what the manifest says of it."""

    patient_id: str
    scan_id: str
    image: Path
    mask: Path | None = None
    mask_scheme: str | None = None
    scan_date: date | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def missing_files(self) -> list[str]:
        """A message for each file that is not there; a scan without a mask is one too."""
        problems = [
            f"{name} {path}: expected a file, found none"
            for name, path in (("image", self.image), ("mask", self.mask))
            if path and not path.exists()
        ]
        return problems if self.mask else [*problems, "mask: expected a lobe mask, got none"]

    def scheme_problem(self, regions: RegionSet) -> list[str]:
        """A message when the mask's label numbers would not be understood."""
        try:
            regions.scheme_for(self.mask_scheme, where="mask_scheme")
        except LabelError as error:
            return [str(error)] if self.mask else []
        return []
