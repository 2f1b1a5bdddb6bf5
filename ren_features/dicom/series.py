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
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError

from ren_features.acquisition import Acquisition
from ren_features.errors import SeriesError
from ren_features.image_path import files_of

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Begins the SOP classes of screen shots, which dose reports and reconstructions on a workstation are kept as."""

GEOMETRY = (
    "SOPClassUID",
    "ImageType",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
)
"""Tags of every file."""

DESCRIPTION = (
    *GEOMETRY,
    "Modality",
    "SeriesDescription",
    "ConvolutionKernel",
    "SliceThickness",
    "KVP",
    "Manufacturer",
    "ManufacturerModelName",
    "ContrastBolusAgent",
)
"""Tags of one file of each series."""

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
            _decimals(header, name, length)
            for name, length in (("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2))
        )
        size = _whole([_number(header.get("Rows")), _number(header.get("Columns"))], 2)
        return cls(path, position, orientation, spacing, size, bool(header.get("NumberOfFrames")))


@dataclass(frozen=True)
class Series:
    """Slices of one series, in no order, and the header of one of them.

    A localiser is a scout view, from which a scan was planned.
    """

    header: pydicom.Dataset
    slices: tuple[Slice, ...]
    is_localiser: bool

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
        return self.tag("Modality") == "CT" and not self.is_localiser and not shot

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
    wanted = [tag for name in tags if (tag := tag_for_keyword(name))]
    # Values outside the standard's rules are taken as they are: a warning about one would print it.
    with pydicom.config.disable_value_validation():
        for path in files:
            try:
                yield path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
            except (InvalidDicomError, EOFError):
                continue


def series_of(headers: Iterable[tuple[Path, pydicom.Dataset]], tags: Sequence[str] = DESCRIPTION) -> list[Series]:
    """Images grouped to series; localisers apart from the slices that were planned on them.

    Parameters
    ----------
    headers : iterable of (path, Dataset)
        With the tags of `GEOMETRY`.
    tags : sequence of str
        To be read of one file of each series.
    """
    slices: dict[tuple[str, bool], list[Slice]] = {}
    for path, header in headers:
        kind = _parts(header, "ImageType")
        if kind or _parts(header, "ImagePositionPatient"):
            key = "".join(_parts(header, "SeriesInstanceUID")), "LOCALIZER" in kind
            slices.setdefault(key, []).append(Slice.of(path, header))
    first = headers_of((found[0].path for found in slices.values()), tags)
    return [
        Series(header, tuple(found), is_localiser)
        for (_, header), ((_, is_localiser), found) in zip(first, slices.items(), strict=True)
    ]


def series_in(folder: Path) -> list[Series]:
    """Series of the DICOM images in a folder and those below it.

    A folder with several is looked at once for each of them: what it held is remembered until it changes.
    """
    files = files_of(folder)
    return _series_in(tuple(files), max((file.stat().st_mtime_ns for file in files), default=0))


@lru_cache(maxsize=2)
def _series_in(files: tuple[Path, ...], changed_ns: int) -> list[Series]:  # noqa: ARG001 - part of the key
    return series_of(headers_of(files, GEOMETRY))


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


def _parts(header: pydicom.Dataset, name: str) -> list[str]:
    """Values of a tag of plain text that was not looked at before, as they stand in the file.

    pydicom's own conversion takes four times as long, for each of hundreds of slices.
    """
    element = header.get_item(name)
    value = element.value if element else None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else ""
    return [part.strip(" \0") for part in text.split("\\")] if text else []


def _decimals(header: pydicom.Dataset, name: str, length: int) -> tuple[float, ...]:
    """So many numbers of a tag of decimal text, or none."""
    return _whole([_number(part) for part in _parts(header, name)], length)


def _whole(numbers: Sequence[float | None], length: int) -> tuple[float, ...]:
    """The numbers when there are so many and all are known, else none."""
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) == length else ()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
