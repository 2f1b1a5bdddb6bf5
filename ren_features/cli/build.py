"""`ren-features build`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ren_features.cli.options import DateFormat, Encoding, RegionsFile, SpecFile, ToleranceMm, echo_notes, read_settings
from ren_features.console.command_line import INTERRUPTED, Store

if TYPE_CHECKING:
    from ren_features.building.build_store import Summary


def build(
    cohort: Annotated[Path, typer.Argument(help="The manifest: CSV, Parquet or Excel.", show_default=False)],
    store: Store,
    spec: SpecFile = None,
    regions: RegionsFile = None,
    engine: Annotated[str | None, typer.Option(help="Which engine computes the features.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Worker processes; 0 measures in this process, for a debugger.")] = 1,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of each worker; jobs times threads is the number of cores in use.")
    ] = 1,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of lungmask's weights; by default torch's own.", show_default=False)
    ] = None,
    tolerance_mm: ToleranceMm = None,
    encoding: Encoding = None,
    date_format: DateFormat = None,
    *,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Measure again what failed before.")] = False,
    segment: Annotated[bool, typer.Option("--segment", help="Let lungmask make the masks that the manifest lacks.")] = False,
    previews: Annotated[bool, typer.Option("--previews", help="Make a picture of each scan, for the report.")] = False,
) -> None:
    """Measure every scan that the store lacks.

    Example: ren-features build cohort.csv --store ren.duckdb --jobs 4
    """
    from ren_features.building.build_store import build as build_store
    from ren_features.cli.progress import listener
    from ren_features.manifest.parser import read_cohort
    from ren_features.manifest.table_file import TableForm

    settings = read_settings(spec, regions, engine, tolerance_mm)
    read = read_cohort(cohort, TableForm(encoding, date_format))
    echo_notes(read.notes)
    # A scheduler's SIGTERM ends a build as Ctrl-C does: what is stored stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener() as progress:
        summary = build_store(
            read,
            store,
            spec=settings,
            jobs=jobs,
            threads=threads,
            retry_failed=retry_failed,
            segment=segment,
            weights=weights,
            previews=previews,
            listener=progress,
        )
    _print(summary, store)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    if summary.failed or summary.unpictured:
        raise typer.Exit(1)


def _print(summary: Summary, store: Path) -> None:
    for scan, failure in summary.failed:
        typer.echo(f"failed  {scan.scan_id} ({failure.stage}): {failure.message}")
    for scan, failure in summary.unpictured:
        typer.echo(f"no picture  {scan.scan_id} ({failure.stage}): {failure.message}")
    stored = {scan.scan_id for scan in summary.stored}
    partly = sum(scan.scan_id in stored for scan, _ in summary.failed)
    typer.echo(
        f"{store}: {len(stored)} scans stored{f' ({partly} of them without some regions)' if partly else ''}, "
        f"{len(summary.already_done)} already done, {len(summary.failed) - partly} failed, in {summary.seconds:.1f} s"
    )
    if summary.pictured:
        typer.echo(f"{len(summary.pictured)} scans of before have got a picture.")
    if summary.interrupted:
        typer.echo(f"Interrupted with {summary.left} scans left. What is stored stays: run the same command again to go on.")
    elif summary.failed:
        typer.echo("Failed scans are measured again when their files change, or with --retry-failed.")
