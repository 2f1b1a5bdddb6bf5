"""The real thorax and the real right lung."""

from dataclasses import replace

import numpy as np
import pytest

from ren_features import ExtractionSpec, FeatureStore, RegionSet, build
from ren_features.images.image_file import read_ct, read_image, read_mask
from ren_features.images.lobe_mask import read_lobes
from ren_features.radiomics import extract
from ren_features.regions import LABEL_SCHEMES, LUNGMASK
from tests.ren_features.images.dicom.files import write_rtstruct, write_seg, write_series

pytestmark = pytest.mark.real

LOBES = {label: lobe for lobe, label in LUNGMASK.labels.items()}


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


@pytest.fixture(scope="module")
def thorax_as_dicom(real_ct, tmp_path_factory):
    """The thorax and its lobes as a hospital would have them: a series with a localiser and a second series beside it."""
    folder, real = tmp_path_factory.mktemp("dicom"), real_ct / "copdgene_10002K"
    image, mask = read_image(real / "ct.nrrd"), read_mask(real / "lobes.nii.gz")
    write_series(folder / "ct", image, slope=0.5, SeriesInstanceUID="1.2.3.4")
    write_seg(folder / "seg.dcm", folder / "ct", mask.voxels, LOBES)
    write_rtstruct(folder / "rt.dcm", folder / "ct", mask, LOBES)
    write_series(folder / "ct", replace(image, voxels=image.voxels[:1]), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(folder / "ct", replace(image, voxels=image.voxels[::-1]), ConvolutionKernel="B70f")
    columns = "patient_id,scan_id,image,series_uid,mask,mask_scheme"
    rows = [f"p,nrrd,{real}/ct.nrrd,,{real}/lobes.nii.gz,lungmask"]
    rows += [f"p,{kind},ct,1.2.3.4,{kind}.dcm,dicom" for kind in ("seg", "rt")]
    (folder / "cohort.csv").write_text("\n".join([columns, *rows]))
    return folder


def test_the_thorax_as_dicom_has_the_values_of_its_nrrd(thorax_as_dicom):
    store_path = thorax_as_dicom / "ren.duckdb"
    assert not build(thorax_as_dicom / "cohort.csv", store_path, jobs=0).failed
    with FeatureStore(store_path) as store:
        values = {
            scan: store.sql("SELECT region, COLUMNS('original_.*') FROM radiomics WHERE scan_id = ? ORDER BY region", [scan])
            for scan in ("nrrd", "seg", "rt")
        }
        volumes = store.sql("PIVOT (SELECT scan_id, region, volume_ml FROM radiomics) ON scan_id USING any_value(volume_ml)")
    expected, of_seg = (values[scan].drop("region").to_numpy() for scan in ("nrrd", "seg"))
    assert expected.shape == (7, 107)
    np.testing.assert_allclose(of_seg, expected, rtol=1e-6)
    np.testing.assert_allclose(volumes["rt"], volumes["nrrd"], rtol=0.02)


def test_segments_of_the_thorax_are_its_lobes(thorax_as_dicom, real_ct):
    grid = read_ct(thorax_as_dicom / "ct", "1.2.3.4").volume.canonical()
    lobes = read_mask(real_ct / "copdgene_10002K" / "lobes.nii.gz").canonical().voxels
    for kind in ("seg", "rt"):
        read = read_lobes(thorax_as_dicom / f"{kind}.dcm", grid, LABEL_SCHEMES["dicom"])
        np.testing.assert_array_equal(read.voxels, lobes)
