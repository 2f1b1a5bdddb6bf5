"""Outcome of one scan: rows of its regions, or the reason why there are none."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from ren_features.errors import RenError
from ren_features.images.acquisition import Acquisition
from ren_features.images.fingerprint import FileHash, Fingerprint
from ren_features.quality import Finding
from ren_features.scan import Scan
from ren_features.spec import Spacing


@dataclass(frozen=True)
class RegionRow:
    """A row of the table `radiomics`."""

    region: str
    voxels: int
    volume_ml: float
    features: dict[str, float]
    histogram: tuple[int, ...]
    """Voxels by CT number, as the table `histograms` keeps them."""
    voxels_sha256: str | None
    """By which the region is known again in another file (`label_digest`)."""


@dataclass(frozen=True)
class Grid:
    """Size in voxels and spacing in mm, both along z, y, x."""

    size: tuple[int, int, int]
    spacing_mm: Spacing


@dataclass(frozen=True)
class Measurement:
    """The rows of one scan; `refused` says why some regions have none although the mask has voxels of them."""

    original: Grid
    analysed: Grid
    acquisition: Acquisition
    mask_source: str
    voxels_sha256: str
    rows: tuple[RegionRow, ...]
    findings: tuple[Finding, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """Reason why a scan, or some of its regions, could not be measured, with its stage."""

    stage: str
    error_type: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """Outcome of one scan: a measurement, a failure, or both when some of its regions were refused."""

    scan: Scan
    files: tuple[FileHash, ...]
    fingerprint: Fingerprint
    measurement: Measurement | None
    failure: Failure | None
    unpictured: Failure | None = None
    """Reason why a wanted picture is missing; that is no failure of the scan."""


def describe(stage_name: str, error: BaseException | None) -> Failure:
    """A failure in words; an error that is not ours tells where in the code it arose, so that it can be reported."""
    if isinstance(error, RenError):
        return Failure(stage_name, type(error).__name__, error.to_keep)
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    place = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    # What DICOM libraries say quotes values of headers.
    quotes = any(library in frame.filename for frame in frames for library in ("/pydicom/", "/highdicom/"))
    return Failure(stage_name, type(error).__name__, f"unexpected {type(error).__name__}{'' if quotes else f': {error}'}{place}")
