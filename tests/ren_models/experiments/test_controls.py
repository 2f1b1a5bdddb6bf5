"""Controls change the rows of a cohort once, for all regions and rounds."""

import numpy as np
import pytest

from ren_features import FeatureStore
from ren_models.experiments.controls import labels_of_donors, resample_patients, shuffle_labels
from ren_models.experiments.evaluation import Fit, evaluate_together
from ren_models.experiments.running import run_experiment
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.matrices import region_inputs
from ren_models.outcomes.chance import chance, permutation_p
from ren_models.outcomes.summary import summary
from ren_models.plans.radiomics import SHUFFLED, plan_radiomics
from ren_models.splits.parts import read_parts
from ren_models.splits.stored import store_split

FEW = RadiomicsSettings(n_estimators=5)


@pytest.fixture
def opened(make_store):
    with FeatureStore(make_store(patients=40, scans=3, absent=frozenset({(4, "RML")})), read_only=False) as store:
        yield store, store_split(store, "ill").split


def test_one_shuffle_gives_a_patient_the_same_label_in_every_region_and_round(opened):
    store, split = opened
    control = next(shuffle_labels(store, split, [1]))
    seen = {}
    for inputs in region_inputs(store, "ill", store.latest_spec):
        for number in split.rounds:
            for part in read_parts(control.apply(inputs.examples), number):
                for scan, label in zip(part.scan_ids, part.y, strict=True):
                    assert seen.setdefault(scan, label) == label
    assert len(seen) == 120


@pytest.mark.parametrize("protocol", ["full", "paper"])
def test_a_shuffle_keeps_the_patients_of_each_class_in_every_part(opened, protocol):
    store, _ = opened
    split = store_split(store, "ill", protocol=protocol, seed=3).split
    matrix = region_inputs(store, "ill", store.latest_spec)[0].examples
    moved = 0
    for control in shuffle_labels(store, split, range(1, 4)):
        after = control.apply(matrix)
        assert np.array_equal(matrix.X, after.X)
        for number in split.rounds:
            for one, other in zip(read_parts(matrix, number), read_parts(after, number), strict=True):
                assert sorted(one.y) == sorted(other.y)
                moved += (one.y != other.y).sum()
    assert moved > 100


def test_seeds_give_different_shuffles_and_the_same_seed_the_same(opened):
    store, split = opened
    one, other, again = (next(shuffle_labels(store, split, [seed])).labels for seed in (1, 2, 1))
    assert one == again != other


