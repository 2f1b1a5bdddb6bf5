"""Rows that a build writes. Every function is one transaction: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from ren_features.cohort import Cohort
from ren_features.errors import CohortError
from ren_features.images.acquisition import TECHNICAL_TAGS
from ren_features.images.fingerprint import FileHash, Fingerprint
from ren_features.measuring.outcome import Measurement, Outcome
from ren_features.quality import RULES_ID
from ren_features.scan import Scan, series_reference
from ren_features.store.connection import Connection, transaction
from ren_features.store.rows import Row, delete, insert, now
from ren_features.store.schema import create_views


def write_cohort(connection: Connection, cohort: Cohort) -> None:
    """Patients, scans and labels as the manifest gives them.

    A scan that the store has already takes its new date, paths and attributes, and its labels of the manifest's tasks;
    scans and tasks that the manifest does not list stay.

    Raises
    ------
    CohortError
        When the store has a scan of the same id under another patient.
    """
    known = dict(connection.execute("SELECT scan_id, patient_id FROM scans").fetchall())
    moved = [scan for scan in cohort.scans if known.get(scan.scan_id, scan.patient_id) != scan.patient_id]
    if moved:
        raise CohortError(
            *(
                f"scan {scan.scan_id}: expected patient {known[scan.scan_id]} as in the store, got {scan.patient_id}"
                for scan in moved
            )
        )
    labels = [
        {"scan_id": scan_id, "task": task, "value": value}
        for task, values in cohort.labels.items()
        for scan_id, value in values.items()
    ]
    with transaction(connection):
        insert(connection, "patients", [{"patient_id": patient} for patient in cohort.patients], or_what="IGNORE")
        insert(connection, "scans", [_scan_row(scan) for scan in cohort.scans], or_what="REPLACE")
        listed = [[scan.scan_id for scan in cohort.scans], list(cohort.labels)]
        connection.execute("DELETE FROM labels WHERE list_contains(?, scan_id) AND list_contains(?, task)", listed)
        insert(connection, "labels", labels)
        create_views(connection)


def _scan_row(scan: Scan) -> Row:
    return {
        "scan_id": scan.scan_id,
        "patient_id": scan.patient_id,
        "image": str(scan.image),
        "mask": str(scan.mask) if scan.mask else None,
        "mask_scheme": scan.mask_scheme,
        "scan_date": scan.scan_date,
        "attributes": json.dumps(dict(scan.attributes)),
        "series": series_reference(scan.series_uid, scan.scan_id) if scan.series_uid else None,
    }


def write_outcome(connection: Connection, outcome: Outcome, spec_id: str, run_id: str) -> None:
    """Everything that measuring one scan gave, in place of what the store had of it under this spec.

    A failure removes older rows when they come from other files than those that failed; not when a file could not be read
    at all: a disk that is not mounted must not empty a store.
    """
    key = {"scan_id": outcome.scan.scan_id, "spec_id": spec_id}
    with transaction(connection):
        write_hashes(connection, outcome.files)
        delete(connection, key, "failures")
        if outcome.measurement or _replaced(connection, outcome, key):
            delete(connection, key, "radiomics", "histograms", "quality", "inputs")
        if outcome.measurement:
            _write_measurement(connection, outcome, outcome.measurement, key, run_id)
        if outcome.failure:
            facts = {**asdict(outcome.failure), **asdict(outcome.fingerprint), "run_id": run_id, "failed_at": now()}
            insert(connection, "failures", [key | facts])


def write_hashes(connection: Connection, files: Sequence[FileHash]) -> None:
    """Remember digests, within the caller's transaction; not of files that changed a moment before they were read."""
    rows = [
        {"path": file.path, "bytes": file.bytes, "mtime_ns": file.mtime_ns, "sha256": file.sha256}
        for file in files
        if file.settled
    ]
    insert(connection, "file_hashes", rows, or_what="REPLACE")


def forget_failure(connection: Connection, scan_id: str, spec_id: str) -> None:
    """Remove the failure of a scan whose files are again those of its stored rows."""
    with transaction(connection):
        delete(connection, {"scan_id": scan_id, "spec_id": spec_id}, "failures")


def _replaced(connection: Connection, outcome: Outcome, key: Row) -> bool:
    """True when the store has rows of this scan from other files than those that were read now."""
    query = "SELECT image_sha256, mask_sha256, mask_scheme FROM inputs WHERE scan_id = ? AND spec_id = ?"
    stored = connection.execute(query, list(key.values())).fetchall()
    now = outcome.fingerprint
    return bool(stored) and None not in (now.image_sha256, now.mask_sha256) and Fingerprint(*stored[0]) != now


def _write_measurement(connection: Connection, outcome: Outcome, measurement: Measurement, key: Row, run_id: str) -> None:
    insert(
        connection,
        "radiomics",
        [
            {
                **key,
                "region": row.region,
                "patient_id": outcome.scan.patient_id,
                "run_id": run_id,
                "voxels": row.voxels,
                "volume_ml": row.volume_ml,
                **row.features,
            }
            for row in measurement.rows
        ],
    )
    insert(
        connection,
        "histograms",
        [
            {**key, "region": row.region, "counts": list(row.histogram), "voxels_sha256": row.voxels_sha256}
            for row in measurement.rows
        ],
    )
    insert(connection, "quality", [key | asdict(finding) for finding in measurement.findings])
    grids = {
        f"{grid}_{name}": value
        for grid in ("original", "analysed")
        for name, value in (("size", getattr(measurement, grid).size), ("spacing_mm", getattr(measurement, grid).spacing_mm))
    }
    told = {name: getattr(measurement.acquisition, name) for name in TECHNICAL_TAGS}
    facts = {
        **asdict(outcome.fingerprint),
        **grids,
        **told,
        "run_id": run_id,
        "mask_source": measurement.mask_source,
        "voxels_sha256": measurement.voxels_sha256,
        "rules_id": RULES_ID,
    }
    insert(connection, "inputs", [key | facts])
