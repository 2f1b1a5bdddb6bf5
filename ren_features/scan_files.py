"""The files of a scan, and what they contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ren_features.errors import VolumeError
from ren_features.fingerprint import FileHash, Fingerprint, hash_file, hash_image, stat
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks


@dataclass(frozen=True)
class Files:
    """The files of a scan, and what they contain; a mask that is made meanwhile is one of them."""

    scan: Scan
    image: FileHash | None
    mask: FileHash | None
    made_here: bool = False
    """Whether the mask is one that the manifest does not give."""
    mask_source: str = "manifest"
    islands: int = 0
    """Voxels that were removed from a mask that was made here."""

    @classmethod
    def of(cls, scan: Scan, lobes: LobeMasks, known: Mapping[str, FileHash] | None = None) -> Files:
        """Hash the files of a scan; where the manifest gives no mask, that of the folder of made masks."""
        image = hash_image(scan, known)
        complete = lobes.given_to(scan, image.sha256) if scan.mask is None and image else scan
        return cls(complete, image, hash_file(complete.mask, known), made_here=complete is not scan)

    @property
    def hashes(self) -> tuple[FileHash, ...]:
        """Those that could be read."""
        return tuple(file for file in (self.image, self.mask) if file)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the scan's values depend on."""
        return Fingerprint.of(self.scan, self.image, self.mask)

    def check_unchanged(self) -> None:
        """A file that is replaced while it is read would be stored under the digest of another content."""
        for path, digest in ((self.scan.image, self.image), (self.scan.mask, self.mask)):
            if path and (digest is None or stat(path) != (digest.bytes, digest.mtime_ns)):
                raise VolumeError(f"{path}: expected the file to stay as it is while it is measured, it was changed")
