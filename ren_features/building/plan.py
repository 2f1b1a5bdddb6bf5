"""Plan of a build: scans that are done, that failed before, and that are left."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ren_features.cohort import Cohort
from ren_features.images.fingerprint import FileHash, Fingerprint
from ren_features.measuring.outcome import Failure
from ren_features.measuring.scan_files import Files
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.store.connection import Connection


@dataclass
class Plan:
    """Scans of a cohort under one spec, by what is to become of them."""

    todo: list[Scan] = field(default_factory=list)
    done: list[Scan] = field(default_factory=list)
    failed_before: list[tuple[Scan, Failure]] = field(default_factory=list)
    recovered: list[Scan] = field(default_factory=list)
    """Done scans with a failure to forget: their files are again those of the stored rows."""
    files: list[FileHash] = field(default_factory=list)
    """Digests that were computed for the plan."""
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    """Of the scans with stored rows of their files as they are, by scan id."""


def make_plan(connection: Connection, cohort: Cohort, spec_id: str, lobes: LobeMasks, *, retry_failed: bool) -> Plan:
    """Compare what the scans' files contain now with what the store was made from.

    A scan is done when its rows come from the files as they are; one that failed is left alone until its files change,
    or for good with `retry_failed`.
    """
    stored = _fingerprints(connection, "inputs", spec_id)
    failed = _fingerprints(connection, "failures", spec_id)
    reasons = {
        row[0]: Failure(*row[1:])
        for row in connection.execute(
            "SELECT scan_id, stage, error_type, message FROM failures WHERE spec_id = ?", [spec_id]
        ).fetchall()
    }
    known = {row[0]: FileHash(*row) for row in connection.execute("FROM file_hashes").fetchall()}
    seen = {*stored, *failed}
    plan = Plan([scan for scan in cohort.scans if scan.scan_id not in seen])
    for scan, files in _hashed([scan for scan in cohort.scans if scan.scan_id in seen], lobes, known):
        plan.files += [file for file in files.hashes if known.get(file.path) != file]
        now = files.fingerprint
        if stored.get(scan.scan_id) == now:
            plan.fingerprints[scan.scan_id] = now
        if failed.get(scan.scan_id) == now:
            if retry_failed:
                plan.todo.append(scan)
            else:
                plan.failed_before.append((scan, reasons[scan.scan_id]))
        elif stored.get(scan.scan_id) == now:
            plan.done.append(scan)
            plan.recovered += [scan] if scan.scan_id in failed else []
        else:
            plan.todo.append(scan)
    return plan


def _fingerprints(connection: Connection, table: str, spec_id: str) -> dict[str, Fingerprint]:
    rows = connection.execute(
        f"SELECT scan_id, image_sha256, mask_sha256, mask_scheme FROM {table} WHERE spec_id = ?", [spec_id]
    ).fetchall()
    return {scan_id: Fingerprint(image, mask, scheme) for scan_id, image, mask, scheme in rows}


def _hashed(scans: Iterable[Scan], lobes: LobeMasks, known: dict[str, FileHash]) -> list[tuple[Scan, Files]]:
    # Threads: reading and hashing both release the interpreter lock.
    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda scan: (scan, Files.of(scan, lobes, known)), scans))
