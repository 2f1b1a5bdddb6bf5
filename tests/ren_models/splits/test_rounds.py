"""Rounds over patients."""

from collections import Counter

import pytest

from ren_features import FeatureStore
from ren_features.errors import LeakageError, SplitError
from ren_models.splits.rounds import Round, make_split
from ren_models.splits.stored import read_split, store_split

LABELS = {f"p{number}": int(number % 3 == 0) for number in range(47)}


def test_a_patient_in_two_parts_is_leakage():
    with pytest.raises(LeakageError, match="round 3: expected each patient in one part, got 1 in train and test: b"):
        Round(3, frozenset("ab"), frozenset("c"), frozenset("bd"))


def test_the_full_protocol_tests_every_patient_once():
    rounds = make_split(LABELS, "t").rounds
    assert len(rounds) == 10
    tested = Counter(patient for each in rounds for patient in each.test)
    assert tested == dict.fromkeys(LABELS, 1)


def test_each_fold_is_used_twice_with_val_and_test_swapped():
    rounds = make_split(LABELS, "t").rounds
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        assert (first.train, first.val, first.test) == (second.train, second.test, second.val)


def test_the_protocol_of_the_paper_tests_half_of_the_patients():
    rounds = make_split(LABELS, "t", protocol="paper").rounds
    assert len(rounds) == 5
    tested = [patient for each in rounds for patient in each.test]
    assert len(tested) == len(set(tested))
    assert abs(len(tested) - len(LABELS) / 2) <= 2.5


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_whole_and_have_the_classes_alike(seed):
    for each in make_split(LABELS, "t", seed=seed).rounds:
        assert each.train | each.val | each.test == set(LABELS)
        assert abs(len(each.val) - len(each.test)) <= 1
        for part in (each.train, each.val, each.test):
            ill = sum(LABELS[patient] for patient in part)
            assert abs(ill - len(part) / 3) <= 1.5


def test_a_split_depends_on_settings_and_labels_alone():
    split = make_split(LABELS, "t")
    assert make_split(dict(reversed(LABELS.items())), "t") == split
    others = (make_split(LABELS, "u"), make_split(LABELS, "t", seed=1), make_split(LABELS | {"p0": 0}, "t"))
    assert len({split.split_id, *(other.split_id for other in others)}) == 4


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ({"a": 1, "b": 1}, {}, "task t: expected patients of two classes, got 2 of class 1"),
        (
            dict.fromkeys("abcdefg", 0) | dict.fromkeys("hijklmn", 1),
            {},
            r"10 or more, got 7 of class 0 \(.*\); at most 3 folds are possible",
        ),
        (dict.fromkeys("abcdefg", 0) | dict.fromkeys("hi", 1), {}, r"got 2 of class 1 \(.*\); there are too few for two folds"),
        (LABELS, {"protocol": "half"}, "protocol: expected full or paper, got half"),
        (LABELS, {"folds": 1}, "folds: expected 2 or more, got 1"),
    ],
)
def test_what_cannot_be_split_is_refused(labels, options, message):
    with pytest.raises(SplitError, match=message):
        make_split(labels, "t", **options)


def test_a_split_is_stored_once(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        first = store_split(store, "ill")
        rows = store.sql("FROM rounds ORDER BY ALL").rows(), store.sql("FROM splits").rows(), store.sql("FROM runs").rows()
        again = store_split(store, "ill")
        assert (first.is_old, again.is_old) == (False, True)
        assert again.split == first.split == read_split(store, "ill")
        assert (
            store.sql("FROM rounds ORDER BY ALL").rows(),
            store.sql("FROM splits").rows(),
            store.sql("FROM runs").rows(),
        ) == rows
        assert len(rows[0]) == 10 * 30


def test_other_settings_are_another_split_and_the_last_one_is_read(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        first, second = store_split(store, "ill").split, store_split(store, "ill", seed=1).split
        assert read_split(store, "ill") == second
        assert read_split(store, "ill", first.split_id) == first


def test_patients_without_a_label_are_left_out_and_counted(make_store):
    path = make_store(patients=33, label=lambda patient, scan: None if patient < 3 else patient % 2)
    with FeatureStore(path, read_only=False) as store:
        made = store_split(store, "ill")
        assert made.without_label == 3
        assert store.sql("SELECT count(DISTINCT patient_id) FROM rounds").item() == 30


def test_a_patient_who_ever_has_it_counts_as_having_it(make_store):
    path = make_store(label=lambda patient, scan: int(patient % 2 and scan == 1))
    with FeatureStore(path, read_only=False) as store:
        split = store_split(store, "ill").split
        assert all(sum(int(patient[1:]) % 2 for patient in each.test) for each in split.rounds)


def test_a_row_that_puts_a_patient_into_two_parts_is_found_when_the_split_is_read(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        split = store_split(store, "ill").split
        store.connection.execute("ALTER TABLE rounds RENAME TO kept")
        store.connection.execute(
            "CREATE TABLE rounds AS FROM kept UNION ALL SELECT * REPLACE ('test' AS part) FROM kept WHERE round = 2"
        )
        with pytest.raises(LeakageError, match="round 2"):
            read_split(store, "ill", split.split_id)


def test_a_task_or_split_that_is_not_there_is_named(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        with pytest.raises(SplitError, match=r"expected labels of a task \(ill\), got task well"):
            store_split(store, "well")
        with pytest.raises(SplitError, match="expected split of task ill, found none; `ren-models split` makes one"):
            read_split(store, "ill")
        made = store_split(store, "ill").split.split_id
        with pytest.raises(SplitError, match=f"expected split abc of task ill, found none; there are {made} of ill"):
            read_split(store, "ill", "abc")


def test_what_is_left_over_of_a_class_takes_turns():
    labels = {f"{place:02}": int(place < 25) for place in range(40)}  # five ill and three healthy in each fold
    ill = [sum(labels[patient] for patient in each.test) for each in make_split(labels, "t", protocol="paper").rounds]
    assert ill == [3, 2, 3, 2, 3]
