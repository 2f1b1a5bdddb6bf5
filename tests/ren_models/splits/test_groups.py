"""Patients who share an image are one patient for every split."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import FeatureStore
from ren_features.errors import LeakageError, SplitError
from ren_features.images.image_file import to_itk
from ren_models.experts import RadiomicsExpert
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.matrices import region_inputs
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.groups import contradictions, named, patient_groups
from ren_models.splits.parts import read_parts
from ren_models.splits.rounds import PARTS, Round, make_split
from ren_models.splits.stored import current_split, is_current, read_split, store_split
from tests.phantom import chest_phantom

LABELS = {f"p{number}": int(number % 3 == 0) for number in range(47)}
GROUPS = (frozenset({"p1", "p2", "p5"}), frozenset({"p3", "p4"}))


def share(store, *scans):
    """Give scans the image of the first one."""
    query = "UPDATE inputs SET image_sha256 = (SELECT image_sha256 FROM inputs WHERE scan_id = ?) WHERE list_contains(?, scan_id)"
    store.connection.execute(query, [scans[0], list(scans)])


def part_of(patient, each):
    return next(part for part in PARTS if patient in each.patients(part))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("protocol", ["full", "paper"])
def test_a_group_is_in_one_part_of_every_round(seed, protocol):
    for each in make_split(LABELS, "t", seed=seed, protocol=protocol, groups=GROUPS).rounds:
        assert each.train | each.val | each.test == set(LABELS)
        for group in GROUPS:
            assert len({part_of(patient, each) for patient in group}) == 1


@pytest.mark.parametrize(
    ("protocol", "split_id", "rounds"),
    [("full", "7536a79c25f230a6", "68a087342df4ff84"), ("paper", "7a8eb062ce972b9d", "40bd65483d01e6aa")],
)
def test_where_nobody_shares_an_image_the_split_is_as_before(protocol, split_id, rounds):
    split = make_split(LABELS, "t", protocol=protocol)
    content = repr([[sorted(each.patients(part)) for part in PARTS] for each in split.rounds])
    assert (split.split_id, hashlib.sha256(content.encode()).hexdigest()[:16]) == (split_id, rounds)
    assert make_split(LABELS, "t", protocol=protocol, groups=GROUPS).split_id != split_id


def test_a_round_that_divides_a_group_is_leakage():
    message = r"round 3: expected patients who share an image in one part, got \{a, c\} in several; `ren-models split`"
    with pytest.raises(LeakageError, match=message):
        Round(3, frozenset("ab"), frozenset("c"), frozenset("d"), (frozenset("ac"),))


def test_groups_count_as_one_patient_of_the_largest_class():
    labels = dict.fromkeys("abcdefgh", 0) | dict.fromkeys("ijkl", 1)
    make_split(labels, "t", folds=2)
    with pytest.raises(SplitError, match=r"got 3 of class 1 .*those who share an image count as one"):
        make_split(labels, "t", folds=2, groups=[frozenset("ij")])
    make_split(labels, "t", folds=2, groups=[frozenset("hi")])
    assert contradictions([frozenset("ij"), frozenset("hi")], labels) == (frozenset("hi"),)
    assert named([frozenset("hi")], labels) == "{h (0), i (1)}"


def test_a_third_patient_joins_two_also_without_a_label(make_store):
    path = make_store(patients=33, label=lambda patient, scan: None if patient < 3 else patient % 2)
    with FeatureStore(path, read_only=False) as store:
        share(store, "p005_0", "p001_0")
        share(store, "p001_1", "p008_1", "p002_0")
        share(store, "p010_0", "p010_1")
        assert patient_groups(store, ["p005", "p007", "p008", "p010"]) == (frozenset({"p005", "p008"}),)
        split = store_split(store, "ill").split
        assert split.groups == (frozenset({"p005", "p008"}),)
        assert read_split(store, "ill") == split == current_split(store, "ill")


def test_rows_written_by_hand_that_divide_a_group_are_found(make_store):
    with FeatureStore(make_store(images=dict.fromkeys(("p000_0", "p002_1"), "one")), read_only=False) as store:
        split = store_split(store, "ill").split
        train = next(each.index for each in split.rounds if "p000" in each.train)
        moved = "UPDATE rounds SET part = 'test' WHERE round = ? AND patient_id = 'p000'"
        store.connection.execute(moved, [train])
        with pytest.raises(LeakageError, match=rf"round {train}: .*\{{p000, p002\}}"):
            plan_radiomics(store, "ill")


def test_a_split_that_new_scans_made_leaking_fits_nothing(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        split = store_split(store, "ill").split
        first = split.rounds[0]
        share(store, f"{min(first.train)}_0", f"{min(first.test)}_1")
        for named_split in (None, split.split_id):
            with pytest.raises(LeakageError, match=rf"{min(first.test)}.*`ren-models split`"):
                plan_radiomics(store, "ill", split_id=named_split)
        assert store_split(store, "ill").split.split_id != split.split_id
        plan_radiomics(store, "ill")


def test_a_split_whose_parts_share_nothing_is_still_not_current(make_store):
    with FeatureStore(make_store(), read_only=False) as store:
        split = store_split(store, "ill", protocol="paper", folds=2).split
        one, *others = sorted(split.patients)
        other = next(name for name in others if all(part_of(one, each) == part_of(name, each) for each in split.rounds))
        share(store, f"{one}_0", f"{other}_0")
        assert not is_current(store, read_split(store, "ill"))
        with pytest.raises(SplitError, match="made before they changed"):
            current_split(store, "ill")
        assert current_split(store, "ill", split.split_id).groups == (frozenset({one, other}),)


def test_inner_folds_keep_a_group_together(make_store):
    images = {f"p{number + half:03}_0": str(number) for number in range(0, 28, 4) for half in (0, 2)}
    with FeatureStore(make_store(images=images), read_only=False) as store:
        each = store_split(store, "ill", folds=4).split.rounds[0]
        train = read_parts(region_inputs(store, "ill", store.latest_spec)[0].examples, each).train
    assert set(train.group_ids) < set(train.patient_ids)
    expert = RadiomicsExpert("LUL", (), RadiomicsSettings(inner_folds=3))
    for fitted, held_back in expert.inner_folds(train):
        assert not set(train.group_ids[fitted]) & set(train.group_ids[held_back])


FIRST_ORDER = "spacing_mm: null\nfeatures: [firstorder, shape]\n"
PATIENTS, SIZE, CROP = 28, (30, 18, 20), 3


@pytest.fixture(scope="module")
def entered_twice(tmp_path_factory):
    """A store of 28 patients, entered again under other ids: the same file, another format, or cropped; labels are random."""
    folder = tmp_path_factory.mktemp("twice")
    labels = np.random.default_rng(3).permutation(PATIENTS) % 2
    rows = ["patient_id,scan_id,image,mask,mask_scheme,label_coin"]
    for number, label in enumerate(labels):
        image, mask = chest_phantom(number, size=SIZE)
        kind = ("same", "nrrd", "crop")[number % 3]
        suffix, first = "nrrd" if kind == "nrrd" else "nii.gz", CROP if kind == "crop" else 0
        for name, volume in (("ct", image), ("lobes", mask)):
            sitk.WriteImage(to_itk(volume), str(folder / f"{name}{number}.nii.gz"))
            box = (slice(first, SIZE[0]), slice(0, SIZE[1]), slice(0, SIZE[2]))
            sitk.WriteImage(to_itk(volume.crop(box)), str(folder / f"{name}{number}_again.{suffix}"))
        rows.append(f"a{number:02},a{number:02}_1,ct{number}.nii.gz,lobes{number}.nii.gz,lungmask,{label}")
        rows.append(f"b{number:02},b{number:02}_1,ct{number}_again.{suffix},lobes{number}_again.{suffix},lungmask,{label}")
    (folder / "cohort.csv").write_text("\n".join(rows))
    (folder / "spec.yaml").write_text(FIRST_ORDER)
    (folder / "params.yaml").write_text("n_estimators: 10\n")
    command(folder, "ren-features", "build", "cohort.csv", "--spec", "spec.yaml")
    return folder


def command(folder, program, *arguments):
    call = [Path(sys.executable).parent / program, *arguments, "--store", "ren.duckdb"]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True)


def test_labels_without_information_stay_at_chance_though_every_image_is_there_twice(entered_twice):
    told = command(entered_twice, "ren-models", "split", "--task", "coin").stdout
    assert "56 patients share an image with another one; each of 28 groups stays together: {a00, b00}, {a01, b01}" in told
    assert "{a09, b09} and 18 more" in told
    command(entered_twice, "ren-models", "radiomics", "--task", "coin", "--params", "params.yaml")
    with FeatureStore(entered_twice / "ren.duckdb") as store:
        value = store.sql("SELECT avg(value) FROM results WHERE metric = 'auc_test' AND experiment = 'radiomics'").item()
    assert 0.3 < value < 0.7


def test_of_each_image_one_scan_is_sound(entered_twice):
    with FeatureStore(entered_twice / "ren.duckdb") as store:
        every = store.matrix(region="RML", task="coin")
        severities = store.sql(
            "SELECT severity, count(*) FROM quality WHERE rule = 'duplicate_image' GROUP BY 1 ORDER BY 1"
        ).rows()
        planted = (
            "SELECT scan_id, severity, message FROM quality WHERE rule = 'duplicate_image' AND scan_id IN ('a02_1', 'b02_1')"
        )
        cropped = {scan: (severity, message) for scan, severity, message in store.sql(planted).rows()}
    assert len(every.y) == 2 * PATIENTS
    assert severities == [("info", PATIENTS), ("warning", PATIENTS)]
    assert {message for _, message in cropped.values()} == {"same image as a02_1", "same image as b02_1"}


def test_different_labels_of_one_image_are_named(entered_twice):
    with FeatureStore(entered_twice / "ren.duckdb", read_only=False) as store:
        value = "CASE scan_id WHEN 'a05_1' THEN 1 - value ELSE value END"
        store.connection.execute(f"INSERT INTO labels SELECT scan_id, 'unlike', {value} FROM labels WHERE task = 'coin'")
    told = command(entered_twice, "ren-models", "split", "--task", "unlike", "--folds", "3").stdout
    assert "patients who share an image have different labels of unlike: {a05 (" in told
