"""Lobes by lungmask: its real loading and inference, with small weights of a network whose answer is known.

The network calls dark voxels (below -500 HU) a lobe; of those lungmask itself keeps the largest connected piece.
"""

import json
import pickle
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import SegmentationError
from ren_features.images.image_file import read_mask, to_itk
from ren_features.regions import LUNGMASK
from ren_features.segmentation.cleanup import clean_up
from ren_features.segmentation.making import MadeMask, make_mask
from ren_features.segmentation.masks import LobeMasks
from ren_features.segmentation.networks import ADDRESS, CLASSES, WEIGHTS, check_networks, has_bfloat16, same_result
from ren_features.volume import Volume, check_same_grid
from tests.ren_features.segmentation.weights import write_weights

pytest.importorskip("lungmask")
torch = pytest.importorskip("torch")

SHA = "0123456789abcdef" * 4
NAMES = tuple(WEIGHTS.values())


def make(masks, scan_id, image):
    return make_mask(masks.path(scan_id, SHA), masks.weights, image, 1)


@pytest.fixture(scope="session")
def image(phantom):
    """Two slices of the phantom's middle, on an oblique grid with numbers that NIfTI rounds."""
    turn = np.deg2rad(17.3)
    direction = (np.cos(turn), -np.sin(turn), 0.0, np.sin(turn), np.cos(turn), 0.0, 0.0, 0.0, 1.0)
    voxels = phantom[0].voxels[8:10]
    return Volume(voxels, (2.500001234, 0.7031251234, 0.7031259876), (-123.456789, 234.567891, -1034.123457), direction)


@pytest.fixture(scope="session")
def first(tmp_path_factory, weights, image):
    """A folder with the mask of one scan; leave it as it is."""
    masks = LobeMasks(tmp_path_factory.mktemp("made") / "store.masks", weights)
    return make(masks, "s1", image)


@pytest.fixture
def kept(tmp_path, first):
    """A copy of that folder, with no weights: what is there must do."""
    return LobeMasks(Path(shutil.copytree(first.path.parent, tmp_path / "store.masks")), tmp_path / "no weights")


def test_a_mask_is_what_the_networks_say_on_the_grid_of_the_image(first, image, phantom):
    mask = read_mask(first.path)
    check_same_grid(image, mask, where="mask")
    assert mask.voxels.dtype == np.uint8
    assert np.unique(mask.voxels).tolist() == [0, LUNGMASK.labels["LLL"]]
    lobes = phantom[1].voxels[8:10]
    left = np.isin(lobes, [LUNGMASK.labels["LUL"], LUNGMASK.labels["LLL"]])
    lung = max(left, (lobes > 0) & ~left, key=np.count_nonzero)
    found = mask.voxels > 0
    assert 2 * np.count_nonzero(found & lung) / (np.count_nonzero(found) + np.count_nonzero(lung)) > 0.9
    assert first.removed_voxels == 0


def test_a_source_names_software_weights_and_precision(first, weights):
    import hashlib
    from importlib.metadata import version

    lobes, lungs = (hashlib.sha256((weights / name).read_bytes()).hexdigest()[:8] for name in NAMES)
    precision = "bfloat16" if has_bfloat16() and not torch.cuda.is_available() else "float32"
    assert first.source == f"lungmask {version('lungmask')}: LTRCLobes {lobes}, R231 {lungs}, {precision}"


def test_a_mask_is_named_after_the_scan_and_its_image(first, tmp_path):
    assert first.path.name == "s1-0123456789ab.nii.gz"
    assert LobeMasks(tmp_path).path("../a b", SHA).parent == tmp_path
    assert sorted(file.name for file in first.path.parent.iterdir()) == ["s1-0123456789ab.json", "s1-0123456789ab.nii.gz"]


def test_a_mask_that_is_there_is_not_made_again(kept, first, image):
    path = kept.path("s1", SHA)
    before = path.stat().st_mtime_ns
    assert make(kept, "s1", image) == replace(first, path=path)
    assert path.stat().st_mtime_ns == before


