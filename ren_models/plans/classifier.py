"""Experiments of classifiers: an expert for each region and for the whole set of regions, as radiomics has them."""

from __future__ import annotations

import data_catalog
from ren_features import FeatureStore
from ren_features.errors import SpecError
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.experts.classifier import ClassifierSettings
from ren_models.inputs.matrices import region_inputs, whole_set_inputs
from ren_models.plans.radiomics import fits_of
from ren_models.splits.stored import current_split


def plan_classifier(
    store: FeatureStore, task: str, settings: ClassifierSettings, *, split_id: str | None = None, sound_only: bool = False
) -> tuple[Experiment, tuple[Fit, ...]]:
    """The experiment, named after the factory, and its fits; other parameters as of `plan_radiomics`.

    Raises
    ------
    SpecError
        When the factory has the name of another experiment.
    """
    if settings.name in data_catalog.experiments():
        raise SpecError(f"estimator {settings.estimator}: expected a factory that is not named as an experiment, {settings.name}")
    split, spec_id = current_split(store, task, split_id), store.latest_spec
    regions = region_inputs(store, task, spec_id, settings.name, sound_only=sound_only)
    fits, left_out = fits_of(store, split, (*regions, *whole_set_inputs(store, regions)))
    keeps = frozenset({"predictions", "files"})
    return Experiment(settings.name, split, spec_id, settings, keeps, left_out=left_out, sound_only=sound_only), fits
