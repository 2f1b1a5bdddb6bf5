"""An export of a PACS: CT series and the lobes drawn on them, found in any nesting of folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom

from ren_features.errors import CohortError, RenError, VolumeError
from ren_features.images.dicom.headers import each_header
from ren_features.images.dicom.identities import Identity
from ren_features.images.dicom.segments import NAMING, RTSTRUCT, SEGMENTATIONS, names_of
from ren_features.images.dicom.series import DESCRIPTION, GEOMETRY, Key, Series, Slice, series_of, take_slices
from ren_features.images.dicom.voxels import stacked
from ren_features.images.image_path import files_of
from ren_features.images.structure_names import known_names, plain_name
from ren_features.volume import Volume

PERSON = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs")
IDENTITY = (*PERSON, "StudyInstanceUID", "SeriesInstanceUID")
"""Looked at to make pseudonyms and to refuse what tells who a patient is; written nowhere but into a mapping."""

REFERENCES = ("ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence")

LEAST_LENGTH = 0.5
"""Share of a study's longest series that a series must cover to be picked: the thinnest one may be a biopsy's."""

CONTIGUOUS = 1.5
"""Distance of slices, as a multiple of their thickness, from which on a series has gaps and is picked last."""

AXIAL = 0.9
"""Least part of the slices' normal along the body."""


@dataclass(frozen=True)
class ScanFound:
    """A CT series that can be measured.

    Attributes
    ----------
    folder : Path
        The deepest folder that holds all of its slices.
    series : Series
    grid : Volume
        Without voxels.
    needs_uid : bool
        Whether the folder holds other CT series too.
    mask : Path or None
        A SEG or RTSTRUCT with lobes that refers to it.
    """

    folder: Path
    series: Series
    grid: Volume
    needs_uid: bool
    mask: Path | None

    @property
    def study(self) -> str:
        """The study's UID; without one, the series stands for a study."""
        return self.series.text("StudyInstanceUID") or self.series.uid

    @property
    def patient(self) -> str:
        """The patient's id; without one, the study stands for a patient."""
        return self.series.text("PatientID") or self.study

    @property
    def length_mm(self) -> float:
        """Length of the body that it covers."""
        return self.grid.spacing_mm[0] * self.grid.size[0]

    @property
    def thickness_mm(self) -> float:
        """Thickness of its slices."""
        return self.series.acquisition.slice_thickness_mm or self.grid.spacing_mm[0]

    @property
    def is_makeshift(self) -> bool:
        """True when it was derived from another series, has gaps, or is not axial."""
        derived = "DERIVED" in self.series.header.get("ImageType", "")
        gaps = self.grid.spacing_mm[0] > CONTIGUOUS * self.thickness_mm
        return derived or gaps or abs(self.grid.axes[2, 2]) < AXIAL

    @property
    def identity(self) -> Identity:
        """Identity of the patient in the headers."""
        text = self.series.text
        return Identity.of(
            ids=[text("PatientID"), text("AccessionNumber"), *text("OtherPatientIDs").split(), self.series.uid, self.study],
            names=[text("PatientName")],
            birth_dates=[text("PatientBirthDate")],
        )