def test_a_mask_corrected_by_hand_is_used_and_said_to_be(kept, first, image):
    path = kept.path("s1", SHA)
    corrected = np.full(image.size, LUNGMASK.labels["RUL"], np.uint8)
    sitk.WriteImage(to_itk(replace(image, voxels=corrected)), str(path))
    made = make(kept, "s1", image)
    assert made.source == f"{first.source}, edited"
    np.testing.assert_array_equal(read_mask(made.path).voxels, corrected)


@pytest.mark.parametrize("note", [None, "", "[]", "{}", '{"source": "x", "removed_voxels": null, "mask_sha256": "0"}'])
def test_a_mask_without_a_good_note_is_somebodys_own(kept, image, note):
    path = kept.path("s1", SHA)
    beside = path.with_name("s1-0123456789ab.json")
    beside.unlink() if note is None else beside.write_text(note)
    assert make(kept, "s1", image) == MadeMask(path, "own file in store.masks", 0)


def test_what_the_clean_up_removed_is_remembered(kept, image):
    note = kept.path("s1", SHA).with_name("s1-0123456789ab.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"removed_voxels": 7}))
    assert make(kept, "s1", image).removed_voxels == 7


def test_networks_are_loaded_once_for_all_scans_of_a_process(tmp_path, weights, image):
    copy = Path(shutil.copytree(weights, tmp_path / "weights"))
    masks = LobeMasks(tmp_path / "masks", copy)
    one = replace(image, voxels=image.voxels[:1])
    make(masks, "s1", one)
    for name in NAMES:
        (copy / name).write_text("no longer weights")
    assert make(masks, "s2", one).path.is_file()


def test_bfloat16_is_not_used_where_it_changes_the_mask(tmp_path, image):
    made = make(LobeMasks(tmp_path / "masks", write_weights(tmp_path / "weights", offset=1000.0)), "s1", image)
    assert made.source.endswith(", float32")
    assert 0 < np.count_nonzero(read_mask(made.path).voxels) < image.voxels.size / 2


@pytest.mark.parametrize(("different", "same"), [(0, True), (1, True), (2, False)])
def test_a_thousandth_of_the_labelled_voxels_may_differ(different, same):
    labels = np.zeros((2, 50, 50), np.uint8)
    labels[:, :10] = 3
    others = labels.copy()
    others[0, 0, :different] = 4
    assert same_result(labels, others) is same


def test_a_sample_without_labels_proves_nothing():
    nothing = np.zeros((1, 4, 4), np.uint8)
    assert same_result(nothing, nothing) is False


def test_an_image_without_lungs_is_refused(tmp_path, weights):
    image = Volume(np.full((1, 6, 6), 40, np.float32), (1.0, 1.0, 1.0))
    with pytest.raises(
        SegmentationError, match=r"s1-0123456789ab\.nii\.gz: expected lobes, lungmask found none in \(1, 6, 6\) voxels"
    ):
        make(LobeMasks(tmp_path / "masks", weights), "s1", image)
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("absent", [NAMES, NAMES[:1], NAMES[1:]])
def test_absent_weights_are_named_with_their_address_and_place(tmp_path, weights, image, absent):
    copy = Path(shutil.copytree(weights, tmp_path / "weights"))
    for name in absent:
        (copy / name).unlink()
    with pytest.raises(SegmentationError) as refused:
        make(LobeMasks(tmp_path / "masks", copy), "s1", image)
    message = str(refused.value)
    assert str(copy) in message
    assert "--weights DIR" in message
    for name in NAMES:
        assert (f"{ADDRESS}/{name}" in message) == (name in absent)
    with pytest.raises(SegmentationError, match="found no unet_"):
        check_networks(copy)


def test_weights_are_looked_for_where_torch_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SegmentationError) as refused:
        check_networks(None)
    assert str(tmp_path / "hub" / "checkpoints") in str(refused.value)


def test_addresses_and_classes_are_lungmasks_own():
    from lungmask.mask import MODEL_URLS

    for name, file in WEIGHTS.items():
        assert (f"{ADDRESS}/{file}", CLASSES[name]) == MODEL_URLS[name]


