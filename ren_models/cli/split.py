"""`ren-models split`: who is trained on, validated on, tested."""

from __future__ import annotations

from typing import Annotated

import typer

from ren_features.console.command_line import Store
from ren_models.cli.options import Task, open_to_write


def split(
    store: Store,
    task: Task,
    protocol: Annotated[str, typer.Option(help="full: every patient is tested once; paper: half of them are.")] = "full",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds.")] = 42,
) -> None:
    """Split patients into rounds of train, val and test, once; the same call again changes nothing.

    Example: ren-models split --store ren.duckdb --task has_ILD
    """
    from ren_models.splits.groups import contradictions, named
    from ren_models.splits.stored import patient_labels, read_split, store_split

    with open_to_write(store) as opened:
        made = store_split(opened, task, protocol=protocol, folds=folds, seed=seed)
        last, labels = read_split(opened, task).split_id, patient_labels(opened, task)
    rounds = made.split.rounds
    parts = ", ".join(f"{len(rounds[0].patients(part))} {part}" for part in ("train", "val", "test"))
    state = " (stored already)" if made.is_old else ""
    settings = f"task {task}, protocol {protocol}, {len(rounds)} rounds"
    typer.echo(f"split {made.split.split_id}{state}: {settings}; patients of the first round: {parts}")
    if last != made.split.split_id:
        typer.echo(f"commands use {last}, which was made after it; name this one with --split {made.split.split_id}")
    if groups := made.split.groups:
        patients = sum(map(len, groups))
        typer.echo(
            f"{patients} patients share an image with another one; each of {len(groups)} groups stays together: {named(groups)}"
        )
    if unlike := contradictions(groups, labels):
        typer.echo(f"patients who share an image have different labels of {task}: {named(unlike, labels)}; which one is right?")
    if made.without_label:
        typer.echo(f"{made.without_label} patients have no label of {task} and are left out")
