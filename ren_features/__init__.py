"""REN toolkit, part one: chest CT and lobe masks become rows of one DuckDB file.

The public names are imported when they are first used, so that a command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ren_features.building.build_store import build
    from ren_features.cohort import Cohort
    from ren_features.manifest.parser import read_cohort
    from ren_features.regions import REN_REGIONS, LabelScheme, Region, RegionSet
    from ren_features.scan import Scan
    from ren_features.spec import ExtractionSpec
    from ren_features.store import FeatureStore
    from ren_features.volume import Volume

__all__ = [
    "REN_REGIONS",
    "Cohort",
    "ExtractionSpec",
    "FeatureStore",
    "LabelScheme",
    "Region",
    "RegionSet",
    "Scan",
    "Volume",
    "build",
    "read_cohort",
]

_HOME = {
    "build": "building.build_store",
    "Cohort": "cohort",
    "Scan": "scan",
    "read_cohort": "manifest.parser",
    "REN_REGIONS": "regions",
    "LabelScheme": "regions",
    "Region": "regions",
    "RegionSet": "regions",
    "ExtractionSpec": "spec",
    "FeatureStore": "store",
    "Volume": "volume",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
