"""`ren-features`: the command line. Commands call the library; `main` alone turns errors into a line and an exit status.

Imports of the library stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ren_features.cli import build, cohort, reading, report, synth
from ren_features.errors import RenError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Chest CT and lobe masks become rows of one DuckDB file.",
)
for command in (
    cohort.manifest,
    cohort.validate,
    synth.synth,
    build.build,
    reading.status,
    reading.query,
    reading.describe,
    reading.export,
    report.report,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ren-features {version('ren-toolkit')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Chest CT and lobe masks become rows of one DuckDB file."""


def main() -> None:
    """Run the command line. Exit status 0: all done; 1: some scans failed; 2: the call was wrong; 130: interrupted."""
    try:
        app()
    except RenError as error:
        for line in str(error).splitlines():
            print(f"ren-features: {line}", file=sys.stderr)
        sys.exit(2)
