"""Rows for a folder tree `<patient>/<scan>.nii.gz`, with masks in a tree of the same names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ren_features.errors import CohortError
from ren_features.images.image_path import IMAGE_SUFFIXES
from ren_features.manifest.rows import Row, Rows, note, relative
from ren_features.regions import LABEL_SCHEMES

Images = dict[tuple[str, str], Path]


def images_of(folder: Path) -> Images:
    """Images two levels down, by patient and file name without suffix."""
    if not folder.is_dir():
        raise CohortError(f"{folder}: expected a folder of scans, found none")
    images: Images = {}
    for path in sorted(folder.glob("*/*")):
        suffix = next((suffix for suffix in IMAGE_SUFFIXES if path.name.lower().endswith(suffix)), None)
        if suffix is None or path.name.startswith("."):
            continue
        key = (path.parent.name, path.name[: -len(suffix)])
        if key in images:
            raise CohortError(f"{path}: expected one file for each scan, got {images[key].name} too")
        images[key] = path
    return images


def rows_of_tree(
    images: Images, output: Path, masks: Path | None = None, mask_scheme: str | None = None, *, patient_prefix: bool = False
) -> Rows:
    """A row for each image; options as of `write_manifest`.

    Raises
    ------
    CohortError
        When patients share file names, and these alone are to be the scan ids.
    """
    repeated = sorted(name for name, count in Counter(name for _, name in images).items() if count > 1)
    if repeated and not patient_prefix:
        raise CohortError(
            f"expected each file name once, got {', '.join(repeated[:5])} for several patients: use --patient-prefix"
        )
    rows = [
        {"patient_id": patient, "scan_id": f"{patient}_{name}" if patient_prefix else name, "image": relative(path, output)}
        for (patient, name), path in images.items()
    ]
    return Rows(rows, _add_masks(rows, images, images_of(masks), output, mask_scheme) if masks else [])


def _add_masks(rows: list[Row], images: Images, masks: Images, output: Path, mask_scheme: str | None) -> list[str]:
    """Fill in the masks; notes on those that are missing or left over."""
    for row, key in zip(rows, images, strict=True):
        row["mask"] = relative(masks[key], output) if key in masks else ""
        row["mask_scheme"] = (mask_scheme or "") if key in masks else ""
    return [
        *note("scans have no mask", [row["scan_id"] for row in rows if not row["mask"]]),
        *note("masks belong to no scan", [f"{patient}/{name}" for patient, name in masks.keys() - images.keys()]),
        *([] if mask_scheme else [f"mask_scheme is empty: REN's regions need one of {', '.join(LABEL_SCHEMES)}"]),
    ]
