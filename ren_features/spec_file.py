"""Specs in YAML files, in two forms: our own short one, and PyRadiomics' parameter files.

The short form has the names of `ExtractionSpec`::

    spacing_mm: 1            # null: each scan's own grid; three numbers: z, y, x
    bin_width: 25
    features: [firstorder, glcm, original_shape_MeshVolume]
    regions: right_lung.yaml # or the content of such a file

A PyRadiomics file (`setting`, `imageType`, `featureClass`; PyRadiomics documentation, "Parameter File") is honoured or refused:
a key that would not change what is computed here as it does there is an error that names it. One thing differs:
`resampledPixelSpacing` resamples on this software's grid, centred on the scan, not on PyRadiomics', which begins at the region.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import data_catalog
from ren_features.errors import SpecError
from ren_features.regions import RegionSet
from ren_features.yaml_file import mapping, names, read_yaml, refuse_unknown

FAMILIES = data_catalog.families()

SHORT_KEYS = {"engine", "spacing_mm", "bin_width", "regions", "features", "tolerance_mm"}
PYRADIOMICS_KEYS = {"setting", "imageType", "featureClass"}

# What is always done here; a PyRadiomics file may say it, and may not say otherwise.
FIXED_SETTINGS: dict[str, Any] = {
    "interpolator": "sitkBSpline",
    "normalize": False,
    "removeOutliers": None,
    "resegmentRange": None,
    "force2D": False,
    "distances": [1],
    "symmetricalGLCM": True,
    "weightingNorm": None,
    "gldm_a": 0,
    "voxelArrayShift": 0,
    "minimumROIDimensions": 2,
    "minimumROISize": None,
    "correctMask": False,
}


def read_fields(path: Path) -> dict[str, Any]:
    """Read the fields of an `ExtractionSpec` in either form.

    Raises
    ------
    SpecError
        Naming every key that would not be honoured.
    """
    content = mapping(read_yaml(path, "spec"), f"spec {path}")
    return _from_pyradiomics(content) if PYRADIOMICS_KEYS & set(content) else _from_short_form(content, path.parent)


def _from_short_form(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    refuse_unknown(content, SHORT_KEYS, "spec")
    fields = dict(content)
    if "features" in fields:
        fields["features"] = tuple(names(fields["features"], "features"))
    if isinstance(fields.get("regions"), str):
        fields["regions"] = RegionSet.from_yaml(folder / fields["regions"])
    elif "regions" in fields:
        fields["regions"] = RegionSet.from_dict(fields["regions"], where="regions")
    return fields


def _from_pyradiomics(content: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(content, PYRADIOMICS_KEYS, "parameter file")
    _check_image_types(content.get("imageType"))
    settings = mapping(content.get("setting"), "setting")
    refuse_unknown(settings, {"binWidth", "resampledPixelSpacing", *FIXED_SETTINGS}, "setting")
    _check_fixed({key: value for key, value in settings.items() if key in FIXED_SETTINGS})
    # PyRadiomics without a spacing keeps the grid, and takes its own defaults for all else.
    fields: dict[str, Any] = {"spacing_mm": _reversed_axes(settings.get("resampledPixelSpacing"))}
    if "binWidth" in settings:
        fields["bin_width"] = settings["binWidth"]
    if content.get("featureClass"):
        fields["features"] = _features(mapping(content["featureClass"], "featureClass"))
    return fields


def _check_image_types(content: Any) -> None:
    image_types = mapping(content, "imageType")
    refuse_unknown(image_types, {"Original"}, "imageType")
    refuse_unknown(mapping(image_types.get("Original"), "imageType Original"), (), "imageType Original")


def _check_fixed(settings: dict[str, Any]) -> None:
    """Refuse what is always done otherwise here."""
    other = [
        f"setting {key}: expected {FIXED_SETTINGS[key]!r}, got {value!r}"
        for key, value in settings.items()
        if value != FIXED_SETTINGS[key]
    ]
    if other:
        raise SpecError("; ".join(other))


def _reversed_axes(spacing: Any) -> Any:
    """PyRadiomics counts axes x, y, z; a volume's axes here are z, y, x."""
    return spacing[::-1] if isinstance(spacing, list) else spacing


def _features(classes: dict[str, Any]) -> tuple[str, ...]:
    """Names for PyRadiomics' `featureClass`: a family without a list means all of it."""
    refuse_unknown(classes, FAMILIES, "featureClass")
    chosen: list[str] = []
    for family, listed in classes.items():
        chosen += [f"original_{family}_{short}" for short in names(listed, f"featureClass {family}")] if listed else [family]
    return tuple(chosen)
