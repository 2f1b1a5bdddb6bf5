"""Lobes drawn elsewhere and kept as DICOM: a segmentation (SEG) or contours (RTSTRUCT), brought to the grid of their CT."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from ren_features.errors import DicomError, GeometryError, VolumeError
from ren_features.images.dicom.contours import draw_contours
from ren_features.images.dicom.headers import UNREADABLE, read_dataset, unprinted
from ren_features.images.structure_names import structures_of
from ren_features.regions import LabelScheme
from ren_features.volume import DIRECTION_TOLERANCE, Volume

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes: bits of each segment, or one label map."""

NAMING = ("SOPClassUID", "SegmentSequence", "StructureSetROISequence")
"""Tags that tell what is drawn."""

GRID_TOLERANCE = 0.05
"""Of a voxel: positions are decimal text in DICOM, and each writer rounds them in its own way."""


def read_segments(path: Path, grid: Volume, scheme: LabelScheme) -> Volume:
    """Read the structures of a label scheme from a SEG or RTSTRUCT.

    Parameters
    ----------
    path : Path
    grid : Volume
        The CT, in the canonical frame.
    scheme : LabelScheme
        Its structures are found by name and code; other segments of the file are left out.

    Returns
    -------
    Volume of uint16 on `grid`

    Raises
    ------
    VolumeError
        When the file is neither.
    LabelError
        When no segment is one of the structures, two are the same one, or segments overlap.
    GeometryError
        When a SEG does not lie on the CT's grid, or contours not on its slices.
    """
    with unprinted():
        try:
            with path.open("rb") as file:
                dataset = read_dataset(file)
            kind = str(dataset.get("SOPClassUID"))
            names = names_of(dataset)
        except (InvalidDicomError, *UNREADABLE) as error:
            raise _unreadable(path, error) from error
        if kind not in (RTSTRUCT, *SEGMENTATIONS):
            raise VolumeError(f"{path}: expected a DICOM SEG or RTSTRUCT, got another DICOM file")
        labels = {number: label for label, number in structures_of(names, scheme, path).items()}
        if kind == RTSTRUCT:
            return draw_contours(dataset, labels, grid, path)
        return _on_grid(_segmentation(dataset, labels, path), grid, path)


def _unreadable(path: Path, error: Exception) -> DicomError:
    return DicomError(f"{path}: expected a whole DICOM SEG or RTSTRUCT, could not read it", on_screen=f": {error}")


def names_of(dataset: pydicom.Dataset) -> dict[int, list[str]]:
    """Names and codes (with sides) of the segments of a SEG or the ROIs of an RTSTRUCT, by number."""
    names = {int(roi.ROINumber): [str(roi.get("ROIName", ""))] for roi in dataset.get("StructureSetROISequence") or ()}
    for segment in dataset.get("SegmentSequence") or ():
        called = [str(segment.get("SegmentLabel", ""))]
        for code in segment.get("SegmentedPropertyTypeCodeSequence") or ():
            sides = [side.get("CodeValue") for side in code.get("SegmentedPropertyTypeModifierCodeSequence") or ()]
            called.append(" ".join(map(str, [code.get("CodeValue"), *sides])))
        names[int(segment.SegmentNumber)] = called
    return names


def _segmentation(dataset: pydicom.Dataset, labels: Mapping[int, int], path: Path) -> Volume:
    """Segments of a SEG as a label map on the grid of its own frames."""
    import highdicom  # slow to import, and most cohorts have no SEG

    try:
        found = highdicom.seg.Segmentation.from_dataset(dataset, copy=False).get_volume(
            segment_numbers=list(labels), combine_segments=True, relabel=True
        )
    except RuntimeError as error:
        raise DicomError(f"{path}: expected segments apart, on one even grid", on_screen=f": {error}") from error
    except (*UNREADABLE, sqlite3.Error) as error:
        raise _unreadable(path, error) from error
    numbers = np.array([0, *labels.values()], np.uint16)[found.array]
    z, y, x = (float(spacing) for spacing in found.spacing)
    ox, oy, oz = (float(position) for position in found.position)
    axes = np.stack(found.unit_vectors()[::-1], axis=1)
    return Volume(numbers, (z, y, x), (ox, oy, oz), tuple(axes.ravel().tolist()))


def _on_grid(mask: Volume, grid: Volume, path: Path) -> Volume:
    """A mask on a part of the grid, on the whole of it: slices without a segment are left out of a SEG."""
    mask = mask.canonical()
    first, last = (grid.index(mask.position_mm(corner)) for corner in (np.zeros(3), np.array(mask.size) - 1))
    start = np.rint(first).astype(int)
    stop = start + mask.size
    turned = not np.allclose(mask.axes, grid.axes, rtol=0, atol=DIRECTION_TOLERANCE)
    apart = max(np.abs(first - start).max(), np.abs(last - (stop - 1)).max())
    if turned or apart > GRID_TOLERANCE or (start < 0).any() or (stop > grid.size).any():
        raise GeometryError(
            f"{path}: expected segments on the grid of the CT (size {grid.size}, spacing {grid.spacing_mm} mm), "
            f"got size {mask.size}, spacing {tuple(round(s, 4) for s in mask.spacing_mm)} mm "
            f"from voxel {np.round(first, 2).tolist()} on"
        )
    labels = np.zeros(grid.size, np.uint16)
    labels[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))] = mask.voxels
    return Volume(labels, grid.spacing_mm, grid.origin_mm, grid.direction)
