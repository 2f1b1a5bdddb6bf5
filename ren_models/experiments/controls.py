"""Controls of an experiment: the same fits on shuffled labels (chance), or on resampled patients (uncertainty).

A control changes the rows of a cohort once, and every region and round of it sees the same change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ren_features import FeatureStore
from ren_models.splits.examples import E
from ren_models.splits.groups import group_names
from ren_models.splits.rounds import PARTS, Split

SHUFFLES = 99
"""Shuffles of the labels; the smallest p-value is then 0.01."""


class Control(Protocol):
    """A change of the rows; `seed` tells one from another and is the column `permutation` of the store."""

    @property
    def seed(self) -> int:
        """Seed of the random change, from 1."""

    def apply(self, examples: E) -> E:
        """Changed rows."""


@dataclass(frozen=True)
class ShuffledLabels:
    """Labels that patients have exchanged.

    Attributes
    ----------
    seed : int
    labels : mapping of str to int
        New label of each scan of the split.

    Examples
    --------
    >>> from ren_features import FeatureStore
    >>> with FeatureStore("ren.duckdb") as store:
    ...     matrix = store.matrix(region="LLL", task="ill")
    >>> ShuffledLabels(1, {"p000_0": 1}).apply(matrix).y[:2].tolist()
    [1, 0]
    """

    seed: int
    labels: Mapping[str, int]

    def apply(self, examples: E) -> E:
        """The same scans with the exchanged labels; scans of other patients keep theirs."""
        pairs = zip(examples.scan_ids, examples.y, strict=True)
        return examples.with_labels(np.array([self.labels.get(str(scan), label) for scan, label in pairs], np.int64))


@dataclass(frozen=True)
class ResampledPatients:
    """Patients drawn with replacement.

    Attributes
    ----------
    seed : int
    draws : mapping of str to int
        Number of times that each patient was drawn.

    Examples
    --------
    >>> from ren_features import FeatureStore
    >>> with FeatureStore("ren.duckdb") as store:
    ...     matrix = store.matrix(region="LLL", task="ill")
    >>> ResampledPatients(1, {"p000": 2}).apply(matrix).scan_ids.tolist()
    ['p000_0', 'p000_0', 'p000_1', 'p000_1']
    """

    seed: int
    draws: Mapping[str, int]

    def apply(self, examples: E) -> E:
        """All scans of a patient as often as the patient was drawn; copies stay in the patient's part of each round."""
        counts = np.array([self.draws.get(str(patient), 0) for patient in examples.patient_ids])
        return examples.select_rows(np.repeat(np.arange(len(counts)), counts))


def shuffle_labels(store: FeatureStore, split: Split, seeds: Iterable[int]) -> Iterator[ShuffledLabels]:
    """Exchange the labels of a store's scans, once for each seed; see `exchange_labels`."""
    frame = store.sql(
        """SELECT scan_id, patient_id, value FROM labels JOIN scans USING (scan_id)
        WHERE task = ? AND list_contains(?, patient_id) ORDER BY patient_id, scan_id""",
        [split.task, sorted(split.patients)],
    )
    scan_ids, patients = (frame[column].to_numpy().astype(np.str_) for column in ("scan_id", "patient_id"))
    return exchange_labels(scan_ids, patients, frame["value"].to_numpy(), split, seeds)


def exchange_labels(
    scan_ids: NDArray[np.str_], patients: NDArray[np.str_], y: NDArray[np.int64], split: Split, seeds: Iterable[int]
) -> Iterator[ShuffledLabels]:
    """Exchange labels between patients who are in the same part of every round, once for each seed.

    Patients who share an image give and take labels as one. Parts keep their numbers of patients of each class, as the
    stratified split made them: where labels mean nothing, a shuffled cohort is as likely as the true one, which makes a
    permutation test exact (Fisher 1935).

    Parameters
    ----------
    scan_ids, patients : ndarray of str, shape (scan,)
        A patient's scans in their order.
    y : ndarray of int, shape (scan,)
    split : Split
    seeds : iterable of int
    """
    blocks = [np.flatnonzero(np.isin(patients, block)) for block in _blocks(split)]
    names = group_names(patients.tolist(), split.groups)
    owners = np.array([names[patient] for patient in patients.tolist()])
    for seed in seeds:
        rng, shuffled = np.random.default_rng(seed), y.copy()
        for rows in blocks:
            shuffled[rows] = labels_of_donors(y[rows], owners[rows], rng)
        yield ShuffledLabels(seed, dict(zip(scan_ids.tolist(), shuffled.tolist(), strict=True)))


def resample_patients(split: Split, seeds: Iterable[int]) -> Iterator[ResampledPatients]:
    """Draw as many patients as the split has, with replacement, once for each seed.

    Copies of a patient stay in one part, so that no expert is tested on a copy of a patient that it was trained on. Patients who
    share an image are drawn as one.

    References
    ----------
    Jiang, Varma and Simon, Stat Appl Genet Mol Biol 2008;7:8 (bootstrap case cross-validation).
    """
    names = group_names(sorted(split.patients), split.groups)
    owners = sorted(set(names.values()))
    for seed in seeds:
        counts = np.random.default_rng(seed).multinomial(len(owners), np.full(len(owners), 1 / len(owners)))
        draws = dict(zip(owners, counts.tolist(), strict=True))
        yield ResampledPatients(seed, {patient: draws[owner] for patient, owner in names.items()})


def labels_of_donors(y: NDArray[np.int64], patients: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels after each patient has given them to another one, shape (scan,).

    A patient's scans take the labels of the donor's scans in the order of the rows; a patient with fewer or more scans takes
    those at the same share of the donor's rows.

    Examples
    --------
    >>> labels_of_donors(np.array([1, 1, 0]), np.array(["a", "a", "b"]), np.random.default_rng(1)).tolist()
    [1, 1, 0]
    """
    places = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    shuffled = y.copy()
    for recipient, donor in zip(places, rng.permutation(len(places)), strict=True):
        given = y[places[donor]]
        shuffled[recipient] = given[np.arange(len(recipient)) * len(given) // len(recipient)]
    return shuffled


def _blocks(split: Split) -> list[list[str]]:
    """Patients who are in the same part of every round."""
    parts = {(number.index, patient): part for number in split.rounds for part in PARTS for patient in number.patients(part)}
    blocks: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for patient in sorted(split.patients):
        blocks[tuple(parts[number.index, patient] for number in split.rounds)].append(patient)
    return list(blocks.values())
