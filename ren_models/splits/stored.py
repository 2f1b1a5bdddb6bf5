"""Splits in the store: made once, never recomputed."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from ren_features import FeatureStore
from ren_features.errors import SplitError
from ren_features.store.connection import transaction
from ren_features.store.rows import insert, insert_frame, now
from ren_models.splits.groups import patient_groups
from ren_models.splits.rounds import PARTS, Round, Split, digest, make_split


class Stored(NamedTuple):
    """A split, whether it was there before, and how many patients have no label."""

    split: Split
    is_old: bool
    without_label: int


def patient_labels(store: FeatureStore, task: str) -> dict[str, int]:
    """Class of each labelled patient: the largest label of the scans, so that a patient who ever has the disease has it.

    Raises
    ------
    SplitError
        When no scan has a label of the task.
    """
    labels = _labels(store, task)
    if not labels:
        tasks = store.sql("SELECT DISTINCT task FROM labels ORDER BY 1").to_series().to_list()
        raise SplitError(
            f"store {store.path}: expected labels of a task ({', '.join(tasks) or 'there are none'}), got task {task}"
        )
    return labels


def _labels(store: FeatureStore, task: str) -> dict[str, int]:
    query = "SELECT patient_id, max(value) FROM labels JOIN scans USING (scan_id) WHERE task = ? GROUP BY 1 ORDER BY 1"
    return dict(store.sql(query, [task]).rows())


def store_split(store: FeatureStore, task: str, *, protocol: str = "full", folds: int = 5, seed: int = 42) -> Stored:
    """Make a split and store it; one of the same settings and labels that is there already is read and left as it is."""
    labels = patient_labels(store, task)
    split = make_split(labels, task, protocol=protocol, folds=folds, seed=seed, groups=patient_groups(store, labels))
    without = int(store.sql("SELECT count(*) FROM patients").item()) - len(labels)
    is_old = store.sql("SELECT count(*) FROM splits WHERE split_id = ?", [split.split_id]).item() > 0
    if is_old:
        return Stored(read_split(store, task, split.split_id), is_old, without)
    with store.computing(store.latest_spec) as run_id, transaction(store.connection):
        facts = {"split_id": split.split_id, "task": task, "protocol": protocol, "folds": folds, "seed": seed}
        counts = {"patients": len(labels), "without_label": without, "run_id": run_id, "made_at": now()}
        insert(store.connection, "splits", [facts | counts])
        insert_frame(store.connection, "rounds", _rows(split))
    return Stored(split, is_old, without)


def _rows(split: Split) -> pl.DataFrame:
    rows = [
        (split.split_id, number.index, patient, part)
        for number in split.rounds
        for part in PARTS
        for patient in sorted(number.patients(part))
    ]
    return pl.DataFrame(rows, ["split_id", "round", "patient_id", "part"], orient="row")


def current_split(store: FeatureStore, task: str, split_id: str | None = None) -> Split:
    """The split that new fits use: the one that was made last, which must be of the labels as they are, or the one that is named.

    Raises
    ------
    SplitError
        When there is none, or patients or labels have changed since it was made.
    """
    split = read_split(store, task, split_id)
    if not split_id and not is_current(store, split):
        raise SplitError(
            f"store {store.path}: expected a split of the patients and labels of {task} as they are, got {split.split_id}, "
            "made before they changed; `ren-models split` makes one, `--split` names an old one"
        )
    return split


def is_current(store: FeatureStore, split: Split) -> bool:
    """True when patients, labels and shared images are those that the split was made of."""
    # Its groups are those of its patients as they are; with other patients it is another split anyway.
    now = digest(_labels(store, split.task), split.task, split.protocol, split.folds, split.seed, split.groups)
    return now == split.split_id


def read_split(store: FeatureStore, task: str, split_id: str | None = None) -> Split:
    """A split of the task; the one that was made last, unless another is named.

    Raises
    ------
    SplitError
        When there is none.
    LeakageError
        When the rows of a round have a patient, or patients who share an image by now, in two parts.
    """
    every = store.sql("SELECT * FROM splits ORDER BY made_at, split_id")
    matching = every.filter(task=task, **({"split_id": split_id} if split_id else {}))
    if matching.is_empty():
        patient_labels(store, task)  # that there are none is the first thing to say
        named = f" {split_id}" if split_id else ""
        others = ", ".join(f"{name} of {of}" for name, of in every.select("split_id", "task").rows())
        advice = f"there are {others}" if split_id and others else "`ren-models split` makes one"
        raise SplitError(f"store {store.path}: expected split{named} of task {task}, found none; {advice}")
    facts = matching.row(-1, named=True)
    query = "SELECT round, part, list(patient_id) FROM rounds WHERE split_id = ? GROUP BY ALL"
    rounds = store.sql(query, [facts["split_id"]])
    parts = {(index, part): frozenset(patients) for index, part, patients in rounds.iter_rows()}
    groups = patient_groups(store, frozenset[str]().union(*parts.values()))
    whole = []
    for index in sorted({index for index, _ in parts}):
        train, val, test = (parts.get((index, part), frozenset()) for part in PARTS)
        whole.append(Round(index, train, val, test, groups))
    return Split(facts["split_id"], task, facts["protocol"], facts["folds"], facts["seed"], tuple(whole))
