"""Headers of DICOM files, read so that none of their values gets into a log: pydicom prints values that it finds odd."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, TypeVar

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from ren_features.images.image_path import is_dicom

Header = Mapping[str, str | tuple[str, ...]]
"""Tags as plain text, by their keywords; what is absent or empty is left out."""

UNREADABLE = (
    AttributeError,
    BytesLengthException,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    struct.error,
    TypeError,
    ValueError,
)
"""Errors of pydicom and highdicom for damaged files."""

BATCH = 100
"""Headers that are read between two changes of pydicom's settings."""

_reading = Lock()

Taken = TypeVar("Taken")


@contextmanager
def unprinted() -> Iterator[None]:
    """Keep pydicom from printing odd values, which it does when they are looked at; its settings are those of all threads."""
    with _reading, pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def each_header(
    files: Iterable[Path], tags: Sequence[str], take: Callable[[Path, pydicom.Dataset, int], Taken], damaged: list[Path]
) -> Iterator[Taken]:
    """Results of a function for the header of each DICOM file; other files are skipped.

    Parameters
    ----------
    files : iterable of Path
    tags : sequence of str
        Keywords; the header has no others.
    take : callable
        Makes plain values of a path, its header and the bytes that follow the header: pydicom's own are looked at nowhere else.
    damaged : list of Path
        Files that begin as DICOM and cannot be read are added to it.
    """
    wanted = [tag for name in tags if (tag := tag_for_keyword(name))]
    for some in _batched(files):
        with unprinted():
            taken = [one for path in some for one in _taken(path, wanted, take, damaged)]
        yield from taken


def read_dataset(file: BinaryIO, **how: Any) -> pydicom.Dataset:
    """A DICOM file with or without its preamble.

    Raises
    ------
    InvalidDicomError
        When it is no DICOM.
    """
    try:
        return pydicom.dcmread(file, **how)
    except InvalidDicomError:
        # Looked at only now: a second look at every file would slow down the walk over an export.
        if not is_dicom(Path(file.name)):
            raise
        file.seek(0)
        return pydicom.dcmread(file, force=True, **how)


def _taken(
    path: Path, wanted: list[int], take: Callable[[Path, pydicom.Dataset, int], Taken], damaged: list[Path]
) -> list[Taken]:
    try:
        with path.open("rb") as file:
            header = read_dataset(file, stop_before_pixels=True, specific_tags=wanted)
            return [take(path, header, os.fstat(file.fileno()).st_size - file.tell())]
    except (InvalidDicomError, *UNREADABLE):
        if is_dicom(path):
            damaged.append(path)
        return []


def _batched(files: Iterable[Path]) -> Iterator[list[Path]]:
    remaining = iter(files)
    while some := list(islice(remaining, BATCH)):
        yield some


def plain(header: pydicom.Dataset, tags: Sequence[str]) -> Header:
    """Tags as plain text."""
    texts = {name: _text(header.get(name)) for name in tags}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, MultiValue):
        return tuple(str(part).strip() for part in value)
    return str(value).strip() if value is not None else ""


def raw_parts(header: pydicom.Dataset, name: str) -> list[str]:
    """Values of a tag of plain text that was not looked at before, as they stand in the file.

    pydicom's own conversion takes four times as long, for each of hundreds of slices.
    """
    element = header.get_item(name)
    value = element.value if element else None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else ""
    return [part.strip(" \0") for part in text.split("\\")] if text else []
