"""CT series among DICOM files: found by their headers, told apart, and one of them chosen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import AllTransferSyntaxes

from ren_features.errors import DicomError
from ren_features.images.acquisition import Acquisition
from ren_features.images.dicom.frames import GROUPS, PER_FRAME, SHARED, Frame, frames_of, is_enhanced
from ren_features.images.dicom.headers import Header, each_header, plain, raw_parts
from ren_features.images.image_path import files_of, signature
from ren_features.scan import refers_to

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Begins the SOP classes of screen shots, which dose reports and reconstructions on a workstation are kept as."""

GEOMETRY = (
    "SOPClassUID",
    "SOPInstanceUID",
    "ImageType",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "BitsAllocated",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    SHARED,
    PER_FRAME,
)
"""Tags of every file."""

DESCRIPTION = (
    "SOPClassUID",
    "ImageType",
    "SeriesInstanceUID",
    "Modality",
    "SeriesDescription",
    "ConvolutionKernel",
    "SliceThickness",
    "KVP",
    "Manufacturer",
    "ManufacturerModelName",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "SamplesPerPixel",
)
"""Tags of one file of each series. What an operator wrote is for the screen alone, and names no file that is kept."""

COMPRESSED = frozenset(uid for uid in AllTransferSyntaxes if uid.is_compressed)
"""Transfer syntaxes in which the length of a file does not tell whether it is whole."""

