"""The experiment `ablation`: each family of features alone, and all features without it [REN, Fig. 4].

Methods are `all`, `only_<family>` and `without_<family>`; `all` comes again with shuffled labels, as a control.
"""

from __future__ import annotations

from collections.abc import Iterator

import data_catalog
from ren_features import FeatureStore
from ren_features.errors import SpecError
from ren_models.experiments.controls import shuffle_labels
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.experts.settings import REN_SETTINGS
from ren_models.inputs.matrices import Matrices, of_features, region_inputs
from ren_models.plans.radiomics import fits_of
from ren_models.splits.stored import current_split

EXPERIMENT = "ablation"
ALL = "all"
CONTROL_SEEDS = range(1, 6)
"""Of shuffled labels: with one alone, a control of few patients is far from 0.5 by chance."""


def plan_ablation(
    store: FeatureStore, task: str, *, split_id: str | None = None, sound_only: bool = False
) -> tuple[Experiment, tuple[Fit, ...]]:
    """The experiment and its fits, for each region and round, with REN's settings; parameters as of `plan_radiomics`.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     experiment, fits = plan_ablation(store, "ill")
    >>> len(fits)
    1400
    """
    split, spec_id = current_split(store, task, split_id), store.latest_spec
    regions = region_inputs(store, task, spec_id, sound_only=sound_only)
    whole = tuple(of_features(inputs, ALL, inputs.examples.feature_names) for inputs in regions)
    parts = tuple(part for inputs in whole for part in _parts(inputs))
    if not parts:
        raise SpecError(f"spec {spec_id}: expected features of two families or more, got those of one")
    fits, left_out = fits_of(store, split, (*whole, *parts))
    control, _ = fits_of(store, split, whole, shuffle_labels(store, split, CONTROL_SEEDS))
    experiment = Experiment(
        EXPERIMENT, split, spec_id, REN_SETTINGS, frozenset({"predictions"}), "ablation", left_out, sound_only
    )
    return experiment, (*fits, *control)


def _parts(inputs: Matrices) -> Iterator[Matrices]:
    """Each family alone, and without it; a family that was not measured, or that is all there is, has no counterpart."""
    features = data_catalog.features()
    for family in data_catalog.families():
        of_family = [name for name in inputs.examples.feature_names if features[name].family == family]
        rest = [name for name in inputs.examples.feature_names if name not in of_family]
        if of_family and rest:
            yield of_features(inputs, f"only_{family}", of_family)
            yield of_features(inputs, f"without_{family}", rest)
