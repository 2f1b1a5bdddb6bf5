"""CT series among DICOM files: found by their headers, told apart, and one of them chosen.

Of a header only geometry and technical tags are looked at, nothing that names a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from ren_features.acquisition import Acquisition
from ren_features.errors import SeriesError
from ren_features.image_path import files_of

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Begins the SOP classes of screen shots, which dose reports and reconstructions on a workstation are kept as."""

TAGS = (
    "SOPClassUID",
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesDescription",
    "ConvolutionKernel",
    "SliceThickness",
    "KVP",
    "Manufacturer",
    "ManufacturerModelName",
    "ContrastBolusAgent",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
)

LONGEST_TEXT = 64
"""Characters of a technical tag that are kept: DICOM's own limit."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Geometry of one file, in few bytes: an export has hundreds of thousands. What a header lacks is empty.

    Attributes
    ----------
    position_mm : tuple of 3 float
        LPS position of the first voxel's centre.
    orientation : tuple of 6 float
        LPS directions of x and y.
    spacing_mm : tuple of 2 float
        Distance of rows and of columns.
    size : tuple of 2 float
        Rows and columns.
    """

    path: Path
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    size: tuple[float, ...]
    multi_frame: bool

    @classmethod
    def of(cls, path: Path, header: pydicom.Dataset) -> Slice:
        """From the header of a file."""
        position, orientation, spacing = (
            _numbers(header.get(name), length)
            for name, length in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2))
        )
        size = _numbers([header.get("Rows"), header.get("Columns")], 2)
        return cls(path, position, orientation, spacing, size, bool(header.get("NumberOfFrames")))


@dataclass(frozen=True)
class Series:
    """Slices of one series, in no order, and the header of one of them."""

    header: pydicom.Dataset
    slices: tuple[Slice, ...]

    def tag(self, name: str) -> Any:
        """A tag of that header; None where it is absent or empty."""
        return self.header.get(name) or None

    @property
    def uid(self) -> str:
        """Its SeriesInstanceUID: names it in the manifest, and stays out of the store."""
        return str(self.tag("SeriesInstanceUID"))

    @property
    def measurable(self) -> bool:
        """Whether it is a CT, no localiser and no screen shot."""
        shot = str(self.tag("SOPClassUID") or "").startswith(SECONDARY_CAPTURE)
        return self.tag("Modality") == "CT" and not is_localiser(self.header) and not shot

    @property
    def acquisition(self) -> Acquisition:
        """Technical tags of the first slice."""
        return Acquisition(
            _text(self.tag("ConvolutionKernel")),
            _number(self.tag("SliceThickness")),
            _number(self.tag("KVP")),
            _text(self.tag("Manufacturer")),
            _text(self.tag("ManufacturerModelName")),
            contrast_told=self.tag("ContrastBolusAgent") is not None,
        )

    def __str__(self) -> str:
        """What tells it from others, in technical tags alone."""
        told = self.acquisition
        slices = f"{len(self.slices)} slices of {told.slice_thickness_mm or 'unknown'} mm"
        return f"{self.tag('Modality')}, {told.kernel or 'no kernel'}, {slices}"

    def describe(self) -> str:
        """The same with what the operator wrote and the UID, for the screen alone."""
        return f"{self}, {self.tag('SeriesDescription') or 'no description'!r}, series_uid {self.uid}"


def headers_of(files: Iterable[Path], tags: Sequence[str]) -> Iterator[tuple[Path, pydicom.Dataset]]:
    """Chosen tags of those files that are DICOM; the others are passed over."""
    # Values outside the standard's rules are taken as they are: a warning about one would print it.
    with pydicom.config.disable_value_validation():
        for path in files:
            try:
                yield path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
            except (InvalidDicomError, EOFError):
                continue


def is_localiser(header: pydicom.Dataset) -> bool:
    """Whether an image is a scout view, from which the scan was planned."""
    return "LOCALIZER" in (header.get("ImageType") or ())


def series_of(headers: Iterable[tuple[Path, pydicom.Dataset]]) -> list[Series]:
    """Images grouped to series; localisers apart from the slices that were planned on them."""
    first: dict[tuple[str, bool], pydicom.Dataset] = {}
    slices: dict[tuple[str, bool], list[Slice]] = {}
    for path, header in headers:
        if "ImagePositionPatient" in header or "ImageType" in header:
            key = str(header.get("SeriesInstanceUID")), is_localiser(header)
            first.setdefault(key, header)
            slices.setdefault(key, []).append(Slice.of(path, header))
    return [Series(header, tuple(slices[key])) for key, header in first.items()]


def series_in(folder: Path) -> list[Series]:
    """Series of the DICOM images in a folder and those below it.

    A folder with several is looked at once for each of them: what it held is remembered until it changes.
    """
    files = files_of(folder)
    return _series_in(tuple(files), max((file.stat().st_mtime_ns for file in files), default=0))


@lru_cache(maxsize=2)
def _series_in(files: tuple[Path, ...], changed_ns: int) -> list[Series]:  # noqa: ARG001 - part of the key
    return series_of(headers_of(files, TAGS))


def chosen_series(folder: Path, series_uid: str | None) -> Series:
    """The one CT series of a folder, or the one that is named.

    Raises
    ------
    SeriesError
        When there is none, or several and none is named: localisers, screen shots and other modalities do not count.
    """
    series = series_in(folder)
    usable = [one for one in series if one.measurable and series_uid in (None, one.uid)]
    if len(usable) == 1:
        return usable[0]
    listed = usable or series
    got = f"{folder}: expected one CT series{' of the given series_uid' if series_uid else ''}, got {len(usable)}"
    among = f" among {len(series)} series" if series and not usable else ""
    hint = ": the column series_uid names one, `ren-features manifest --pick` chooses" if len(listed) > 1 else ""
    shown, kept = ("".join(f"\n  {text(one)}" for one in listed) for text in (Series.describe, str))
    raise SeriesError(f"{got}{among}{hint}{kept}", f"{got}{among}{hint}{shown}")


def _text(value: Any) -> str | None:
    """A tag as one line; some scanners give several values."""
    parts = [str(part) for part in value] if isinstance(value, pydicom.multival.MultiValue) else [str(value or "")]
    line = " ".join(" ".join(parts).split())
    return "".join(character for character in line if character.isprintable())[:LONGEST_TEXT] or None


def _numbers(values: Any, length: int) -> tuple[float, ...]:
    """So many finite numbers, or none."""
    numbers = [_number(value) for value in values] if isinstance(values, Sequence | pydicom.multival.MultiValue) else []
    whole = len(numbers) == length and None not in numbers
    return tuple(number for number in numbers if number is not None) if whole else ()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
