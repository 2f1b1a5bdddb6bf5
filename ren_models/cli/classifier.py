"""`ren-models classifier`: any classifier of scikit-learn as the experts of an experiment."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ren_features.console.command_line import Jobs, Store
from ren_models.cli.options import SoundOnly, SplitId, Task


def classifier(
    store: Store,
    task: Task,
    estimator: Annotated[
        str,
        typer.Option(
            help="logistic, forest, gaussian_process, or module:factory: a function without arguments that returns an estimator.",
            show_default=False,
        ),
    ],
    split_id: SplitId = None,
    *,
    sound_only: SoundOnly = False,
    jobs: Jobs = None,
) -> None:
    """Fit a scikit-learn classifier for each region and round; figures and tables show it beside the other experts.

    Example: ren-models classifier --store ren.duckdb --task has_ILD --estimator my_module:make_model
    """
    from ren_models.experts.classifier import ClassifierSettings
    from ren_models.outcomes.fitting import fit_missing
    from ren_models.plans.classifier import plan_classifier

    settings = ClassifierSettings(estimator)
    plan = partial(plan_classifier, task=task, settings=settings, split_id=split_id, sound_only=sound_only)
    typer.echo(fit_missing(store, plan, jobs))
