"""The catalog against the schema, PyRadiomics and METHOD's counts."""

import re
from collections import Counter

import pytest
from radiomics import getFeatureClasses

import data_catalog
from ren_features import FeatureStore


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
                "SELECT table_name, constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
            ).iter_rows()
        )
    described = {name: list(table.key) for name, table in data_catalog.tables().items() if table.kind == "table" and table.key}
    assert keys == described
