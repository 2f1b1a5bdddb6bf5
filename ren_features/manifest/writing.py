"""One manifest, of whatever a folder holds, with the labels of another table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ren_features.cohort import Cohort
from ren_features.draft import draft_of
from ren_features.errors import CohortError
from ren_features.images.image_path import IMAGE_SUFFIXES, files_of, is_dicom
from ren_features.manifest.export import ExportOptions, rows_of_export
from ren_features.manifest.labels import LabelsTable
from ren_features.manifest.layout import Layout
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.privacy import refuse_identities
from ren_features.manifest.rows import Rows
from ren_features.manifest.tree import Images, images_of, rows_of_tree
from ren_features.regions import LABEL_SCHEMES


@dataclass(frozen=True)
class Written:
    """The cohort of a new manifest, and what a person should know about it."""

    cohort: Cohort
    notes: tuple[str, ...]


def write_manifest(
    folder: Path,
    output: Path,
    *,
    masks: Path | None = None,
    mask_scheme: str | None = None,
    labels: LabelsTable | Path | None = None,
    patient_prefix: bool = False,
    dicom: ExportOptions | None = None,
    layout: str | None = None,
) -> Written:
    """Write one row for each image of a folder tree `<patient>/<scan>.nii.gz`, or each usable CT series of a PACS export.

    Parameters
    ----------
    folder : Path
        Of a tree (.nii.gz, .nii, .nrrd, .mha, .mhd), the file name is the `scan_id`; an export may have any nesting and any
        file names.
    output : Path
        CSV file; paths in it are relative to it.
    masks : Path, optional
        Folder tree of masks with the same patients and file names, of any of these formats; for an export, a folder with
        DICOM SEG or RTSTRUCT files.
    mask_scheme : str, optional
        Label scheme of all masks of a tree.
    patient_prefix : bool
        Whether scan ids are `<patient>_<file name>`: needed where patients use the same file names.
    labels : LabelsTable or Path, optional
        Table with `scan_id` or `patient_id`; its other columns are joined to the scans. For an export, patients may stand there
        under their own ids, and of the columns labels and dates are joined, others when they are asked for.
    dicom : ExportOptions, optional
        Makes it an export; without it, an export is what has no such tree.
    layout : str, optional
        A public data set of the catalog, or a YAML file with the patterns of paths: see `manifest.layout`.

    Raises
    ------
    CohortError
        With every problem; then no manifest is written. Of an export, also when something to be written tells who a patient is.
    """
    table_of_labels = LabelsTable(labels) if isinstance(labels, Path) else labels
    if mask_scheme and mask_scheme not in LABEL_SCHEMES:
        raise CohortError(f"mask scheme: expected one of {', '.join(LABEL_SCHEMES)}, got {mask_scheme}")
    if output.suffix == ".parquet" or (table_of_labels and table_of_labels.is_file(output)):
        raise CohortError(f"{output}: expected the name of a CSV file that is not the labels table")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise CohortError(f"{output}: expected the name of a file in a folder that is there")
    if layout and (masks or mask_scheme or dicom):
        raise CohortError(f"layout {layout}: expected no masks or DICOM options beside it, as it says where masks are")
    found = (
        Layout.named(layout).rows(folder, output, patient_prefix=patient_prefix)
        if layout
        else _rows_of(folder, output, masks, mask_scheme, dicom, patient_prefix=patient_prefix)
    )
    table, notes = pl.DataFrame(found.rows), found.notes
    if table_of_labels:
        table, joined = table_of_labels.joined_to(table, found)
        notes = [*notes, *joined]
    if found.identities:
        refuse_identities(table, found.identities, output)
    return Written(_write_checked(table, output), tuple(notes))


def _rows_of(
    folder: Path, output: Path, masks: Path | None, mask_scheme: str | None, dicom: ExportOptions | None, *, patient_prefix: bool
) -> Rows:
    """Rows of a folder that tells itself what it is."""
    if tree := ({} if dicom else images_of(folder)):
        _refuse_dicom_beside(tree, folder)
        return rows_of_tree(tree, output, masks, mask_scheme, patient_prefix=patient_prefix)
    if mask_scheme or patient_prefix:
        raise CohortError(
            f"{folder}: expected images <patient>/<scan> of type {', '.join(IMAGE_SUFFIXES)}, which --mask-scheme and "
            "--patient-prefix are for; found none"
        )
    return rows_of_export(folder, output, masks, dicom or ExportOptions())


def _refuse_dicom_beside(images: Images, folder: Path) -> None:
    """A stray image must not hide an export, whose patients would then stand under their names."""
    others = set(files_of(folder)) - set(images.values())
    if dicom := next((path for path in sorted(others) if is_dicom(path)), None):
        got = f"got both ({next(iter(images.values()))} and {dicom}); --id-key takes the DICOM files alone"
        raise CohortError(f"{folder}: expected images <patient>/<scan> or a DICOM export, {got}")


def _write_checked(table: pl.DataFrame, output: Path) -> Cohort:
    """Put the manifest in its place only when it reads back without problems."""
    try:
        with draft_of(output) as draft:
            table.write_csv(draft)
            return _read_back(draft, output)
    except OSError as error:
        raise CohortError(f"{output}: expected a folder that can be written, got {error.strerror}") from error


def _read_back(draft: Path, output: Path) -> Cohort:
    try:
        return read_cohort(draft)
    except CohortError as error:
        raise CohortError(*(problem.replace(str(draft), str(output)) for problem in error.problems)) from error
