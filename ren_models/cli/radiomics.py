"""`ren-models radiomics` and `ren-models chance`: XGBoost experts on radiomics features, and their chance control."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ren_features.console.command_line import Jobs, Store
from ren_models.cli.options import SoundOnly, SplitId, Task

Params = Annotated[Path | None, typer.Option(help="Settings in YAML, in place of REN's.", show_default=False)]


def radiomics(
    store: Store,
    task: Task,
    permute_labels: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Instead of the real fit, fit N times on labels shuffled between patients, as `chance` does."
        ),
    ] = 0,
    params: Params = None,
    split_id: SplitId = None,
    *,
    sound_only: SoundOnly = False,
    jobs: Jobs = None,
) -> None:
    """Fit an XGBoost expert for each region and round, and baselines that need no expert; store predictions, models and results.

    Example: ren-models radiomics --store ren.duckdb --task has_ILD
    """
    if permute_labels:
        chance(store, task, permute_labels, params, split_id, sound_only=sound_only, jobs=jobs)
        return
    from ren_models.experts.settings import read_settings
    from ren_models.outcomes.fitting import fit_missing
    from ren_models.plans.baselines import plan_baselines
    from ren_models.plans.radiomics import plan_radiomics

    settings = read_settings(params)
    for plan in (partial(plan_radiomics, settings=settings), plan_baselines):
        typer.echo(fit_missing(store, partial(plan, task=task, split_id=split_id, sound_only=sound_only), jobs))


def chance(
    store: Store,
    task: Task,
    shuffles: Annotated[int, typer.Option(min=1, help="Number of shuffles in all; those that the store has already count.")] = 99,
    params: Params = None,
    split_id: SplitId = None,
    *,
    sound_only: SoundOnly = False,
    jobs: Jobs = None,
) -> None:
    """Fit the radiomics experts on labels shuffled between patients: the AUCs that chance gives, and p-values.

    Example: ren-models chance --store ren.duckdb --task has_ILD --shuffles 999
    """
    from ren_models.experts.settings import read_settings
    from ren_models.outcomes.fitting import fit_missing
    from ren_models.plans.radiomics import plan_radiomics

    plan = partial(plan_radiomics, permutations=shuffles, settings=read_settings(params))
    typer.echo(fit_missing(store, partial(plan, task=task, split_id=split_id, sound_only=sound_only), jobs))
