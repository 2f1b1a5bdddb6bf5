"""What a scan's files contain: SHA-256 digests, and when a file need not be read again to know its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ren_features.cohort import Scan

SETTLED_NS = 2_000_000_000
"""A file changed less than this ago may change again within the clock's tick: its digest is not remembered."""


@dataclass(frozen=True)
class FileHash:
    """Digest of a file's content, with the length and time of change (ns) that it was read at."""

    path: str
    bytes: int
    mtime_ns: int
    sha256: str

    @property
    def settled(self) -> bool:
        """Whether an equal length and time of change will prove an equal content."""
        return time.time_ns() - self.mtime_ns > SETTLED_NS


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


def hash_file(path: Path | None, known: Mapping[str, FileHash] | None = None) -> FileHash | None:
    """Digest of a file, or None when it cannot be read.

    Parameters
    ----------
    path : Path or None
    known : mapping of str to FileHash, optional
        By path; a file of the same length and time of change is not read again.
    """
    if path is None:
        return None
    if not path.is_file():
        return None
    try:
        stat = path.stat()
        before = (known or {}).get(str(path))
        if before and (before.bytes, before.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return before
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # Reading the image itself will say what is wrong with the file.
        return None
    return FileHash(str(path), stat.st_size, stat.st_mtime_ns, digest)
