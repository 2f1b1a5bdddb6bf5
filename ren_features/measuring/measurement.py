"""One scan from its files to the rows of the store. This is what a worker process does; it touches no store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ren_features.errors import EmptyRegionError, VolumeError
from ren_features.measuring.examination import Examination
from ren_features.measuring.outcome import Failure, Grid, Measurement, Outcome, RegionRow, describe
from ren_features.measuring.preparation import Prepared, StageError, prepare, read_image, stage, with_mask
from ren_features.measuring.preview import preview_path, write_preview
from ren_features.measuring.scan_files import Files
from ren_features.quality import WHOLE_SCAN, Observation, findings
from ren_features.radiomics import extract, refusal
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec
from ren_features.voxels.extents import Extent, joined, label_extents
from ren_features.voxels.histogram import Histogram, label_histograms, merged
from ren_features.voxels.label_digest import joined_digest


def measure_scan(scan: Scan, threads: int, *, spec: ExtractionSpec, lobes: LobeMasks, previews: Path | None = None) -> Outcome:
    """Read, check, resample and measure one scan. Errors of the scan end in the outcome, whatever they are.

    Parameters
    ----------
    scan : Scan
    threads : int
        Threads that the engine may use.
    spec : ExtractionSpec
    lobes : LobeMasks
        Where masks are that the manifest does not give, and whether to make them.
    previews : Path, optional
        Folder for pictures; without it, none is made.
    """
    files, measurement, failure, unpictured = Files(scan, None, None), None, None, None
    try:
        with stage("read"):
            files = Files.of(scan, lobes)
        ct = read_image(files, lobes, spec)
        files = with_mask(files, ct.volume, lobes, threads)
        prepared = prepare(files.scan, ct, spec, threads)
        measured = _measure(files, prepared, spec, threads)
        with stage("read"):
            if files.changed():
                # Not even the failure belongs to a content that is known.
                files = Files(files.scan, None, None)
                raise VolumeError(f"scan {scan.scan_id}: expected its files to stay as they are, they changed meanwhile")
        measurement = measured
        if measured.refused:
            failure = Failure("radiomics", EmptyRegionError.__name__, "; ".join(measured.refused))
        unpictured = _picture(files, prepared, spec, previews)
    except StageError as error:
        failure = describe(str(error), error.__cause__)
    return Outcome(files.scan, files.hashes, files.fingerprint, measurement, failure, unpictured)


def preview_scan(scan: Scan, threads: int, *, spec: ExtractionSpec, lobes: LobeMasks, previews: Path) -> Failure | None:
    """Make the picture of a scan that was measured before; what went wrong, if anything."""
    try:
        with stage("read"):
            files = Files.of(scan, lobes)
        prepared = prepare(files.scan, read_image(files, lobes, spec), spec, threads)
    except StageError as error:
        return describe(str(error), error.__cause__)
    return _picture(files, prepared, spec, previews)


def _picture(files: Files, prepared: Prepared, spec: ExtractionSpec, previews: Path | None) -> Failure | None:
    """Make the picture that is wanted; what went wrong, if anything."""
    if previews is None:
        return None
    structures = spec.regions.structures
    try:
        with stage("preview"):
            path = preview_path(previews, files.scan.scan_id, files.fingerprint, structures)
            write_preview(prepared.image, prepared.mask, path, {name: prepared.scheme.labels[name] for name in structures})
    except StageError as error:
        return describe(str(error), error.__cause__)
    return None


def _measure(files: Files, prepared: Prepared, spec: ExtractionSpec, threads: int) -> Measurement:
    image, mask = prepared.image, prepared.mask
    with stage("radiomics"):
        features = extract(image.voxels, mask.voxels, image.spacing_mm, scheme=prepared.scheme, spec=spec, threads=threads)
        extents, histograms = label_extents(mask.voxels), label_histograms(image.voxels, mask.voxels)
        rows, refused = _rows(files, prepared, spec, features, extents, histograms)
    with stage("quality"):
        contrast_told = any(name.startswith("contrast") for name in files.scan.attributes)
        examined = Examination(prepared, extents, histograms, spec.regions, contrast_told)
        islands = Observation("islands_removed", WHOLE_SCAN, files.removed_voxels)
        found = tuple(findings([*examined.observations(), islands]))
    original, analysed = Grid(prepared.original.size, prepared.original.spacing_mm), Grid(image.size, image.spacing_mm)
    return Measurement(
        original, analysed, prepared.acquisition, files.mask_source, prepared.original.digest(), rows, found, refused
    )


def _rows(
    files: Files,
    prepared: Prepared,
    spec: ExtractionSpec,
    features: Mapping[str, dict[str, float]],
    extents: Mapping[int, Extent],
    histograms: Mapping[int, Histogram],
) -> tuple[tuple[RegionRow, ...], tuple[str, ...]]:
    """A row for each region that was measured; why those of which the mask has voxels were not."""
    rows, refused = [], []
    for region in spec.regions.regions:
        labels = [prepared.scheme.labels[member] for member in region.members]
        extent = joined(extents, labels)
        if region.name in features:
            volume_ml, counts = extent.voxels * prepared.mask.voxel_volume_ml, merged(histograms, labels).counts
            digest = joined_digest(prepared.digests, labels)
            rows.append(RegionRow(region.name, extent.voxels, volume_ml, features[region.name], counts, digest))
        elif any(label in prepared.present for label in labels):
            refused.append(f"region {region.name} of mask {files.scan.mask}: {refusal(extent)}")
    if refused and not rows:
        raise EmptyRegionError("; ".join(refused))
    return tuple(rows), tuple(refused)
