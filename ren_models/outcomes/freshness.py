"""Stale results: those whose features, labels, split or software have changed since."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ren_features import FeatureStore
from ren_features.errors import RenError, SpecError
from ren_models.experiments.running import CHANGED_RESULTS
from ren_models.plans.registry import Plan, command_of, plan_of
from ren_models.splits.rounds import Split
from ren_models.splits.stored import is_current

REASONS = {
    "features": "features have changed",
    "labels": "labels have changed",
    "expert": "the expert is of another version",
    "metrics": "metrics are of another version",
}
"""Reasons by the key of the column `inputs` that differs."""

MODELS = """
    SELECT method, region, spec_id, settings_id, inputs, params FROM models
    WHERE task = ? AND split_id = ? AND experiment = ?
"""


def stale_results(store: FeatureStore, split: Split, *experiments: str) -> list[str]:
    """Say of each experiment why its results are stale, and which command renews them; an empty list when they are fresh.

    Parameters
    ----------
    store : FeatureStore
    split : Split
    *experiments : str
        Experiments without models of this task and split are fresh.
    """
    outdated = [] if is_current(store, split) else [_outdated_split(split)]
    plans: dict[tuple[Plan, bool], Mapping[tuple[str, str | None], dict[str, str]] | str] = {}
    messages = []
    for experiment in experiments:
        reasons = [*_changed_inputs(store, split, experiment, plans), *_changed_results(store, split, experiment)]
        if reasons:
            command = command_of(store, experiment)
            renew = f"; `{command}` renews them" if command else ""
            messages.append(f"results of {experiment} are stale: {', '.join(dict.fromkeys(reasons))}{renew}")
    return outdated + messages


def _outdated_split(split: Split) -> str:
    return f"split {split.split_id} is stale: patients or labels have changed since it was made; `ren-models split` makes another"


def _changed_inputs(store: FeatureStore, split: Split, experiment: str, plans: dict[Any, Any]) -> Iterator[str]:
    """Reasons why models were fitted to other rows than those that the store has."""
    models = store.sql(MODELS, [split.task, split.split_id, experiment])
    if models.is_empty():
        return
    if models["spec_id"].unique().to_list() != [store.latest_spec]:
        yield f"they are of spec {', '.join(models['spec_id'].unique().sort())}, and rows of {store.latest_spec} came later"
        return
    if models["settings_id"].n_unique() > 1:
        yield "they are of several settings, as an interrupted run leaves them"
    sound_only = bool(json.loads(models["params"][0])["sound_only"])
    try:
        plan = plan_of(store, experiment)
    except SpecError as error:
        yield str(error)
        return
    if plan is None:
        return
    if (plan, sound_only) not in plans:
        plans[plan, sound_only] = _current_inputs(store, split, plan, sound_only=sound_only)
    current = plans[plan, sound_only]
    if isinstance(current, str):
        yield current
        return
    yield from _differences(models, current)


def _current_inputs(
    store: FeatureStore, split: Split, plan: Plan, *, sound_only: bool
) -> Mapping[tuple[str, str | None], dict[str, str]] | str:
    """Digests of the inputs that models would have now, by method and region; or the reason why none can be fitted."""
    try:
        experiment, fits = plan(store, split.task, split_id=split.split_id, sound_only=sound_only)
    except RenError as error:
        return str(error)
    return {(fit.inputs.method.name, fit.inputs.method.region): experiment.inputs(fit) for fit in fits}


def _differences(models: pl.DataFrame, current: Mapping[tuple[str, str | None], dict[str, str]]) -> Iterator[str]:
    regions: dict[str, Counter[str]] = {}
    for method, region, inputs in models.select("method", "region", "inputs").unique(maintain_order=True).rows():
        if inputs is None:
            yield "they were stored by an older version, which kept no digest of its inputs"
            return
        stored, now = json.loads(inputs), current.get((method, region))
        if now is None:
            yield f"{region or method} has no rows now"
        for key, reason in REASONS.items():
            if now and stored[key] != now[key]:
                regions.setdefault(reason, Counter())[region or method] += 1
    for reason, places in regions.items():
        yield f"{reason} ({', '.join(places)})" if reason == REASONS["features"] else reason


def _changed_results(store: FeatureStore, split: Split, experiment: str) -> Iterator[str]:
    """A reason where rows of `results` are not those that their models were stored with."""
    key = [experiment, split.task, split.split_id]
    changed = store.sql(CHANGED_RESULTS, [*key, *key])
    if len(changed):
        first = changed.row(0, named=True)
        place = f"{first['metric']} of {first['method']} {first['region'] or ''}".rstrip()
        yield f"{len(changed)} values of results are not those of their models (the first: {place}, round {first['round']})"
