"""`validate --deep` says what `build` would, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import FeatureStore, build, read_cohort
from ren_features.images.image_file import to_itk
from ren_features.manifest.deep_validation import validate_deeply
from ren_features.manifest.validation import problems_of
from ren_features.regions import LUNGMASK
from ren_features.spec import ExtractionSpec
from tests.conftest import TINY
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_seg, write_series

IMAGE, MASK = chest_phantom(3, size=TINY)
SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder",))
RML = LUNGMASK.labels["RML"]


def write(volume, path):
    sitk.WriteImage(to_itk(volume), str(path), useCompression=True)


def image_with(value, where=MASK.voxels > 0):
    voxels = IMAGE.voxels.astype(np.float32)
    voxels[where] = value
    return replace(IMAGE, voxels=voxels)


def mask_with(change, kind=np.uint8):
    labels = MASK.voxels.astype(kind)
    change(labels)
    return replace(MASK, voxels=labels)


def one_voxel_of_the_middle_lobe(labels):
    first = np.argwhere(labels == RML)[0]
    labels[labels == RML] = 0
    labels[tuple(first)] = RML


def set_first(value):
    def change(labels):
        labels[0, 0, 0] = value

    return change


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def flip(path):
    content = bytearray(path.read_bytes())
    late = slice(int(0.9 * len(content)), int(0.9 * len(content)) + 40)
    content[late] = bytes(255 - byte for byte in content[late])
    path.write_bytes(content)


def series(folder, *, damaged):
    write_series(folder / "ct", IMAGE)
    if damaged:
        cut(sorted((folder / "ct").iterdir())[5], 0.7)
    return {"image": "ct"}


def of_one_file(name, suffix, volume, damage=lambda path: None):
    """A case in which one file of the scan is another."""

    def make(folder):
        path = folder / f"{name}{suffix}"
        write(volume, path)
        damage(path)
        return {name: path.name}

    return make


def structures(folder, *, overlap):
    (folder / "lobes").mkdir()
    for lobe, label in LUNGMASK.labels.items():
        part = (MASK.voxels == label) | (overlap & (MASK.voxels == RML))
        write(replace(MASK, voxels=part.astype(np.uint8)), folder / "lobes" / f"{lobe}.nii.gz")
    return {"mask": "lobes", "mask_scheme": "files"}


def segments(folder, *, names):
    row = series(folder, damaged=False)
    write_seg(folder / "seg.dcm", folder / "ct", MASK.voxels, names)
    return {**row, "mask": "seg.dcm", "mask_scheme": "dicom"}


REFUSED_FOR_VOXELS = {
    "image_cut_off": of_one_file("image", ".nii.gz", IMAGE, lambda path: cut(path, 0.6)),
    "image_with_damaged_compression": of_one_file("image", ".nii.gz", IMAGE, flip),
    "nrrd_cut_off": of_one_file("image", ".nrrd", IMAGE, lambda path: cut(path, 0.6)),
    "metaimage_cut_off": of_one_file("image", ".mha", IMAGE, lambda path: cut(path, 0.6)),
    "series_with_a_damaged_slice": lambda folder: series(folder, damaged=True),
    "nan_in_the_lungs": of_one_file("image", ".nii.gz", image_with(np.nan)),
    "infinite_lungs": of_one_file("image", ".nii.gz", image_with(np.inf)),
    "blank_image": of_one_file("image", ".nii.gz", image_with(0, ...)),
    "more_levels_than_16_bits": of_one_file("image", ".nii.gz", image_with(900_000, MASK.voxels == RML)),
    "mask_cut_off": of_one_file("mask", ".nii.gz", MASK, lambda path: cut(path, 0.6)),
    "unknown_label": of_one_file("mask", ".nii.gz", mask_with(set_first(9))),
    "fractions_of_labels": of_one_file("mask", ".nii.gz", mask_with(set_first(0.5), np.float32)),
    "negative_label": of_one_file("mask", ".nii.gz", mask_with(set_first(-1), np.int16)),
    "nan_label": of_one_file("mask", ".nii.gz", mask_with(set_first(np.nan), np.float32)),
    "empty_mask": of_one_file("mask", ".nii.gz", mask_with(lambda labels: labels.fill(0))),
    "lobe_of_one_voxel": of_one_file("mask", ".nii.gz", mask_with(one_voxel_of_the_middle_lobe)),
    "overlapping_structures": lambda folder: structures(folder, overlap=True),
}
REFUSED_FOR_HEADERS = {
    "no_image": lambda _: {"image": "nowhere.nii.gz"},
    "no_mask": lambda _: {"mask": ""},
    "mask_elsewhere": of_one_file("mask", ".nii.gz", replace(MASK, origin_mm=(40.3, 0.0, 0.0))),
    "segments_of_other_organs": lambda folder: segments(folder, names={1: "heart"}),
}
TAKEN = {
    "sound": lambda _: {},
    "lobectomy": of_one_file("mask", ".nii.gz", mask_with(lambda labels: np.place(labels, labels == RML, 0))),
    "whole_labels_as_floats": of_one_file("mask", ".nii.gz", mask_with(lambda labels: None, np.float32)),
    "series": lambda folder: series(folder, damaged=False),
    "structures_apart": lambda folder: structures(folder, overlap=False),
    "segments": lambda folder: segments(folder, names={label: lobe for lobe, label in LUNGMASK.labels.items()}),
}
FINE = replace(SPEC, bin_width=1.0)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What `validate`, `validate --deep` and `build` say of a cohort with every kind of scan: by scan id."""
    folder = tmp_path_factory.mktemp("damaged")
    write(IMAGE, folder / "ct.nii.gz")
    write(MASK, folder / "lobes.nii.gz")
    lines = ["patient_id,scan_id,image,mask,mask_scheme"]
    for scan_id, make in (REFUSED_FOR_VOXELS | REFUSED_FOR_HEADERS | TAKEN).items():
        (folder / scan_id).mkdir()
        row = {"image": folder / "ct.nii.gz", "mask": folder / "lobes.nii.gz", "mask_scheme": "lungmask"}
        changed = make(folder / scan_id)
        row |= {key: value and (folder / scan_id / value if key != "mask_scheme" else value) for key, value in changed.items()}
        lines.append(f"{scan_id},{scan_id},{row['image']},{row['mask']},{row['mask_scheme']}")
    (folder / "cohort.csv").write_text("\n".join(lines))
    cohort = read_cohort(folder / "cohort.csv")
    build(cohort, folder / "ren.duckdb", spec=FINE, jobs=0)
    with FeatureStore(folder / "ren.duckdb") as store:
        refused = dict(store.sql("SELECT scan_id, message FROM failures").rows())
    deep = validate_deeply(cohort, FINE, jobs=0)
    return by_scan(problems_of(cohort, FINE.regions)), by_scan(deep.problems), refused, deep.notes


