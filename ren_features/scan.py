"""One scan: its files, and what the manifest says of it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path

from ren_features.errors import LabelError
from ren_features.regions import RegionSet


@dataclass(frozen=True)
class Scan:
    """One CT of one patient: where it is, and what the manifest says of it.

    Parameters
    ----------
    series_uid : str, optional
        The series of a DICOM folder: its UID, or a reference as the store keeps it (`series_reference`).

    Examples
    --------
    >>> Scan("p1", "s1", Path("ct.nii.gz")).missing_files()[0]
    'image ct.nii.gz: expected a file, found none'
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


def series_reference(uid: str, scan_id: str) -> str:
    """Reference to a series from which its UID cannot be read: `salt:digest`, the salt made of the scan's id.

    A reference stays as it is. Who has a UID can confirm that a reference is of it; who has not cannot compute it.

    Examples
    --------
    >>> series_reference("1.2.840.1", "s1")
    'e8bc163c:c2489c20ee5de183'
    """
    return uid if ":" in uid else _salted(uid, sha256(scan_id.encode()).hexdigest()[:8])


def refers_to(series_uid: str | None, uid: str) -> bool:
    """True when a UID, a reference, or None (any series) fits a series.

    Examples
    --------
    >>> refers_to(series_reference("1.2.3", "s1"), "1.2.3")
    True
    """
    salt, colon, _ = (series_uid or "").partition(":")
    return series_uid in (None, uid) or (bool(colon) and series_uid == _salted(uid, salt))


def _salted(uid: str, salt: str) -> str:
    return f"{salt}:{hmac.digest(salt.encode(), uid.encode(), 'sha256').hex()[:16]}"


def file_name(scan_id: str) -> str:
    """A scan's id as a part of a file's name: it leads out of no folder, and is not too long.

    Examples
    --------
    >>> file_name("../a b")
    '.._a_b'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", scan_id)[:80]