class Intruder:
    """A pickle that would run code."""

    def __reduce__(self):
        return Path.touch, (Path("intruder was here"),)


def truncated(path):
    path.write_bytes(path.read_bytes()[:20_000])


DAMAGES = {
    "truncated": truncated,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>not found</html>"),
    "code": lambda path: path.write_bytes(pickle.dumps(Intruder())),
    "list": lambda path: torch.save([torch.zeros(3)], path),
    "no tensor": lambda path: torch.save({}, path),
    "numbers": lambda path: torch.save({"last.bias": 3}, path),
    "other network": lambda path: torch.save({"last.bias": torch.zeros(6)}, path),
}


@pytest.mark.parametrize(("name", "damage"), [(NAMES[number % 2], damage) for number, damage in enumerate(DAMAGES)])
def test_damaged_weights_are_named(tmp_path, monkeypatch, weights, image, name, damage):
    monkeypatch.chdir(tmp_path)
    copy = Path(shutil.copytree(weights, tmp_path / "weights"))
    DAMAGES[damage](copy / name)
    with pytest.raises(SegmentationError, match=rf"{name}: expected weights of lungmask's network, got \w+Error: "):
        make(LobeMasks(tmp_path / "masks", copy), "s1", image)
    assert not Path("intruder was here").exists()


def test_weights_of_the_other_network_are_refused(tmp_path, weights, image):
    copy = Path(shutil.copytree(weights, tmp_path / "weights"))
    shutil.copy(copy / NAMES[1], copy / NAMES[0])
    with pytest.raises(SegmentationError, match=f"{NAMES[0]}: expected 6 classes of LTRCLobes, got 3"):
        make(LobeMasks(tmp_path / "masks", copy), "s1", image)


def test_a_folder_that_is_a_file_is_refused(tmp_path, weights, image):
    (tmp_path / "masks").write_text("")
    with pytest.raises(SegmentationError, match="expected a folder that can be written"):
        make(LobeMasks(tmp_path / "masks", weights), "s1", replace(image, voxels=image.voxels[:1]))


def test_a_write_that_fails_leaves_nothing(tmp_path, weights, image):
    masks = LobeMasks(tmp_path / "masks", weights)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(SegmentationError, match=r"s1-0123456789ab\.nii\.gz: expected a folder that can be written"):
            make(masks, "s1", replace(image, voxels=image.voxels[:1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any((tmp_path / "masks").iterdir())


def test_lungmasks_own_fusion_leaves_only_known_labels():
    from lungmask.utils import postprocessing

    lobes = np.zeros((6, 20, 20), np.uint8)
    lobes[:, 2:8, 2:18], lobes[:, 8:14, 2:18] = 1, 2
    lobes[:, 14:18, 2:18] = 3  # what only R231 found, marked with the next free number
    fused = postprocessing(lobes, spare=[3], disable_tqdm=True)
    assert clean_up(fused, [1, 2])[1] == 0
    assert set(np.unique(fused)) <= {0, 1, 2}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_module_imports_neither_torch_nor_lungmask():
    done = python(
        "import sys, ren_features.segmentation.making; sys.exit(bool({'torch', 'lungmask', 'skimage'} & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stderr


def test_without_lungmask_the_extra_is_named(weights):
    done = python(
        "import sys; sys.modules['lungmask'] = None\n"
        "from pathlib import Path; from ren_features.segmentation.networks import check_networks\n"
        f"check_networks(Path({str(weights)!r}))"
    )
    assert "SegmentationError: expected lungmask, got: " in done.stderr
    assert "pip install 'ren-toolkit[segment]'" in done.stderr


def test_warnings_stay_as_they_were(weights, tmp_path):
    done = python(
        "import warnings; from pathlib import Path; from ren_features.segmentation.networks import check_networks\n"
        "before = list(warnings.filters)\n"
        f"check_networks(Path({str(weights)!r}))\n"
        "assert warnings.filters == before"
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
