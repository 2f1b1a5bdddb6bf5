"""t-SNE: what it is fitted to, and the number that says whether classes are apart."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from analysis.figures.projection import draw_projection, of_patients, project, stacked, standardised, without_shape
from analysis.statistics.silhouette import silhouette
from ren_features.errors import SplitError
from tests.random_store import TASK


def clusters(rng, patients=30, scans=4, shift=0.0):
    """Scans of a patient lie close together; class 1 is shifted."""
    owner = np.repeat(np.arange(patients), scans)
    y = owner % 2
    points = rng.standard_normal((patients, 2))[owner] + 0.05 * rng.standard_normal((patients * scans, 2))
    return points + shift * y[:, None], y, owner.astype(str)


def test_the_mean_silhouette_is_scikit_learns():
    rng = np.random.default_rng(0)
    points, y, patients = clusters(rng)
    assert silhouette(points, y, patients, permutations=1).value == pytest.approx(silhouette_score(points, y))
    three = np.arange(len(y)) % 3
    assert silhouette(points, three, np.arange(len(y)).astype(str), permutations=1).value == pytest.approx(
        silhouette_score(points, three)
    )


def test_classes_that_are_apart_have_a_small_p_value():
    points, y, patients = clusters(np.random.default_rng(1), shift=3.0)
    found = silhouette(points, y, patients, permutations=199)
    assert found.value > 0.3
    assert found.p == 1 / 200


def test_labels_that_change_with_time_are_shuffled_between_patients_too():
    points, _, patients = clusters(np.random.default_rng(1), scans=3)
    y = np.tile([0, 0, 1], 30) * (np.arange(90) // 3 % 2)
    found = silhouette(points + 20 * y[:, None], y, patients, permutations=199)
    assert found.value > 0.8
    assert found.p == 1 / 200


def test_noise_has_uniform_p_values_although_scans_of_a_patient_lie_together():
    rng = np.random.default_rng(2)
    p_values = [silhouette(*clusters(rng), permutations=99, seed=int(rng.integers(2**31))).p for _ in range(200)]
    share = np.mean(np.array(p_values) <= 0.05)
    assert abs(share - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 200)


def test_statistics_for_standardising_are_those_of_train(setting):
    matrix = setting.store.matrix(region="LLL", task=TASK)
    scaled = standardised(matrix, setting, 0)
    train = np.isin(matrix.patient_ids, sorted(setting.split.rounds[0].train))
    assert scaled[train].mean(0) == pytest.approx(0, abs=1e-9)
    assert scaled[train].std(0) == pytest.approx(1)
    holes = matrix.X.copy()
    holes[np.flatnonzero(train)[::5]] = np.nan
    planted = np.where(train[:, None], holes, 1e6)
    assert np.array_equal(
        standardised(matrix._replace(X=planted), setting, 0)[train], standardised(matrix._replace(X=holes), setting, 0)[train]
    )
    with pytest.raises(SplitError, match="expected a round from 0 to 1, got 7"):
        standardised(matrix, setting, 7)


def test_regions_that_differ_stay_apart_when_they_are_together(setting):
    lower, upper = (setting.store.matrix(region=name, task=TASK) for name in ("LLL", "LUL"))
    together = standardised(stacked([lower, upper._replace(X=upper.X + 5)]), setting, 0)
    assert (together[len(lower.y) :].mean(0) - together[: len(lower.y)].mean(0)).min() > 1


def test_the_same_vectors_are_at_the_same_places():
    vectors = np.random.default_rng(3).standard_normal((40, 6))
    assert np.array_equal(project(vectors), project(vectors))


def test_features_of_shape_are_left_out_when_asked(setting):
    matrix = setting.store.matrix(region="LLL", task=TASK)
    assert len(without_shape(matrix).feature_names) == 93


def test_patients_that_are_not_in_the_split_are_not_drawn(setting):
    matrix = setting.store.matrix(region="LLL", task=TASK)
    assert set(of_patients(matrix, {"p001", "p003", "stranger"}).patient_ids) == {"p001", "p003"}
    drawing = draw_projection(setting, permutations=9)
    drawn = drawing.data
    assert f"{drawn['patient_id'].n_unique()} patients (12 with ill) and {drawn['scan_id'].n_unique()} scans" in drawing.caption
