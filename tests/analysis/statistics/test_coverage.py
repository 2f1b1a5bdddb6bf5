"""What intervals and p-values promise, where experts are trained on the patients of the same cohort.

Every number here comes from learners that were trained in every round. `python -m tests.benchmarks.coverage` repeats the
simulations with more cohorts, and of two sizes.
"""

import numpy as np
import pytest

from analysis.statistics.bootstrap import interval, patient_counts, weighted_auc
from analysis.statistics.comparison import cluster_bootstrap, corrected_t, delong, paired_t
from ren_models.experiments.controls import exchange_labels
from ren_models.mean import mean_over_rounds
from ren_models.outcomes.chance import permutation_p
from tests.learners import cross_validate_ridge, simulate_cohort, split_of

COHORTS = 150


def simulate(signal, patients=40):
    """Cohorts with their splits."""
    rng = np.random.default_rng(1)
    for _ in range(COHORTS):
        matrix = simulate_cohort(rng, patients, signal)
        yield matrix, split_of(matrix)


@pytest.mark.parametrize("signal", [0.0, 0.8])
def test_the_corrected_interval_covers_the_expected_auc_and_a_bootstrap_of_pooled_predictions_does_not(signal):
    means, corrected, pooled, bootstrap = [], [], [], []
    for matrix, split in simulate(signal):
        tested = cross_validate_ridge(matrix, split)
        mean = mean_over_rounds(tested.aucs, split.test_share)
        means.append(mean.mean)
        corrected.append((mean.low, mean.high))
        counts = patient_counts(tested.patients, resamples=300)
        pooled.append(weighted_auc(tested.y, tested.scores, np.ones((1, len(tested.y)), int)).item())
        bootstrap.append(interval(weighted_auc(tested.y, tested.scores, counts)))
    assert coverage(corrected, np.mean(means)) > 0.91
    assert coverage(bootstrap, np.mean(pooled)) < 0.91


def coverage(intervals, truth):
    low, high = np.array(intervals).T
    return np.mean((low <= truth) & (truth <= high))


def test_only_the_corrected_test_keeps_its_level_between_learners_that_are_equally_good():
    """Ridge regression on five features, and on five others that tell as much."""
    p = {"corrected": [], "paired": [], "bootstrap": [], "delong": []}
    rng = np.random.default_rng(2)
    for _ in range(2 * COHORTS):
        matrix = simulate_cohort(rng, 40, 0.0)
        matrix.X[:, :2] += 0.6 * matrix.y[:, None]
        matrix.X[:, 5:7] += 0.6 * matrix.y[:, None]
        split = split_of(matrix)
        first, second = (cross_validate_ridge(matrix, split, features) for features in (slice(0, 5), slice(5, 10)))
        p["corrected"].append(corrected_t(first.aucs, second.aucs, split.test_share).p)
        p["paired"].append(paired_t(first.aucs, second.aucs).p)
        p["bootstrap"].append(cluster_bootstrap(first.y, first.scores, second.scores, first.patients, resamples=300).p)
        of_patients = [mean_of_patients(first.patients, values) for values in (first.y, first.scores, second.scores)]
        p["delong"].append(delong(of_patients[0].astype(int), *of_patients[1:]).p)
    alarms = {name: np.mean(np.array(values) < 0.05) for name, values in p.items()}
    assert alarms["corrected"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / (2 * COHORTS))
    assert min(alarms["paired"], alarms["bootstrap"], alarms["delong"]) > 0.08


def mean_of_patients(patients, values):
    names, place = np.unique(patients, return_inverse=True)
    return np.bincount(place, values) / np.bincount(place, minlength=len(names))


def test_shuffled_labels_are_as_spread_as_chance_and_give_false_alarms_at_the_level():
    """One shuffle for all rounds; shuffles drawn anew in each round are too narrow, and alarm in 10 to 12 %."""
    observed, spread, p = [], [], []
    for matrix, split in simulate(0.0):
        shuffles = exchange_labels(matrix.scan_ids, matrix.patient_ids, matrix.y, split, range(1, 20))
        aucs = [np.nanmean(cross_validate_ridge(control.apply(matrix), split).aucs) for control in shuffles]
        observed.append(np.nanmean(cross_validate_ridge(matrix, split).aucs))
        spread.append(np.std(aucs, ddof=1))
        p.append(permutation_p(np.array([observed[-1]]), np.array(aucs)[:, None]).single.item())
    assert np.mean(spread) / np.std(observed) == pytest.approx(1, abs=0.15)
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / COHORTS)
