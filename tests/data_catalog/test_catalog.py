"""The catalog against the schema, PyRadiomics and METHOD's counts."""

import re
from collections import Counter
from math import inf, isnan

import numpy as np
import pytest
from radiomics import getFeatureClasses

import data_catalog
from ren_features import ExtractionSpec, FeatureStore
from ren_features.radiomics import extract
from ren_features.regions import RegionSet


def test_there_are_107_features_in_seven_families():
    families = Counter(feature.family for feature in data_catalog.features().values())
    assert families == {"shape": 14, "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5}


def test_names_are_those_that_pyradiomics_gives_by_default():
    classes = {family: found for family, found in getFeatureClasses().items() if family != "shape2D"}
    names = {
        f"original_{family}_{name}"
        for family, found in classes.items()
        for name, deprecated in found.getFeatureNames().items()
        if not deprecated
    }
    assert names == set(data_catalog.features())


def test_ibsi_codes_are_unique_four_character_codes():
    codes = [feature.ibsi_id for feature in data_catalog.features().values() if feature.ibsi_id]
    assert len(codes) == len(set(codes)) == 102
    assert all(re.fullmatch("[0-9A-Z]{4}", code) for code in codes)


def test_a_feature_without_ibsi_counterpart_says_so():
    missing = {name for name, feature in data_catalog.features().items() if feature.ibsi_id is None}
    assert missing == {f"original_shape_Maximum2DDiameter{axis}" for axis in ("Column", "Row", "Slice")} | {
        "original_firstorder_TotalEnergy",
        "original_glcm_MCC",
    }
    assert all(data_catalog.features()[name].ibsi_difference == "no counterpart" for name in missing)


def test_every_feature_has_a_unit_and_a_definition():
    assert all(feature.unit and feature.definition for feature in data_catalog.features().values())


def test_titles_are_short_and_unique():
    titles = [feature.title.casefold() for feature in data_catalog.features().values()]
    assert len(set(titles)) == 107
    assert all(0 < len(title) <= 45 for title in titles)


def bounds(text):
    """Lowest and highest value of a range, and whether the lowest one is excluded."""
    number = r"(-?[\d.]+)"
    if text == "any":
        return -inf, inf, False
    if found := re.fullmatch(f"(at least|above) {number}", text):
        return float(found[2]), inf, found[1] == "above"
    low, high = map(float, re.fullmatch(f"{number} to {number}", text).groups())
    assert low < high
    return low, high, False


def awkward_volumes():
    """Name, HU, and mask: noise, flat regions, plates and what is apart."""
    rng = np.random.default_rng(7)
    for shape in ((8, 9, 10), (1, 9, 9), (2, 1, 7), (2, 2, 2)):
        yield f"noise {shape}", rng.integers(-1000, 400, shape), np.ones(shape)
        yield f"flat {shape}", np.full(shape, -700), np.ones(shape)
    checkers = np.indices((6, 6, 6)).sum(0)
    yield "checkers", (checkers % 2) * 400 - 500, np.ones((6, 6, 6))
    yield "ramp", checkers * 25, np.ones((6, 6, 6))
    yield "many levels", rng.integers(-3000, 3000, (6, 6, 6)), np.ones((6, 6, 6))
    yield "a mask of checkers", rng.integers(-900, 100, (6, 6, 6)), checkers % 2
    for share in (0.03, 0.3):
        yield f"scattered {share}", rng.integers(-900, 100, (9, 9, 9)), rng.random((9, 9, 9)) < share
    apart = np.zeros((2, 4, 7))
    apart[[0, 0, 1], [0, 3, 3], [6, 1, 0]] = 1
    yield "a mesh that encloses nothing", rng.integers(-900, 0, apart.shape), apart


@pytest.mark.parametrize(("image", "mask"), [pytest.param(i, m, id=name) for name, i, m in awkward_volumes()])
def test_values_lie_in_the_range_of_their_feature(image, mask):
    regions = RegionSet.from_dict({"regions": {"A": [1]}})
    spec = ExtractionSpec(regions=regions)
    values = extract(image, mask.astype(np.uint8), (2.5, 0.8, 0.6), regions=regions, scheme=regions.scheme, spec=spec)["A"]
    for name, value in values.items():
        low, high, excluded = bounds(data_catalog.features()[name].range)
        slack = 1e-6 * max(1.0, abs(value))
        assert isnan(value) or low - slack <= value <= high + slack, name
        assert not (excluded and value <= low), name


def test_every_fact_of_a_data_set_has_a_source():
    found = data_catalog.datasets()
    assert set(found) == {
        *("totalsegmentator_ct", "lidc_idri", "nlst", "ltrc", "osic", "aiib23", "covid19_ct_seg", "tang_lobes_luna16"),
    }
    for dataset in found.values():
        known = {name.partition("_")[0] for name in dataset.facts}
        assert {"size", "format", "labels", "lobe", "layout", "licence", "access"} <= known, dataset.name
        assert all(fact.value and fact.source for fact in dataset.facts.values())
        assert dataset.note


def test_the_papers_tables_are_whole():
    counts = {name: len(data_catalog.paper_table(name)) for name in data_catalog.PAPER_TABLES}
    assert counts == {"performance": 22, "complexity": 9, "gating_ablation": 17, "figures": counts["figures"]}
    guided = [row for row in data_catalog.paper_table("performance") if row["group"] == "radiomics-guided"]
    assert [(row["regions"], row["auc_mean"], row["p_value"]) for row in guided] == [(5, 0.8646, 0.031), (7, 0.8523, 0.014)]
    for row in data_catalog.paper_table("performance"):
        assert row["ci_low"] < row["auc_mean"] < row["ci_high"]
        if row["change_percent"] is not None:
            assert 100 * (row["auc_mean"] / 0.7685 - 1) == pytest.approx(row["change_percent"], abs=0.06)
    stated = {(row["figure"], row["region"]): row["value"] for row in data_catalog.paper_table("figures") if row["figure"] == 4}
    assert stated[4, "LLL"] == 0.828
    assert stated[4, "RLL"] == 0.845


def test_the_papers_patients_add_up():
    cohort = data_catalog.paper_cohort()
    assert sum(group["patients"] for group in cohort["race"].values()) == cohort["patients"] == 597
    assert 100 * cohort["has_ILD"]["patients"] / 597 == pytest.approx(cohort["has_ILD"]["percent"], abs=0.05)
    assert cohort["scans"] / 597 == pytest.approx(cohort["scans_per_patient_mean"], abs=0.05)


def test_patterns_have_labels_in_order_and_sources():
    found = data_catalog.patterns()
    assert [pattern.label for pattern in found.values()] == list(range(1, len(found) + 1))
    assert all(pattern.definition and pattern.source for pattern in found.values())
    assert set(found) <= set(data_catalog.truth_columns())


@pytest.fixture
def columns(tmp_path):
    """Columns by table or view, of a new store."""
    with FeatureStore(tmp_path / "new.duckdb", read_only=False) as store:
        frame = store.sql("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'main'")
    found = {}
    for table, column in frame.iter_rows():
        found.setdefault(table, set()).add(column)
    return found


def test_every_table_and_column_of_the_schema_is_described_and_no_other(columns):
    features = set(data_catalog.features())
    described = {name: set(table.columns) for name, table in data_catalog.tables().items()}
    assert {name: found - features for name, found in columns.items()} == described


def test_radiomics_has_one_column_for_each_feature(columns):
    assert set(data_catalog.features()) <= columns["radiomics"]
    assert set(data_catalog.features()) <= columns["lobe_features"]


def test_keys_are_those_of_the_schema(tmp_path):
    with FeatureStore(tmp_path / "new.duckdb", read_only=False) as store:
        keys = dict(
            store.sql(
                """SELECT table_name, constraint_column_names FROM duckdb_constraints()
                WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')"""
            ).iter_rows()
        )
    described = {name: list(table.key) for name, table in data_catalog.tables().items() if table.kind == "table" and table.key}
    assert keys == described
