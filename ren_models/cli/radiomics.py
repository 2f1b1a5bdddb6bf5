"""`ren-models radiomics` and `ren-models chance`: XGBoost experts on radiomics features, and their chance control."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ren_features.console.command_line import Jobs, Store
from ren_models.cli.options import SoundOnly, SplitId, Task, open_to_write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ren_features import FeatureStore
    from ren_models.experiments.evaluation import Fit
    from ren_models.experiments.experiment import Experiment

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
    from ren_models.experts.settings import RadiomicsSettings
    from ren_models.plans.baselines import plan_baselines
    from ren_models.plans.radiomics import plan_radiomics

    settings = RadiomicsSettings.from_yaml(params) if params else RadiomicsSettings()
    with open_to_write(store) as opened:
        _run(opened, *plan_radiomics(opened, task, split_id=split_id, settings=settings, sound_only=sound_only), jobs)
        _run(opened, *plan_baselines(opened, task, split_id=split_id, sound_only=sound_only), jobs)


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
    from ren_models.experts.settings import RadiomicsSettings
    from ren_models.plans.radiomics import plan_radiomics

    settings = RadiomicsSettings.from_yaml(params) if params else RadiomicsSettings()
    with open_to_write(store) as opened:
        plan = plan_radiomics(opened, task, permutations=shuffles, split_id=split_id, settings=settings, sound_only=sound_only)
        _run(opened, *plan, jobs)


def _run(store: FeatureStore, experiment: Experiment, fits: Sequence[Fit], jobs: int | None) -> None:
    """Make the fits that the store lacks, and print the outcome."""
    from ren_features.console.progress import counter
    from ren_features.cores import available_cores
    from ren_models.experiments.running import is_stored, missing_fits, run_experiment
    from ren_models.outcomes.summary import notes, summary

    for note in notes(store, experiment):
        typer.echo(note, err=True)
    if is_stored(store, experiment, fits):
        typer.echo("these fits are stored already", err=True)
    else:
        with counter(missing_fits(store, experiment, fits), "fits") as tell:
            run_experiment(store, experiment, fits, jobs=jobs or available_cores(), listener=tell)
    typer.echo(summary(store, experiment))