def test_a_donor_with_other_scans_gives_labels_in_their_order():
    y, patients = np.array([0, 1, 1, 0, 0, 0]), np.array(["a", "a", "a", "b", "c", "c"])
    sequences = {"a": (0, 1, 1), "b": (0,), "c": (0, 0)}
    rng = np.random.default_rng(0)
    for _ in range(20):
        shuffled = labels_of_donors(y, patients, rng)
        for patient in "abc":
            given = tuple(shuffled[patients == patient])
            length = len(given)
            assert any(given == tuple(own[place * len(own) // length] for place in range(length)) for own in sequences.values())


def test_patients_who_share_an_image_are_shuffled_and_drawn_as_one(make_store):
    """p010 to p019 are p000 to p009 under other ids."""
    copies = {f"p{patient + 10:03}_{scan}": f"p{patient:03}_{scan}" for patient in range(10) for scan in range(2)}
    path = make_store(patients=40, label=lambda patient, scan: patient % 2, images=copies)
    with FeatureStore(path, read_only=False) as store:
        split = store_split(store, "ill").split
        assert len(split.groups) == 10
        for control in shuffle_labels(store, split, range(1, 4)):
            assert all(control.labels[f"p{patient:03}_0"] == control.labels[f"p{patient + 10:03}_0"] for patient in range(10))
        (draws,) = (control.draws for control in resample_patients(split, [1]))
        assert all(draws[f"p{patient:03}"] == draws[f"p{patient + 10:03}"] for patient in range(10))


def test_copies_of_a_resampled_patient_stay_in_one_part(opened):
    store, split = opened
    matrix = region_inputs(store, "ill", store.latest_spec)[0].examples
    control = next(resample_patients(split, [1]))
    assert sum(control.draws.values()) == len(split.patients)
    assert max(control.draws.values()) > 1
    resampled = control.apply(matrix)
    assert len(resampled.y) == sum(3 * count for count in control.draws.values())
    for number in split.rounds:
        parts = read_parts(resampled, number)
        assert not set(parts.train.scan_ids) & (set(parts.val.scan_ids) | set(parts.test.scan_ids))


def test_a_shuffled_cohort_that_cannot_be_fitted_has_no_auc(opened):
    store, split = opened
    inputs = region_inputs(store, "ill", store.latest_spec)[0]

    class OneClass:
        seed = 1

        def apply(self, matrix):
            return matrix._replace(y=np.zeros_like(matrix.y))

    (evaluation,) = evaluate_together([Fit(inputs, split.rounds[0], 2, OneClass())], FEW)
    assert evaluation.expert is None
    assert np.isnan(list(evaluation.metrics.values())).all()


def test_more_shuffles_add_to_those_that_are_stored(opened):
    store, _ = opened

    def shuffle(count):
        run_experiment(store, *plan_radiomics(store, "ill", permutations=count, settings=FEW), jobs=2)
        query = """SELECT permutation, list(value ORDER BY method, region, round, metric) FROM results
            WHERE experiment = ? GROUP BY 1 ORDER BY 1"""
        return dict(store.sql(query, [SHUFFLED]).rows())

    two, four = shuffle(2), shuffle(4)
    assert list(four) == [1, 2, 3, 4]
    assert {seed: four[seed] for seed in two} == two
    runs = store.sql("SELECT permutation, count(DISTINCT run_id) FROM models GROUP BY 1 ORDER BY 1").rows()
    assert runs == [(seed, 1) for seed in range(1, 5)]
    assert store.sql("SELECT count(DISTINCT run_id) FROM models").item() == 2
    assert shuffle(1) == four
    store.connection.execute("UPDATE radiomics SET original_glcm_Id = original_glcm_Id + 1")
    assert list(shuffle(1)) == [1]  # shuffles of features that have changed since go


def test_shuffles_have_aucs_alone_and_no_predictions(opened):
    store, _ = opened
    run_experiment(store, *plan_radiomics(store, "ill", permutations=1, settings=FEW), jobs=2)
    metrics = store.sql("SELECT DISTINCT metric FROM results ORDER BY 1")["metric"].to_list()
    assert metrics == ["auc_test", "auc_test_patient"]
    assert store.sql("SELECT count(*) FROM predictions").item() == 0


def test_p_values_count_shuffles_that_reach_the_auc_by_hand():
    shuffled = np.array([[0.5, 0.55], [0.4, 0.7], [0.7, 0.5]])
    p = permutation_p(np.array([0.9, 0.6]), shuffled)
    assert p.single.tolist() == [1 / 4, 2 / 4]
    assert p.adjusted.tolist() == [1 / 4, 3 / 4]
    assert permutation_p(np.array([0.5 + 1e-16]), np.array([[0.5]])).single.item() == 1


def test_the_adjusted_p_value_keeps_the_error_of_the_family():
    """Seven correlated experts without signal: some p-value is below 5 % in 5 % of cohorts when adjusted, in more when not."""
    rng = np.random.default_rng(0)
    single, adjusted = [], []
    for _ in range(2000):
        aucs = 0.5 + 0.1 * (0.7 * rng.standard_normal((100, 1)) + 0.7 * rng.standard_normal((100, 7)))
        p = permutation_p(aucs[0], aucs[1:])
        single.append(p.single.min())
        adjusted.append(p.adjusted.min())
    error = np.sqrt(0.05 * 0.95 / 2000)
    assert abs(np.mean(np.array(adjusted) <= 0.05) - 0.05) < 3 * error
    assert np.mean(np.array(single) <= 0.05) > 0.12


def test_the_table_of_chance_compares_experts_with_the_same_shuffles(make_store):
    with FeatureStore(make_store(patients=40, signal=4.0), read_only=False) as store:
        split = store_split(store, "ill", protocol="paper", folds=2).split
        for permutations in (0, 19):
            plan = plan_radiomics(store, "ill", permutations=permutations, settings=FEW)
            run_experiment(store, *plan, jobs=2)
        table = chance(store, split)
        assert len(table) == 9
        assert table["shuffles"].to_list() == [19] * 9
        assert table["p_smallest"].to_list() == [1 / 20] * 9
        assert table["p"].to_list() == [1 / 20] * 9
        assert (table["shuffled_low"] < 0.5).all()
        text = summary(store, plan[0])
        assert "19 shuffles, so that no p-value is below 0.05" in text
        assert "adjusted for 9 experts" in text
