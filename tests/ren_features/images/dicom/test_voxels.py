"""CT series as DICOM."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from ren_features import FeatureStore, build
from ren_features.cohort import Cohort
from ren_features.errors import GeometryError, VolumeError
from ren_features.images.fingerprint import hash_file, hash_image
from ren_features.images.image_file import read_ct, read_image, to_itk
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.scan import Scan, series_reference
from ren_features.spec import ExtractionSpec
from ren_features.store.writing import write_cohort
from ren_features.volume import Volume
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_series


@pytest.fixture(scope="module")
def chest():
    image, _ = chest_phantom(1, size=(9, 16, 20))
    return Volume(image.voxels, (2.5, 0.8, 0.7), (-50.0, 20.0, -300.5))


def test_slices_come_back_in_order_as_hu(tmp_path, chest):
    read = read_image(write_series(tmp_path / "ct", chest))
    np.testing.assert_array_equal(read.voxels, chest.voxels)
    assert read.spacing_mm == pytest.approx(chest.spacing_mm)
    assert read.origin_mm == pytest.approx(chest.origin_mm)


@pytest.mark.parametrize(
    "direction", [(1, 0, 0, 0, -1, 0, 0, 0, -1), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1), (0, 0, 1, 1, 0, 0, 0, 1, 0)]
)
def test_anatomy_stays_where_it_is_in_every_orientation(tmp_path, chest, direction):
    turned = Volume(chest.voxels, chest.spacing_mm, chest.origin_mm, tuple(map(float, direction)))
    read, expected = read_image(write_series(tmp_path / "ct", turned)).canonical(), turned.canonical()
    np.testing.assert_array_equal(read.voxels, expected.voxels)
    assert read.origin_mm == pytest.approx(expected.origin_mm, abs=1e-4)
    assert read.direction == pytest.approx(expected.direction, abs=1e-6)


def test_rescaling_is_each_slices_own(tmp_path, chest):
    write_series(tmp_path / "ct", chest, slope=2.0, intercept=-1000.0)
    read = read_image(tmp_path / "ct")
    assert np.abs(read.voxels - chest.voxels).max() <= 1


def test_localisers_other_modalities_and_other_files_do_not_count(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    few = Volume(chest.voxels[:1], chest.spacing_mm)
    write_series(folder / "scout", few, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(folder / "dose", few, Modality="SR")
    (folder / "README.txt").write_text("no image")
    np.testing.assert_array_equal(read_image(folder).voxels, chest.voxels)


def test_several_series_are_listed(tmp_path, chest):
    folder = write_series(tmp_path / "ct" / "soft", chest).parent
    write_series(folder / "sharp", chest, ConvolutionKernel="B70f")
    with pytest.raises(VolumeError, match="expected one CT series, got 2") as refused:
        read_image(folder)
    for kernel in ("B31f", "B70f"):
        assert f"CT, {kernel}, 9 slices of 2.5 mm, 'THORAX', series_uid 1.2." in str(refused.value)
        assert f"CT, {kernel}, 9 slices of 2.5 mm" in refused.value.to_keep
    assert "THORAX" not in refused.value.to_keep
    assert "series_uid 1" not in refused.value.to_keep


def test_a_series_is_found_again_from_the_store_which_does_not_hold_its_uid(tmp_path, chest):
    folder = write_series(tmp_path / "ct" / "soft", chest).parent
    darker = Volume(chest.voxels - 100, chest.spacing_mm, chest.origin_mm, chest.direction)
    uid = pydicom.dcmread(next(write_series(folder / "sharp", darker).iterdir())).SeriesInstanceUID
    manifest, store_path = tmp_path / "cohort.csv", tmp_path / "ren.duckdb"
    manifest.write_text(f"patient_id,scan_id,image,series_uid,label_ill\np1,s1,{folder},{uid},1\np1,s2,{folder / 'soft'},,0\n")
    with FeatureStore(store_path, read_only=False) as store:
        write_cohort(store.connection, read_cohort(manifest))
    with FeatureStore(store_path) as store:
        first, second = store.scans()
    assert uid.encode() not in store_path.read_bytes()
    assert first.series_uid.partition(":")[1]
    assert second.series_uid is None
    with FeatureStore(store_path, read_only=False) as store:
        write_cohort(store.connection, Cohort((first, second)))
        assert store.scans() == (first, second)
    np.testing.assert_array_equal(read_ct(first.image, first.series_uid).volume.voxels, darker.voxels)
    with pytest.raises(VolumeError, match="expected one CT series of the given series_uid, got 0 among 2 series"):
        read_ct(first.image, series_reference("1.2.3", "s1"))


def test_a_folder_without_a_ct_is_refused(tmp_path, chest):
    (tmp_path / "empty").mkdir()
    with pytest.raises(VolumeError, match="expected one CT series, got 0"):
        read_image(tmp_path / "empty")
    with pytest.raises(VolumeError, match=r"(?s)expected one CT series, got 0 among 1 series.*MR, B31f, 9 slices"):
        read_image(write_series(tmp_path / "mr", chest, Modality="MR"))


def positions(chest):
    return [chest.position_mm((index, 0, 0)) for index in range(len(chest.voxels))]


def test_missing_slices_are_named(tmp_path, chest):
    there = positions(chest)
    there[3] = there[4] = None
    with pytest.raises(GeometryError, match=r"expected slices 2\.500 mm apart, got 7\.500 mm .*: slices missing: 2"):
        read_image(write_series(tmp_path / "ct", chest, positions=there))


def test_uneven_spacing_is_refused_beyond_one_percent(tmp_path, chest):
    moved = positions(chest)
    moved[4] = moved[4] + np.array([0, 0, 0.02])
    read_image(write_series(tmp_path / "even", chest, positions=moved))
    moved[4] = moved[4] + np.array([0, 0, 0.2])
    with pytest.raises(GeometryError, match="uneven spacing"):
        read_image(write_series(tmp_path / "uneven", chest, positions=moved))


def test_gantry_tilt_is_refused(tmp_path, chest):
    tilted = [position + np.array([0, 0.2 * index, 0]) for index, position in enumerate(positions(chest))]
    with pytest.raises(GeometryError, match=r"gantry tilt of 4\.6 degrees"):
        read_image(write_series(tmp_path / "ct", chest, positions=tilted))


def test_two_slices_at_one_position_are_refused(tmp_path, chest):
    twice = positions(chest)
    twice[5] = twice[4]
    with pytest.raises(GeometryError, match="expected one slice at each position"):
        read_image(write_series(tmp_path / "ct", chest, positions=twice))


def test_mixed_orientations_are_refused(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    path = next(iter(folder.iterdir()))
    file = pydicom.dcmread(path)
    file.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    file.save_as(path)
    with pytest.raises(GeometryError, match="expected slices of one orientation"):
        read_image(folder)


def test_a_series_has_the_rows_of_the_same_scan_as_nifti(tmp_path):
    image, mask = (replace(volume, origin_mm=(-70.0, 5.5, 12.25)) for volume in chest_phantom(2, size=(30, 28, 36)))
    write_series(tmp_path / "series", image)
    for name, volume in (("ct", image), ("lobes", mask)):
        sitk.WriteImage(to_itk(volume), str(tmp_path / f"{name}.nii.gz"))
    rows = ["p,nifti,ct.nii.gz,lobes.nii.gz,lungmask", "p,dicom,series,lobes.nii.gz,lungmask"]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme", *rows]))
    summary = build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", jobs=0)
    assert not summary.failed
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        both = store.sql("SELECT * EXCLUDE (scan_id, run_id) FROM radiomics ORDER BY region, scan_id")
        digests = store.sql("SELECT DISTINCT image_sha256 FROM inputs")
    assert both.height == 14
    assert both[::2].equals(both[1::2])
    assert digests.height == 2
    assert build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", jobs=0).stored == []


def test_a_slice_that_changed_is_another_scan(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    before = hash_file(folder)
    path = next(iter(folder.iterdir()))
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x02")
    assert hash_file(folder).sha256 != before.sha256


def rewrite(path, **tags):
    file = pydicom.dcmread(path)
    for name, value in tags.items():
        setattr(file, name, value)
    file.save_as(path)


def test_each_slice_has_its_own_rescaling(tmp_path, chest):
    """The first slice is unsigned and has no intercept: its type would not hold the others."""
    folder = write_series(tmp_path / "ct", chest)
    first = min(folder.iterdir(), key=lambda path: pydicom.dcmread(path).InstanceNumber)
    hounsfield = np.clip(chest.voxels[0], 0, None)
    rewrite(first, PixelRepresentation=0, RescaleIntercept=0, PixelData=hounsfield.astype("<u2").tobytes())
    read = read_image(folder).voxels
    np.testing.assert_array_equal(read[1:], chest.voxels[1:])
    np.testing.assert_array_equal(read[0], hounsfield)


def test_fractions_of_hu_stay(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    last = max(folder.iterdir(), key=lambda path: pydicom.dcmread(path).InstanceNumber)
    rewrite(last, RescaleIntercept=-1024.5)
    np.testing.assert_allclose(read_image(folder).voxels[-1], chest.voxels[-1] - 0.5)


def test_copies_of_slices_count_once(tmp_path, chest):
    folder = write_series(tmp_path / "ct" / "a", chest)
    shutil.copytree(folder, tmp_path / "ct" / "b")
    np.testing.assert_array_equal(read_image(tmp_path / "ct").voxels, chest.voxels)


def test_a_slice_that_changed_is_noticed_whatever_its_time(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    os.utime(next(iter(folder.iterdir())), ns=(4 * 10**18, 4 * 10**18))
    before, path = hash_file(folder), sorted(folder.iterdir())[-1]
    there = path.stat()
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x02")
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns - 10**9))
    after = hash_file(folder, {before.path: before})
    assert after.sha256 != before.sha256


def test_names_and_notes_beside_a_series_do_not_change_its_digest(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    scan = Scan("p", "s", folder)
    before = hash_image(scan).sha256
    (folder / "notes.txt").write_text("seen")
    for number, path in enumerate(sorted(folder.glob("IM*"))):
        path.rename(folder / f"{99 - number}.dcm")
    assert hash_image(scan).sha256 == before


def test_a_damaged_file_is_named_on_screen_alone(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    path = folder / "IM0003"
    rows = b"\x28\x00\x10\x00US"
    path.write_bytes(path.read_bytes().replace(rows + b"\x02", rows + b"\x03"))
    with pytest.raises(VolumeError, match="expected DICOM files that can be read, 1 of 9 files cannot: IM0003") as refused:
        read_image(folder)
    assert "IM0003" not in refused.value.to_keep


@pytest.mark.parametrize(("tags", "problem"), [({"SamplesPerPixel": 3}, "colour images"), ({"NumberOfFrames": 4}, "multi-frame")])
def test_slices_that_are_no_gray_images_are_refused(tmp_path, chest, tags, problem):
    with pytest.raises(VolumeError, match=f"expected .*, got .*{problem}"):
        read_image(write_series(tmp_path / "ct", chest, **tags))


def test_a_folder_of_a_localiser_says_so(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(VolumeError, match=r"(?s)expected one CT series, got 0 among 1 series.*localiser, B31f"):
        read_image(folder)


def test_an_empty_folder_has_no_digest(tmp_path):
    assert hash_file(tmp_path) is None


def off_by(chest, distance_mm):
    moved = positions(chest)
    moved[4] = moved[4] + np.array([0, 0, distance_mm])
    return moved


def test_an_uneven_series_names_the_slice_and_the_option(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest, positions=off_by(chest, 0.3))
    with pytest.raises(GeometryError, match=r"slice 5 of 9 by position is 0\.300 mm off; --tolerance-mm"):
        read_image(folder)
    with pytest.raises(GeometryError, match="uneven spacing"):
        read_ct(folder, tolerance_mm=0.29)


def test_a_tolerated_series_has_its_mean_spacing_and_says_how_far_it_is_off(tmp_path, chest):
    ct = read_ct(write_series(tmp_path / "ct", chest, positions=off_by(chest, 0.3)), tolerance_mm=0.31)
    np.testing.assert_array_equal(ct.volume.voxels, chest.voxels)
    assert ct.volume.spacing_mm == pytest.approx(chest.spacing_mm)
    assert ct.acquisition.uneven_mm == pytest.approx(0.3)


def test_no_tolerance_takes_missing_slices(tmp_path, chest):
    there = positions(chest)
    there[4] = None
    with pytest.raises(GeometryError, match="slices missing: 1"):
        read_ct(write_series(tmp_path / "ct", chest, positions=there), tolerance_mm=100.0)


def test_a_tolerance_is_part_of_the_spec_and_its_use_a_finding(tmp_path):
    image, mask = chest_phantom(2, size=(30, 28, 36))
    moved = [image.position_mm((index, 0, 0)) for index in range(len(image.voxels))]
    moved[4] = moved[4] + np.array([0, 0, 0.2 * image.spacing_mm[0]])
    write_series(tmp_path / "series", image, positions=moved)
    sitk.WriteImage(to_itk(mask), str(tmp_path / "lobes.nii.gz"))
    (tmp_path / "cohort.csv").write_text("patient_id,scan_id,image,mask,mask_scheme\np,s,series,lobes.nii.gz,lungmask")
    cohort, spec = read_cohort(tmp_path / "cohort.csv"), ExtractionSpec(tolerance_mm=1.0, features=("original_firstorder_Mean",))
    assert len(list(problems_of(cohort, spec.regions))) == 1
    assert list(problems_of(cohort, spec.regions, tolerance_mm=1.0)) == []
    assert spec.spec_id != replace(spec, tolerance_mm=0.0).spec_id
    assert not build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", spec=spec, jobs=0).failed
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        found = store.sql("SELECT value FROM quality WHERE rule = 'uneven_slices'")
    assert found["value"].to_list() == pytest.approx([0.2 * image.spacing_mm[0]])
