"""One scan from its files to the rows of the store. This is what a worker process does; it touches no store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ren_features.errors import EmptyRegionError, VolumeError
from ren_features.extents import joined, label_extents
from ren_features.fingerprint import FileHash, Fingerprint, hash_file, stat
from ren_features.image_file import read_image, read_mask
from ren_features.outcome import Failure, Grid, Measurement, Outcome, RegionRow, describe
from ren_features.quality import missing_structures
from ren_features.radiomics import extract, refusal
from ren_features.resampling import to_analysis_grid
from ren_features.scan import Scan
from ren_features.spec import ExtractionSpec
from ren_features.volume import check_same_grid


class StageError(Exception):
    """Carries the name of the stage that failed; the error itself is its cause."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what is being done, for the table `failures`."""
    try:
        yield
    except Exception as error:
        raise StageError(name) from error


def measure_scan(scan: Scan, threads: int, *, spec: ExtractionSpec) -> Outcome:
    """Read, check, resample and measure one scan. Errors of the scan end in the outcome, whatever they are.

    Parameters
    ----------
    scan : Scan
    threads : int
        Threads that the engine may use.
    spec : ExtractionSpec
    """
    measurement, failure, image, mask = None, None, None, None
    try:
        with stage("read"):
            image, mask = hash_file(scan.image), hash_file(scan.mask)
        measurement = _measure(scan, spec, threads)
        with stage("read"):
            _check_unchanged(scan, image, mask)
        if measurement.refused:
            failure = Failure("radiomics", EmptyRegionError.__name__, "; ".join(measurement.refused))
    except StageError as error:
        measurement, failure = None, describe(str(error), error.__cause__)
    return Outcome(scan, tuple(file for file in (image, mask) if file), Fingerprint.of(scan, image, mask), measurement, failure)


def _measure(scan: Scan, spec: ExtractionSpec, threads: int) -> Measurement:
    with stage("read"):
        if scan.mask is None:
            raise VolumeError(f"scan {scan.scan_id}: expected a lobe mask, the manifest gives none")
        mask, image = read_mask(scan.mask).canonical(), read_image(scan.image).canonical()
    with stage("geometry"):
        check_same_grid(image, mask, where=f"mask {scan.mask}")
    with stage("labels"):
        scheme = spec.regions.scheme_for(scan.mask_scheme, where=f"scan {scan.scan_id}")
        present = label_extents(mask.voxels)
        scheme.check({label: extent.voxels for label, extent in present.items()}, where=f"mask {scan.mask}")
    original = Grid(image.size, image.spacing_mm)
    with stage("resample"):
        image, mask = to_analysis_grid(image, mask, spec.grid_spacing_mm, where=f"mask {scan.mask}", threads=threads)
    with stage("radiomics"):
        features = extract(image.voxels, mask.voxels, image.spacing_mm, scheme=scheme, spec=spec, threads=threads)
        findings = missing_structures(present, spec.regions, scheme)
        absent = {finding.region for finding in findings if finding.rule == "region_absent"}
        extents = label_extents(mask.voxels)
        rows, refused = [], []
        for region in spec.regions.regions:
            extent = joined(extents, (scheme.labels[member] for member in region.members))
            if region.name in features:
                rows.append(RegionRow(region.name, extent.voxels, extent.voxels * mask.voxel_volume_ml, features[region.name]))
            elif region.name not in absent:
                refused.append(f"region {region.name} of mask {scan.mask}: {refusal(extent)}")
        if refused and not rows:
            raise EmptyRegionError("; ".join(refused))
    return Measurement(original, Grid(image.size, image.spacing_mm), tuple(rows), tuple(findings), tuple(refused))


def _check_unchanged(scan: Scan, *before: FileHash | None) -> None:
    """A file that is replaced while it is read would be stored under the digest of another content."""
    for path, digest in zip((scan.image, scan.mask), before, strict=True):
        if path and (digest is None or stat(path) != (digest.bytes, digest.mtime_ns)):
            raise VolumeError(f"{path}: expected the file to stay as it is while it is measured, it was changed")
