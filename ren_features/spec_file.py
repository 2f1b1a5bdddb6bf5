"""Specs in YAML files, in two forms: our own short one, and PyRadiomics' parameter files.

The short form has the names of `ExtractionSpec`::

    spacing_mm: 1            # null: each scan's own grid; three numbers: z, y, x
    bin_width: 25
    features: [firstorder, glcm, original_shape_MeshVolume]
    regions: right_lung.yaml # or the content of such a file

A PyRadiomics file (`setting`, `imageType`, `featureClass`; PyRadiomics documentation, "Parameter File") is honoured or refused:
a key that would not change what is computed here as it does there is an error that names it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ren_features.errors import SpecError
from ren_features.regions import RegionSet
from ren_features.spec import FAMILIES, ExtractionSpec

SHORT_KEYS = {"engine", "spacing_mm", "bin_width", "regions", "features"}
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


def read_spec(path: str | Path) -> ExtractionSpec:
    """Read a spec in either form.

    Raises
    ------
    SpecError
        Naming the file and every key that would not be honoured.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"spec {path}: expected a readable YAML file, got {error}") from error
    if not isinstance(content, dict):
        raise SpecError(f"spec {path}: expected keys such as spacing_mm, got {content!r}")
    try:
        fields = _from_pyradiomics(content) if PYRADIOMICS_KEYS & set(content) else _from_short_form(content, Path(path).parent)
        return ExtractionSpec(**fields)
    except SpecError as error:
        raise SpecError(f"spec {path}: {error}") from error


def _refuse(unknown: set[Any], known: set[str]) -> None:
    if unknown:
        raise SpecError(
            f"keys that would not be honoured: {', '.join(sorted(map(str, unknown)))}; expected {', '.join(sorted(known))}"
        )


def _from_short_form(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    _refuse(set(content) - SHORT_KEYS, SHORT_KEYS)
    fields = dict(content)
    if "regions" in fields:
        regions = fields["regions"]
        fields["regions"] = (
            RegionSet.from_yaml(folder / regions) if isinstance(regions, str) else RegionSet.from_dict(regions, where="regions")
        )
    return fields


def _from_pyradiomics(content: dict[str, Any]) -> dict[str, Any]:
    _refuse(set(content) - PYRADIOMICS_KEYS, PYRADIOMICS_KEYS)
    _check_image_types(content.get("imageType") or {"Original": None})
    settings = dict(content.get("setting") or {})
    # PyRadiomics without a spacing keeps the grid, and takes its own defaults for all else.
    fields: dict[str, Any] = {"spacing_mm": None}
    if settings.get("resampledPixelSpacing") is not None:
        fields["spacing_mm"] = _reversed_axes(settings["resampledPixelSpacing"])
    if "binWidth" in settings:
        fields["bin_width"] = settings["binWidth"]
    _check_fixed({key: value for key, value in settings.items() if key not in ("resampledPixelSpacing", "binWidth")})
    if content.get("featureClass"):
        fields["features"] = _features(content["featureClass"])
    return fields


def _check_image_types(image_types: Any) -> None:
    unknown = {f"imageType {name}" for name in image_types if name != "Original"}
    _refuse(
        unknown | {f"imageType Original: {key}" for key in (image_types.get("Original") or {})},
        {"imageType: {Original: {}}"},
    )


def _check_fixed(settings: dict[str, Any]) -> None:
    _refuse(
        {f"setting {key}" for key in settings if key not in FIXED_SETTINGS},
        {"binWidth", "resampledPixelSpacing", *FIXED_SETTINGS},
    )
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


def _features(classes: dict[str, Any]) -> list[str]:
    """Names for PyRadiomics' `featureClass`: a family without a list means all of it."""
    _refuse({f"featureClass {family}" for family in classes if family not in FAMILIES}, set(FAMILIES))
    return [
        name
        for family, names in classes.items()
        for name in ([f"original_{family}_{short}" for short in names] if names else [family])
    ]