def by_scan(problems):
    lines = [problem.removeprefix("scan ").split(": ", 1) for problem in problems]
    assert len(lines) == len(dict(lines))
    return dict(lines)


@pytest.mark.parametrize("kind", [*REFUSED_FOR_VOXELS, *REFUSED_FOR_HEADERS, *TAKEN])
def test_what_build_refuses_is_told_and_nothing_else(said, kind):
    headers, deep, refused, _ = said
    assert (kind in deep) == (kind in refused) == (kind not in TAKEN)
    if kind not in REFUSED_FOR_VOXELS:  # of a tiny file, a header may tell that voxels are damaged
        assert (kind in headers) == (kind in refused)


@pytest.mark.parametrize("kind", REFUSED_FOR_VOXELS)
def test_the_words_are_those_of_build(said, kind):
    """The screen may add the name of a DICOM file, which a store never keeps."""
    _, deep, refused, _ = said
    assert deep[kind].startswith(refused[kind])


def test_an_image_under_several_ids_is_a_note_not_a_problem(said):
    (note,) = [note for note in said[3] if "sound" in note]
    assert note.startswith(
        "the same image under several ids: lobe_of_one_voxel (patient lobe_of_one_voxel), sound (patient sound)"
    )


def test_nothing_is_written(tmp_path, write_manifest):
    path = write_manifest({}, {"scan_id": "s2", "mask": ""})
    assert validate_deeply(read_cohort(path), SPEC, segment=True, weights=tmp_path, jobs=0).notes
    assert list(tmp_path.rglob("*")) == [path]


def test_of_scans_to_be_segmented_the_image_is_read(tmp_path, write_manifest):
    REFUSED_FOR_VOXELS["image_cut_off"](tmp_path)
    path = write_manifest({"mask": ""}, {"scan_id": "s2", "mask": "", "image": "image.nii.gz"})
    found = validate_deeply(read_cohort(path), SPEC, segment=True, weights=tmp_path, jobs=0).problems
    assert [problem.partition(":")[0] for problem in found] == ["scans without a mask", "scan s2"]


def test_the_command_says_what_was_read(ren, write_manifest, tmp_path):
    row = REFUSED_FOR_VOXELS["unknown_label"](tmp_path)
    path = write_manifest({}, {"scan_id": "s2", **row})
    assert "0 problems (headers only; --deep reads voxels)" in ren("validate", path).stdout
    done = ren("validate", path, "--deep", "--jobs", 2, expect=1)
    assert "scan s2: mask" in done.stdout
    assert "got label 9 on 1 voxels" in done.stdout
    assert "1 problems (headers and voxels)" in done.stdout
    assert "[2/2]" in done.stderr