@dataclass(frozen=True)
class Export:
    """Content of a folder: scans, and remarks on the rest for the screen alone."""

    scans: tuple[ScanFound, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """A SEG or RTSTRUCT with lobes, and the series that it was drawn on."""

    path: Path
    series: frozenset[str]


def read_export(folder: Path, masks: Path | None = None, tolerance_mm: float = 0.0) -> Export:
    """Find every usable CT series under a folder, whatever its files are called.

    Parameters
    ----------
    folder : Path
    masks : Path, optional
        Another folder with SEG or RTSTRUCT files; those beside the series are found without.
    tolerance_mm : float
        Distance from an even grid up to which a slice is taken.

    Raises
    ------
    CohortError
        When the folder is absent.
    """
    for given in (folder, masks):
        if given and not given.is_dir():
            raise CohortError(f"{given}: expected a folder, found none")
    files = {path.absolute(): None for given in (folder, masks) if given for path in files_of(given)}
    damaged: list[Path] = []
    taken = list(each_header(files, (*GEOMETRY, *NAMING, *REFERENCES), _take, damaged))
    drawn = _by_series(one for one in taken if isinstance(one, Drawing))
    series = series_of((one for some in taken if isinstance(some, list) for one in some), damaged, (*DESCRIPTION, *IDENTITY))
    scans, notes = _scans([one for one in series if one.measurable], drawn, tolerance_mm)
    notes += [f"no mask taken of several: {', '.join(map(str, several))}" for several in drawn.values() if len(several) > 1]
    if others := sum(not one.measurable for one in series):
        notes.append(f"{others} series are localisers, screen shots or no CT")
    if damaged:
        notes.append(f"{len(damaged)} DICOM files cannot be read: {', '.join(map(str, damaged[:5]))}")
    if strange := len(files) - len(taken) - len(damaged):
        notes.append(f"{strange} files are no DICOM")
    return Export(tuple(scans), tuple(notes))


def _take(path: Path, header: pydicom.Dataset, left: int) -> list[tuple[Key, Slice]] | Drawing | None:
    """Slices, or lobes that were drawn."""
    if str(header.get("SOPClassUID")) not in (RTSTRUCT, *SEGMENTATIONS):
        return take_slices(path, header, left)
    names = {plain_name(name) for called in names_of(header).values() for name in called}
    return Drawing(path, _referenced(header)) if names & set(known_names()) else None


def _by_series(drawings: Iterable[Drawing]) -> dict[str, list[Path]]:
    drawn: dict[str, list[Path]] = {}
    for drawing in drawings:
        for uid in drawing.series:
            drawn.setdefault(uid, []).append(drawing.path)
    return drawn


def _referenced(header: pydicom.Dataset) -> frozenset[str]:
    """Series that a SEG or RTSTRUCT was drawn on."""
    references = list(header.get("ReferencedSeriesSequence") or ())
    for frame in header.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            references += study.get("RTReferencedSeriesSequence") or ()
    return frozenset(str(reference.get("SeriesInstanceUID")) for reference in references)


def _scans(series: list[Series], drawn: Mapping[str, list[Path]], tolerance_mm: float) -> tuple[list[ScanFound], list[str]]:
    """Series that can be measured, and why the others cannot."""
    folders = [Path(os.path.commonpath([one.path.parent for one in each.slices])) for each in series]
    # Series in each folder and below it: where there are several, a series needs its UID to be found again.
    crowd = Counter(where for folder in folders for where in (folder, *folder.parents))
    scans, notes = [], []
    for each, folder in zip(series, folders, strict=True):
        masks = drawn.get(each.uid, [])
        try:
            if not each.uid:
                raise VolumeError(f"{folder}: expected a SeriesInstanceUID in every file ({each})")
            grid = stacked(each, folder, tolerance_mm).grid
        except RenError as error:
            notes.append(f"left out: {error}")
        else:
            scans.append(ScanFound(folder, each, grid, crowd[folder] > 1, masks[0] if len(masks) == 1 else None))
    return scans, notes


def picked(scans: Iterable[ScanFound], pick: str) -> list[ScanFound]:
    """One series of each study: the thinnest, the largest, or that of a kernel (of several, the thinnest).

    Series that were derived from others, have gaps or are not axial are taken where there is nothing else.

    Parameters
    ----------
    pick : str
        `thinnest`, `largest`, or the name of a reconstruction kernel; of a study without it, no series is picked.
    """
    studies: dict[str, list[ScanFound]] = {}
    for scan in scans:
        studies.setdefault(scan.study, []).append(scan)
    return [best for study in studies.values() if (best := _best(study, pick.casefold()))]


def _best(study: list[ScanFound], pick: str) -> ScanFound | None:
    wanted = study if pick in ("thinnest", "largest") else [scan for scan in study if _has_kernel(scan, pick)]
    sound = [scan for scan in wanted if not scan.is_makeshift] or wanted
    if pick == "largest":
        return max(sound, key=lambda scan: len(scan.series.slices))
    longest = max((scan.length_mm for scan in sound), default=0.0)
    whole = [scan for scan in sound if scan.length_mm >= LEAST_LENGTH * longest]
    return min(whole, key=lambda scan: (scan.thickness_mm, -len(scan.series.slices)), default=None)


def _has_kernel(scan: ScanFound, kernel: str) -> bool:
    words = (scan.series.acquisition.kernel or "").casefold()
    return kernel in (words, *words.split())
