"""Common parts of the three command lines: options, and the one place where errors become a line and an exit status."""

# Annotations are evaluated where they stand, for one of them names a local variable: no `from __future__ import annotations`.

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ren_features.errors import RenError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

Store = Annotated[Path, typer.Option(help="The store, a DuckDB file.", show_default=False)]
Jobs = Annotated[int | None, typer.Option(min=1, help="How many fits run at once.", show_default="cores")]


def application(name: str, about: str, *commands: Callable[..., None]) -> typer.Typer:
    """A command line of the commands, with `--version`."""
    app = typer.Typer(name=name, no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=about)
    for command in commands:
        app.command()(command)

    def print_version(*, wanted: bool) -> None:
        if wanted:
            typer.echo(f"{name} {version('ren-toolkit')}")
            raise typer.Exit

    option = typer.Option("--version", help="Print the version and end.", is_eager=True, callback=print_version)

    @app.callback(help=about)
    def options(*, version: Annotated[bool, option] = False) -> None:
        pass

    return app


def run(app: typer.Typer) -> None:
    """Run a command line. Exit status 0: all done; 1: some scans failed; 2: the call was wrong; 130: interrupted."""
    try:
        app()
    except RenError as error:
        for line in str(error).splitlines():
            print(f"{app.info.name}: {line}", file=sys.stderr)
        sys.exit(2)
