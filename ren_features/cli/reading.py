"""`ren-features status`, `query`, `describe` and `export`: what is in a store, and what it means. None of them changes it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ren_features.console.command_line import Store
from ren_features.errors import StoreError

if TYPE_CHECKING:
    import polars as pl


class Format(StrEnum):
    """Format of an answer."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def query(
    sql: Annotated[str, typer.Argument(help="A query in DuckDB's SQL.", show_default=False)],
    store: Store,
    form: Annotated[
        Format | None, typer.Option("--format", help="By default that of the output file, else a table.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default standard output.", show_default=False)
    ] = None,
) -> None:
    """Answer a query; the store is read-only and no other file can be reached.

    Example: ren-features query "SELECT region, avg(volume_ml) FROM lobe_features GROUP BY region" --store ren.duckdb
    """
    from ren_features.cli.tables import frame_bytes
    from ren_features.store import FeatureStore

    if output and output.exists() and output.samefile(store):
        raise StoreError(f"{output}: expected a file to write the answer to, got the store")
    with FeatureStore(store, external_access=False) as opened:
        answer = opened.sql(sql)
    named = output.suffix.removeprefix(".") if output else ""
    content = frame_bytes(answer, (form or (Format(named) if named in Format.__members__ else Format.table)).value)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{output}: the answer could not be written: {error}") from error


def status(store: Store) -> None:
    """Show what a store holds: cohort, specs, failures, findings and runs.

    Example: ren-features status --store ren.duckdb
    """
    from ren_features.cli.tables import frame_text
    from ren_features.store import FeatureStore
    from ren_features.store.overview import OVERVIEW

    with FeatureStore(store, external_access=False) as opened:
        answers: dict[str, pl.DataFrame] = {title: opened.sql(sql) for title, sql in OVERVIEW.items()}
    for title, answer in answers.items():
        typer.echo(f"{title}: none\n" if answer.is_empty() else f"{title}\n{frame_text(answer)}\n")


def describe(
    name: Annotated[str, typer.Argument(help="A table, column, feature, region or label scheme.", show_default=False)],
    store: Annotated[Path | None, typer.Option(help="A store, for regions of your own.", show_default=False)] = None,
) -> None:
    """Say what a name means.

    Example: ren-features describe original_glcm_Contrast
    """
    from ren_features.store.description import describe as description

    typer.echo(description(name, store))


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made when absent.", show_default=False)],
    store: Store,
) -> None:
    """Write every table as a Parquet file.

    Example: ren-features export parquet --store ren.duckdb
    """
    from ren_features.store import FeatureStore

    with FeatureStore(store) as opened:
        paths = opened.export(folder)
    typer.echo(f"{folder}: {len(paths)} tables")
