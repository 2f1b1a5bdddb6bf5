"""Who is in a cohort: shares, dates, labels, scanners."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

import data_catalog
from ren_features.errors import SpecError
from ren_features.synthetic import CohortParameters
from ren_features.synthetic.body import BLOOD_HU
from ren_features.synthetic.cohort import end_of_follow_up, labels_of, plan_cohort
from ren_features.synthetic.disease import Pattern
from ren_features.synthetic.faults import FAULTS

PARAMETERS = CohortParameters(100, seed=5)
END = end_of_follow_up(PARAMETERS.population)


@pytest.fixture(scope="module")
def plans():
    return plan_cohort(PARAMETERS)


def test_shares_are_as_exact_as_whole_patients_allow(plans):
    assert sum(plan.ill for plan in plans) == 61
    assert sum(plan.ill != plan.labelled for plan in plans) == 3
    assert sum(plan.without is not None for plan in plans) == 4
    assert sum(len(plan.visits) for plan in plans) == 320
    assert min(len(plan.visits) for plan in plans) >= 1


def test_patients_are_like_those_of_the_paper():
    told = data_catalog.paper_cohort()
    many = plan_cohort(replace(PARAMETERS, patients=2000, scans_per_patient=1))
    assert 100 * np.mean([not plan.male for plan in many]) == pytest.approx(told["sex"]["female"]["percent"], abs=3)
    ages = [plan.visits[0].age for plan in many]
    assert np.mean(ages) == pytest.approx(told["age_years"]["mean"], abs=1)
    assert np.std(ages) == pytest.approx(told["age_years"]["sd"], abs=1)
    assert all(told["first_year"] <= plan.visits[0].day.year <= told["last_year"] for plan in many)


def test_healthy_lungs_vary_as_published():
    """SD of 25 HU between people (Fromson, Thorax 1988;43:120); 5.5 HU between two scans of one (PMID 21752566)."""
    many = plan_cohort(replace(PARAMETERS, patients=1000, scans_per_patient=3, prevalence=0))
    density = [[(1000 + plan.parenchyma.hu) / visit.breath for visit in plan.visits] for plan in many]
    assert 20 < np.std([np.mean(scans) for scans in density]) < 27
    within = np.sqrt(np.mean([np.var(scans, ddof=1) for scans in density if len(scans) > 1]))
    assert np.sqrt(2) * within == pytest.approx(5.5, abs=1.5)
    litres = [plan.build.height_mm * plan.build.half_width_mm * plan.build.half_depth_mm for plan in many]
    assert 0.2 < np.std(litres) / np.mean(litres) < 0.32  # 1.19 of 4.07 l, Cressoni, Crit Care 2013;17:R93


def test_a_contrast_medium_is_given_to_some(plans):
    blood = [visit.blood_hu for plan in plans for visit in plan.visits]
    assert np.mean([hu > BLOOD_HU for hu in blood]) == pytest.approx(PARAMETERS.body.contrast, abs=0.08)
    assert min(blood) == BLOOD_HU


def test_scans_of_a_patient_follow_each_other_and_the_disease_grows(plans):
    for plan in plans:
        days = [visit.day for visit in plan.visits]
        assert days == sorted(set(days))
        extents = [visit.burden.ild for visit in plan.visits]
        assert extents == sorted(extents)
        assert (extents[0] > 0) == plan.ill
        assert plan.death is None or plan.death > days[-1]


def test_labels_of_death_agree_with_each_other(plans):
    for plan in plans:
        for visit in plan.visits:
            labels = labels_of(plan, visit, END)
            assert labels["label_has_ILD"] == str(int(plan.labelled))
            deaths = [labels[f"label_death_{years}"] for years in (1, 3, 5)]
            assert "".join(deaths) == "".join(sorted(deaths)), "who died within a year died within three"
            if plan.death is None:
                assert "1" not in deaths
                assert (deaths[2] == "0") == (visit.day + timedelta(days=5 * 365.25) <= END)


def test_who_is_more_ill_dies_sooner():
    hard = replace(PARAMETERS, patients=3000, scans_per_patient=1, prevalence=0.5)
    dead = {ill: np.mean([plan.death is not None for plan in plan_cohort(hard) if plan.ill == ill]) for ill in (True, False)}
    assert 0 < dead[False] < dead[True] < 1


def test_without_effect_nobody_has_the_disease():
    assert not any(visit.burden.ild for plan in plan_cohort(replace(PARAMETERS, effect=0)) for visit in plan.visits)


@pytest.mark.parametrize(("bias", "shared"), [(0.0, 4), (1.0, 0)])
def test_a_bias_ties_scanners_to_the_label(bias, shared):
    by_class = {True: set(), False: set()}
    for plan in plan_cohort(replace(PARAMETERS, scanner_bias=bias)):
        by_class[plan.ill] |= {visit.scanner.name for visit in plan.visits}
    assert len(by_class[True] & by_class[False]) == shared


def test_one_scanner_serves_all():
    plans = plan_cohort(replace(PARAMETERS, scanners=1))
    assert {visit.scanner.name for plan in plans for visit in plan.visits} == {"S1"}


def test_a_patient_does_not_depend_on_how_many_others_there_are(plans):
    few = plan_cohort(replace(PARAMETERS, patients=10))
    assert [plan.build for plan in few] == [plan.build for plan in plans[:10]]


def test_faults_are_planted_in_turn():
    planted = [
        visit.fault for plan in plan_cohort(replace(PARAMETERS, faults=2 * len(FAULTS))) for visit in plan.visits if visit.fault
    ]
    assert Counter(planted) == dict.fromkeys(FAULTS, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"patients": 0},
        {"scans_per_patient": 0.5},
        {"prevalence": 1.1},
        {"prevalence": float("nan")},
        {"effect": -1},
        {"scanners": 0},
        {"spacing_mm": 0},
        {"scanner_bias": 2},
        {"scanner_bias": 0.5, "scanners": 1},
        {"faults": 321},
        {"seed": -1},
    ],
)
def test_impossible_parameters_are_refused(change):
    with pytest.raises(SpecError, match=f"{next(iter(change))}: expected .* got"):
        replace(PARAMETERS, **change)


def test_patterns_are_those_of_the_catalog():
    assert {pattern.name: pattern.value for pattern in Pattern} == {
        name: pattern.label for name, pattern in data_catalog.patterns().items()
    }
