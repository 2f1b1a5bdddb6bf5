"""One manifest, of whatever a folder holds, with the labels of another table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ren_features.cohort import LABEL_PREFIX, Cohort, read_cohort, read_table
from ren_features.draft import draft_of
from ren_features.errors import CohortError
from ren_features.image_path import IMAGE_SUFFIXES, files_of, is_dicom
from ren_features.manifest.export import ExportOptions, rows_of_export
from ren_features.manifest.layout import Layout
from ren_features.manifest.rows import Rows, note
from ren_features.manifest.tree import Images, images_of, rows_of_tree
from ren_features.regions import LABEL_SCHEMES

JOIN_KEYS = ("scan_id", "patient_id")


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
    labels: Path | None = None,
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
    labels : Path, optional
        CSV or Parquet with `scan_id` or `patient_id`; its other columns are joined to the scans. For an export, patients may
        stand there under their own ids.
    dicom : ExportOptions, optional
        Makes it an export; without it, an export is what has no such tree.
    layout : str, optional
        A public data set of the catalog, or a YAML file with the patterns of paths: see `manifest.layout`.

    Raises
    ------
    CohortError
        With every problem; then no manifest is written.
    """
    if mask_scheme and mask_scheme not in LABEL_SCHEMES:
        raise CohortError(f"mask scheme: expected one of {', '.join(LABEL_SCHEMES)}, got {mask_scheme}")
    if output.suffix == ".parquet" or (labels and labels.exists() and output.exists() and output.samefile(labels)):
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
    if labels:
        table, unmatched = _join(table, labels, found.pseudonyms)
        notes = [*notes, *unmatched]
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


def _join(table: pl.DataFrame, path: Path, pseudonyms: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """The scans with the columns of the labels table, and a note on rows that match no scan."""
    labels = read_table(path)
    if "patient_id" in labels.columns:
        labels = labels.with_columns(pl.col("patient_id").replace(dict(pseudonyms)))
    key = next((name for name in JOIN_KEYS if name in labels.columns), None)
    if key is None:
        raise CohortError(f"{path}: expected a column scan_id or patient_id, got {', '.join(labels.columns)}")
    repeated = labels.filter(labels[key].is_duplicated())[key].unique().drop_nulls().to_list()
    if repeated:
        raise CohortError(f"{path}: expected one row for each {key}, got several for {', '.join(sorted(repeated))}")
    added = labels.drop([name for name in JOIN_KEYS if name != key and name in labels.columns])
    clash = [name for name in added.columns if name != key and name in table.columns]
    if clash:
        raise CohortError(f"{path}: expected columns beside those of the manifest, got {', '.join(clash)}")
    unmatched = labels.filter(~pl.col(key).is_in(table[key].to_list()))[key].drop_nulls().to_list()
    joined = table.join(added, on=key, how="left", maintain_order="left")
    known = [name for name in added.columns if name.startswith(LABEL_PREFIX)]
    unlabelled = joined.filter(pl.all_horizontal(pl.col(name).is_null() for name in known))["scan_id"].to_list() if known else []
    return joined, [
        *_unmatched(unmatched, pseudonyms),
        *note("scans have no label", unlabelled),
    ]


def _unmatched(ids: list[str], pseudonyms: Mapping[str, str]) -> list[str]:
    """A note on rows without a scan; the ids of an export's patients are not for a log."""
    what = "rows of the labels table match no scan"
    return [f"{len(ids)} {what}"] if ids and pseudonyms else note(what, ids)


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
