"""Rows for a PACS export: one for each usable CT series, with pseudonyms in place of ids."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ren_features.errors import CohortError
from ren_features.images.acquisition import TECHNICAL_TAGS
from ren_features.images.dicom.identities import Identities, Identity
from ren_features.images.image_path import IMAGE_SUFFIXES
from ren_features.manifest.pseudonyms import Pseudonyms, secret_file
from ren_features.manifest.rows import Row, Rows, note, relative

if TYPE_CHECKING:
    from ren_features.images.dicom.export import ScanFound

KEY_NAME = "id.key"

LINKED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
"""Columns that the mapping file links pseudonyms to."""


@dataclass(frozen=True)
class ExportOptions:
    """Options for the manifest of an export.

    Parameters
    ----------
    id_key : Path, optional
        File with the key of the pseudonyms, made when absent; by default `id.key` beside the manifest.
    pick : str, optional
        `thinnest`, `largest` or a kernel: one series of each study instead of all.
    mapping : Path, optional
        CSV file that links pseudonyms to patients, for the hospital's own use; by default nothing is written.
    links : Path, optional
        Folder for links to the series, which the manifest then lists: where the export's own paths tell who a patient is.
    tolerance_mm : float
        Distance from an even grid up to which a slice is taken.
    """

    id_key: Path | None = None
    pick: str | None = None
    mapping: Path | None = None
    links: Path | None = None
    tolerance_mm: float = 0.0


def rows_of_export(folder: Path, output: Path, masks: Path | None, how: ExportOptions) -> Rows:
    """A row for each usable CT series.

    Raises
    ------
    CohortError
        When there is none, or a file that is to be written cannot be.
    """
    from ren_features.images.dicom.export import picked, read_export  # most cohorts have no DICOM, and need not wait for pydicom

    export = read_export(folder, masks, how.tolerance_mm)
    scans = picked(export.scans, how.pick) if how.pick else list(export.scans)
    if not scans:
        reasons = "".join(f"\n  {text}" for text in export.notes)
        kernels = sorted({scan.series.acquisition.kernel or "no kernel" for scan in export.scans})
        got = f"none has kernel {how.pick}, they have {', '.join(kernels)}" if export.scans else f"found none{reasons}"
        raise CohortError(
            f"{folder}: expected CT series as DICOM, or images <patient>/<scan> of type {', '.join(IMAGE_SUFFIXES)}; {got}"
        )
    pseudonyms = Pseudonyms.from_file(how.id_key or output.with_name(KEY_NAME))
    rows = [_row(scan, pseudonyms, output) for scan in scans]
    if how.links:
        for row, scan in zip(rows, scans, strict=True):
            row["image"] = relative(_linked(how.links / row["scan_id"], scan.folder), output)
            if scan.mask:
                row["mask"] = relative(_linked(how.links / f"{row['scan_id']}.dcm", scan.mask), output)
    if how.mapping:
        _write_mapping(rows, scans, how.mapping)
    known = {scan.patient: row["patient_id"] for row, scan in zip(rows, scans, strict=True)}
    return Rows(rows, _notes(rows, scans, export.notes), known, _identities(rows, scans))


def _identities(rows: list[Row], scans: list[ScanFound]) -> Identities:
    """Everyone whose scans are listed, with all words that the headers of their scans have for them."""
    words: dict[str, frozenset[str]] = {}
    for row, scan in zip(rows, scans, strict=True):
        words[row["patient_id"]] = words.get(row["patient_id"], frozenset()) | scan.identity.words
    return Identities({patient: Identity(of_patient) for patient, of_patient in words.items()})


def _row(scan: ScanFound, pseudonyms: Pseudonyms, output: Path) -> Row:
    told = {name: getattr(scan.series.acquisition, name) for name in TECHNICAL_TAGS}
    return {
        "patient_id": pseudonyms.of("patient", scan.patient),
        "scan_id": pseudonyms.of("scan", scan.series.uid),
        "study_id": pseudonyms.of("examination", scan.study),
        "image": relative(scan.folder, output),
        "series_uid": scan.series.uid if scan.needs_uid else "",
        "mask": relative(scan.mask, output) if scan.mask else "",
        "mask_scheme": "dicom" if scan.mask else "",
        **{name: "" if value is None else str(value) for name, value in told.items()},
    }


def _linked(link: Path, target: Path) -> Path:
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and link.resolve() != target.resolve():
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(target.resolve())
    except OSError as error:
        raise CohortError(f"{link}: expected a place for a link to a series, got {error}") from error
    return link


def _write_mapping(rows: list[Row], scans: list[ScanFound], path: Path) -> None:
    try:
        with secret_file(path) as file:
            writer = csv.writer(file)
            writer.writerow(["patient_id", "study_id", "scan_id", *LINKED])
            for row, scan in zip(rows, scans, strict=True):
                writer.writerow([row["patient_id"], row["study_id"], row["scan_id"], *map(scan.series.text, LINKED)])
    except OSError as error:
        raise CohortError(f"{path}: expected a place for the mapping, got {error}") from error


def _notes(rows: list[Row], scans: list[ScanFound], found: tuple[str, ...]) -> list[str]:
    nameless = [row["scan_id"] for row, scan in zip(rows, scans, strict=True) if not scan.series.text("PatientID")]
    return [
        *found,
        *note("scans have no patient id: each study of theirs counts as a patient of its own", nameless),
        *note(
            "scans have no lobe mask: `ren-features build --segment` makes one",
            [row["scan_id"] for row in rows if not row["mask"]],
        ),
    ]
