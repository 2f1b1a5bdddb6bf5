"""Stored results of experiments, as figures need them."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from ren_features import FeatureStore
from ren_features.errors import StaleError, StoreError
from ren_models.methods import Method
from ren_models.outcomes.freshness import stale_results
from ren_models.plans.registry import command_of
from ren_models.splits.rounds import Split
from ren_models.splits.stored import read_split

TEST_ROWS = """
    SELECT m.experiment, m.kind, m.method, m.architecture, p.region, m.region_set,
           p.patient_id, p.scan_id, p.label AS y, p.probability, p.round
    FROM predictions p JOIN models m USING (model_id)
    WHERE m.task = ? AND m.split_id = ? AND m.permutation = 0 AND p.part = 'test'
"""


class Setting(NamedTuple):
    """A task and its split in a store.

    Attributes
    ----------
    store : FeatureStore
    split : Split
    allow_stale : bool
        Whether stale results are drawn, with a mark, instead of refused.
    """

    store: FeatureStore
    split: Split
    allow_stale: bool = False

    @property
    def task(self) -> str:
        """Task of the split."""
        return self.split.task

    @property
    def test_share(self) -> float:
        """Patients in test for each one in train, averaged over the rounds."""
        return self.split.test_share

    @property
    def key(self) -> list[str]:
        """Parameters of queries on task and split."""
        return [self.split.task, self.split.split_id]


def read_setting(store: FeatureStore, task: str, split_id: str | None = None, *, allow_stale: bool = False) -> Setting:
    """The split of a task; the one that was made last, unless another is named."""
    return Setting(store, read_split(store, task, split_id), allow_stale)


def staleness(setting: Setting, *experiments: str) -> tuple[str, ...]:
    """Reasons why results of experiments are stale; none when they are fresh.

    Raises
    ------
    StaleError
        When they are stale and the setting does not allow it.
    """
    reasons = tuple(stale_results(setting.store, setting.split, *experiments))
    if reasons and not setting.allow_stale:
        raise StaleError(f"store {setting.store.path}: {'; '.join(reasons)}; --allow-stale draws them with a mark")
    return reasons


def results(setting: Setting, experiment: str, metric: str) -> pl.DataFrame:
    """Values of a metric: columns `method`, `region`, `round`, `permutation`, `value`.

    Raises
    ------
    StoreError
        When the experiment has none.
    """
    values = setting.store.sql(
        """SELECT method, region, round, permutation, value FROM results
        WHERE task = ? AND split_id = ? AND experiment = ? AND metric = ? ORDER BY ALL""",
        [*setting.key, experiment, metric],
    )
    if values.is_empty():
        command = command_of(setting.store, experiment) or "ren-models radiomics"
        raise StoreError(
            f"store {setting.store.path}: expected results of experiment {experiment}, task {setting.task}, split "
            f"{setting.split.split_id}, found none; `{command}` makes them"
        )
    return values


def expert_experiments(setting: Setting) -> list[str]:
    """Experiments that have experts: radiomics, and others when the store has them; the baselines come last.

    Raises
    ------
    StoreError
        When there is none.
    """
    experiments = setting.store.sql(
        """SELECT experiment, kind FROM models WHERE task = ? AND split_id = ? AND kind IN ('expert', 'baseline')
        GROUP BY ALL ORDER BY kind DESC, experiment""",
        setting.key,
    )
    if "expert" not in experiments["kind"]:
        query = "SELECT DISTINCT split_id FROM models WHERE task = ? AND kind = 'expert' ORDER BY 1"
        others = setting.store.sql(query, [setting.task])
        there = f"; there are some of {', '.join(others['split_id'])}: name one with --split" if len(others) else ""
        raise StoreError(
            f"store {setting.store.path}: expected experts for task {setting.task}, split {setting.split.split_id}, found none; "
            f"`ren-models radiomics` fits them{there}"
        )
    return experiments["experiment"].to_list()


def methods(setting: Setting, experiment: str) -> list[Method]:
    """Methods of an experiment: regions in their order, then sets of regions, then the patient."""
    rows = setting.store.sql(
        """SELECT DISTINCT method, architecture, region, region_set, position FROM models LEFT JOIN regions ON region = name
        WHERE task = ? AND split_id = ? AND experiment = ?
        ORDER BY position NULLS LAST, region_set NULLS LAST, method""",
        [*setting.key, experiment],
    )
    return [Method.of(*row[:4]) for row in rows.rows()]


def test_rows(setting: Setting, experiment: str) -> pl.DataFrame:
    """Predictions of the test parts of all rounds, pooled; ordered, so that what is drawn from them is the same each time."""
    return setting.store.sql(f"{TEST_ROWS} AND m.experiment = ? ORDER BY ALL", [*setting.key, experiment])


def of_two_classes(rows: pl.DataFrame, setting: Setting) -> pl.DataFrame:
    """The rows, if their task has two classes.

    Raises
    ------
    StoreError
        When it has more.
    """
    if rows["probability"].null_count():
        raise StoreError(f"task {setting.task}: expected two classes for this, got more; fig3 and fig4 take any number")
    return rows


MANY_CLASSES = "AUCs are means of each class against the rest. "
"""Sentence of captions for tasks with more than two classes."""


def many_classes(setting: Setting) -> bool:
    """True when predictions of this split are of more than two classes."""
    query = "SELECT max(label) > 1 FROM predictions JOIN models USING (model_id) WHERE task = ? AND split_id = ?"
    return bool(setting.store.sql(query, setting.key).item())


def regions(setting: Setting) -> list[str]:
    """Regions in their order."""
    return setting.store.sql("SELECT name FROM regions ORDER BY position")["name"].to_list()
