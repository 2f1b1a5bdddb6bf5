"""Both engines against the values that the Image Biomarker Standardisation Initiative publishes for its digital phantom.

Zwanenburg et al., Image biomarker standardisation initiative, reference manual (arXiv:1612.07003v11), section "Digital phantom",
and Radiology 295 (2020) 328; the phantom and the manual are licensed CC BY 4.0. Values in `ibsi_phantom.csv` are those of three
dimensions (codes KOBO and DHQ4), of co-occurrence and run length matrices those of each direction, averaged (ITBB). The manual
gives three significant digits, and tolerances for shape.
"""

import csv
from math import floor, log10, sqrt
from pathlib import Path

import numpy as np
import pytest

import data_catalog
from ren_features.radiomics import extract
from ren_features.regions import RegionSet
from ren_features.spec import ExtractionSpec

# Slices of lines along x; brackets are around voxels outside the region of interest.
PHANTOM = """
1 4 4 1 1     1 4 4 1 1     1 4 4 [1] [1]   1 4 4 [1] [1]
1 4 6 1 1     1 1 6 1 1     1 1 1 1 1       1 1 1 1 1
4 1 6 4 1     [1] 1 3 1 1   1 1 [9] 1 1     1 1 1 1 1
4 4 6 4 1     4 4 6 1 1     1 1 6 1 1       1 1 6 1 1
"""
VOXELS = 74

PUBLISHED = list(csv.DictReader(Path(__file__).with_name("ibsi_phantom.csv").read_text().splitlines()))

CONVERSIONS = {
    "covariance divided by N": lambda value: value * sqrt(VOXELS / (VOXELS - 1)),
    "IBSI value + 3": lambda value: value - 3,
}
"""What the feature dictionary says of PyRadiomics' definition, and how IBSI's value follows from PyRadiomics'."""


def phantom():
    cells = np.array([line.split() for line in PHANTOM.strip().splitlines()]).reshape(4, 4, 5).transpose(1, 0, 2)
    outside = np.char.startswith(cells, "[")
    return np.char.strip(cells, "[]").astype(np.int16), (~outside).astype(np.uint8)


@pytest.fixture(scope="module", params=["fast", "pyradiomics"])
def measured(request):
    image, labels = phantom()
    assert labels.sum() == VOXELS
    regions = RegionSet.from_dict({"regions": {"ROI": [1]}})
    spec = ExtractionSpec(engine=request.param, bin_width=1, regions=regions)
    return extract(image, labels, (2.0, 2.0, 2.0), spec=spec)["ROI"]


def as_ibsi(name, value):
    difference = data_catalog.features()[name].ibsi_difference
    for said, convert in CONVERSIONS.items():
        if said in difference:
            return convert(value)
    return value


def tolerance(published):
    """As published, or half a unit of the third significant digit."""
    exponent = floor(log10(abs(float(published["value"]))))
    return float(published["tolerance"] or 0.5 * 10.0 ** (exponent - 2))


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published["feature"])
def test_the_digital_phantom_has_its_published_value(measured, published):
    assert data_catalog.features()[published["feature"]].ibsi_id == published["ibsi_id"]
    value = as_ibsi(published["feature"], measured[published["feature"]])
    assert value == pytest.approx(float(published["value"]), abs=tolerance(published) * (1 + 1e-6), rel=0)


def test_every_feature_with_an_ibsi_code_is_compared():
    coded = {feature.name for feature in data_catalog.features().values() if feature.ibsi_id}
    assert {published["feature"] for published in PUBLISHED} == coded


@pytest.mark.parametrize("name", ["original_firstorder_Kurtosis", "original_shape_MinorAxisLength"])
def test_where_the_dictionary_states_a_difference_there_is_one(measured, name):
    (published,) = (row for row in PUBLISHED if row["feature"] == name)
    assert measured[name] != pytest.approx(float(published["value"]), abs=tolerance(published))
