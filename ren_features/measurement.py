"""One scan from its files to the rows of the store. This is what a worker process does; it touches no store."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ren_features.cohort import Scan
from ren_features.errors import EmptyRegionError, RenError, VolumeError
from ren_features.fingerprint import FileHash, Fingerprint, hash_file
from ren_features.image_file import read_image, read_mask
from ren_features.quality import Finding, missing_structures
from ren_features.radiomics import extract, refusal
from ren_features.regions import LabelScheme, region_mask
from ren_features.resampling import to_analysis_grid
from ren_features.spec import ExtractionSpec
from ren_features.volume import Vector, Volume, check_same_grid


@dataclass(frozen=True)
class RegionRow:
    """A row of the table `radiomics`."""

    region: str
    voxels: int
    volume_ml: float
    features: dict[str, float]


@dataclass(frozen=True)
class Grid:
    """Size in voxels and spacing in mm, both along z, y, x."""

    size: tuple[int, int, int]
    spacing_mm: Vector


@dataclass(frozen=True)
class Measurement:
    """The rows of one scan; `refused` says why some regions have none although the mask has voxels of them."""

    original: Grid
    analysed: Grid
    rows: tuple[RegionRow, ...]
    findings: tuple[Finding, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """Why a scan, or some of its regions, could not be measured, and at which stage."""

    stage: str
    error_type: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: a measurement, a failure, or both when some of its regions were refused."""

    scan: Scan
    files: tuple[FileHash, ...]
    fingerprint: Fingerprint
    measurement: Measurement | None
    failure: Failure | None


class StageError(Exception):
    """Carries the name of the stage that failed; the error itself is its cause."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what is being done, for the table `failures`."""
    try:
        yield
    except Exception as error:
        raise StageError(name) from error


def measure_scan(scan: Scan, spec: ExtractionSpec, *, threads: int | None = None) -> Outcome:
    """Read, check, resample and measure one scan. Errors of the scan end in the outcome, whatever they are.

    Parameters
    ----------
    scan : Scan
    spec : ExtractionSpec
    threads : int, optional
        Threads that the engine may use.
    """
    image, mask = hash_file(scan.image), hash_file(scan.mask)
    measurement, failure = None, None
    try:
        measurement = _measure(scan, spec, threads)
        with stage("read"):
            _check_unchanged(scan, image, mask)
        if measurement.refused:
            failure = Failure("radiomics", EmptyRegionError.__name__, "; ".join(measurement.refused))
    except StageError as error:
        measurement, failure = None, describe(str(error), error.__cause__)
    return Outcome(scan, tuple(file for file in (image, mask) if file), Fingerprint.of(scan, image, mask), measurement, failure)


def describe(stage_name: str, error: BaseException | None) -> Failure:
    """A failure in words; an error that is not ours tells where in the code it arose, so that it can be reported."""
    if isinstance(error, RenError):
        return Failure(stage_name, type(error).__name__, str(error))
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    place = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return Failure(stage_name, type(error).__name__, f"unexpected {type(error).__name__}: {error}{place}")


def _measure(scan: Scan, spec: ExtractionSpec, threads: int | None) -> Measurement:
    with stage("read"):
        if scan.mask is None:
            raise VolumeError(f"scan {scan.scan_id}: expected a lobe mask, the manifest gives none")
        mask, image = read_mask(scan.mask).canonical(), read_image(scan.image).canonical()
    with stage("geometry"):
        check_same_grid(image, mask, where=f"mask {scan.mask}")
    with stage("labels"):
        scheme = spec.regions.scheme_for(scan.mask_scheme, where=f"scan {scan.scan_id}")
        counts = count_labels(mask.voxels)
        scheme.check(counts, where=f"mask {scan.mask}")
    original = Grid(image.size, image.spacing_mm)
    with stage("resample"):
        image, mask = to_analysis_grid(image, mask, spec.grid_spacing_mm, where=f"mask {scan.mask}")
    with stage("radiomics"):
        features = extract(
            image.voxels, mask.voxels, image.spacing_mm, regions=spec.regions, scheme=scheme, spec=spec, threads=threads
        )
        rows = _rows(features, mask, spec, scheme)
        findings = missing_structures(counts, spec.regions, scheme)
        refused = _refused(
            scan,
            mask,
            spec,
            scheme,
            {*features, *(finding.region for finding in findings if finding.rule == "region_absent")},
        )
        if not rows:
            raise EmptyRegionError("; ".join(refused))
    return Measurement(original, Grid(image.size, image.spacing_mm), rows, tuple(findings), refused)


def count_labels(labels: NDArray[np.integer]) -> dict[int, int]:
    """Voxels of every label but the background, by label number."""
    if labels.dtype.itemsize <= 2:
        counts = np.bincount(labels.ravel())
        found = np.flatnonzero(counts)
        pairs = zip(found.tolist(), counts[found].tolist(), strict=True)
    else:
        numbers, each = np.unique(labels, return_counts=True)
        pairs = zip(numbers.tolist(), each.tolist(), strict=True)
    return {number: count for number, count in pairs if number}


def _rows(
    features: dict[str, dict[str, float]], mask: Volume, spec: ExtractionSpec, scheme: LabelScheme
) -> tuple[RegionRow, ...]:
    rows = []
    for region in spec.regions.regions:
        if region.name in features:
            voxels = int(region_mask(mask.voxels, region, scheme).sum())
            rows.append(RegionRow(region.name, voxels, voxels * mask.voxel_volume_ml, features[region.name]))
    return tuple(rows)


def _refused(scan: Scan, mask: Volume, spec: ExtractionSpec, scheme: LabelScheme, settled: set[str]) -> tuple[str, ...]:
    """Why regions that the mask has voxels of were not measured."""
    return tuple(
        f"region {region.name} of mask {scan.mask}: {refusal(region_mask(mask.voxels, region, scheme))}"
        for region in spec.regions.regions
        if region.name not in settled
    )


def _check_unchanged(scan: Scan, *before: FileHash | None) -> None:
    """A file that is replaced while it is read would be stored under the digest of another content."""
    for path, digest in zip((scan.image, scan.mask), before, strict=True):
        if path and digest and path.stat().st_mtime_ns != digest.mtime_ns:
            raise VolumeError(f"{path}: expected the file to stay as it is while it is measured, it was changed")