MODALITIES = ("CT", "MR", "PT", "CR", "DX", "US", "NM", "SR", "SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "REG", "PR", "OT", "SC")
"""Those that a message names; the tag may hold anything."""

LONGEST_TEXT = 64
"""Characters of a technical tag that are kept: DICOM's own limit."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Geometry of one slice, in few bytes: an export has hundreds of thousands. What a header lacks is empty.

    Attributes
    ----------
    uid : str
        SOPInstanceUID: copies of a file have the same.
    position_mm : tuple of 3 float
        LPS position of the first voxel's centre.
    orientation : tuple of 6 float
        LPS directions of x and y.
    spacing_mm : tuple of 2 float
        Distance of rows and of columns.
    size : tuple of 2 float
        Rows and columns.
    rescale : tuple of 2 float
        Slope and intercept.
    frames : tuple of 1 float
        Frames in a file that is no enhanced CT.
    voxel_bytes : tuple of 2 int
        Bytes of voxels that its file should have and has; empty where they are compressed.
    frame : int
        Index in the file of an enhanced CT, else 0.
    volume : tuple of 2 str
        Stack and phase of the frame.
    concatenation : tuple of 2 float
        Number of the file and of all files over which one enhanced CT is spread.
    """

    path: Path
    uid: str
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    size: tuple[float, ...]
    rescale: tuple[float, ...]
    frames: tuple[float, ...] = ()
    voxel_bytes: tuple[int, ...] = ()
    frame: int = 0
    volume: tuple[str, str] = ("", "")
    concatenation: tuple[float, ...] = ()


@dataclass(frozen=True)
class Series:
    """Slices of one series, in no order, and the header of one of them.

    A localiser is a scout view, from which a scan was planned.
    """

    header: Header
    slices: tuple[Slice, ...]
    is_localiser: bool

    def text(self, name: str) -> str:
        """A tag as one line of text; some scanners give several values."""
        value = self.header.get(name, "")
        line = " ".join((value if isinstance(value, str) else " ".join(value)).split())
        return "".join(character for character in line if character.isprintable())

    @property
    def uid(self) -> str:
        """Its SeriesInstanceUID, which names it in the manifest and stays out of the store; empty where it has none."""
        return self.text("SeriesInstanceUID")

    @property
    def measurable(self) -> bool:
        """True for a CT that is no localiser and no screen shot."""
        shot = self.text("SOPClassUID").startswith(SECONDARY_CAPTURE)
        return self.text("Modality") == "CT" and not self.is_localiser and not shot

    @property
    def acquisition(self) -> Acquisition:
        """Technical tags."""
        kernel, vendor, model = (
            self.text(name)[:LONGEST_TEXT] or None for name in ("ConvolutionKernel", "Manufacturer", "ManufacturerModelName")
        )
        thickness, kvp = (_number(self.text(name)) for name in ("SliceThickness", "KVP"))
        return Acquisition(kernel, thickness, kvp, vendor, model, contrast_told=self._has_contrast)

    @property
    def _has_contrast(self) -> bool:
        return any(self.text(name) for name in ("ContrastBolusAgent", "ContrastBolusAgentSequence"))

    def __str__(self) -> str:
        """Technical tags that distinguish it from other series."""
        modality, told = self.text("Modality"), self.acquisition
        slices = f"{len(self.slices)} slices of {told.slice_thickness_mm or 'unknown'} mm"
        kind = "localiser" if self.is_localiser else modality if modality in MODALITIES else "another modality"
        return f"{kind}, {told.kernel or 'no kernel'}, {slices}"

    def describe(self) -> str:
        """The same with what the operator wrote and the UID, for the screen alone."""
        return f"{self}, {self.text('SeriesDescription') or 'no description'!r}, series_uid {self.uid or 'none'}"


Key = tuple[str, bool]
"""SeriesInstanceUID, and whether a slice is a localiser."""


def take_slices(path: Path, header: pydicom.Dataset, left: int) -> list[tuple[Key, Slice]]:
    """Slices that a file holds, with what groups them; none for a file without an image.

    Parameters
    ----------
    path : Path
    header : pydicom.Dataset
    left : int
        Bytes that follow the header.
    """
    if is_enhanced(header):
        return _enhanced_slices(path, header, left)
    position, kind = raw_parts(header, "ImagePositionPatient"), raw_parts(header, "ImageType")
    if not position and not kind:
        return []
    one = Slice(
        path,
        "".join(raw_parts(header, "SOPInstanceUID")),
        _numbers(position, 3),
        _numbers(raw_parts(header, "ImageOrientationPatient"), 6),
        _numbers(raw_parts(header, "PixelSpacing"), 2),
        _size(header),
        _numbers((raw_parts(header, "RescaleSlope") or ["1"]) + (raw_parts(header, "RescaleIntercept") or ["0"]), 2),
        frames := _numbers(raw_parts(header, "NumberOfFrames"), 1),
        _voxel_bytes(header, int(frames[0]) if frames else 1, left),
    )
    return [(_key(header, kind), one)]


def _enhanced_slices(path: Path, header: pydicom.Dataset, left: int) -> list[tuple[Key, Slice]]:
    frames = list(frames_of(header))
    uid, size, kind = "".join(raw_parts(header, "SOPInstanceUID")), _size(header), raw_parts(header, "ImageType")
    lengths = _voxel_bytes(header, len(frames), left)
    part = _numbers([header.get("InConcatenationNumber"), header.get("InConcatenationTotalNumber")], 2)
    return [
        (
            _key(header, [*kind, *frame.parts("FrameType")]),
            Slice(
                path,
                uid,
                _numbers(frame.parts("ImagePositionPatient"), 3),
                _numbers(frame.parts("ImageOrientationPatient"), 6),
                _numbers(frame.parts("PixelSpacing"), 2),
                size,
                _numbers([*frame.parts("RescaleSlope"), *frame.parts("RescaleIntercept")], 2),
                voxel_bytes=lengths,
                frame=index,
                volume=(frame.text("StackID"), frame.text("TemporalPositionIndex")),
                concatenation=part,
            ),
        )
        for index, frame in enumerate(frames)
    ]


def _key(header: pydicom.Dataset, kind: Sequence[str]) -> Key:
    return "".join(raw_parts(header, "SeriesInstanceUID")), "LOCALIZER" in kind


def _size(header: pydicom.Dataset) -> tuple[float, ...]:
    return _numbers([header.get("Rows"), header.get("Columns")], 2)


def _voxel_bytes(header: pydicom.Dataset, frames: int, left: int) -> tuple[int, ...]:
    """Bytes of voxels that a file should have and has; its last element begins with a tag, a type and a length."""
    syntax, size = getattr(header, "file_meta", {}).get("TransferSyntaxUID", ""), _size(header)
    if syntax in COMPRESSED or not size or not header.get("BitsAllocated"):
        return ()
    explicit = not header.is_implicit_VR
    return int(size[0] * size[1]) * frames * int(header.BitsAllocated) // 8, max(left - (12 if explicit else 8), 0)


def _description(header: pydicom.Dataset, tags: Sequence[str]) -> Header:
    """Tags as plain text; of an enhanced CT, those of its first frame too."""
    described = dict(plain(header, tags))
    if is_enhanced(header):
        first = next(frames_of(header), Frame(()))
        texts = {name: " ".join(first.parts(name)) for name in tags if name in GROUPS and name not in described}
        described |= {name: text for name, text in texts.items() if text}
    return described


def series_of(slices: Iterable[tuple[Key, Slice]], damaged: list[Path], tags: Sequence[str] = DESCRIPTION) -> list[Series]:
    """Slices grouped to series; localisers apart from the slices that were planned on them, copies of a slice left out.

    Parameters
    ----------
    slices : iterable
        As `take_slices` makes them.
    damaged : list of Path
        Files that cannot be read are added to it.
    tags : sequence of str
        To be read of one file of each series.
    """
    found: dict[Key, dict[tuple[str, tuple[float, ...], int], Slice]] = {}
    for key, one in slices:
        found.setdefault(key, {}).setdefault((one.uid, one.position_mm, one.frame), one)
    series = []
    for (_, is_localiser), group in found.items():
        members = tuple(group.values())
        headers = each_header(
            [members[0].path], (*tags, SHARED, PER_FRAME), lambda _, header, __: _description(header, tags), damaged
        )
        series += [Series(header, members, is_localiser) for header in headers]
    return series


def series_in(folder: Path) -> list[Series]:
    """Series of the DICOM images in a folder and those below it.

    A folder with several is looked at once for each of them: what it held is remembered until it changes.

    Raises
    ------
    DicomError
        When a DICOM file cannot be read.
    """
    files = tuple(files_of(folder))
    series, damaged = _series_in(files, signature(files))
    if damaged:
        message = f"{folder}: expected DICOM files that can be read, {len(damaged)} of {len(files)} files cannot"
        raise DicomError(message, on_screen=f": {names(damaged, folder)}")
    return series


@lru_cache(maxsize=2)
def _series_in(files: tuple[Path, ...], signed: tuple[int, int]) -> tuple[list[Series], list[Path]]:  # noqa: ARG001 - part of the key
    damaged: list[Path] = []
    slices = [one for taken in each_header(files, GEOMETRY, take_slices, damaged) for one in taken]
    return series_of(slices, damaged), damaged


def names(paths: Sequence[Path], folder: Path) -> str:
    """The first files as a person finds them in a folder; for the screen alone, as a file may be called after a patient."""
    return ", ".join(os.path.relpath(path, folder) for path in paths[:5])


def chosen_series(folder: Path, series_uid: str | None) -> Series:
    """The one CT series of a folder, or the one that is named.

    Raises
    ------
    DicomError
        When there is none, or several and none is named: localisers, screen shots and other modalities do not count.
        When a DICOM file cannot be read.
    """
    series = series_in(folder)
    usable = [one for one in series if one.measurable and refers_to(series_uid, one.uid)]
    if len(usable) == 1:
        return usable[0]
    listed = usable or series
    got = f"{folder}: expected one CT series{' of the given series_uid' if series_uid else ''}, got {len(usable)}"
    among = f" among {len(series)} series" if series and not usable else ""
    hint = ": the column series_uid names one, `ren-features manifest --pick` chooses" if len(listed) > 1 else ""
    kept = "".join(f"\n  {one}" for one in listed)
    described = "".join(f"\n  {one.describe()}" for one in listed)
    raise DicomError(f"{got}{among}{hint}{kept}", on_screen=f"\nThat is:{described}" if listed else "")


def _numbers(values: Sequence[Any], length: int) -> tuple[float, ...]:
    """The values as numbers when there are so many and all are finite, else none."""
    numbers = tuple(number for value in values if (number := _number(value)) is not None)
    return numbers if len(numbers) == len(values) == length else ()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
