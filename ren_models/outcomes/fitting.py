"""Make the fits of a plan that a store lacks, with notes and progress for the person who waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from ren_features import FeatureStore
from ren_features.console.progress import counter
from ren_features.cores import available_cores
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.experiments.running import is_stored, missing_fits, run_experiment
from ren_models.outcomes.summary import notes, summary

Plan = Callable[[FeatureStore], tuple[Experiment, Sequence[Fit]]]


def fit_missing(path: Path, plan: Plan, jobs: int | None = None) -> str:
    """Make and store the fits that the store lacks; returns a summary of their results.

    Parameters
    ----------
    path : Path
        The store. Others may read and write it while fits are made.
    plan : callable
        Makes an experiment and its fits from the open store.
    jobs : int, optional
        Fits at once; by default one for each core.
    """
    with FeatureStore(path) as store:
        experiment, fits = plan(store)
        for note in notes(store, experiment):
            typer.echo(note, err=True)
        if is_stored(store, experiment, fits):
            typer.echo("these fits are stored already", err=True)
        else:
            with counter(missing_fits(store, experiment, fits), "fits") as tell:
                run_experiment(store, experiment, fits, jobs=jobs or available_cores(), listener=tell)
        return summary(store, experiment)
