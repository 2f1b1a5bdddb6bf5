"""Statistics against plain loops, published numbers, and the rate of false alarms that they promise."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from analysis.statistics.bootstrap import interval, patient_counts, weighted_auc
from analysis.statistics.comparison import cluster_bootstrap, corrected_t, delong, holm, paired_t
from ren_models.mean import mean_over_rounds


def scores_of(rng, y, strength=1.0, levels=None):
    scores = rng.standard_normal(len(y)) + strength * y
    return np.round(scores * levels) / levels if levels else scores


def false_alarms(p_values, level=0.05):
    """Share of p-values below the level, and the standard error that this share has at the level itself."""
    return np.mean(np.asarray(p_values) < level), np.sqrt(level * (1 - level) / len(p_values))


def test_weighted_auc_is_that_of_repeated_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 50)
    scores = scores_of(rng, y, levels=3)
    weights = rng.integers(0, 4, (300, 50))
    expected = [roc_auc_score(np.repeat(y, row), np.repeat(scores, row)) for row in weights]
    assert weighted_auc(y, scores, weights) == pytest.approx(expected)
    assert np.isnan(weighted_auc(y, scores, y[None])).all()


def test_patients_are_drawn_with_all_their_scans():
    patients = np.array(["a", "b", "a", "c", "b", "a"])
    counts = patient_counts(patients, resamples=500)
    for patient in "abc":
        own = counts[:, patients == patient]
        assert (own == own[:, :1]).all()
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all()
    assert np.array_equal(counts, patient_counts(patients, resamples=500))


def test_delong_is_the_variance_of_placements_counted_in_loops():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 40)
    first, second = scores_of(rng, y, levels=2), scores_of(rng, y, 0.3, levels=2)

    def placements(scores):
        psi = [[(a > b) + (a == b) / 2 for b in scores[y == 0]] for a in scores[y == 1]]
        return np.mean(psi, axis=1), np.mean(psi, axis=0)

    (p1, n1), (p2, n2) = placements(first), placements(second)
    variance = np.var(p1 - p2, ddof=1) / len(p1) + np.var(n1 - n2, ddof=1) / len(n1)
    value = roc_auc_score(y, first) - roc_auc_score(y, second)
    found = delong(y, first, second)
    assert found.value == pytest.approx(value)
    assert found.p == pytest.approx(2 * norm.sf(abs(value) / np.sqrt(variance)))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=1e-6)


def test_differences_that_are_equal_but_for_rounding_are_not_tested():
    first, second = np.array([8 / 9, 1.0]), np.array([7 / 9, 8 / 9])
    for found in (paired_t(first, second), corrected_t(first, second, 0.1)):
        assert found.value == pytest.approx(1 / 9)
        assert np.isnan(found[1:]).all()


def test_equal_methods_do_not_differ():
    rng = np.random.default_rng(2)
    y = np.arange(30) % 2
    scores = scores_of(rng, y)
    assert delong(y, scores, scores) == (0, 0, 0, 1)
    assert cluster_bootstrap(y, scores, scores, np.arange(30).astype(str), resamples=50) == (0, 0, 0, 1)
    assert paired_t(scores, scores) == corrected_t(scores, scores, 0.1) == (0, 0, 0, 1)


def test_too_little_for_an_interval_has_none():
    one, two = np.array([0.5]), np.array([0.7, 0.8])
    assert np.isnan(paired_t(one, one)).all()
    assert np.isnan(corrected_t(one, one, 0.1)).all()
    assert np.isnan(paired_t(two, two - 0.5)[1:]).all()
    assert np.isnan(delong(np.ones(2, int), two, two)).all()
    assert np.isnan(delong(np.array([0, 1, 0]), np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1]))).all()
    assert np.isnan(cluster_bootstrap(np.ones(2, int), two, two, np.array(["a", "b"]))).all()


def test_paired_t_of_the_sleep_data():
    """Student, Biometrika 1908;6:1: hours of sleep gained by ten patients with two drugs; t = -4.0621, p = 0.002833."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = paired_t(first, second)
    assert found.value == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=1e-6)


