"""Scans that hold one image, under whatever ids and in whatever files."""

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import ExtractionSpec, FeatureStore, build
from ren_features.images.image_file import to_itk
from ren_features.store.duplicates import duplicate_scans
from ren_features.store.near_copies import MOST_DIFFERENT, alike, in_several
from ren_features.volume import Volume
from ren_features.voxels.extents import label_extents
from ren_features.voxels.histogram import label_histograms
from ren_features.voxels.label_digest import joined_digest, label_digests
from tests.phantom import chest_phantom

SIZE = (50, 42, 54)


def noisy(image):
    """As after compression with loss: noise of 1 HU, and clipped."""
    noise = np.random.default_rng(1).standard_normal(image.size)
    return Volume(np.rint(image.voxels + noise).clip(-1000, 400).astype(np.int16), image.spacing_mm)


def cut(volume, first=0, last=0, side=0):
    z, y, x = volume.size
    return volume.crop((slice(first, z - last), slice(0, y), slice(side, x)))


def write_cohort(folder, scans):
    """A manifest of images and masks by scan, each of a patient of its own."""
    rows = ["patient_id,scan_id,image,mask,mask_scheme"]
    for scan, volumes in scans.items():
        for kind, volume in zip(("ct", "lobes"), volumes, strict=True):
            sitk.WriteImage(to_itk(volume), str(folder / f"{scan}_{kind}.nrrd"))
        rows.append(f"p_{scan},{scan},{scan}_ct.nrrd,{scan}_lobes.nrrd,lungmask")
    (folder / "cohort.csv").write_text("\n".join(rows))
    return folder / "cohort.csv"


@pytest.fixture
def groups_of(tmp_path):
    """Groups of scans with one image, in a store that was built of them."""

    def groups(spacing_mm=None, **scans):
        spec = ExtractionSpec(spacing_mm=spacing_mm, features=("firstorder",))
        build(write_cohort(tmp_path, scans), tmp_path / "ren.duckdb", spec=spec, jobs=0)
        with FeatureStore(tmp_path / "ren.duckdb") as store:
            return duplicate_scans(store.connection)

    return groups


@pytest.mark.parametrize("spacing_mm", [None, 3.2])
def test_a_copy_is_found_whatever_became_of_it(groups_of, spacing_mm):
    image, mask = chest_phantom(1, size=SIZE)
    other = chest_phantom(2, size=SIZE)
    whole_numbers = Volume(image.voxels.astype(np.float32) + 0.25, image.spacing_mm)
    copies = {
        "cropped": (cut(image, first=3), cut(mask, first=3)),
        "cropped_more": (cut(image, first=2, side=5), cut(mask, first=2, side=5)),
        "rounded": (whole_numbers, mask),
    }
    assert groups_of(spacing_mm, first=(image, mask), other=other, **copies) == (("cropped", "cropped_more", "first", "rounded"),)


def test_a_copy_with_loss_is_found_by_its_histograms(groups_of):
    image, mask = chest_phantom(1, size=(100, 84, 108))
    assert groups_of(first=(image, mask), lossy=(noisy(image), mask)) == (("first", "lossy"),)


def test_other_people_are_no_copies_though_there_are_many_pairs():
    histograms = []
    for seed in range(24):
        image, mask = chest_phantom(seed, size=SIZE)
        histograms.append([np.array(each.counts) for _, each in sorted(label_histograms(image.voxels, mask.voxels).items())])
    counts = np.array(histograms)
    assert in_several(alike(counts[:, lobe]) for lobe in range(5)).tolist() == []


def test_pairs_are_those_that_comparing_all_finds():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.repeat(rng.uniform(50_000, 500_000, (60, 72)), 3, axis=0) * rng.choice([1, 1.002, 1.02], (180, 1)))
    expected = {
        (one, other)
        for one in range(len(counts))
        for other in range(one + 1, len(counts))
        if np.abs(counts[one] - counts[other]).sum() < MOST_DIFFERENT * max(counts[one].sum(), counts[other].sum())
    }
    assert {tuple(pair) for pair in alike(counts).tolist()} == expected
    assert 0 < len(expected) < 180


def test_three_lobes_must_agree():
    pair, elsewhere = np.array([[1, 4]]), np.array([[2, 3], [1, 4]])
    assert in_several([pair, pair]).tolist() == []
    assert in_several([pair, elsewhere, pair]).tolist() == [[1, 4]]


def test_a_label_in_a_void_has_no_digest():
    image, mask = chest_phantom(3, size=SIZE)
    hu = image.voxels.copy()
    hu[mask.voxels == 2] = -1024
    digests = label_digests(Volume(hu, image.spacing_mm), mask, label_extents(mask.voxels))
    assert sorted(digests) == [1, 3, 4, 5]
    assert joined_digest(digests, [2]) is None
    assert joined_digest(digests, [1, 2]) == joined_digest(digests, [1]) != joined_digest(digests, [3])


def test_the_scan_that_stays_sound_has_labels_and_the_fewest_warnings(tmp_path):
    image, mask = chest_phantom(1, size=(100, 84, 108))
    volumes = [Volume(volume.voxels, (3.0, 3.0, 3.0)) for volume in (image, mask)]
    cropped = [cut(volume, last=20) for volume in volumes]  # through the lungs, so that lobes touch the border
    manifest = write_cohort(tmp_path, {"a_cropped": cropped, "b_whole": volumes, "c_whole": volumes})
    spec, severities = ExtractionSpec(spacing_mm=None, features=("firstorder",)), []
    for labels in ("", ",label_t\n,1\n,\n,0"):
        lines = manifest.read_text().splitlines()
        manifest.write_text("\n".join(map("".join, zip(lines, labels.split("\n"), strict=True)) if labels else lines))
        build(manifest, tmp_path / "ren.duckdb", spec=spec, jobs=0)
        with FeatureStore(tmp_path / "ren.duckdb") as store:
            query = "SELECT scan_id, severity FROM quality WHERE rule = 'duplicate_image' ORDER BY 1"
            severities.append(dict(store.sql(query).rows()))
    assert severities == [
        {"a_cropped": "warning", "b_whole": "info", "c_whole": "warning"},
        {"a_cropped": "warning", "b_whole": "warning", "c_whole": "info"},
    ]
