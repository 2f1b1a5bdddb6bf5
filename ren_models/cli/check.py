"""`ren-models check`: whether a store agrees with itself."""

from __future__ import annotations

from typing import Annotated

import typer

from ren_features.console.command_line import Store

SHOWN = 20
"""Disagreements that are printed one by one."""


def check(
    store: Store,
    task: Annotated[str | None, typer.Option(help="Check this task alone.", show_default="every task")] = None,
) -> None:
    """Recompute all metrics from predictions; report differences, missing files and stale results (exit status 1).

    Example: ren-models check --store ren.duckdb
    """
    from ren_features import FeatureStore
    from ren_models.outcomes.checking import check_store

    with FeatureStore(store) as opened:
        models = opened.sql("SELECT count(*) FROM models WHERE ? IS NULL OR task = ?", [task, task]).item()
        disagreements = list(check_store(opened, task))
    for disagreement in disagreements[:SHOWN]:
        typer.echo(disagreement)
    if len(disagreements) > SHOWN:
        typer.echo(f"and {len(disagreements) - SHOWN} more")
    typer.echo(f"{models} models checked, {len(disagreements)} disagreements")
    if disagreements:
        raise typer.Exit(1)
