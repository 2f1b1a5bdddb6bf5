"""`ren-models radiomics`: XGBoost experts on radiomics features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ren_features.command_line import Jobs, Store
from ren_models.cli.options import SoundOnly, SplitId, Task, open_to_write


def radiomics(
    store: Store,
    task: Task,
    permute_labels: Annotated[
        int,
        typer.Option(
            min=0, help="Shuffle labels between patients this often, with seeds from 1, in place of a fit; fig3 shows them."
        ),
    ] = 0,
    params: Annotated[Path | None, typer.Option(help="Settings in YAML, in place of REN's.", show_default=False)] = None,
    split_id: SplitId = None,
    *,
    sound_only: SoundOnly = False,
    jobs: Jobs = None,
) -> None:
    """Fit an XGBoost expert for each region and round, and store predictions, models and results, in place of earlier ones.

    Example: ren-models radiomics --store ren.duckdb --task has_ILD
    """
    from ren_features.cores import available_cores
    from ren_features.progress import counter
    from ren_models.experts.settings import RadiomicsSettings
    from ren_models.radiomics import plan_radiomics
    from ren_models.running import is_stored, run_experiment
    from ren_models.summary import notes, summary

    settings = RadiomicsSettings.from_yaml(params) if params else RadiomicsSettings()
    with open_to_write(store) as opened:
        experiment, fits = plan_radiomics(
            opened, task, permutations=permute_labels, split_id=split_id, settings=settings, sound_only=sound_only
        )
        for note in notes(opened, experiment):
            typer.echo(note, err=True)
        if is_stored(opened, experiment, fits):
            typer.echo("these fits are stored already", err=True)
        else:
            with counter(len(fits), "fits") as tell:
                run_experiment(opened, experiment, fits, jobs=jobs or available_cores(), listener=tell)
        typer.echo(summary(opened, experiment))
