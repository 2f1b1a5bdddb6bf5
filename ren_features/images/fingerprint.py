"""Fingerprints of a scan's files: SHA-256 digests, and when a file need not be read again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ren_features.errors import VolumeError
from ren_features.images.image_path import MEBIBYTE, files_of, signature
from ren_features.scan import Scan

SETTLED_NS = 2_000_000_000
"""A file changed less than this ago may change again within the clock's tick: its digest is not remembered."""


@dataclass(frozen=True)
class FileHash:
    """Digest of an image's content, with the length and the time of change (ns) that it was read at.

    An image of several files has one digest over all; `mtime_ns` is then a digest of their names, lengths and times.
    """

    path: str
    bytes: int
    mtime_ns: int
    sha256: str
    settled: bool = True
    """True when an equal length and time of change will prove an equal content."""


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
    """Digest of a scan's image, or None when it cannot be read; of a DICOM folder, that of the scan's own series.

    Parameters
    ----------
    scan : Scan
    known : mapping of str to FileHash, optional
        By path; an image of the same length and time of change is not read again.
    """
    # Of two series in one folder each has its own digest; a UID must not get into the store.
    name = f"#{scan.scan_id}" if scan.series_uid else ""
    return _hash(scan.image, known, name, lambda: content_digest(scan.image, scan.series_uid))


def hash_file(path: Path | None, known: Mapping[str, FileHash] | None = None) -> FileHash | None:
    """Digest of a mask, or None when there is none or it cannot be read."""
    return _hash(path, known, "", lambda: _folder_digest(path) if path.is_dir() else content_digest(path)) if path else None


def _folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of a folder's files: a structure's name decides what its file means."""
    named = [f"{file.relative_to(folder)} {content_digest(file)}\n" for file in files_of(folder)]
    return hashlib.sha256("".join(named).encode()).hexdigest()


def content_digest(path: Path, series_uid: str | None = None) -> str:
    """SHA-256 of a file's content, or of its files one after another.

    Of a DICOM folder, the digests of its CT series' slices make the digest, in whatever order and under whatever names.

    Raises
    ------
    OSError, VolumeError
        When it cannot be read, or is no one series.
    """
    if path.is_dir():
        from ren_features.images.dicom.series import chosen_series  # most cohorts have no DICOM, and need not wait for pydicom

        slices = sorted(map(content_digest, {one.path for one in chosen_series(path, series_uid).slices}))
        return hashlib.sha256("".join(slices).encode()).hexdigest()
    digest = hashlib.sha256()
    for file in files_of(path):
        with file.open("rb") as stream:
            while block := stream.read(MEBIBYTE):
                digest.update(block)
    return digest.hexdigest()


def _hash(path: Path, known: Mapping[str, FileHash] | None, suffix: str, digest: Callable[[], str]) -> FileHash | None:
    name = f"{path.absolute()}{suffix}"
    try:
        before, newest = stat(path), max(file.stat().st_mtime_ns for file in files_of(path))
        remembered = (known or {}).get(name)
        if remembered and (remembered.bytes, remembered.mtime_ns) == before:
            return remembered
        now = time.time_ns()
        return FileHash(name, *before, digest(), now - newest > SETTLED_NS)
    except (OSError, VolumeError):
        # Reading the image itself will say what is wrong with the file.
        return None


def stat(path: Path) -> tuple[int, int]:
    """Length of an image's files together, and what changes with any of them (`signature`).

    Raises
    ------
    OSError
        When one is no regular file, or a folder is empty.
    """
    files = files_of(path)
    if not files or not all(file.is_file() for file in files):
        raise FileNotFoundError(path)
    return signature(files)
