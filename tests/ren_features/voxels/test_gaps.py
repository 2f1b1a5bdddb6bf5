"""Voxels that hold no number: taken as air far from lobes, refused near them."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import VolumeError
from ren_features.images.image_file import read_ct, to_itk
from ren_features.spec import ExtractionSpec
from ren_features.volume import Volume
from ren_features.voxels.gaps import check_gaps
from tests.ren_features import odd_files
from tests.ren_features.odd_files import measured, remarks


def write(path, volume, change):
    voxels = volume.voxels.astype(np.float32)
    change(voxels)
    sitk.WriteImage(to_itk(replace(volume, voxels=voxels)), str(path))
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_gaps_far_from_lobes_are_air(tmp_path, scans, phantom, monkeypatch, value, suffix):
    def corner(voxels):
        voxels[:2, :2, :2] = value

    def air(voxels):
        voxels[:2, :2, :2] = -1000

    monkeypatch.setattr(odd_files, "SPEC", ExtractionSpec(features=("firstorder",), spacing_mm=(4.0, 4.0, 4.0)))
    outcome, plain = (
        measured(write(tmp_path / f"{change.__name__}.{suffix}", phantom[0], change), scans / "lobes.nii.gz")
        for change in (corner, air)
    )
    finding = remarks(outcome)["*", "not_finite"]
    assert (finding.value, finding.severity) == (8, "info")
    assert finding.message.startswith("8 voxels with NaN, infinity or beyond 1e+06 HU, taken as air; none within 10 mm of a lobe")
    assert [row.features for row in outcome.measurement.rows] == [row.features for row in plain.measurement.rows]
    assert ("*", "not_finite") not in remarks(plain)


def test_a_gap_near_a_lobe_is_refused_with_its_place(tmp_path, scans, phantom):
    z, y, x = np.argwhere(phantom[1].voxels)[0]

    def inside(voxels):
        voxels[z, y, x] = np.nan

    failure = measured(write(tmp_path / "ct.nii.gz", phantom[0], inside), scans / "lobes.nii.gz").failure
    assert f"in 1 voxels there, from voxel ({z}, {y}, {x}) to ({z}, {y}, {x})" in failure.message


@pytest.mark.parametrize(("column", "refused"), [(19, False), (20, True)])
def test_near_is_ten_millimetres(tmp_path, column, refused):
    """One labelled voxel at column 30; columns are 1 mm apart, so column 20 is 10 mm away."""
    grid = Volume(np.zeros((3, 3, 40), np.uint8), (1.0, 1.0, 1.0))
    mask, gaps = grid.voxels.copy(), grid.voxels.astype(bool)
    mask[1, 1, 30], gaps[1, 1, column] = 1, True
    arguments = replace(grid, voxels=gaps), replace(grid, voxels=mask), tmp_path
    if refused:
        with pytest.raises(VolumeError, match="within 10 mm of every lobe"):
            check_gaps(*arguments)
    else:
        assert check_gaps(*arguments).value == 1


def test_an_image_of_gaps_alone_is_refused(tmp_path, phantom):
    def everything(voxels):
        voxels[:] = np.nan

    with pytest.raises(VolumeError, match="expected finite HU"):
        read_ct(write(tmp_path / "ct.nrrd", phantom[0], everything))
