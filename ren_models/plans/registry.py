"""Experiments by name: the plan that makes their fits anew, and the command that a user calls for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial

from ren_features import FeatureStore
from ren_models.experiments.evaluation import Fit
from ren_models.experiments.experiment import Experiment
from ren_models.plans.ablation import EXPERIMENT as ABLATION
from ren_models.plans.ablation import plan_ablation
from ren_models.plans.baselines import EXPERIMENT as BASELINES
from ren_models.plans.baselines import plan_baselines
from ren_models.plans.radiomics import METHOD, RESAMPLED, SHUFFLED, plan_radiomics

Plan = Callable[..., tuple[Experiment, tuple[Fit, ...]]]

PLANS: Mapping[str, Plan] = {
    METHOD: plan_radiomics,
    SHUFFLED: plan_radiomics,
    RESAMPLED: plan_radiomics,
    BASELINES: plan_baselines,
    ABLATION: plan_ablation,
}
"""Plans whose fits read the same inputs as the models of an experiment."""

COMMANDS: Mapping[str, str] = {
    METHOD: "ren-models radiomics",
    SHUFFLED: "ren-models chance",
    RESAMPLED: "ren-analysis fig3 --refit N",
    BASELINES: "ren-models radiomics",
    ABLATION: "ren-analysis fig4",
}
"""Commands that compute the results of an experiment."""


def plan_of(store: FeatureStore, experiment: str) -> Plan | None:
    """The plan of a stored experiment; None when it is of no kind that is planned here."""
    estimator = _estimator(store, experiment)
    if not estimator:
        return PLANS.get(experiment)
    from ren_models.experts.classifier import ClassifierSettings
    from ren_models.plans.classifier import plan_classifier

    return partial(plan_classifier, settings=ClassifierSettings(estimator))


def command_of(store: FeatureStore, experiment: str) -> str | None:
    """The command that makes the results of an experiment."""
    estimator = _estimator(store, experiment)
    return f"ren-models classifier --estimator {estimator}" if estimator else COMMANDS.get(experiment)


def _estimator(store: FeatureStore, experiment: str) -> str | None:
    """The estimator of an experiment of classifiers."""
    if experiment in PLANS:
        return None
    params = store.sql("SELECT params::VARCHAR FROM models WHERE experiment = ? LIMIT 1", [experiment])
    name: str | None = json.loads(params.item()).get("estimator") if len(params) else None
    return name
