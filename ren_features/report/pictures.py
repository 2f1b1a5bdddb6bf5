"""Pictures of scans as a page holds them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ren_features.images.fingerprint import Fingerprint
from ren_features.measuring.preview import preview_path, thumbnail_path
from ren_features.report.scans import GalleryScan


@dataclass(frozen=True)
class Picture:
    """The picture of one scan, and its thumbnail; files are read when the page is written, one at a time."""

    path: Path
    width: int
    height: int

    @property
    def large(self) -> str:
        """The picture in Base64."""
        return b64encode(self.path.read_bytes()).decode()

    @property
    def thumbnail(self) -> str:
        """The thumbnail in Base64."""
        return b64encode(thumbnail_path(self.path).read_bytes()).decode()


def find_picture(folder: Path, scan: GalleryScan, structures: Sequence[str]) -> Picture | None:
    """The picture that a build made of the files that were measured; None without one."""
    from PIL import Image

    if scan.measured is None:
        return None
    files = Fingerprint(*(scan.measured[name] for name in ("image_sha256", "mask_sha256", "mask_scheme")))
    path = preview_path(folder, scan.scan_id, files, structures)
    try:
        with Image.open(path) as picture, Image.open(thumbnail_path(path)):
            return Picture(path, *picture.size)
    except OSError:  # absent, or no picture: shown as missing, and counted
        return None
