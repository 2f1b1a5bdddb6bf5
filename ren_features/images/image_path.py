"""Which files are images, and which files an image consists of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ren_features.errors import VolumeError

NIFTI_SUFFIXES = (".nii.gz", ".nii")

IMAGE_SUFFIXES = (*NIFTI_SUFFIXES, ".seg.nrrd", ".nrrd", ".mha", ".mhd")
"""Types of files that are read."""

MEBIBYTE = 1 << 20

DICOM_PREAMBLE = 128
"""Bytes before the letters DICM."""

BARE_DICOM = re.compile(rb"(\x02\x00[\x00-\x03]\x00|\x08\x00[\x00-\x18]\x00)([ACDILOPSTU][A-Z]|[\x00-\x40]\x00\x00\x00)")
"""First element of DICOM without a preamble: of group 0002 or 0008, with the letters of its type, or a short length."""


def signature(files: Sequence[Path]) -> tuple[int, int]:
    """Length of files together, and what changes with them: of one file the time of its change in ns, of several a digest.

    Raises
    ------
    OSError
        When one is no file.
    """
    found = [file.stat() for file in files]
    length = sum(each.st_size for each in found)
    if len(files) == 1:
        return length, found[0].st_mtime_ns
    facts = repr([(file.name, each.st_size, each.st_mtime_ns) for file, each in zip(files, found, strict=True)])
    return length, int.from_bytes(sha256(facts.encode()).digest()[:7])


def is_dicom(path: Path) -> bool:
    """True when a file's content is DICOM; old archives write it without the preamble.

    Examples
    --------
    >>> is_dicom(Path("absent.dcm"))
    False
    """
    try:
        with path.open("rb") as file:
            begin = file.read(DICOM_PREAMBLE + 4)
            return begin[DICOM_PREAMBLE:] == b"DICM" or BARE_DICOM.match(begin) is not None
    except OSError:
        return False


def files_of(path: Path) -> list[Path]:
    """The files that an image consists of: a MetaImage header names the file of its voxels, a DICOM series fills a folder.

    Raises
    ------
    VolumeError
        When the voxels lie in several files, or a NRRD's in another one.
    """
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.name.lower().endswith(".mhd"):
        return [path, *_named_file(path, b"ElementDataFile", b"=")]
    if path.name.lower().endswith(".nrrd"):
        detached = [*_named_file(path, b"data file", b":"), *_named_file(path, b"datafile", b":")]
        if detached:
            raise VolumeError(f"{path}: expected voxels in the file itself, got a header for {detached[0].name}")
    return [path]


def _named_file(header: Path, key: bytes, separator: bytes) -> list[Path]:
    """The file that a header names, if it names one."""
    if not header.is_file():
        return []
    with header.open("rb") as file:
        lines = file.read(MEBIBYTE).split(b"\n\n")[0].splitlines()
    for line in lines:
        name, _, value = line.partition(separator)
        if name.strip().lower() == key.lower() and value.strip() != b"LOCAL":
            text = value.strip().decode("utf-8", "replace")
            if " " in text or text == "LIST":
                raise VolumeError(f"{header}: expected one file of voxels, got {text!r}")
            return [header.parent / text]
    return []
