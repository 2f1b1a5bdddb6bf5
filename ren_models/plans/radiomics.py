"""The experiment `radiomics`, an expert for each region and for the whole set of regions, and its controls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ren_features import FeatureStore
from ren_features.errors import SplitError, StoreError
from ren_models.experiments.controls import Control, resample_patients, shuffle_labels
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.experiments.running import stored_models
from ren_models.experts.settings import REN_SETTINGS, RadiomicsSettings
from ren_models.inputs.inputs import Inputs
from ren_models.inputs.matrices import region_inputs, whole_set_inputs
from ren_models.splits.parts import why_unfittable
from ren_models.splits.rounds import Split
from ren_models.splits.stored import current_split

METHOD = "radiomics"
SHUFFLED, RESAMPLED = "radiomics_permuted", "radiomics_refit"
"""Experiments of the controls."""


def plan_radiomics(
    store: FeatureStore,
    task: str,
    *,
    permutations: int = 0,
    resamples: int = 0,
    split_id: str | None = None,
    settings: RadiomicsSettings = REN_SETTINGS,
    sound_only: bool = False,
) -> tuple[Experiment, tuple[Fit, ...]]:
    """The experiment and its fits: regions and whole sets by rounds; of a control, by its seeds too.

    Parameters
    ----------
    store : FeatureStore
    task : str
    permutations, resamples : int
        Number of shuffles of the labels, or of resamples of the patients, with seeds from 1; one of them, or none. Those of
        higher seeds that the store has already stay.
    split_id : str, optional
        By default the split of the task that was made last.
    settings : RadiomicsSettings
    sound_only : bool
        Without regions of scans that have a warning or an error in quality.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     experiment, fits = plan_radiomics(store, "ill")
    >>> experiment.name, len(fits)
    ('radiomics', 90)
    """
    split, spec_id = current_split(store, task, split_id), store.latest_spec
    regions = region_inputs(store, task, spec_id, METHOD, sound_only=sound_only)
    inputs = (*regions, *whole_set_inputs(store, regions))
    if not permutations and not resamples:
        fits, left_out = fits_of(store, split, inputs)
        kept = frozenset({"predictions", "files"})
        return Experiment(METHOD, split, spec_id, settings, kept, "expert", left_out, sound_only), fits
    name = SHUFFLED if permutations else RESAMPLED
    asked = permutations or resamples
    experiment = Experiment(name, split, spec_id, settings, kind="control", sound_only=sound_only)
    stored = stored_models(store, experiment)
    seeds = range(1, max([asked, *stored.values()]) + 1)
    controls = shuffle_labels(store, split, seeds) if permutations else resample_patients(split, seeds)
    fits, left_out = fits_of(store, split, inputs, controls)
    wanted = tuple(fit for fit in fits if fit.permutation <= asked or experiment.model_id(fit) in stored)
    return experiment._replace(left_out=left_out), wanted


def plan_refits(
    store: FeatureStore, task: str, resamples: int, *, split_id: str | None = None
) -> tuple[Experiment, tuple[Fit, ...]]:
    """Fits on resampled patients, with the settings and scans of the radiomics experts that are stored.

    Raises
    ------
    StoreError
        When there are no such experts, or a search gave them different settings.
    """
    split = current_split(store, task, split_id)
    query = "SELECT DISTINCT params FROM models WHERE experiment = ? AND task = ? AND split_id = ?"
    stored = [json.loads(text) for text in store.sql(query, [METHOD, task, split.split_id])["params"]]
    if len(stored) != 1:
        raise StoreError(
            f"store {store.path}: expected radiomics experts with one set of settings for task {task}, split {split.split_id}, "
            f"got {len(stored)}; `ren-models radiomics` fits them"
        )
    sound_only = stored[0].pop("sound_only")
    settings = RadiomicsSettings(**stored[0])
    return plan_radiomics(store, task, resamples=resamples, split_id=split.split_id, settings=settings, sound_only=sound_only)


def fits_of(
    store: FeatureStore, split: Split, inputs: Iterable[Inputs[Any]], controls: Iterable[Control | None] = (None,)
) -> tuple[tuple[Fit, ...], tuple[str, ...]]:
    """A fit for each control, each inputs and each round; and which rounds are left out, and why.

    Raises
    ------
    SplitError
        When all of them are.
    """
    classes = int(store.sql("SELECT max(value) + 1 FROM labels WHERE task = ?", [split.task]).item())
    of_split = [method.of_patients(split.patients) for method in inputs]
    pairs = [(method, number, why_unfittable(method.examples, number)) for method in of_split for number in split.rounds]
    left_out = tuple(f"{method.method}, round {number.index}: {reason}" for method, number, reason in pairs if reason)
    usable = [(method, number) for method, number, reason in pairs if not reason]
    if not usable:
        raise SplitError(f"split {split.split_id}: expected a round that can be fitted, got none; {'; '.join(left_out[:3])}")
    return tuple(Fit(method, number, classes, control) for control in controls for method, number in usable), left_out
