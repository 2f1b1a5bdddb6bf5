"""Validation by headers alone: grids, DICOM series, label schemes. Nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ren_features.cohort import Cohort
from ren_features.errors import LabelError, RenError, SegmentationError
from ren_features.execution import Named, WorkerDiedError, run_tasks
from ren_features.images.image_file import read_grid
from ren_features.images.image_path import is_dicom
from ren_features.images.lobe_mask import check_structures, read_mask_grid
from ren_features.images.mask_fit import check_fit
from ren_features.regions import RegionSet
from ren_features.scan import Scan
from ren_features.volume import Volume

CHECK_SCAN = Named("ren_features.manifest.validation:check_scan")

WORTH_A_WORKER = 20
"""Scans; for fewer, starting another process takes longer than reading their headers."""


def problems_of(
    cohort: Cohort,
    regions: RegionSet,
    *,
    segment: bool = False,
    weights: Path | None = None,
    jobs: int = 1,
    tolerance_mm: float = 0.0,
) -> Iterator[str]:
    """Reasons why scans would fail, one message for each scan, in the cohort's order.

    Parameters
    ----------
    cohort : Cohort
    regions : RegionSet
    segment : bool
        Whether scans without a mask are to get one, so that none is missing.
    weights : Path, optional
        Folder of the segmenter's weights.
    jobs : int
        Most processes; few scans are read in this one.
    tolerance_mm : float
        Distance from an even grid up to which a slice of a DICOM series is taken.
    """
    yield from segmenter_problems(cohort, weights, segment=segment)
    yield from named(cohort, header_problems(cohort, regions, segment=segment, jobs=jobs, tolerance_mm=tolerance_mm))


def header_problems(cohort: Cohort, regions: RegionSet, *, segment: bool, jobs: int, tolerance_mm: float) -> dict[str, list[str]]:
    """Problems of every scan, by its id; parameters as in `problems_of`."""
    jobs = min(jobs, len(cohort.scans) // WORTH_A_WORKER)
    found: dict[str, list[str]] = {}
    check = partial(CHECK_SCAN, regions=regions, segment=segment, tolerance_mm=tolerance_mm)
    for scan, result in run_tasks(check, cohort.scans, jobs=jobs):
        found[scan.scan_id] = [f"could not be read: {result}"] if isinstance(result, WorkerDiedError) else result
    return found


def named(cohort: Cohort, found: dict[str, list[str]]) -> Iterator[str]:
    """Problems with their scan, in the cohort's order."""
    for scan in cohort.scans:
        yield from (f"scan {scan.scan_id}: {problem}" for problem in found[scan.scan_id])


def segmenter_problems(cohort: Cohort, weights: Path | None, *, segment: bool) -> Iterator[str]:
    """Reasons why no mask could be made for scans without one."""
    if not segment or all(scan.mask for scan in cohort.scans):
        return
    from ren_features.segmentation.networks import check_networks

    try:
        check_networks(weights)
    except SegmentationError as error:
        yield f"scans without a mask: {error}"


def check_scan(
    scan: Scan,
    threads: int,  # noqa: ARG001 - a task's signature
    *,
    regions: RegionSet,
    segment: bool,
    tolerance_mm: float = 0.0,
) -> list[str]:
    """Everything that is wrong with one scan."""
    found = [*scan.missing_files(segment=segment), *scan.scheme_problem(regions)]
    if not scan.image.exists():
        return found
    try:
        _check_mask(scan, read_grid(scan.image, scan.series_uid, tolerance_mm).canonical(), regions)
    except LabelError as error:
        # An unknown scheme has been told already.
        found += [] if str(error) in found else [str(error)]
    except (RenError, OSError) as error:
        found.append(str(error))
    return found


def _check_mask(scan: Scan, image: Volume, regions: RegionSet) -> None:
    if scan.mask is None or not scan.mask.exists():
        return
    if not (scan.mask.is_dir() or is_dicom(scan.mask)):
        check_fit(image, read_mask_grid(scan.mask), scan.image, scan.mask)
    check_structures(scan.mask, image, regions.scheme_for(scan.mask_scheme, where="mask_scheme"))
