"""Deep validation: run `build` up to the first feature of a scan. Nothing is stored or written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ren_features.cohort import Cohort
from ren_features.execution import Named, WorkerDiedError, run_tasks
from ren_features.images.image_file import read_ct
from ren_features.manifest.validation import header_problems, named, segmenter_problems
from ren_features.measuring.measurement import measure_scan
from ren_features.measuring.outcome import describe
from ren_features.measuring.preparation import StageError, stage
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec, check_engine

TRY_SCAN = Named("ren_features.manifest.deep_validation:try_scan")

FIRST_FEATURE = ("original_firstorder_Minimum",)
"""All that is computed: whether a region can be measured does not depend on which features are wanted."""

NO_MASKS = LobeMasks(Path("/dev/null"))
"""Without a store there are no masks that were made before."""


@dataclass(frozen=True)
class Trial:
    """Reason why `build` would refuse a scan or some of its regions, and the digest of the voxels that were read."""

    problem: str | None
    voxels_sha256: str | None = None


@dataclass(frozen=True)
class Validation:
    """Problems, for which `build` would refuse scans; and notes, on what it takes although it looks wrong."""

    problems: list[str]
    notes: list[str]


def validate_deeply(
    cohort: Cohort,
    spec: ExtractionSpec,
    *,
    segment: bool = False,
    weights: Path | None = None,
    jobs: int = 1,
    tell: Callable[[str, int], None] | None = None,
) -> Validation:
    """Problems of headers, and of the voxels of those scans whose headers have none.

    Parameters
    ----------
    cohort : Cohort
    spec : ExtractionSpec
        Regions, and the grid that scans are brought to.
    segment : bool
        Whether scans without a mask will get one; of those the image alone is read.
    weights : Path, optional
        Folder of the segmenter's weights.
    jobs : int
        Worker processes; 0 reads voxels in this one.
    tell : callable, optional
        Is told what was checked, and how many scans that is.

    Raises
    ------
    SpecError
        When the spec's engine cannot run here.
    """
    check_engine(spec.engine)
    found = header_problems(cohort, spec.regions, segment=segment, jobs=jobs, tolerance_mm=spec.tolerance_mm)
    sound = [scan for scan in cohort.scans if not found[scan.scan_id]]
    if tell:
        tell("headers", len(found) - len(sound))
    trials: dict[str, Trial] = {}
    attempt = partial(TRY_SCAN, spec=replace(spec, features=FIRST_FEATURE), segment=segment)
    for scan, result in run_tasks(attempt, sound, jobs=jobs):
        trials[scan.scan_id] = Trial(str(result)) if isinstance(result, WorkerDiedError) else result
        if tell:
            tell(scan.scan_id, 1)
    found |= {scan_id: [trial.problem] for scan_id, trial in trials.items() if trial.problem}
    segmenter = segmenter_problems(cohort, weights, segment=segment)
    return Validation([*segmenter, *named(cohort, found)], _repeated_images(sound, trials))


def try_scan(scan: Scan, threads: int, *, spec: ExtractionSpec, segment: bool) -> Trial:
    """Measure a scan as `build` does, and keep what failed."""
    if scan.mask is None and segment:
        return _try_image(scan, spec.tolerance_mm)
    outcome = measure_scan(scan, threads, spec=spec, lobes=NO_MASKS)
    problem = outcome.failure.message.removeprefix(f"scan {scan.scan_id}: ") if outcome.failure else None
    return Trial(problem, outcome.measurement.voxels_sha256 if outcome.measurement else None)


def _try_image(scan: Scan, tolerance_mm: float) -> Trial:
    try:
        with stage("read"):
            return Trial(None, read_ct(scan.image, scan.series_uid, tolerance_mm).volume.canonical().digest())
    except StageError as error:
        return Trial(describe(str(error), error.__cause__).message)


def _repeated_images(scans: Sequence[Scan], trials: dict[str, Trial]) -> list[str]:
    """A note on every image that several scans have: `build` takes it, and the rule `duplicate_image` finds it."""
    by_image = defaultdict(list)
    for scan in scans:
        if digest := trials[scan.scan_id].voxels_sha256:
            by_image[digest].append(f"{scan.scan_id} (patient {scan.patient_id})")
    return [f"the same image under several ids: {', '.join(same)}" for same in by_image.values() if len(same) > 1]
