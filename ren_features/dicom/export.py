"""An export of a PACS: CT series and the lobes drawn on them, found in any nesting of folders, under pseudonyms."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom

from ren_features.dicom.segments import RTSTRUCT, SEGMENTATIONS, contour_names, known_names, plain, segment_names
from ren_features.dicom.series import DESCRIPTION, GEOMETRY, Series, headers_of, series_of
from ren_features.dicom.voxels import stacked
from ren_features.errors import CohortError, RenError
from ren_features.image_path import files_of

IDENTITY = ("PatientID", "StudyInstanceUID", "PatientName", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs")
"""Looked at to make pseudonyms and to warn of paths that tell who a patient is; written nowhere."""

REFERENCES = ("ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence", "SegmentSequence", "StructureSetROISequence")

LEAST_LENGTH = 0.5
"""Share of a study's longest series that a series must cover to be picked: the thinnest one may be a biopsy's."""


@dataclass(frozen=True)
class ScanFound:
    """A CT series that can be measured.

    Attributes
    ----------
    folder : Path
        The deepest folder that holds all of its slices.
    series : Series
    needs_uid : bool
        Whether the folder holds other CT series too.
    length_mm : float
        Length of the body that it covers.
    mask : Path or None
        A SEG or RTSTRUCT with lobes that refers to it.
    """

    folder: Path
    series: Series
    needs_uid: bool
    length_mm: float
    thickness_mm: float
    mask: Path | None

    @property
    def patient(self) -> str:
        """The patient's id; without one, the study stands for a patient."""
        return self.told("PatientID") or self.told("StudyInstanceUID")

    def told(self, name: str) -> str:
        """A tag that tells who was scanned; empty where it is absent."""
        return str(self.series.tag(name) or "").strip()

    @property
    def path_tells(self) -> bool:
        """Whether the folder's path holds a name or number of the patient, which a store would keep."""
        words = [word for name in IDENTITY if name != "StudyInstanceUID" for word in self.told(name).replace("^", " ").split()]
        return any(len(word) > 2 and word.lower() in str(self.folder).lower() for word in words)


@dataclass(frozen=True)
class Export:
    """What a folder holds: scans, and what a person should know of the rest; that is for the screen alone."""

    scans: tuple[ScanFound, ...]
    notes: tuple[str, ...]


def read_export(folder: Path, masks: Path | None = None) -> Export:
    """Find every usable CT series under a folder, whatever its files are called.

    Parameters
    ----------
    folder : Path
    masks : Path, optional
        Another folder with SEG or RTSTRUCT files; those beside the series are found without.

    Raises
    ------
    CohortError
        When the folder is absent.
    """
    for given in (folder, masks):
        if given and not given.is_dir():
            raise CohortError(f"{given}: expected a folder, found none")
    files = {path.absolute(): None for given in (folder, masks) if given for path in files_of(given)}
    drawn: dict[str, list[Path]] = {}
    images = _without_masks(headers_of(files, (*GEOMETRY, *REFERENCES)), drawn)
    series = series_of(images, (*DESCRIPTION, *IDENTITY))
    measurable = [one for one in series if one.measurable]
    # Series in each folder and below it: where there are several, a series needs its UID to be found again.
    crowd = Counter(where for one in measurable for where in (_folder_of(one), *_folder_of(one).parents))
    scans, notes = [], []
    for one in measurable:
        try:
            scans.append(_scan(one, drawn.get(one.uid, []), needs_uid=crowd[_folder_of(one)] > 1))
        except RenError as error:
            notes.append(f"left out: {error}")
    notes += [f"no mask taken of several: {', '.join(map(str, several))}" for several in drawn.values() if len(several) > 1]
    if len(measurable) < len(series):
        notes.append(f"{len(series) - len(measurable)} series are localisers, screen shots or no CT")
    return Export(tuple(scans), tuple(notes))


def picked(scans: Iterable[ScanFound], pick: str) -> list[ScanFound]:
    """One series of each study: the thinnest, the largest, or that of a kernel (of several, the thinnest).

    Parameters
    ----------
    pick : str
        `thinnest`, `largest`, or the name of a reconstruction kernel; of a study without it, no series is picked.
    """
    studies: dict[str, list[ScanFound]] = {}
    for scan in scans:
        studies.setdefault(scan.told("StudyInstanceUID") or scan.series.uid, []).append(scan)
    return [best for study in studies.values() if (best := _best(study, pick))]


def _best(study: list[ScanFound], pick: str) -> ScanFound | None:
    if pick == "largest":
        return max(study, key=lambda scan: len(scan.series.slices))
    wanted = study if pick == "thinnest" else [scan for scan in study if _has_kernel(scan, pick)]
    longest = max((scan.length_mm for scan in wanted), default=0.0)
    whole = [scan for scan in wanted if scan.length_mm >= LEAST_LENGTH * longest]
    return min(whole, key=lambda scan: (scan.thickness_mm, -len(scan.series.slices)), default=None)


def _has_kernel(scan: ScanFound, kernel: str) -> bool:
    words = (scan.series.acquisition.kernel or "").casefold()
    return kernel.casefold() in (words, *words.split())


def _without_masks(
    headers: Iterable[tuple[Path, pydicom.Dataset]], drawn: dict[str, list[Path]]
) -> Iterable[tuple[Path, pydicom.Dataset]]:
    """Headers of images; lobes that were drawn on a series are noted under its UID."""
    for path, header in headers:
        kind = str(header.get("SOPClassUID"))
        if kind not in (RTSTRUCT, *SEGMENTATIONS):
            yield path, header
            continue
        names = contour_names(header) if kind == RTSTRUCT else segment_names(header)
        if any(plain(name) in known_names() for called in names.values() for name in called):
            for uid in _referenced(header):
                drawn.setdefault(uid, []).append(path)


def _referenced(header: pydicom.Dataset) -> set[str]:
    """Series that a SEG or RTSTRUCT was drawn on."""
    references = list(header.get("ReferencedSeriesSequence") or ())
    for frame in header.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            references += study.get("RTReferencedSeriesSequence") or ()
    return {str(reference.get("SeriesInstanceUID")) for reference in references}


def _scan(series: Series, masks: list[Path], *, needs_uid: bool) -> ScanFound:
    folder = _folder_of(series)
    grid = stacked(series, folder).grid
    spacing_mm = grid.spacing_mm[0]
    thickness_mm = series.acquisition.slice_thickness_mm or spacing_mm
    return ScanFound(folder, series, needs_uid, spacing_mm * grid.size[0], thickness_mm, masks[0] if len(masks) == 1 else None)


def _folder_of(series: Series) -> Path:
    return Path(os.path.commonpath([one.path.parent for one in series.slices]))
