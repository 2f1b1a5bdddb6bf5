"""What a build writes. Every function is one transaction: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import data_catalog
from ren_features.cohort import Cohort
from ren_features.errors import CohortError, StoreError
from ren_features.fingerprint import FileHash
from ren_features.measurement import Failure, Measurement, Outcome
from ren_features.provenance import Run
from ren_features.regions import RegionSet
from ren_features.spec import ExtractionSpec
from ren_features.store.connection import Connection, transaction
from ren_features.store.schema import create_views


def write_run(connection: Connection, run: Run, spec: ExtractionSpec) -> None:
    """Begin a run, with its spec and regions.

    Only one process can write a store, so a run that is still `running` was killed.

    Raises
    ------
    StoreError
        When the store knows a region of the same name that is made of other structures.
    """
    with transaction(connection):
        connection.execute("UPDATE runs SET status = 'killed' WHERE status = 'running'")
        settings = spec.settings
        connection.execute(
            "INSERT OR IGNORE INTO specs VALUES (?, ?, ?, ?)",
            [spec.spec_id, settings["engine"], settings["engine_version"], json.dumps(settings)],
        )
        _write_regions(connection, spec.regions)
        connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, NULL, 'running', ?, ?, ?)",
            [run.run_id, run.command, spec.spec_id, run.started_at, run.git_commit, run.host, json.dumps(run.packages)],
        )


def finish_run(connection: Connection, run_id: str, status: str) -> None:
    """End a run as `finished`, `interrupted` or `stopped`."""
    with transaction(connection):
        connection.execute("UPDATE runs SET status = ?, finished_at = ? WHERE run_id = ?", [status, _now(), run_id])


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
    scans = [
        [
            s.scan_id,
            s.patient_id,
            str(s.image),
            str(s.mask) if s.mask else None,
            s.mask_scheme,
            s.scan_date,
            json.dumps(dict(s.attributes)),
        ]
        for s in cohort.scans
    ]
    labels = [[scan_id, task, value] for task, values in cohort.labels.items() for scan_id, value in values.items()]
    listed = [[scan.scan_id, task] for task in cohort.labels for scan in cohort.scans]
    with transaction(connection):
        _many(connection, "INSERT OR IGNORE INTO patients VALUES (?)", [[patient] for patient in cohort.patients])
        _many(connection, "INSERT OR REPLACE INTO scans VALUES (?, ?, ?, ?, ?, ?, ?)", scans)
        _many(connection, "DELETE FROM labels WHERE scan_id = ? AND task = ?", listed)
        _many(connection, "INSERT INTO labels VALUES (?, ?, ?)", labels)
        create_views(connection)


def write_outcome(connection: Connection, outcome: Outcome, spec_id: str, run_id: str) -> None:
    """Everything that measuring one scan gave, in place of what the store had of it under this spec.

    A failure alone leaves older rows of the scan as they are: a disk that is not mounted must not empty a store.
    """
    key = [outcome.scan.scan_id, spec_id]
    with transaction(connection):
        write_hashes(connection, outcome.files)
        connection.execute("DELETE FROM failures WHERE scan_id = ? AND spec_id = ?", key)
        if outcome.measurement:
            _write_measurement(connection, outcome, outcome.measurement, key, run_id)
        if outcome.failure:
            _write_failure(connection, outcome, outcome.failure, key, run_id)


def write_hashes(connection: Connection, files: tuple[FileHash, ...]) -> None:
    """Remember digests, within the caller's transaction; not of files that changed a moment ago."""
    rows = [[file.path, file.bytes, file.mtime_ns, file.sha256] for file in files if file.settled]
    _many(connection, "INSERT OR REPLACE INTO file_hashes VALUES (?, ?, ?, ?)", rows)


def forget_failure(connection: Connection, scan_id: str, spec_id: str) -> None:
    """Remove the failure of a scan whose files are again those of its stored rows."""
    with transaction(connection):
        connection.execute("DELETE FROM failures WHERE scan_id = ? AND spec_id = ?", [scan_id, spec_id])


def _write_measurement(connection: Connection, outcome: Outcome, measurement: Measurement, key: list[str], run_id: str) -> None:
    scan, spec_id = outcome.scan, key[1]
    for table in ("radiomics", "quality", "inputs"):
        connection.execute(f"DELETE FROM {table} WHERE scan_id = ? AND spec_id = ?", key)
    names = list(data_catalog.features())
    rows = [
        [
            scan.scan_id,
            row.region,
            spec_id,
            scan.patient_id,
            run_id,
            row.voxels,
            row.volume_ml,
            *(row.features.get(name) for name in names),
        ]
        for row in measurement.rows
    ]
    _many(connection, f"INSERT INTO radiomics VALUES ({', '.join('?' * (7 + len(names)))})", rows)
    findings = [[scan.scan_id, f.region, spec_id, f.rule, f.severity, f.value, f.message] for f in measurement.findings]
    _many(connection, "INSERT INTO quality VALUES (?, ?, ?, ?, ?, ?, ?)", findings)
    digests, original, analysed = outcome.fingerprint, measurement.original, measurement.analysed
    connection.execute(
        "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, 'manifest', ?, ?, ?, ?)",
        [
            *key,
            run_id,
            digests.image_sha256,
            digests.mask_sha256,
            digests.mask_scheme,
            original.size,
            original.spacing_mm,
            analysed.size,
            analysed.spacing_mm,
        ],
    )


def _write_failure(connection: Connection, outcome: Outcome, failure: Failure, key: list[str], run_id: str) -> None:
    digests = outcome.fingerprint
    connection.execute(
        "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *key,
            failure.stage,
            failure.error_type,
            failure.message,
            run_id,
            _now(),
            digests.image_sha256,
            digests.mask_sha256,
            digests.mask_scheme,
        ],
    )


def _write_regions(connection: Connection, regions: RegionSet) -> None:
    """One name, one meaning: regions of a name must be made of the same structures throughout a store."""
    known = dict(connection.execute("SELECT name, members FROM regions").fetchall())
    descriptions = data_catalog.region_descriptions()
    for position, region in enumerate(regions.regions):
        members = sorted(region.members)
        if known.get(region.name, members) != members:
            raise StoreError(
                f"region {region.name}: expected {known[region.name]} as in the store, got {members}; use another name or store"
            )
        connection.execute(
            "INSERT OR IGNORE INTO regions VALUES (?, ?, ?, ?)", [region.name, position, members, descriptions.get(region.name)]
        )


def _many(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """`executemany`, which refuses to do nothing."""
    if rows:
        connection.executemany(statement, rows)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
