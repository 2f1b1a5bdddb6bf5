"""The files of a scan, and what they contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ren_features.images.fingerprint import FileHash, Fingerprint, hash_file, hash_image, stat
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks


@dataclass(frozen=True)
class Files:
    """The files of a scan, and what they contain; a mask that is made meanwhile is one of them."""

    scan: Scan
    image: FileHash | None
    mask: FileHash | None
    made_here: bool = False
    """True when the mask was made, because the manifest gives none."""
    mask_source: str = "manifest"
    removed_voxels: int = 0
    """Stray labels and islands that are no longer in a mask that was made here."""

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
        """Digests of the files that the scan's values depend on."""
        return Fingerprint.of(self.scan, self.image, self.mask)

    def changed(self) -> bool:
        """True when a file was replaced while it was read: its values would be stored under the digest of another content."""
        files = ((self.scan.image, self.image), (self.scan.mask, self.mask))
        return any(path and (known is None or stat(path) != (known.bytes, known.mtime_ns)) for path, known in files)
