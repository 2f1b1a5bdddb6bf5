"""The experiment `baselines`: what age and sex, lung volume, mean density or one feature tell without an expert.

An expert is worth its name where it beats them [METHOD section 9].
"""

from __future__ import annotations

from collections.abc import Iterator

from ren_features import FeatureStore
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.experts.baseline import BEST_FEATURE, BaselineSettings
from ren_models.inputs.clinical import read_clinical
from ren_models.inputs.inputs import Inputs
from ren_models.inputs.matrices import Matrices, all_regions, of_features, region_inputs
from ren_models.methods import Method
from ren_models.plans.radiomics import fits_of
from ren_models.splits.stored import current_split

EXPERIMENT = "baselines"
ARCHITECTURE = "baseline"
SINGLE_FEATURES = {"volume": "original_shape_MeshVolume", "mean_hu": "original_firstorder_Mean"}
"""Choices of one feature, made beforehand."""


def plan_baselines(
    store: FeatureStore, task: str, *, split_id: str | None = None, sound_only: bool = False
) -> tuple[Experiment, tuple[Fit, ...]]:
    """The experiment and its fits: each region and all regions together, and age and sex; parameters as of `plan_radiomics`.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     experiment, fits = plan_baselines(store, "ill")
    >>> sorted({fit.inputs.method.name for fit in fits})
    ['best_feature', 'mean_hu', 'volume']
    """
    split, spec_id = current_split(store, task, split_id), store.latest_spec
    regions = region_inputs(store, task, spec_id, ARCHITECTURE, sound_only=sound_only)
    clinical = read_clinical(store, task)
    inputs = [baseline for region in (*regions, *all_regions(regions)) for baseline in _baselines(region)]
    if clinical.matrix:
        inputs.append(Inputs(Method(ARCHITECTURE, features="clinical"), clinical.matrix))
    fits, left_out = fits_of(store, split, inputs)
    unknown = [f"clinical baseline: {word}, expected a number of years, or m, f, male, female" for word in clinical.unknown]
    keeps = frozenset({"predictions"})
    return Experiment(EXPERIMENT, split, spec_id, BaselineSettings(), keeps, "baseline", (*left_out, *unknown), sound_only), fits


def _baselines(region: Matrices) -> Iterator[Matrices]:
    """The baselines of a region, or of all regions side by side; a feature that was not measured makes none."""
    names = region.examples.feature_names
    yield of_features(region, BEST_FEATURE, names)
    for choice, feature in SINGLE_FEATURES.items():
        columns = [name for name in names if name.endswith(feature)]
        if columns:
            yield of_features(region, choice, columns)
