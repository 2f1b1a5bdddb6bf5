"""Label schemes, regions and region sets."""

import pickle

import pytest

from ren_features.errors import LabelError, SpecError
from ren_features.regions import LABEL_SCHEMES, LUNGMASK, REN_REGIONS, LabelScheme, RegionSet

LOBES = ("LUL", "LLL", "RUL", "RML", "RLL")


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("lungmask", (1, 2, 3, 4, 5)),
        ("totalsegmentator", (10, 11, 12, 13, 14)),
        ("totalsegmentator_v1", (13, 14, 15, 16, 17)),
        ("lola11", (10, 11, 20, 21, 22)),
        ("cip", (7, 8, 4, 5, 6)),
    ],
)
def test_schemes_are_those_of_the_method(name, numbers):
    assert tuple(LABEL_SCHEMES[name].labels[lobe] for lobe in LOBES) == numbers


def test_the_seven_regions_stand_in_their_order():
    assert [region.name for region in REN_REGIONS.regions] == [*LOBES, "LEFT", "RIGHT"]


def test_lungs_are_their_lobes():
    members = {region.name: region.members for region in REN_REGIONS.regions}
    assert members["LEFT"] == {"LUL", "LLL"}
    assert members["RIGHT"] == {"RUL", "RML", "RLL"}


def test_an_unknown_label_is_told_with_its_count_and_the_labels_of_the_scheme():
    with pytest.raises(LabelError, match=r"lobes\.nii.*lungmask \(LUL 1, .*RLL 5\), got label 9 on 12 voxels"):
        LUNGMASK.check({1: 5, 9: 12}, where="lobes.nii")


def test_a_mask_of_a_hundred_other_structures_gets_a_short_message():
    with pytest.raises(LabelError, match=r"label 13 on 5 voxels and 92 more$"):
        LUNGMASK.check(dict.fromkeys(range(1, 106), 5), where="lobes.nii")


@pytest.mark.parametrize("labels", [{"LUL": 0}, {"LUL": -1}, {"LUL": 1, "LLL": 1}, {"LUL": 1.0}, {"LUL": True}])
def test_a_scheme_gives_each_structure_its_own_positive_number(labels):
    with pytest.raises(SpecError, match="positive number"):
        LabelScheme("odd", labels)


def test_a_scheme_survives_the_way_to_a_worker():
    assert pickle.loads(pickle.dumps(LUNGMASK)) == LUNGMASK


def write(tmp_path, text):
    path = tmp_path / "regions.yaml"
    path.write_text(text)
    return path


def test_bare_numbers_make_their_own_scheme(tmp_path):
    regions = RegionSet.from_yaml(write(tmp_path, "name: right\nregions:\n  RIGHT: [1]\n  BOTH: [1, 2]\n"))
    scheme = regions.scheme_for(None, where="scan")
    assert [{scheme.labels[member] for member in region.members} for region in regions.regions] == [{1}, {1, 2}]


def test_names_mean_the_structures_of_the_scans_scheme(tmp_path):
    regions = RegionSet.from_yaml(write(tmp_path, "regions:\n  UPPER: [LUL, RUL]\n"))
    assert regions.scheme_for("cip", where="scan") == LABEL_SCHEMES["cip"]


def test_own_labels_join_the_scans_scheme(tmp_path):
    regions = RegionSet.from_yaml(write(tmp_path, "labels: {tumour: 20}\nregions:\n  LESION: [tumour]\n  LEFT: [LUL, LLL]\n"))
    scheme = regions.scheme_for("lungmask", where="scan")
    assert scheme.labels["tumour"] == 20
    assert scheme.labels["LUL"] == 1


def test_a_set_reads_back_from_its_dict():
    again = RegionSet.from_dict(REN_REGIONS.as_dict())
    assert again == REN_REGIONS


def test_a_mask_without_scheme_is_refused_rather_than_guessed():
    with pytest.raises(LabelError, match="scan s1: expected a mask_scheme, one of lungmask"):
        REN_REGIONS.scheme_for(None, where="scan s1")


def test_structures_that_the_scheme_lacks_are_named(tmp_path):
    regions = RegionSet.from_yaml(write(tmp_path, "regions:\n  HEART: [heart]\n"))
    with pytest.raises(LabelError, match=r"need heart; scheme lungmask has LUL"):
        regions.scheme_for("lungmask", where="scan")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regions: [1]", "regions: expected keys with values, got"),
        ("- 1", "expected keys with values, got"),
        ("regions:\n  A: [1]\nlabels: [1]", "labels: expected keys with values"),
        ("regions:\n  A: [1]\n  A: [2]", "keys that stand twice: A"),
        ("regions:\n  A: 1", "expected a list of structures"),
        ("regions:\n  A: []", "expected a list of structures"),
        ("regions:\n  A: [1.5]", "expected structure names or whole label numbers"),
        ("regions:\n  A: [1]\nsmooth: 3", "would not be honoured: smooth"),
        ("regions: {}", "at least one region"),
        ("regions:\n  A: [0]", "positive number"),
        ("a: [", "readable YAML"),
    ],
)
def test_a_region_file_that_is_not_understood_is_refused(tmp_path, text, message):
    with pytest.raises(SpecError, match=message):
        RegionSet.from_yaml(write(tmp_path, text))


def test_specs_of_own_labels_can_be_told_apart_and_hashed():
    assert hash(RegionSet.from_dict({"regions": {"A": [1]}})) == hash(RegionSet.from_dict({"regions": {"A": [1]}}))


def test_an_absent_region_file_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"none\.yaml"):
        RegionSet.from_yaml(tmp_path / "none.yaml")
