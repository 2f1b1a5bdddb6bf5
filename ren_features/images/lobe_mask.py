"""Masks of any kind as label maps: a file of labels, segments of DICOM or 3D Slicer, or a folder of one file a structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ren_features.errors import LabelError
from ren_features.images import slicer
from ren_features.images.image_file import read_grid, read_layered_grid, read_mask
from ren_features.images.image_path import IMAGE_SUFFIXES, is_dicom
from ren_features.images.label_names import check_numbers
from ren_features.images.structure_names import structures_of
from ren_features.regions import LABEL_SCHEMES, LabelScheme
from ren_features.volume import Volume, check_same_grid

FILES, DICOM, SLICER = "files", "dicom", "slicer"
"""Label schemes of masks whose structures are known by name."""


def read_lobes(path: Path, image: Volume, scheme: LabelScheme) -> Volume:
    """Read a mask of any kind, in the canonical frame.

    Parameters
    ----------
    path : Path
        A label map; a segmentation of 3D Slicer; a DICOM SEG or RTSTRUCT; or a folder with one mask for each structure, which is
        what is not 0.
    image : Volume
        The CT, in the canonical frame: segments are brought to its grid. A label map stays on its own, as do files.
    scheme : LabelScheme
        Which structures to look for among segments and files.

    Raises
    ------
    VolumeError
        As `read_mask`.
    GeometryError
        When segments do not lie on the image's grid, or files not on one.
    LabelError
        When segments or files are none of the structures, or overlap; when the scheme is of another kind of mask.
    """
    _check_kind(path, scheme)
    if path.is_dir():
        return _together(path, scheme)
    if is_dicom(path):
        from ren_features.images.dicom.segments import read_segments  # most cohorts have no DICOM, and need not wait for pydicom

        return read_segments(path, image, scheme)
    if scheme.name.partition("+")[0] == SLICER:
        return slicer.read_lobes(path, scheme).canonical()
    check_numbers(path, scheme)
    return read_mask(path).canonical()


def check_structures(path: Path, image: Volume, scheme: LabelScheme) -> None:
    """Refuse segments or files that are not the structures of the scheme, or not on the image's grid (in the canonical frame).

    Raises
    ------
    RenError
        As `read_lobes`.
    """
    _check_kind(path, scheme)
    if path.is_dir():
        for file in _structure_files(path, scheme).values():
            check_same_grid(image, read_grid(file).canonical(), where=f"mask {file}")
    elif is_dicom(path):
        read_lobes(path, image, scheme)  # the grid and contours are all there is to check, and stand in no short header
    elif scheme.name.partition("+")[0] == SLICER:
        slicer.lobes_in(path, scheme)
    else:
        check_numbers(path, scheme)


def read_mask_grid(path: Path) -> Volume:
    """The grid of a label map or of 3D Slicer's layers, in the canonical frame, from its header alone."""
    return (read_layered_grid(path) if slicer.segments_in(path) else read_grid(path)).canonical()


def _check_kind(path: Path, scheme: LabelScheme) -> None:
    """A mask's kind must be what its scheme says; a set of own labels says nothing."""
    named = scheme.name.partition("+")[0]
    kind, words = (FILES, "a folder") if path.is_dir() else (DICOM, "a DICOM file") if is_dicom(path) else ("", "a label map")
    wanted = named if named in (FILES, DICOM) else ""
    if path.exists() and named in LABEL_SCHEMES and wanted != kind:
        raise LabelError(
            f"mask {path}: expected mask_scheme {DICOM} for DICOM files, {FILES} for a folder of one file a structure, "
            f"and others for label maps; got {named} for {words}"
        )


def _structure_files(folder: Path, scheme: LabelScheme) -> dict[int, Path]:
    """The files of the scheme's structures, by label number."""
    found = structures_of({file.name: [_stem(file)] for file in _images(folder)}, scheme, folder)
    return {label: folder / name for label, name in found.items()}


def _images(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.iterdir()) if file.name.lower().endswith(IMAGE_SUFFIXES) and file.name[0] != ".")


def _stem(file: Path) -> str:
    suffix = next(suffix for suffix in IMAGE_SUFFIXES if file.name.lower().endswith(suffix))
    return file.name[: -len(suffix)]


def _together(folder: Path, scheme: LabelScheme) -> Volume:
    """One label map of the files of a folder."""
    files = _structure_files(folder, scheme)
    grid = read_grid(next(iter(files.values()))).canonical()
    labels = np.zeros(grid.size, np.uint16)
    for label, file in files.items():
        part = read_mask(file).canonical()
        check_same_grid(grid, part, where=f"mask {file}, against another file of its folder")
        inside = part.voxels > 0
        if overlap := int(np.count_nonzero(labels[inside])):
            raise LabelError(f"mask {file}: expected structures apart, {overlap} voxels belong to another file of its folder too")
        labels[inside] = label
    return replace(grid, voxels=labels)
