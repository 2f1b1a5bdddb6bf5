"""Refusing a cohort that would put a patient's name or birth date into a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pydicom

from ren_features.cohort import Cohort
from ren_features.errors import CohortError
from ren_features.images.dicom.headers import each_header
from ren_features.images.dicom.identities import Identity
from ren_features.images.image_path import files_of
from ren_features.regions import RegionSet
from ren_features.scan import Scan, refers_to

TAGS = ("SeriesInstanceUID", "PatientID", "PatientName", "PatientBirthDate")


def refuse_disclosures(cohort: Cohort, regions: RegionSet) -> None:
    """Compare every text that a store would keep of a DICOM scan with the name and birth date in its header.

    Patient ids of headers are allowed: a manifest written by hand may be keyed by them. `ren-features manifest` makes pseudonyms
    of them, and refuses them too.

    Parameters
    ----------
    cohort : Cohort
    regions : RegionSet

    Raises
    ------
    CohortError
        With the scan and the column, never the text itself.
    """
    shared = [
        *(("the name of a region", region.name) for region in regions.regions),
        *(("a task", task) for task in cohort.labels),
    ]
    problems = [problem for scan in cohort.scans for problem in _disclosures(scan, shared)]
    if problems:
        raise CohortError(*problems)


def _disclosures(scan: Scan, shared: list[tuple[str, str]]) -> Iterator[str]:
    identity = _identity(scan)
    if not identity.words:
        return
    for place, text in (*_texts(scan), *shared):
        if identity.stands_in(text):
            yield (
                f"scan {_name(scan, identity)}: {place} holds the name or birth date of the DICOM header, which no store may "
                "keep; `ren-features manifest --links` makes pseudonyms and links"
            )


def _texts(scan: Scan) -> Iterator[tuple[str, str]]:
    """Columns with their texts, as a store keeps them."""
    yield from (("patient_id", scan.patient_id), ("scan_id", scan.scan_id), ("the path of the image", str(scan.image.absolute())))
    if scan.mask:
        yield "the path of the mask", str(scan.mask.absolute())
    for number, (column, value) in enumerate(scan.attributes.items(), start=1):
        yield f"attribute {number}", f"{column} {value}"


def _name(scan: Scan, identity: Identity) -> str:
    return "(its id tells who the patient is)" if identity.stands_in(scan.scan_id) else scan.scan_id


def _identity(scan: Scan) -> Identity:
    """Name and birth date of the first header of the scan's series; no words for files of other kinds."""
    for header in _headers(scan.image):
        if refers_to(scan.series_uid, header["SeriesInstanceUID"]):
            # Anonymised data often repeat the id in place of the name.
            names = [header["PatientName"]] if header["PatientName"] != header["PatientID"] else []
            return Identity.of(ids=[], names=names, birth_dates=[header["PatientBirthDate"]])
    return Identity(frozenset())


def _headers(image: Path) -> Iterator[dict[str, str]]:
    # A path that cannot be looked at is a failure of its scan, which the build records.
    with suppress(OSError):
        for path in files_of(image) if image.is_dir() else ():
            yield from each_header([path], TAGS, _plain, [])


def _plain(path: Path, header: pydicom.Dataset, left: int) -> dict[str, str]:  # noqa: ARG001 - the signature of `each_header`
    return {name: str(header.get(name, "")) for name in TAGS}
