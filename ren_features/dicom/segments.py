"""Lobes drawn elsewhere and kept as DICOM: a segmentation (SEG) or contours (RTSTRUCT), brought to the grid of their CT."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

import data_catalog
from ren_features.dicom.contours import draw_contours
from ren_features.dicom.series import headers_of
from ren_features.errors import GeometryError, LabelError, VolumeError
from ren_features.regions import LabelScheme
from ren_features.volume import DIRECTION_TOLERANCE, Volume

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes: bits of each segment, or one label map."""

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
    with pydicom.config.disable_value_validation():  # a warning about a value would print it
        return _read(path, grid, scheme)


def _read(path: Path, grid: Volume, scheme: LabelScheme) -> Volume:
    try:
        dataset = pydicom.dcmread(path)
    except (InvalidDicomError, OSError) as error:
        raise VolumeError(f"{path}: expected a DICOM SEG or RTSTRUCT, could not read it: {error}") from error
    kind = str(dataset.get("SOPClassUID"))
    if kind == RTSTRUCT:
        return draw_contours(dataset, structures_of(contour_names(dataset), scheme, path), grid, path)
    if kind in SEGMENTATIONS:
        return _on_grid(_segmentation(dataset, scheme, path), grid, path)
    raise VolumeError(f"{path}: expected a DICOM SEG or RTSTRUCT, got modality {dataset.get('Modality')}")


def check_segments(path: Path, scheme: LabelScheme) -> None:
    """Whether a SEG or RTSTRUCT has structures of the scheme, by its header alone; raises as `read_segments`."""
    (header,) = [header for _, header in headers_of([path], ("SOPClassUID", "SegmentSequence", "StructureSetROISequence"))]
    structures_of(contour_names(header) if header.get("SOPClassUID") == RTSTRUCT else segment_names(header), scheme, path)


def structures_of(names: Mapping[int, Iterable[str]], scheme: LabelScheme, path: Path) -> dict[int, int]:
    """Label number of each segment that is a structure of the scheme.

    Parameters
    ----------
    names : mapping of int to iterable of str
        Segment number -> what it is called: names, and codes with their modifiers.
    """
    meanings = known_names() | {plain(structure): structure for structure in scheme.labels}
    found: dict[int, str] = {}
    for number, called in names.items():
        structures = sorted({meanings[plain(name)] for name in called if plain(name) in meanings})
        if len(structures) > 1:
            raise LabelError(f"{path}: segment {number}: expected name and code of one structure, got {structures}")
        if structures and structures[0] in scheme.labels:
            found[number] = structures[0]
    twice = sorted({structure for structure in found.values() if list(found.values()).count(structure) > 1})
    if not found or twice:
        what = f"several segments of {', '.join(twice)}" if twice else f"none of {len(names)} segments with such a name or code"
        raise LabelError(f"{path}: expected one segment for each of {', '.join(scheme.labels)}, got {what}")
    return {number: scheme.labels[structure] for number, structure in found.items()}


@cache
def known_names() -> dict[str, str]:
    """Lobe by each of its names and codes, as `segment_names.yaml` lists them."""
    table = data_catalog.read_yaml("segment_names.yaml")
    return {plain(name): lobe for lobe, entry in table.items() for name in (*entry["names"], *entry["codes"])}


def plain(name: str) -> str:
    """A name as names are compared: small letters and digits, with one space between words."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


def contour_names(dataset: pydicom.Dataset) -> dict[int, list[str]]:
    """Names of an RTSTRUCT's ROIs by their numbers."""
    return {int(roi.ROINumber): [str(roi.ROIName)] for roi in dataset.get("StructureSetROISequence") or ()}


def segment_names(dataset: pydicom.Dataset) -> dict[int, list[str]]:
    """Labels and codes of a SEG's segments by their numbers."""
    names = {}
    for segment in dataset.get("SegmentSequence") or ():
        names[int(segment.SegmentNumber)] = [str(segment.get("SegmentLabel", ""))]
        for code in segment.get("SegmentedPropertyTypeCodeSequence") or ():
            sides = [side.get("CodeValue") for side in code.get("SegmentedPropertyTypeModifierCodeSequence") or ()]
            names[int(segment.SegmentNumber)].append(" ".join(map(str, [code.get("CodeValue"), *sides])))
    return names


def _segmentation(dataset: pydicom.Dataset, scheme: LabelScheme, path: Path) -> Volume:
    """Segments of a SEG as a label map on the grid of its own frames."""
    import highdicom  # slow to import, and most cohorts have no SEG

    labels = structures_of(segment_names(dataset), scheme, path)
    try:
        found = highdicom.seg.Segmentation.from_dataset(dataset, copy=False).get_volume(
            segment_numbers=list(labels), combine_segments=True, relabel=True
        )
    except (RuntimeError, ValueError, AttributeError, KeyError) as error:
        raise LabelError(f"{path}: expected segments without overlap on one regular grid, got {error}") from error
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
