"""The real thorax and the real right lung."""

import numpy as np
import pytest

from ren_features import ExtractionSpec, FeatureStore, RegionSet, build
from ren_features.image_file import read_image, read_mask
from ren_features.radiomics import extract

pytestmark = pytest.mark.real


def test_the_thorax_has_plausible_lungs(real_ct, tmp_path):
    build(real_ct / "cohort.csv", tmp_path / "ren.duckdb", spec=ExtractionSpec(spacing_mm=None), jobs=0)
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        answer = store.sql("SELECT region, volume_ml, original_firstorder_Mean AS hu FROM lobe_features")
    volume = dict(zip(answer["region"], answer["volume_ml"], strict=True))
    assert len(volume) == 7
    assert volume["RIGHT"] == pytest.approx(volume["RUL"] + volume["RML"] + volume["RLL"])
    assert 2000 < volume["RIGHT"] < 3000
    assert answer["hu"].is_between(-950, -500).all()


def test_resampling_keeps_the_mean_density(real_ct, tmp_path):
    cohort, store_path = real_ct / "cohort_right_lung.csv", tmp_path / "ren.duckdb"
    regions = RegionSet.from_yaml(real_ct / "right_lung.yaml")
    for spacing in (None, 2.0):
        build(cohort, store_path, spec=ExtractionSpec(spacing_mm=spacing, regions=regions, features=("firstorder",)), jobs=0)
    with FeatureStore(store_path) as store:
        answer = store.sql(
            "SELECT scan_id, min(original_firstorder_Mean), max(original_firstorder_Mean), count(*) FROM radiomics GROUP BY 1"
        )
    for _, low, high, count in answer.iter_rows():
        assert count == 2
        assert high - low < 5


def test_extract_takes_arrays_as_they_are(real_ct):
    image, mask = (
        read(real_ct / "copdgene_10002K" / name) for read, name in ((read_image, "ct.nrrd"), (read_mask, "lobes.nii.gz"))
    )
    found = extract(image.voxels, mask.voxels, image.spacing_mm, spec=ExtractionSpec(features=("firstorder",)))
    assert found["LLL"]["original_firstorder_Mean"] == pytest.approx(np.mean(image.voxels[mask.voxels == 2]))
