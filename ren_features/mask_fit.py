"""Whether a mask belongs where its image is: one lattice, and one place where a NIfTI file tells two."""

from __future__ import annotations

from pathlib import Path

from ren_features.errors import GeometryError
from ren_features.image_file import read_grid
from ren_features.lattice import Fitted, fit, first_voxel
from ren_features.nifti_header import Forms
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
        As `fit`; where the other form of a NIfTI file would fit, it says so.
    """
    try:
        return fit(image, mask, where=f"mask {mask_path}")
    except GeometryError as error:
        hint = _fitting_form(image, mask, image_path) or _fitting_form(mask, image, mask_path)
        raise GeometryError(f"{error}{hint}") from error


def _fitting_form(grid: Volume, partner: Volume, path: Path) -> str:
    """The form of a file that is not used but would fit, in words; empty when none would."""
    forms = Forms.of(path)
    other = forms and forms.other(grid)
    if not forms or not other:
        return ""
    try:
        first_voxel(other, partner, where="")
    except GeometryError:
        return ""
    taken = forms.taken(grid)
    unused = "qform" if taken == "sform" else "sform"
    return f"; qform and sform of {path} disagree by {forms.apart_mm:.4g} mm: its {taken} is taken, its {unused} would fit"


def extent_remarks(fitted: Fitted) -> list[Observation]:
    """A remark on a mask that was padded or cut."""
    return [Observation("mask_extent", WHOLE_SCAN, 1.0, fitted.change)] if fitted.change else []


def form_remarks(*paths: Path) -> list[Observation]:
    """A remark on files whose qform and sform disagree, with the largest disagreement in mm."""
    _, limit = RULES["nifti_forms"].within(WHOLE_SCAN)
    files = [forms for forms in map(Forms.of, paths) if forms and forms.apart_mm > (limit or 0)]
    if not files:
        return []
    texts = [
        f"qform and sform of {forms.path.name} disagree by {forms.apart_mm:.4g} mm; {forms.taken(read_grid(forms.path))} is taken"
        for forms in files
    ]
    return [Observation("nifti_forms", WHOLE_SCAN, max(forms.apart_mm for forms in files), "; ".join(texts))]
