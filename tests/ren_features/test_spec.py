"""The spec, its digest, and its two file forms."""

from dataclasses import replace
from pathlib import Path

import pytest

from ren_features.errors import SpecError
from ren_features.regions import RegionSet
from ren_features.spec import ExtractionSpec

EXAMPLES = Path(__file__).parents[2] / "examples"


def write(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return path


def test_defaults_are_the_methods():
    spec = ExtractionSpec()
    assert (spec.grid_spacing_mm, spec.bin_width, len(spec.features), len(spec.regions.regions)) == ((1, 1, 1), 25, 107, 7)


def test_equal_settings_have_one_digest():
    assert ExtractionSpec(spacing_mm=1).spec_id == ExtractionSpec(spacing_mm=[1.0, 1.0, 1.0]).spec_id
    assert ExtractionSpec(features=("glcm", "shape")).spec_id == ExtractionSpec(features=("shape", "glcm")).spec_id


def test_the_digest_does_not_depend_on_the_name_of_a_region_set():
    regions = ExtractionSpec().regions
    assert ExtractionSpec(regions=replace(regions, name="other")).spec_id == ExtractionSpec().spec_id


@pytest.mark.parametrize(
    "change",
    [
        {"spacing_mm": None},
        {"spacing_mm": (1, 1, 2)},
        {"bin_width": 10},
        {"features": ("glcm",)},
        {"regions": RegionSet.from_dict({"regions": {"LEFT": ["LUL"]}})},
        {"regions": RegionSet.from_dict({"regions": {"LEFT": [1]}})},
    ],
)
def test_everything_that_changes_a_value_changes_the_digest(change):
    assert ExtractionSpec(**change).spec_id != ExtractionSpec().spec_id


def test_the_digest_is_the_same_in_every_process(tmp_path):
    import subprocess
    import sys

    code = "from ren_features import ExtractionSpec; print(ExtractionSpec().spec_id)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == ExtractionSpec().spec_id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "magic"}, "engine: expected one of"),
        ({"spacing_mm": 0}, "spacing_mm: expected a positive number"),
        ({"spacing_mm": (1, 1)}, "spacing_mm: expected one number, three"),
        ({"bin_width": -5}, "bin_width: expected a positive number"),
        ({"bin_width": "25"}, "bin_width: expected a positive number"),
        ({"features": ("texture",)}, "got texture"),
        ({"features": ()}, "got none"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        ExtractionSpec(**change)


def test_the_short_form_reads(tmp_path):
    spec = ExtractionSpec.from_yaml(
        write(tmp_path, "spacing_mm: [3, 1, 1]\nbin_width: 10\nfeatures: [ngtdm, original_glcm_Contrast]\n")
    )
    assert spec.grid_spacing_mm == (3, 1, 1)
    assert spec.bin_width == 10
    assert spec.features[0] == "original_glcm_Contrast"
    assert len(spec.features) == 6


def test_regions_stand_in_the_spec_or_beside_it(tmp_path):
    (tmp_path / "lung.yaml").write_text("regions:\n  RIGHT: [1]\n")
    beside = ExtractionSpec.from_yaml(write(tmp_path, "regions: lung.yaml\n"))
    inside = ExtractionSpec.from_yaml(write(tmp_path, "regions: {regions: {RIGHT: [1]}}\n"))
    assert beside.spec_id == inside.spec_id


def test_a_pyradiomics_file_means_what_it_means_to_pyradiomics():
    spec = ExtractionSpec.from_yaml(EXAMPLES / "pyradiomics_params.yaml")
    assert spec.grid_spacing_mm == (1, 1, 1)
    assert len(spec.features) == 14 + 3 + 24
    assert "original_firstorder_90Percentile" in spec.features


def test_pyradiomics_counts_axes_from_x(tmp_path):
    spec = ExtractionSpec.from_yaml(write(tmp_path, "setting: {resampledPixelSpacing: [0.7, 0.8, 2.5]}\n"))
    assert spec.grid_spacing_mm == (2.5, 0.8, 0.7)


def test_pyradiomics_without_a_spacing_keeps_the_grid(tmp_path):
    assert ExtractionSpec.from_yaml(write(tmp_path, "setting: {binWidth: 25}\n")).grid_spacing_mm is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("spacing: 1", "spacing"),
        ("spacing_mm: 1\nwindow: lung\nseed: 3", "seed, window"),
        ("setting: {padDistance: 10}", "setting: keys that would not be honoured: padDistance"),
        ("setting: 3", "setting: expected keys with values, got 3"),
        ("setting: [binWidth]", "setting: expected keys with values"),
        ("featureClass: [glcm]", "featureClass: expected keys with values"),
        ("featureClass: {glcm: Contrast}", "featureClass glcm: expected a list of names, got 'Contrast'"),
        ("imageType: [Original]", "imageType: expected keys with values"),
        ("features:", "features: expected a list of names, got None"),
        ("features: 3", "features: expected a list of names, got 3"),
        ("features: [[glcm]]", "features: expected a list of names"),
        ("engine: [fast]", "engine: expected one of"),
        ("bin_width: 10\nbin_width: 20", "keys that stand twice: bin_width"),
        ("setting: {normalize: true}", "setting normalize: expected False, got True"),
        ("setting: {interpolator: sitkLinear}", "setting interpolator: expected 'sitkBSpline'"),
        ("setting: {voxelArrayShift: 1000}", "setting voxelArrayShift: expected 0"),
        ("imageType: {Original: {}, LoG: {sigma: [1]}}", "imageType: keys that would not be honoured: LoG"),
        ("imageType: {Original: {binWidth: 10}}", "imageType Original: keys that would not be honoured: binWidth"),
        ("featureClass: {shape2D: }", "featureClass: keys that would not be honoured: shape2D"),
        ("featureClass: {glcm: [Sharpness]}", "original_glcm_Sharpness"),
        ("setting: {binWidth: 25}\nvoxelSetting: {kernelRadius: 2}", "voxelSetting"),
        ("- 1", "expected keys"),
        ("a: [", "readable YAML"),
    ],
)
def test_a_key_that_would_not_be_honoured_is_named(tmp_path, text, named):
    path = write(tmp_path, text)
    with pytest.raises(SpecError) as error:
        ExtractionSpec.from_yaml(path)
    assert named in str(error.value)
    assert str(path) in str(error.value)


def test_the_examples_read():
    assert all(ExtractionSpec.from_yaml(path) for path in EXAMPLES.glob("*.yaml"))
