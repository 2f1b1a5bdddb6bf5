"""Masks that the manifest does not give: where they stand, beside the store, and for which scans."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ren_features.regions import LUNGMASK
from ren_features.scan import Scan, file_name


@dataclass(frozen=True)
class LobeMasks:
    """Lobe masks that lungmask made, or is to make.

    Parameters
    ----------
    folder : Path
        Where they stand: `<store>.masks/`.
    weights : Path, optional
        Folder of lungmask's weights; by default the one that torch itself downloads to.
    segment : bool
        Whether a mask that is absent is to be made.
    """

    folder: Path
    weights: Path | None = None
    segment: bool = False

    @classmethod
    def beside(cls, store: Path, *, weights: Path | None = None, segment: bool = False) -> LobeMasks:
        """Those of a store."""
        return cls(store.with_name(f"{store.name}.masks"), weights, segment)

    def path(self, scan_id: str, image_sha256: str) -> Path:
        """Where the mask of a scan stands; a changed image has another one."""
        return self.folder / f"{file_name(scan_id)}-{image_sha256[:12]}.nii.gz"

    def given_to(self, scan: Scan, image_sha256: str) -> Scan:
        """The scan with its mask here, if there is one or is to be one."""
        path = self.path(scan.scan_id, image_sha256)
        return replace(scan, mask=path, mask_scheme=LUNGMASK.name) if self.segment or path.exists() else scan
