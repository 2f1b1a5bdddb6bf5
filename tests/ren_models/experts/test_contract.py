"""The contract that every kind of expert keeps, in the manner of scikit-learn's estimator checks."""

import warnings

import numpy as np
import pytest

from ren_features.errors import LeakageError, SplitError
from ren_features.store import Matrix
from ren_models.experts import RadiomicsExpert
from ren_models.experts.baseline import BEST_FEATURE, BaselineSettings
from ren_models.experts.classifier import ClassifierExpert, ClassifierSettings
from ren_models.experts.files import SUFFIXES
from ren_models.experts.ready import READY
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.inputs import Inputs
from ren_models.methods import Method
from ren_models.splits.parts import read_parts
from ren_models.splits.rounds import Round
from tests.learners import simulate_cohort

SETTINGS = {
    "radiomics": RadiomicsSettings(n_estimators=10),
    "search": RadiomicsSettings(n_estimators=10, search={"max_depth": [1, 2]}, inner_folds=2),
    "baseline": BaselineSettings(),
    **{name: ClassifierSettings(name) for name in READY},
}
LOAD = {"radiomics": RadiomicsExpert.load, "search": RadiomicsExpert.load, **dict.fromkeys(READY, ClassifierExpert.load)}

PATIENTS = [f"{number:03}" for number in range(40)]


@pytest.fixture(params=SETTINGS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    simulated = simulate_cohort(np.random.default_rng(1), 40, 2.0)
    return simulated._replace(patient_ids=np.array([PATIENTS[int(number)] for number in np.repeat(np.arange(40), 3)]))


@pytest.fixture
def number() -> Round:
    return Round(3, frozenset(PATIENTS[:24]), frozenset(PATIENTS[24:32]), frozenset(PATIENTS[32:]))


def made(kind, matrix):
    features = BEST_FEATURE if kind == "baseline" else None
    return SETTINGS[kind].expert(Inputs(Method(kind, "LLL", features=features), matrix))


def fitted(kind, matrix, number):
    with warnings.catch_warnings():
        # A kernel parameter at its bound is a choice of the data, not a fault.
        warnings.filterwarnings("ignore", message=".*close to the specified.*bound")
        parts = read_parts(matrix, number)
        return made(kind, matrix).fit(parts.train, parts.val if SETTINGS[kind].selects_on_val else None)


def test_probabilities_have_a_column_for_each_class_and_sum_to_1(kind, matrix, number):
    expert, test = fitted(kind, matrix, number), read_parts(matrix, number).test.examples
    p = expert.predict_proba(test)
    assert expert.classes_.tolist() == [0, 1]
    assert p.shape == (len(test.y), 2)
    assert np.allclose(p.sum(1), 1)
    assert p[test.y == 1, 1].mean() > p[test.y == 0, 1].mean()


def test_three_classes_that_are_not_0_1_2_keep_their_numbers(kind, matrix, number):
    labels = np.array([0, 2, 5])[np.repeat(np.arange(40), 3) % 3]
    expert = fitted(kind, matrix.with_labels(labels), number)
    assert expert.classes_.tolist() == [0, 2, 5]
    assert expert.predict_proba(matrix).shape == (120, 3)


@pytest.mark.parametrize("part", ["val", "test"])
def test_any_part_but_train_is_refused(kind, matrix, number, part):
    with pytest.raises(LeakageError, match=f"round 3: .* fit expected rows of train, got rows of {part}"):
        made(kind, matrix).fit(getattr(read_parts(matrix, number), part))


def test_one_class_in_train_is_refused(kind, matrix, number):
    one = matrix.with_labels(np.ones(120, np.int64))
    with pytest.raises(SplitError, match=r"round 3.*expected two classes in train, got \[1\]"):
        fitted(kind, one, number)


def test_missing_values_are_taken_in_train_and_in_test(kind, matrix, number):
    holes = matrix._replace(X=np.where(np.random.default_rng(2).random(matrix.X.shape) < 0.2, np.nan, matrix.X))
    holes.X[:, 7] = np.nan  # a feature without any value
    p = fitted(kind, holes, number).predict_proba(holes._replace(X=np.full_like(holes.X, np.nan)))
    assert np.isfinite(p).all()


def test_the_same_rows_give_the_same_expert(kind, matrix, number):
    one, other = (fitted(kind, matrix, number).predict_proba(matrix) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_row_has_its_prediction_whatever_stands_beside_it(kind, matrix, number):
    expert = fitted(kind, matrix, number)
    alone = np.concatenate([expert.predict_proba(matrix.select_rows(np.array([row]))) for row in (0, 50, 119)])
    assert alone == pytest.approx(expert.predict_proba(matrix)[[0, 50, 119]], abs=1e-12)


def test_values_of_val_and_test_change_nothing(kind, matrix, number):
    far = matrix._replace(X=np.where(np.isin(matrix.patient_ids, PATIENTS[:24])[:, None], matrix.X, 1e3))
    one, other = (fitted(kind, rows, number).predict_proba(matrix) for rows in (matrix, far))
    assert np.array_equal(one, other)


def test_a_file_gives_the_same_predictions(kind, matrix, number, tmp_path):
    expert, path = fitted(kind, matrix, number), tmp_path / f"model{SETTINGS[kind].suffix}"
    expert.save(path)
    assert path.suffix in SUFFIXES
    if kind in LOAD:
        assert np.array_equal(LOAD[kind](path).predict_proba(matrix), expert.predict_proba(matrix))


def test_settings_say_what_is_not_as_in_ren(kind, matrix, number):
    changed = fitted(kind, matrix, number).changed
    assert set(changed) >= ({"n_estimators"} if kind in ("radiomics", "search") else set())
    assert "learning_rate" not in changed
