"""One scan: its files, and what the manifest says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ren_features.errors import LabelError
from ren_features.regions import RegionSet


@dataclass(frozen=True)
class Scan:
    """One CT of one patient: where it is, and what the manifest says of it.

    Parameters
    ----------
    series_uid : str, optional
        Which series of a DICOM folder it is; it chooses the files, and is not kept in the store.
    """

    patient_id: str
    scan_id: str
    image: Path
    mask: Path | None = None
    mask_scheme: str | None = None
    scan_date: date | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    series_uid: str | None = None

    def missing_files(self, *, segment: bool = False) -> list[str]:
        """A message for each file that is not there; a scan without a mask is one too, unless its lobes are to be segmented."""
        problems = [
            f"{name} {path}: expected a file, found none"
            for name, path in (("image", self.image), ("mask", self.mask))
            if path and not path.exists()
        ]
        return problems if self.mask or segment else [*problems, "mask: expected a lobe mask, got none"]

    def scheme_problem(self, regions: RegionSet) -> list[str]:
        """A message when the mask's label numbers would not be understood."""
        try:
            regions.scheme_for(self.mask_scheme, where="mask_scheme")
        except LabelError as error:
            return [str(error)] if self.mask else []
        return []


def file_name(scan_id: str) -> str:
    """A scan's id as a part of a file's name: it leads out of no folder, and is not too long."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", scan_id)[:80]