def test_the_correction_of_nadeau_and_bengio():
    """With nothing tested it is the paired test; of ten rounds of ten folds, the variance is 1/10 + 1/9 in place of 1/10."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.8, 0.05, 10), rng.normal(0.78, 0.05, 10)
    assert corrected_t(first, second, 0.0) == pytest.approx(paired_t(first, second))
    plain, corrected = paired_t(first, second), corrected_t(first, second, 1 / 9)
    assert (corrected.high - corrected.low) / (plain.high - plain.low) == pytest.approx(np.sqrt((1 / 10 + 1 / 9) / (1 / 10)))
    assert corrected.p > plain.p


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    with_gap = holm([0.01, np.nan, 0.04])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(with_gap[1])
    assert np.isnan(holm([np.nan])).all()


def test_holm_leaves_its_argument_as_it_is():
    p = np.array([0.01, 0.04, np.nan])
    holm(p)
    assert p[:2].tolist() == [0.01, 0.04]


def test_a_round_without_a_value_is_left_out_of_value_interval_and_p():
    first, second = np.array([0.9, 0.8, np.nan, 0.85]), np.array([0.7, 0.75, 0.6, 0.65])
    there = [0, 1, 3]
    for test in (paired_t, lambda one, other: corrected_t(one, other, 1 / 8)):
        assert test(first, second) == pytest.approx(test(first[there], second[there]))
    assert np.isnan(corrected_t(np.array([0.9, np.nan]), np.array([0.8, 0.7]), 1 / 8)).all()


def test_the_interval_of_a_mean():
    plain = mean_over_rounds(np.array([1.0, 2.0, 3.0, np.nan]), 0.0)
    assert plain == pytest.approx((3, 2, 1, 2 - 4.302653 / np.sqrt(3), 2 + 4.302653 / np.sqrt(3)))
    assert mean_over_rounds(np.array([1.0, np.nan]), 0.0)[:2] == (1, 1.0)
    assert np.isnan(mean_over_rounds(np.array([1.0]), 0.0)[2:]).all()
    assert interval(np.array([*np.arange(101.0), np.nan])) == pytest.approx((2.5, 97.5))


def test_delong_gives_false_alarms_at_its_level():
    rng = np.random.default_rng(4)
    y = np.arange(120) % 2
    p = []
    for _ in range(1500):
        shared = scores_of(rng, y)
        p.append(delong(y, shared + rng.standard_normal(120), shared + rng.standard_normal(120)).p)
    share, error = false_alarms(p)
    assert abs(share - 0.05) < 3 * error


def test_the_bootstrap_of_patients_gives_false_alarms_at_its_level_and_one_of_scans_more():
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(80), 4)
    y = patients % 2
    of_patients, of_scans = [], []
    for _ in range(250):
        # What a method says of a patient's scans is nearly the same: four scans are hardly more than one.
        first, second = (scores_of(rng, np.arange(80) % 2)[patients] + 0.3 * rng.standard_normal(320) for _ in range(2))
        seed = int(rng.integers(2**31))
        of_patients.append(cluster_bootstrap(y, first, second, patients.astype(str), resamples=200, seed=seed).p)
        of_scans.append(cluster_bootstrap(y, first, second, np.arange(320).astype(str), resamples=200, seed=seed).p)
    share, error = false_alarms(of_patients)
    assert abs(share - 0.05) < 3 * error
    assert false_alarms(of_scans)[0] > 0.2


def test_rounds_that_are_correlated_as_assumed_give_false_alarms_at_the_level():
    rng = np.random.default_rng(6)
    share_of_test = 1 / 8
    correlation = share_of_test / (1 + share_of_test)  # as Nadeau and Bengio take it: n_test / (n_test + n_train)
    plain, corrected = [], []
    for _ in range(2000):
        first = np.sqrt(correlation) * rng.standard_normal() + np.sqrt(1 - correlation) * rng.standard_normal(10)
        plain.append(paired_t(first, np.zeros(10)).p)
        corrected.append(corrected_t(first, np.zeros(10), share_of_test).p)
    share, error = false_alarms(corrected)
    assert abs(share - 0.05) < 3 * error
    assert false_alarms(plain)[0] > 0.1
