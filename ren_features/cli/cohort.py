"""`ren-features manifest` and `validate`: getting to a cohort that can be built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ren_features.cli.options import DateFormat, Encoding, RegionsFile, SpecFile, ToleranceMm, echo_notes, read_settings


def manifest(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of <patient>/<scan>.nii.gz (also .nii, .nrrd, .mha, .mhd), or a DICOM export.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The manifest to write, a CSV file.", show_default=False)],
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks with the same names, or of DICOM SEG and RTSTRUCT.", show_default=False)
    ] = None,
    mask_scheme: Annotated[
        str | None, typer.Option(help="Label scheme of the masks, such as lungmask.", show_default=False)
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table (CSV, Parquet or Excel) with scan_id or patient_id and more columns to join.", show_default=False
        ),
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option(help="DICOM: one series of each study, the thinnest, the largest, or of this kernel.", show_default=False),
    ] = None,
    id_key: Annotated[
        Path | None,
        typer.Option(
            help="DICOM: file with the secret key of the pseudonyms; made once.", show_default="id.key beside the manifest"
        ),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="DICOM: also write which pseudonym is which patient.", show_default=False)
    ] = None,
    links: Annotated[
        Path | None, typer.Option(help="DICOM: list links made here, not paths that tell who a patient is.", show_default=False)
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="A public data set (`ren-features describe datasets`), or a YAML file with your own.", show_default=False
        ),
    ] = None,
    tolerance_mm: ToleranceMm = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help='Columns of --labels to join beside labels and scan_date, such as "age sex".',
            show_default="all; of a DICOM export none",
        ),
    ] = None,
    label_values: Annotated[
        str | None, typer.Option(help='Numbers for words in labels, such as "yes=1 no=0".', show_default=False)
    ] = None,
    encoding: Encoding = None,
    date_format: DateFormat = None,
    *,
    patient_prefix: Annotated[bool, typer.Option("--patient-prefix", help="Make scan ids <patient>_<file name>.")] = False,
) -> None:
    """Write a manifest of a folder of scans, or of the CT series in a DICOM export.

    Example: ren-features manifest scans -o cohort.csv --masks lobes --mask-scheme lungmask --labels labels.csv
    """
    from ren_features.errors import CohortError
    from ren_features.manifest import ExportOptions, LabelsTable, write_manifest
    from ren_features.manifest.table_file import TableForm

    if not labels and any((keep, label_values, encoding, date_format)):
        raise CohortError("--keep, --label-values, --encoding and --date-format: expected --labels, which they are for")
    of_export = (id_key, pick, mapping, links, tolerance_mm)
    dicom = ExportOptions(id_key, pick, mapping, links, tolerance_mm or 0.0) if any(of_export) else None
    written = write_manifest(
        folder,
        output,
        masks=masks,
        mask_scheme=mask_scheme,
        labels=LabelsTable(labels, TableForm(encoding, date_format), label_values, tuple(keep or ())) if labels else None,
        patient_prefix=patient_prefix,
        dicom=dicom,
        layout=layout,
    )
    echo_notes(written.notes)
    typer.echo(f"{output}: {len(written.cohort.scans)} scans of {len(written.cohort.patients)} patients")


def validate(
    cohort: Annotated[Path, typer.Argument(help="The manifest: CSV, Parquet or Excel.", show_default=False)],
    spec: SpecFile = None,
    regions: RegionsFile = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Most processes.", show_default="cores")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of lungmask's weights, with --segment.", show_default=False)
    ] = None,
    tolerance_mm: ToleranceMm = None,
    encoding: Encoding = None,
    date_format: DateFormat = None,
    *,
    segment: Annotated[bool, typer.Option("--segment", help="Scans without a mask will be segmented.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read voxels too: find every scan that build would refuse.")] = False,
) -> None:
    """List every problem of a manifest and of its files' headers; with --deep, of their voxels too. Nothing is stored.

    Exit status 1: scans would fail; 2: the manifest itself is wrong.

    Example: ren-features validate cohort.csv
    """
    from ren_features.cores import available_cores
    from ren_features.manifest.parser import read_cohort
    from ren_features.manifest.table_file import TableForm
    from ren_features.manifest.validation import problems_of

    settings, found = (
        read_settings(spec, regions, tolerance_mm=tolerance_mm),
        read_cohort(cohort, TableForm(encoding, date_format)),
    )
    echo_notes(found.notes)
    jobs = jobs or available_cores()
    if deep:
        from ren_features.console.progress import counter
        from ren_features.manifest.deep_validation import validate_deeply

        with counter(len(found.scans), "scans") as tell:
            checked = validate_deeply(found, settings, segment=segment, weights=weights, jobs=jobs, tell=tell)
        problems, notes, extent = checked.problems, checked.notes, "headers and voxels"
    else:
        problems = list(
            problems_of(found, settings.regions, segment=segment, weights=weights, jobs=jobs, tolerance_mm=settings.tolerance_mm)
        )
        notes, extent = [], "headers only; --deep reads voxels"
    for line in (*problems, *(f"note: {note}" for note in notes)):
        typer.echo(line)
    labels = "".join(f", {len(values)} labelled for {task}" for task, values in found.labels.items())
    scans = f"{len(found.scans)} scans of {len(found.patients)} patients{labels}"
    typer.echo(f"{cohort}: {scans}; {len(problems)} problems ({extent})")
    if problems:
        raise typer.Exit(1)
