"""`build`: plan what is missing, measure it, commit it scan by scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from ren_features.building.plan import Plan, make_plan
from ren_features.cohort import Cohort
from ren_features.execution import Named, WorkerDiedError, run_tasks
from ren_features.images.dicom.disclosure import refuse_disclosures
from ren_features.manifest.parser import read_cohort
from ren_features.measuring.outcome import Failure, Outcome
from ren_features.measuring.preview import preview_folder, preview_path
from ren_features.measuring.scan_files import Files
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec, check_engine
from ren_features.store.connection import Connection, connect_to_write, transaction
from ren_features.store.duplicates import mark_duplicates
from ren_features.store.provenance import Run
from ren_features.store.runs import recorded, write_run
from ren_features.store.writing import forget_failure, write_cohort, write_hashes, write_outcome

MEASURE_SCAN, PREVIEW_SCAN = (
    Named("ren_features.measuring.measurement:measure_scan"),
    Named("ren_features.measuring.measurement:preview_scan"),
)
"""Functions of workers, by name: the libraries for images are loaded there alone."""


@dataclass
class Summary:
    """Numbers of a build."""

    run_id: str
    stored: list[Scan] = field(default_factory=list)
    already_done: list[Scan] = field(default_factory=list)
    failed: list[tuple[Scan, Failure]] = field(default_factory=list)
    pictured: list[Scan] = field(default_factory=list)
    """Scans of before that got a picture now."""
    unpictured: list[tuple[Scan, Failure]] = field(default_factory=list)
    """Measured scans that were to get one, and why they did not."""
    left: int = 0
    seconds: float = 0.0
    interrupted: bool = False


class Listener(Protocol):
    """Is told how a build goes; every method returns at once."""

    def planned(self, plan: Plan) -> None:
        """Called once, before the first scan."""

    def finished(self, outcome: Outcome) -> None:
        """Called after each scan has been committed."""

    def pictured(self, scan: Scan, failure: Failure | None, left: int) -> None:
        """Called after each picture of a scan that was measured before; `left` are still to be made."""


class Silent:
    """A listener that does not care."""

    def planned(self, plan: Plan) -> None:
        """Do nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Do nothing."""

    def pictured(self, scan: Scan, failure: Failure | None, left: int) -> None:
        """Do nothing."""


def build(
    cohort: Cohort | str | Path,
    store: str | Path,
    *,
    spec: ExtractionSpec | None = None,
    jobs: int = 1,
    threads: int = 1,
    retry_failed: bool = False,
    segment: bool = False,
    weights: Path | None = None,
    previews: bool = False,
    listener: Listener | None = None,
) -> Summary:
    """Bring a store up to date with a cohort.

    Parameters
    ----------
    cohort : Cohort, or path of a manifest
    store : path of the store; made when absent
    spec : ExtractionSpec, optional
        By default REN's.
    jobs : int
        Worker processes; 0 measures in this process.
    threads : int
        Threads of each worker. For a cohort more workers are better; for a single large scan, more threads.
    retry_failed : bool
        Whether to measure again what failed before with the same files.
    segment : bool
        Whether lungmask is to make the masks that the manifest does not give; they are kept in `<store>.masks/` and reused.
    weights : Path, optional
        Folder of lungmask's weights; by default torch's own.
    previews : bool
        Whether to make a picture of each scan for the report, in `<store>.previews/`.
    listener : Listener, optional
        Is told of every scan.

    Returns
    -------
    Summary
        Interrupted by Ctrl-C or SIGTERM, it says so and how many scans are left.

    Raises
    ------
    CohortError, SpecError, StoreError
        When nothing can be built at all. What is wrong with one scan is recorded in `failures` instead.
    """
    start = time.monotonic()
    cohort = cohort if isinstance(cohort, Cohort) else read_cohort(cohort)
    spec, listener = spec or ExtractionSpec(), listener or Silent()
    check_engine(spec.engine)
    refuse_disclosures(cohort, spec.regions)
    store = Path(store)
    lobes = LobeMasks.beside(store, weights=weights, segment=segment)
    pictures = preview_folder(store) if previews else None
    connection = connect_to_write(store)
    try:
        run = Run.begin()
        write_run(connection, run, spec)
        summary = Summary(run.run_id)
        with _interruptible(connection, summary):
            write_cohort(connection, cohort)
            plan = _plan(connection, cohort, spec, lobes, retry_failed=retry_failed)
            summary.already_done, summary.failed, summary.left = plan.done, plan.failed_before, len(plan.todo)
            listener.planned(plan)
            measure = partial(MEASURE_SCAN, spec=spec, lobes=lobes, previews=pictures)
            for outcome in _measure_all(plan.todo, measure, lobes, jobs, threads):
                write_outcome(connection, outcome, spec.spec_id, run.run_id)
                _count(summary, outcome)
                listener.finished(outcome)
            if pictures:
                preview = partial(PREVIEW_SCAN, spec=spec, lobes=lobes, previews=pictures)
                without = _without_picture(plan, pictures, spec)
                for made, (scan, failed) in enumerate(_picture_all(without, preview, jobs, threads), start=1):
                    _count_picture(summary, scan, failed)
                    listener.pictured(scan, failed, len(without) - made)
    finally:
        connection.close()
    summary.seconds = time.monotonic() - start
    return summary


@contextmanager
def _interruptible(connection: Connection, summary: Summary) -> Iterator[None]:
    """Write how the run ended, and which scans hold one image; an interruption ends here, the summary tells of it."""
    try:
        with recorded(lambda: nullcontext(connection), summary.run_id):
            yield
    except KeyboardInterrupt:
        summary.interrupted = True
    mark_duplicates(connection)


def _plan(connection: Connection, cohort: Cohort, spec: ExtractionSpec, lobes: LobeMasks, *, retry_failed: bool) -> Plan:
    plan = make_plan(connection, cohort, spec.spec_id, lobes, retry_failed=retry_failed)
    with transaction(connection):
        write_hashes(connection, plan.files)
    for scan in plan.recovered:
        forget_failure(connection, scan.scan_id, spec.spec_id)
    return plan


def _measure_all(
    scans: list[Scan], measure: Callable[[Scan, int], Outcome], lobes: LobeMasks, jobs: int, threads: int
) -> Iterator[Outcome]:
    for scan, result in run_tasks(measure, scans, jobs=jobs, threads=threads):
        if isinstance(result, WorkerDiedError):
            files = Files.of(scan, lobes)
            yield Outcome(files.scan, (), files.fingerprint, None, _died(scan, result))
        else:
            yield result


def _died(scan: Scan, death: WorkerDiedError) -> Failure:
    return Failure("worker", type(death).__name__, f"scan {scan.scan_id}: {death}")


def _without_picture(plan: Plan, folder: Path, spec: ExtractionSpec) -> list[Scan]:
    """Scans that were measured before, at least in part, and have no picture of the files that they were measured from."""
    measured = [*plan.done, *(scan for scan, _ in plan.failed_before if scan.scan_id in plan.fingerprints)]
    return [
        scan
        for scan in measured
        if not preview_path(folder, scan.scan_id, plan.fingerprints[scan.scan_id], spec.regions.structures).exists()
    ]


def _picture_all(
    scans: list[Scan], preview: Callable[[Scan, int], Failure | None], jobs: int, threads: int
) -> Iterator[tuple[Scan, Failure | None]]:
    for scan, result in run_tasks(preview, scans, jobs=jobs, threads=threads):
        yield scan, _died(scan, result) if isinstance(result, WorkerDiedError) else result


def _count_picture(summary: Summary, scan: Scan, failure: Failure | None) -> None:
    if failure:
        summary.unpictured.append((scan, failure))
    else:
        summary.pictured.append(scan)


def _count(summary: Summary, outcome: Outcome) -> None:
    summary.left -= 1
    if outcome.measurement:
        summary.stored.append(outcome.scan)
    if outcome.failure:
        summary.failed.append((outcome.scan, outcome.failure))
    if outcome.unpictured:
        summary.unpictured.append((outcome.scan, outcome.unpictured))
