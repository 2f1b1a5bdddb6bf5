"""Groups of patients who share an image: for every split they are one patient."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from scipy.cluster.hierarchy import DisjointSet

from ren_features import FeatureStore
from ren_features.store.duplicates import duplicate_scans

Group = frozenset[str]

SHOWN = 10
"""Patients, or groups of them, that a message names."""


def patient_groups(store: FeatureStore, patients: Collection[str]) -> tuple[Group, ...]:
    """Groups of two or more of the patients who share an image, in order.

    Two patients are in one group when a scan of each holds the same image (`duplicate_scans`), or when both are in a group with
    a third one, who need not be among the patients.
    """
    owner = dict(store.sql("SELECT scan_id, patient_id FROM scans").rows())
    joined = DisjointSet(owner.values())
    for first, *others in duplicate_scans(store.connection):
        for other in others:
            joined.merge(owner[first], owner[other])
    groups = (Group(group).intersection(patients) for group in joined.subsets())
    return tuple(sorted((group for group in groups if len(group) > 1), key=min))


def group_names(patients: Iterable[str], groups: Iterable[Group]) -> dict[str, str]:
    """Name of each patient's group: its first patient; alone, the patient's own.

    Examples
    --------
    >>> group_names(["a", "b", "c"], [frozenset({"b", "c"})])
    {'a': 'a', 'b': 'b', 'c': 'b'}
    """
    first = {patient: min(group) for group in groups for patient in group}
    return {patient: first.get(patient, patient) for patient in patients}


def contradictions(groups: Iterable[Group], labels: Mapping[str, int]) -> tuple[Group, ...]:
    """Groups whose patients have different labels, although they share an image.

    Examples
    --------
    >>> contradictions([frozenset({"a"})], {"a": 1})
    ()
    """
    return tuple(group for group in groups if len({labels[patient] for patient in group}) > 1)


def named(groups: Collection[Group], labels: Mapping[str, int] | None = None) -> str:
    """Groups in words, at most ten patients of at most ten groups; with labels, each patient's beside it."""
    shown = ["{" + _listed([f"{name} ({labels[name]})" if labels else name for name in sorted(group)]) + "}" for group in groups]
    return _listed(shown)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
