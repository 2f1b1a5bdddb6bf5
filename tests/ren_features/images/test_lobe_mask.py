"""Masks in a folder of one file for each structure."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import ExtractionSpec, FeatureStore, build
from ren_features.errors import GeometryError, LabelError
from ren_features.images.image_file import to_itk
from ren_features.images.lobe_mask import read_lobes
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import LABEL_SCHEMES, LUNGMASK, REN_REGIONS, RegionSet

SCHEME = LABEL_SCHEMES["files"]
SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder",))


@pytest.fixture
def folder(tmp_path, phantom):
    """A folder `segmentations` with the five lobes and what is no lobe."""
    path = tmp_path / "segmentations"
    path.mkdir()
    for lobe, name in zip(LUNGMASK.labels, ("lung_upper_lobe_left", "LLL", "right upper lobe", "RML", "rll"), strict=True):
        write(path / f"{name}.nii.gz", phantom[1].voxels == LUNGMASK.labels[lobe], phantom[1])
    write(path / "heart.nii.gz", phantom[1].voxels >= 0, phantom[1])
    (path / "readme.txt").write_text("no image")
    return path


def write(path, inside, like):
    sitk.WriteImage(to_itk(replace(like, voxels=inside.astype(np.uint8))), str(path))


def test_files_become_one_label_map(folder, phantom):
    mask = read_lobes(folder, phantom[0], SCHEME)
    np.testing.assert_array_equal(mask.voxels, phantom[1].voxels)


def test_a_lobe_without_a_file_or_without_a_voxel_is_absent(folder, phantom):
    (folder / "RML.nii.gz").unlink()
    write(folder / "LLL.nii.gz", phantom[1].voxels < 0, phantom[1])
    present = {0, *(LUNGMASK.labels[lobe] for lobe in ("LUL", "RUL", "RLL"))}
    assert set(np.unique(read_lobes(folder, phantom[0], SCHEME).voxels)) == present


def test_overlaps_double_names_and_other_grids_are_refused(folder, phantom):
    shutil.copy(folder / "LLL.nii.gz", folder / "left lower lobe.nii.gz")
    with pytest.raises(LabelError, match=r"expected one segment of LLL, got segments LLL.nii.gz and left lower lobe.nii.gz"):
        read_lobes(folder, phantom[0], SCHEME)
    (folder / "left lower lobe.nii.gz").unlink()
    write(folder / "RML.nii.gz", phantom[1].voxels > 0, phantom[1])
    with pytest.raises(LabelError, match=r"RML.nii.gz: expected structures apart|rll.nii.gz: expected structures apart"):
        read_lobes(folder, phantom[0], SCHEME)
    write(folder / "RML.nii.gz", phantom[1].voxels < 0, replace(phantom[1], spacing_mm=(9.0, 9.0, 9.0)))
    with pytest.raises(GeometryError, match="against another file of its folder"):
        read_lobes(folder, phantom[0], SCHEME)


def test_a_folder_without_a_lobe_is_refused(tmp_path, phantom):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match="expected segments of LUL"):
        read_lobes(tmp_path / "empty", phantom[0], SCHEME)


def test_the_scheme_must_be_of_the_kind_of_mask(folder, scans, phantom):
    for path, scheme in ((folder, "lungmask"), (scans / "lobes.nii.gz", "files"), (scans / "lobes.nii.gz", "dicom")):
        with pytest.raises(LabelError, match=f"got {scheme} for a"):
            read_lobes(path, phantom[0], LABEL_SCHEMES[scheme])


def test_structures_of_ones_own_are_known_by_their_names(folder, phantom):
    regions = RegionSet.from_dict({"regions": {"HEART": ["heart"]}, "labels": {"heart": 7}})
    mask = read_lobes(folder, phantom[0], regions.scheme_for(None, where="test"))
    assert (mask.voxels == 7).all()


def test_a_cohort_is_built_from_folders_and_a_changed_file_is_measured_anew(folder, write_manifest, phantom):
    manifest = write_manifest({"mask": "segmentations", "mask_scheme": "files"})
    assert list(problems_of(read_cohort(manifest), REN_REGIONS)) == []
    store = folder.parent / "ren.duckdb"
    assert len(build(manifest, store, spec=SPEC, jobs=0).stored) == 1
    assert len(build(manifest, store, spec=SPEC, jobs=0).already_done) == 1
    with FeatureStore(store) as opened:
        assert opened.sql("SELECT count(*) FROM radiomics").item() == 7
    write(folder / "RML.nii.gz", phantom[1].voxels < 0, phantom[1])
    assert len(build(manifest, store, spec=SPEC, jobs=0).stored) == 1
    with FeatureStore(store) as opened:
        assert opened.sql("SELECT count(*) FROM radiomics").item() == 6


def test_validation_looks_into_folders(folder, write_manifest, phantom):
    manifest = write_manifest({"mask": "segmentations", "mask_scheme": "files"})
    write(folder / "RML.nii.gz", phantom[1].voxels < 0, replace(phantom[1], spacing_mm=(9.0, 9.0, 9.0)))
    (problem,) = problems_of(read_cohort(manifest), REN_REGIONS)
    assert "RML.nii.gz: spacing" in problem
    (problem,) = problems_of(read_cohort(write_manifest({"mask": "segmentations"})), REN_REGIONS)
    assert "files for a folder" in problem
