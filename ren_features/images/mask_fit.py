"""Fit of a mask to its image: one lattice, and one position where a NIfTI file has two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ren_features.errors import GeometryError
from ren_features.images.image_file import read_grid
from ren_features.images.lattice import Fitted, first_voxel, fit
from ren_features.images.nifti_header import Forms, lacks_forms
from ren_features.quality import RULES, WHOLE_SCAN, Observation
from ren_features.volume import Volume


def fit_mask(image: Volume, mask: Volume, image_path: Path, mask_path: Path) -> Fitted:
    """Bring a mask to its image's extent.

    Parameters
    ----------
    image, mask : Volume
        In the canonical frame.
    image_path, mask_path : Path
        Their files, whose headers are asked for another grid when this one does not fit.

    Raises
    ------
    GeometryError
        As `fit`; where the other form of a NIfTI file would fit, it says so. Also when a mask would have to be padded or cut
        although the other form fits as it is.
    """
    check_fit(image, mask, image_path, mask_path)
    return fit(image, mask, where=f"mask {mask_path}")


def check_fit(image: Volume, mask: Volume, image_path: Path, mask_path: Path) -> None:
    """Refuse a mask that `fit_mask` would refuse; voxels are not looked at."""
    where = f"mask {mask_path}"
    try:
        start = first_voxel(image, mask, where=where)
    except GeometryError as error:
        raise GeometryError(f"{error}{_fitting_form(image, mask, image_path, mask_path)}") from error
    alike = start == (0, 0, 0) and image.size == mask.size
    if not alike and (hint := _fitting_form(image, mask, image_path, mask_path, whole=True)):
        # The forms lie a whole number of voxels apart: cutting would move the mask.
        raise GeometryError(f"{where}: expected the image's grid, got a mask on another part of its lattice{hint}")


def _fitting_form(image: Volume, mask: Volume, image_path: Path, mask_path: Path, *, whole: bool = False) -> str:
    """The unused form of a file that would fit, in words; empty when none would. `whole` asks for the same extent too."""
    for grid, partner, path in ((image, mask, image_path), (mask, image, mask_path)):
        forms = Forms.of(path)
        other = forms.other(grid) if forms else None
        if forms and other and _fits(other, partner, whole=whole):
            taken, unused = forms.taken(grid), forms.unused(grid)
            return (
                f"; qform and sform of {path} disagree by {forms.apart_mm:.4g} mm: its {taken} is taken, its {unused} would fit"
            )
    return ""


def _fits(grid: Volume, partner: Volume, *, whole: bool) -> bool:
    try:
        start = first_voxel(grid, partner, where="")
    except GeometryError:
        return False
    return not whole or (start == (0, 0, 0) and grid.size == partner.size)


def extent_remarks(fitted: Fitted) -> list[Observation]:
    """A remark on a mask that was padded or cut."""
    return [Observation("mask_extent", WHOLE_SCAN, 1.0, fitted.change)] if fitted.change else []


def form_remarks(*paths: Path) -> list[Observation]:
    """Remarks on NIfTI files whose qform and sform disagree, with the largest distance in mm, and on files that have neither."""
    return [*_disagreement(*paths), *_no_orientation(*paths)]


def _no_orientation(*paths: Path) -> Iterator[Observation]:
    names = [path.name for path in paths if lacks_forms(path)]
    if names:
        text = f"qform_code and sform_code of {', '.join(names)} are 0: axes are taken to run left, back and up"
        yield Observation("no_orientation", WHOLE_SCAN, len(names), text)


def _disagreement(*paths: Path) -> list[Observation]:
    _, limit = RULES["nifti_forms"].within(WHOLE_SCAN)
    files = [forms for forms in map(Forms.of, paths) if forms and forms.apart_mm > (limit or 0)]
    if not files:
        return []
    texts = [
        f"qform and sform of {forms.path.name} disagree by {forms.apart_mm:.4g} mm; {forms.taken(read_grid(forms.path))} is taken"
        for forms in files
    ]
    return [Observation("nifti_forms", WHOLE_SCAN, max(forms.apart_mm for forms in files), "; ".join(texts))]
