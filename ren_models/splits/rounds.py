"""Rounds over patients: who is trained on, validated on, tested. No patient, and no image, sits in two parts of a round.

[METHOD section 4; REN, section III.D] Folds are stratified by the patient's label; the patients of the fold that is held out
are halved, again by label, into validation and test. Patients who share an image are one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ren_features.digest import short_digest
from ren_features.errors import LeakageError, SplitError
from ren_models.splits.groups import Group, group_names, named

PARTS = ("train", "val", "test")
PROTOCOLS = ("full", "paper")
RULE = " (a patient's class is the largest of the scans'; those who share an image count as one)"


@dataclass(frozen=True)
class Round:
    """Patients of the three parts.

    Attributes
    ----------
    index : int
    train, val, test : frozenset of str
    groups : tuple of frozenset of str
        Patients who share an image, in groups of two or more.

    Raises
    ------
    LeakageError
        When a patient, or a group, is in two parts.

    Examples
    --------
    >>> Round(0, frozenset({"a"}), frozenset({"b"}), frozenset({"c"})).patients("val")
    frozenset({'b'})
    """

    index: int
    train: frozenset[str]
    val: frozenset[str]
    test: frozenset[str]
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        for one, other in combinations(PARTS, 2):
            shared = sorted(self.patients(one) & self.patients(other))
            if shared:
                raise LeakageError(
                    f"round {self.index}: expected each patient in one part, got {len(shared)} in {one} and {other}: "
                    f"{', '.join(shared[:5])}"
                )
        divided = [group for group in self.groups if sum(bool(group & self.patients(part)) for part in PARTS) > 1]
        if divided:
            raise LeakageError(
                f"round {self.index}: expected patients who share an image in one part, got {named(divided)} in several; "
                "`ren-models split` makes a split that keeps them together"
            )

    def patients(self, part: str) -> frozenset[str]:
        """Patients of the part `train`, `val` or `test`."""
        return frozenset(getattr(self, part))


@dataclass(frozen=True)
class Split:
    """All rounds over the patients that have a label of a task.

    Attributes
    ----------
    split_id : str
        Digest of the settings, of every patient's label, and of who shares an image: another cohort has another split.
    """

    split_id: str
    task: str
    protocol: str
    folds: int
    seed: int
    rounds: tuple[Round, ...]

    @property
    def patients(self) -> frozenset[str]:
        """All of them; each is in one part of every round."""
        return frozenset.union(*(self.rounds[0].patients(part) for part in PARTS))

    @property
    def test_share(self) -> float:
        """Patients in test for each one in train, averaged over the rounds."""
        return float(np.mean([len(number.test) / len(number.train) for number in self.rounds]))

    @property
    def groups(self) -> tuple[Group, ...]:
        """Patients who share an image, in groups of two or more."""
        return self.rounds[0].groups


def make_split(
    labels: Mapping[str, int],
    task: str,
    *,
    protocol: str = "full",
    folds: int = 5,
    seed: int = 42,
    groups: Sequence[Group] = (),
) -> Split:
    """Split patients.

    Parameters
    ----------
    labels : mapping of str to int
        Each patient's class.
    task : str
    protocol : str
        `full`: each fold is used twice, with validation and test swapped, so that each patient is tested once (two rounds a
        fold). `paper`: once, so that half of the patients are tested (one round a fold).
    folds, seed : int
    groups : sequence of frozenset of str
        Patients who share an image. A group counts as one patient, of the largest class that one of them has.

    Raises
    ------
    SplitError
        When there is one class only, or a part would lack one.

    Examples
    --------
    >>> labels = {f"p{number:02}": number % 2 for number in range(40)}
    >>> split = make_split(labels, "ill")
    >>> len(split.rounds), split.test_share
    (10, 0.125)
    """
    if protocol not in PROTOCOLS:
        raise SplitError(f"protocol: expected {' or '.join(PROTOCOLS)}, got {protocol}")
    members, class_of = _units(labels, groups)
    _check_classes(class_of, task, folds)
    names = sorted(class_of)
    classes = np.array([class_of[name] for name in names])
    rounds: list[Round] = []

    def whole(places: NDArray[np.int64]) -> frozenset[str]:
        return frozenset(chain.from_iterable(members[names[place]] for place in places))

    for train, one, other in _folds(classes, folds, seed):
        for val, test in ((one, other), (other, one))[: 2 if protocol == "full" else 1]:
            rounds.append(Round(len(rounds), whole(train), whole(val), whole(test), tuple(groups)))
    return Split(digest(labels, task, protocol, folds, seed, groups), task, protocol, folds, seed, tuple(rounds))


def digest(labels: Mapping[str, int], task: str, protocol: str, folds: int, seed: int, groups: Sequence[Group] = ()) -> str:
    """The id of a split: first 16 hexadecimal digits of the SHA-256 of the settings, labels and groups, if there are any."""
    shared = [sorted(map(sorted, groups))] if groups else []
    return short_digest(json.dumps([task, protocol, folds, seed, sorted(labels.items()), *shared]))


def _units(labels: Mapping[str, int], groups: Sequence[Group]) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Whom a split takes as one patient, by the group's name, and of which class: the largest."""
    members: dict[str, set[str]] = {}
    for patient, name in group_names(labels, groups).items():
        members.setdefault(name, set()).add(patient)
    return members, {name: max(labels[patient] for patient in group) for name, group in members.items()}


def _folds(classes: NDArray[np.int64], folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """For each fold, places of the patients of the other folds, and of the two halves of this one."""
    shuffle = np.random.default_rng(seed)
    stratified = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (train, held_out) in enumerate(stratified.split(classes, classes)):
        order = shuffle.permutation(held_out)
        # Patients of a class in a row: every other one is in the same half, so the halves have all classes alike.
        by_class = order[np.argsort(classes[order], kind="stable")]
        # They take turns, so that what is left over of a class is not always in the same one.
        yield train, by_class[number % 2 :: 2], by_class[1 - number % 2 :: 2]


def _check_classes(labels: Mapping[str, int], task: str, folds: int) -> None:
    counts = Counter(labels.values())
    if folds < 2:
        raise SplitError(f"folds: expected 2 or more, got {folds}")
    if len(counts) < 2:
        raise SplitError(
            f"task {task}: expected patients of two classes, got {len(labels)} of class {', '.join(map(str, counts))}{RULE}"
        )
    rarest, patients = min(counts.items(), key=lambda item: (item[1], item[0]))
    if patients < 2 * folds:
        possible = f"at most {patients // 2} folds are possible" if patients >= 4 else "there are too few for two folds"
        raise SplitError(
            f"task {task}: expected two patients of each class for each of {folds} folds, so {2 * folds} or more, "
            f"got {patients} of class {rarest}{RULE}; {possible}"
        )
