"""The extraction spec: one frozen object that decides everything that changes a value. Its digest is the `spec_id`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import data_catalog
from ren_features.digest import short_digest
from ren_features.errors import SpecError
from ren_features.regions import REN_REGIONS, RegionSet
from ren_features.spec_file import FAMILIES, read_fields

ENGINE_VERSIONS = {"fast": "2", "pyradiomics": "3.0.1"}
"""Engines by name, with the version of the definitions that each computes."""

PREPROCESSING_VERSION = 3
"""Raised whenever orientation, resampling or rounding could give another voxel value than before."""

FEATURE_NAMES: tuple[str, ...] = tuple(data_catalog.features())

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class ExtractionSpec:
    """Settings of an extraction; the defaults are REN's.

    Parameters
    ----------
    engine : str
        Which implementation computes the features.
    spacing_mm : float or tuple of 3 floats (z, y, x) or None
        Grid to resample to, in mm; None keeps each scan's own grid.
    bin_width : float
        Width of a gray level, in HU.
    regions : RegionSet
        Regions to measure.
    features : iterable of str
        Names of features or families; kept in catalog order.
    tolerance_mm : float
        Distance from an even grid up to which a slice of a DICOM series is taken; 0 takes 1 % of their distance.

    Raises
    ------
    SpecError
        For an unknown engine, family or feature, and for a spacing or width that is not positive.

    Examples
    --------
    >>> spec = ExtractionSpec(spacing_mm=None, features=("firstorder",))
    >>> len(spec.features)
    18
    >>> spec.spec_id == ExtractionSpec().spec_id
    False
    """

    engine: str = "fast"
    spacing_mm: Spacing | float | None = 1.0
    bin_width: float = 25.0
    regions: RegionSet = REN_REGIONS
    features: tuple[str, ...] = FAMILIES
    tolerance_mm: float = 0.0

    def __post_init__(self) -> None:
        _check_engine_name(self.engine)
        object.__setattr__(self, "spacing_mm", _spacing(self.spacing_mm))
        object.__setattr__(self, "bin_width", _positive("bin_width", self.bin_width))
        object.__setattr__(self, "features", _feature_names(self.features))
        if self.tolerance_mm:
            object.__setattr__(self, "tolerance_mm", _positive("tolerance_mm", self.tolerance_mm))

    @classmethod
    def from_yaml(cls, path: str | Path) -> ExtractionSpec:
        """Read the short form or a PyRadiomics parameter file; see `ren_features.spec_file`.

        Raises
        ------
        SpecError
            Naming the file and every key that would not be honoured.
        """
        try:
            return cls(**read_fields(Path(path)))
        except SpecError as error:
            raise SpecError(f"spec {path}: {error}") from error

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that changes a value, as JSON holds it. Names of region sets change none and are left out."""
        regions = self.regions.as_dict()
        return {
            "engine": self.engine,
            "engine_version": ENGINE_VERSIONS[self.engine],
            "preprocessing_version": PREPROCESSING_VERSION,
            "spacing_mm": self.grid_spacing_mm,
            "bin_width": self.bin_width,
            "regions": regions["regions"],
            "labels": regions["labels"],
            "features": list(self.features),
            # Left out where nothing is tolerated, so that specs of before keep their id.
            **({"tolerance_mm": self.tolerance_mm} if self.tolerance_mm else {}),
        }

    @property
    def grid_spacing_mm(self) -> Spacing | None:
        """Spacing to resample to along z, y, x, in mm; None for the scan's own grid."""
        return _spacing(self.spacing_mm)

    @cached_property
    def spec_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the settings."""
        return short_digest(json.dumps(self.settings, sort_keys=True))


def check_engine(name: str) -> None:
    """Refuse an engine that cannot run here: PyRadiomics is no dependency.

    Raises
    ------
    SpecError
        When the engine is unknown, or its package is missing or of another version than specs are digested with.
    """
    _check_engine_name(name)
    if name == "pyradiomics" and (found := _version("pyradiomics")) != ENGINE_VERSIONS[name]:
        raise SpecError(f"engine pyradiomics: expected PyRadiomics {ENGINE_VERSIONS[name]}, got {found}; the README installs it")


def _check_engine_name(name: Any) -> None:
    if not isinstance(name, str) or name not in ENGINE_VERSIONS:
        raise SpecError(f"engine: expected one of {', '.join(ENGINE_VERSIONS)}, got {name!r}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise SpecError(f"{name}: expected a positive number, got {value!r}")
    return float(value)


def _spacing(value: Any) -> Spacing | None:
    """One spacing for each axis (z, y, x), or None for the scan's own grid."""
    if value is None:
        return None
    axes = list(value) if isinstance(value, list | tuple) else [value] * 3
    if len(axes) != 3:
        raise SpecError(f"spacing_mm: expected one number, three (z, y, x) or null, got {value!r}")
    z, y, x = (_positive("spacing_mm", axis) for axis in axes)
    return z, y, x


def _feature_names(wanted: Iterable[str]) -> tuple[str, ...]:
    """Names in catalog order of the given features and families."""
    chosen = set((wanted,) if isinstance(wanted, str) else wanted)
    unknown = sorted(map(str, chosen - set(FEATURE_NAMES) - set(FAMILIES)))
    if unknown or not chosen:
        raise SpecError(
            f"features: expected families ({', '.join(FAMILIES)}) or feature names, got {', '.join(unknown) or 'none'}"
        )
    return tuple(name for name, feature in data_catalog.features().items() if name in chosen or feature.family in chosen)
