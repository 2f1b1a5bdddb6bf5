"""What a scan's files contain: SHA-256 digests, and when a file need not be read again to know its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ren_features.errors import VolumeError
from ren_features.image_path import MEBIBYTE, files_of
from ren_features.scan import Scan

SETTLED_NS = 2_000_000_000
"""A file changed less than this ago may change again within the clock's tick: its digest is not remembered."""


@dataclass(frozen=True)
class FileHash:
    """Digest of an image's content, with the length and the time of change (ns) that it was read at.

    An image of two files (a MetaImage header and its voxels) has one digest over both.
    """

    path: str
    bytes: int
    mtime_ns: int
    sha256: str
    settled: bool = True
    """Whether an equal length and time of change will prove an equal content."""


@dataclass(frozen=True)
class Fingerprint:
    """Everything outside the spec that a scan's values depend on; a file that cannot be read has no digest."""

    image_sha256: str | None
    mask_sha256: str | None
    mask_scheme: str | None

    @classmethod
    def of(cls, scan: Scan, image: FileHash | None, mask: FileHash | None) -> Fingerprint:
        """From the digests of the scan's files."""
        return cls(image.sha256 if image else None, mask.sha256 if mask else None, scan.mask_scheme)


def hash_image(scan: Scan, known: Mapping[str, FileHash] | None = None) -> FileHash | None:
    """Digest of a scan's image as `hash_file`; of two series in one folder each has its own."""
    return hash_file(scan.image, known, scan.series_uid)


def hash_file(path: Path | None, known: Mapping[str, FileHash] | None = None, series_uid: str | None = None) -> FileHash | None:
    """Digest of an image, or None when it cannot be read.

    Parameters
    ----------
    path : Path or None
    known : mapping of str to FileHash, optional
        By path; an image of the same length and time of change is not read again.
    series_uid : str, optional
        Which series of a folder is meant: its files alone make the digest. In the path it stands as a digest.
    """
    if path is None:
        return None
    name = str(path.absolute()) + (f"#{hashlib.sha256(series_uid.encode()).hexdigest()[:16]}" if series_uid else "")
    digest = hashlib.sha256()
    try:
        before = stat(path)
        remembered = (known or {}).get(name)
        if remembered and (remembered.bytes, remembered.mtime_ns) == before:
            return remembered
        now = time.time_ns()
        for file in _files_of_series(path, series_uid) if series_uid else files_of(path):
            with file.open("rb") as stream:
                while block := stream.read(MEBIBYTE):
                    digest.update(block)
    except (OSError, VolumeError):
        # Reading the image itself will say what is wrong with the file.
        return None
    return FileHash(name, *before, digest.hexdigest(), now - before[1] > SETTLED_NS)


def _files_of_series(folder: Path, series_uid: str) -> list[Path]:
    from ren_features.dicom.series import chosen_series  # most cohorts have no DICOM, and need not wait for pydicom

    return sorted(one.path for one in chosen_series(folder, series_uid).slices)


def stat(path: Path) -> tuple[int, int]:
    """Length of an image's files together, and the time of their last change in ns.

    Raises
    ------
    OSError
        When one is no regular file.
    """
    files = files_of(path)
    if not all(file.is_file() for file in files):
        raise FileNotFoundError(path)
    found = [file.stat() for file in files]
    return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)
