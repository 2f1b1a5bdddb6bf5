"""Pictures of scans: which slices, which way up, which colours, and where they stand."""

import numpy as np
import pytest
from PIL import Image

from ren_features.errors import EmptyRegionError, VolumeError
from ren_features.images.fingerprint import Fingerprint
from ren_features.measuring.preview import (
    GAP,
    LOBE_COLOURS,
    LONGEST,
    preview_folder,
    preview_path,
    structure_colours,
    thumbnail_path,
    write_preview,
)
from ren_features.regions import LABEL_SCHEMES, LUNGMASK
from ren_features.volume import Volume

AIR, BONE = -1000, 200
Z, Y, X = 60, 40, 50


@pytest.fixture
def block():
    """A box of one structure in a larger grid of 1 mm, all of it air."""
    labels = np.zeros((Z, Y, X), np.uint8)
    labels[10:-10, 10:-10, 10:-10] = 1
    return np.full((Z, Y, X), AIR, np.int16), labels


def drawn(tmp_path, image, labels, spacing_mm=(1.0, 1.0, 1.0), structures=None):
    """The picture's three planes as arrays, and the picture."""
    path = tmp_path / "previews" / "s.webp"
    write_preview(Volume(image, spacing_mm), Volume(labels, spacing_mm), path, structures or {"LUL": 1})
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    depth, height, width = (round(size * step) for size, step in zip(image.shape, spacing_mm, strict=True))
    gap = max(1, round(GAP * max(depth, height)))
    starts = (0, width + gap, width + height + 2 * gap)
    coronal, sagittal, axial = (
        pixels[:, start : start + size] for start, size in zip(starts, (width, height, width), strict=True)
    )
    top = (pixels.shape[0] - height) // 2
    return (coronal, sagittal, axial[top : top + height]), pixels


def bright(plane):
    """Row and column of the middle of what is bright, as parts of the plane's size."""
    rows, columns = np.nonzero(plane.min(axis=2) > 150)
    return rows.mean() / plane.shape[0], columns.mean() / plane.shape[1]


def test_the_head_is_up_the_right_side_left_and_the_front_up_in_axial_slices(tmp_path, block):
    image, labels = block
    image[50:58, 10:30, 3:9] = BONE  # to the head, at the patient's right
    image[5:45, 2:8] = BONE  # in front
    (coronal, sagittal, axial), _ = drawn(tmp_path, image, labels)
    row, column = bright(coronal)
    assert (row < 0.25, column < 0.25) == (True, True)
    assert bright(axial)[0] < 0.25
    assert bright(sagittal)[1] < 0.25


def test_pixels_are_square_in_mm_on_any_grid(tmp_path, block):
    image, labels = block
    _, even = drawn(tmp_path, image, labels)
    _, thick = drawn(tmp_path, image[::5], labels[::5], (5.0, 1.0, 1.0))
    assert even.shape == thick.shape


def test_the_outline_has_the_colour_of_its_structure_and_lets_the_texture_show(tmp_path, block):
    image, labels = block
    (coronal, _, _), _ = drawn(tmp_path, image, labels)
    edge = coronal[30, 10]
    wanted = np.array([int(LOBE_COLOURS["LUL"][at : at + 2], 16) for at in (1, 3, 5)])
    assert np.abs(edge - 0.85 * wanted).max() < 40
    assert coronal[30, 25].max() < 12


def test_the_slice_that_shows_most_structures_is_taken(tmp_path, block):
    image, labels = block
    labels[labels == 1] = 0
    labels[5:10, 10:30, 10:40] = 1  # large, alone in its slices
    labels[40:44, 10:20, 10:20], labels[40:44, 10:20, 22:32], labels[40:44, 22:32, 10:20] = 2, 3, 4
    image[40:44] = 0
    (_, _, axial), _ = drawn(tmp_path, image, labels, structures={"LLL": 2, "RUL": 3, "RML": 4, "LUL": 1})
    assert np.median(axial) > 150  # soft tissue, not air


def test_labels_that_are_no_structure_are_neither_cropped_to_nor_drawn(tmp_path, block):
    image, labels = block
    _, alone = drawn(tmp_path, image, labels)
    labels[0, 0, 0] = 9
    _, beside = drawn(tmp_path, image, labels)
    assert (alone == beside).all()


def test_a_large_body_is_drawn_smaller(tmp_path, block):
    image, labels = block
    write_preview(Volume(image, (30.0, 3, 3)), Volume(labels, (30.0, 3, 3)), tmp_path / "s.webp", {"LUL": 1})
    with Image.open(tmp_path / "s.webp") as picture:
        assert picture.height == LONGEST


def test_a_thumbnail_stands_beside_and_nothing_else(tmp_path, block):
    path = tmp_path / "folder" / "s.webp"
    write_preview(*(Volume(voxels, (1.0, 1, 1)) for voxels in block), path, {"LUL": 1})
    assert sorted(path.parent.iterdir()) == sorted([path, thumbnail_path(path)])
    with Image.open(path) as picture, Image.open(thumbnail_path(path)) as thumbnail:
        assert picture.format == thumbnail.format == "WEBP"
        assert thumbnail.height == picture.height / 2


def test_a_mask_without_the_structures_has_no_picture(tmp_path, block):
    with pytest.raises(EmptyRegionError, match="at least one labelled voxel"):
        write_preview(*(Volume(voxels, (1.0, 1, 1)) for voxels in block), tmp_path / "s.webp", {"RUL": 3})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path, block):
    (tmp_path / "file").touch()
    with pytest.raises(VolumeError, match=r"file/s\.webp: expected a place for a picture"):
        write_preview(*(Volume(voxels, (1.0, 1, 1)) for voxels in block), tmp_path / "file" / "s.webp", {"LUL": 1})


def path_of(folder, scan_id="s", image="a", mask="b", scheme="lungmask", structures=("LUL", "LLL")):
    return preview_path(folder, scan_id, Fingerprint(image, mask, scheme), structures)


def test_a_changed_file_has_another_picture(tmp_path):
    changes = ({}, {"image": "c"}, {"mask": "c"}, {"scheme": "cip"}, {"scan_id": "t"}, {"structures": ("LUL",)})
    paths = [path_of(tmp_path, **change) for change in changes]
    assert len(set(paths)) == len(changes)
    assert paths[0] == path_of(tmp_path, structures=("LLL", "LUL"))
    assert paths[0].name.startswith("s-")


@pytest.mark.parametrize("scan_id", ["../../etc/passwd", "a/b", "<b>", "é" * 300, "", "a\0b"])
def test_no_scan_id_leads_out_of_the_folder(tmp_path, scan_id):
    path = path_of(tmp_path, scan_id)
    assert path.parent == tmp_path
    path.touch()
    assert path.resolve().parent == tmp_path.resolve()


def test_pictures_stand_beside_their_store(tmp_path):
    assert preview_folder(tmp_path / "ren.duckdb") == tmp_path / "ren.duckdb.previews"


@pytest.mark.parametrize("scheme", LABEL_SCHEMES.values(), ids=lambda scheme: scheme.name)
def test_a_lobe_has_its_colour_whatever_number_a_segmenter_gives_it(scheme):
    assert structure_colours(scheme.labels).items() >= structure_colours(LUNGMASK.labels).items()


def test_structures_of_other_organs_have_colours_too():
    colours = structure_colours(["label_1", "label_2"])
    assert len(set(colours.values())) == 2
