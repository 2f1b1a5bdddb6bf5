"""TreeSHAP of test scans."""

import numpy as np
import pytest

import data_catalog
from analysis.attribution import Attribution, attribute
from ren_features.errors import StoreError
from ren_models.experts import RadiomicsExpert
from ren_models.model_files import model_folder
from ren_models.parts import read_parts
from tests.random_store import INFORMATIVE, TASK


def test_shares_sum_to_the_log_odds_of_scans_that_the_expert_has_not_seen(setting):
    found = attribute(setting, "LLL")
    matrix = setting.store.matrix(region="LLL", task=TASK)
    for each in setting.split.rounds:
        test = read_parts(matrix, each).test
        checkpoint = setting.store.sql(
            "SELECT checkpoint FROM models WHERE region = 'LLL' AND round = ? AND experiment = 'radiomics'", [each.index]
        ).item()
        expert = RadiomicsExpert.load(model_folder(setting.store.path) / checkpoint)
        p = expert.predict_proba(test.X)[:, 1]
        rest = np.log(p / (1 - p)) - found.values[found.rounds == each.index].sum(1)
        assert rest == pytest.approx(rest[0], abs=1e-4)  # the expected value, the same for all
    assert len(found.values) == sum(np.isin(matrix.patient_ids, sorted(each.test)).sum() for each in setting.split.rounds)


def test_the_feature_that_was_planted_comes_first_and_speaks_for_the_class(setting):
    found = attribute(setting, "RLL")
    assert found.names[int(np.argmax(found.importance))] == list(data_catalog.features())[INFORMATIVE]
    assert found.sign[INFORMATIVE] == 1
    assert 0 < found.stability <= 1


def test_stability_is_one_when_rounds_agree_and_minus_one_when_they_do_not():
    values = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    rounds = np.array([0, 1])
    scans = np.array(["s1", "s2"])
    assert Attribution(values, values, rounds, ("a", "b", "c"), scans).stability == pytest.approx(1)
    opposed = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert Attribution(opposed, opposed, rounds, ("a", "b", "c"), scans).stability == pytest.approx(-1)
    three = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert Attribution(three, three, np.arange(3), ("a", "b", "c"), np.array(["s1", "s2", "s3"])).stability == pytest.approx(
        -1 / 3
    )


def test_a_region_without_experts_is_named(setting):
    with pytest.raises(StoreError, match="expected radiomics experts of HEART, found none"):
        attribute(setting, "HEART")
