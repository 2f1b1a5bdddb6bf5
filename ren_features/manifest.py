"""Writing a manifest for a folder of scans, so that nobody has to write a script for it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ren_features.cohort import LABEL_PREFIX, Cohort, read_cohort, read_table
from ren_features.errors import CohortError
from ren_features.image_path import IMAGE_SUFFIXES
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
) -> Written:
    """Write one row for each image of a folder tree `<patient>/<scan>.nii.gz` (also .nii, .nrrd, .mha, .mhd).

    Parameters
    ----------
    folder : Path
        The scan's file name is its `scan_id`.
    output : Path
        CSV file; paths in it are relative to it.
    masks : Path, optional
        Folder tree of masks with the same patients and file names, of any of these formats.
    mask_scheme : str, optional
        Label scheme of all masks.
    patient_prefix : bool
        Whether scan ids are `<patient>_<file name>`: needed where patients use the same file names.
    labels : Path, optional
        CSV or Parquet with `scan_id` or `patient_id`; its other columns are joined to the scans.

    Raises
    ------
    CohortError
        With every problem; then nothing is written.
    """
    images = _images(folder)
    if not images:
        raise CohortError(f"{folder}: expected images <patient>/<scan> of type {', '.join(IMAGE_SUFFIXES)}, found none")
    if mask_scheme and mask_scheme not in LABEL_SCHEMES:
        raise CohortError(f"mask scheme: expected one of {', '.join(LABEL_SCHEMES)}, got {mask_scheme}")
    if output.suffix == ".parquet" or (labels and labels.exists() and output.exists() and output.samefile(labels)):
        raise CohortError(f"{output}: expected the name of a CSV file that is not the labels table")
    repeated = sorted(name for name, count in Counter(name for _, name in images).items() if count > 1)
    if repeated and not patient_prefix:
        raise CohortError(
            f"{folder}: expected each file name once, got {', '.join(repeated[:5])} for several patients: use --patient-prefix"
        )
    rows = [
        {"patient_id": patient, "scan_id": f"{patient}_{name}" if patient_prefix else name, "image": _relative(path, output)}
        for (patient, name), path in images.items()
    ]
    notes: list[str] = []
    if masks:
        found = _images(masks)
        for row, key in zip(rows, images, strict=True):
            row["mask"] = _relative(found[key], output) if key in found else ""
            row["mask_scheme"] = (mask_scheme or "") if key in found else ""
        notes += _missing("scans have no mask", [row["scan_id"] for row in rows if not row["mask"]])
        notes += _missing("masks belong to no scan", [f"{patient}/{name}" for patient, name in found.keys() - images.keys()])
        if not mask_scheme:
            notes.append(f"mask_scheme is empty: REN's regions need one of {', '.join(LABEL_SCHEMES)}")
    table = pl.DataFrame(rows)
    if labels:
        table, unmatched = _join(table, labels)
        notes += unmatched
    return Written(_write_checked(table, output), tuple(notes))


def _images(folder: Path) -> dict[tuple[str, str], Path]:
    """Images two levels down, by patient and file name without suffix."""
    if not folder.is_dir():
        raise CohortError(f"{folder}: expected a folder of scans, found none")
    images: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.glob("*/*")):
        suffix = next((suffix for suffix in IMAGE_SUFFIXES if path.name.lower().endswith(suffix)), None)
        if suffix is None or path.name.startswith("."):
            continue
        key = (path.parent.name, path.name[: -len(suffix)])
        if key in images:
            raise CohortError(f"{path}: expected one file for each scan, got {images[key].name} too")
        images[key] = path
    return images


def _relative(path: Path, manifest: Path) -> str:
    return os.path.relpath(path.resolve(), manifest.resolve().parent)


def _missing(what: str, names: list[str]) -> list[str]:
    shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
    return [f"{len(names)} {what}: {shown}"] if names else []


def _join(table: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, list[str]]:
    """The scans with the columns of the labels table, and a note on rows that match no scan."""
    labels = read_table(path)
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
        *_missing("rows of the labels table match no scan", unmatched),
        *_missing("scans have no label", unlabelled),
    ]


def _write_checked(table: pl.DataFrame, output: Path) -> Cohort:
    """Put the manifest in its place only when it reads back without problems."""
    draft = output.with_name(f"{output.name}.draft")
    try:
        table.write_csv(draft)
        cohort = read_cohort(draft)
        draft.replace(output)
    except OSError as error:
        raise CohortError(f"{output}: expected a folder that can be written, got {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return cohort
