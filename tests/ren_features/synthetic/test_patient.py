"""Lungs, lobes and disease of one patient."""

from dataclasses import replace

import numpy as np
import pytest

from ren_features.regions import LUNGMASK
from ren_features.synthetic.anatomy import Build
from ren_features.synthetic.disease import Burden, Pattern
from ren_features.synthetic.grid import Grid
from ren_features.synthetic.parameters import BodyParameters, DiseaseParameters, ScannerParameters
from ren_features.synthetic.patient import CAPILLARIES, Parenchyma, Patient
from ren_features.synthetic.scanner import Scanner, make_scanners

BUILD = Build(238, 120, 82, 56, 0.84, 0.46, 46, 20)
BOX = ((-24.0, -132.0, -170.0), (262.0, 132.0, 170.0))
LABEL = LUNGMASK.labels


def make_patient(without=None, seed=1, **parenchyma):
    return Patient(
        np.random.default_rng(seed), BUILD, Parenchyma(-872.0, **parenchyma), without, BodyParameters(), DiseaseParameters()
    )


@pytest.fixture(scope="module")
def patient():
    return make_patient()


@pytest.fixture(scope="module")
def grid():
    return Grid.over(BOX, 4.0)


@pytest.fixture(scope="module")
def healthy(patient, grid):
    return patient.look(grid, Burden(), 1.0)


def volumes_ml(view, spacing=4.0):
    return np.bincount(view.lobes.ravel(), minlength=6)[1:] * spacing**3 / 1000


def test_lobes_have_the_volumes_of_an_adults(healthy):
    volumes = volumes_ml(healthy)
    assert 3000 < volumes.sum() < 5500
    shares = dict(zip(LABEL, 100 * volumes / volumes.sum(), strict=True))
    # Mean +- 3.5 SD of Yamada, Respiration 2020;99:598.
    for lobe, mean, sd in (("RUL", 17.9, 2.4), ("RML", 9.3, 1.6), ("RLL", 26.5, 2.6), ("LUL", 23.1, 2.1), ("LLL", 23.2, 2.4)):
        assert shares[lobe] == pytest.approx(mean, abs=3.5 * sd), lobe


def test_left_is_left_and_lower_is_lower(healthy, grid):
    centre = {lobe: np.argwhere(healthy.lobes == label).mean(axis=0) for lobe, label in LABEL.items()}
    middle = len(grid.x_mm) / 2
    assert all((centre[lobe][2] > middle) == lobe.startswith("L") for lobe in LABEL)
    assert centre["LLL"][0] < centre["LUL"][0]
    assert centre["RLL"][0] < centre["RUL"][0]
    assert centre["RML"][1] < centre["RLL"][1]  # the middle lobe lies in front


def test_the_healthy_have_no_pattern_and_the_density_of_lung(healthy):
    assert not healthy.patterns.any()
    for label in LABEL.values():
        assert -880 < healthy.hu[healthy.lobes == label].mean() < -780


def test_what_surrounds_the_lungs_has_its_tissues(healthy):
    outside = healthy.hu[healthy.lobes == 0]
    for low, high in ((-1000.1, -990), (-110, -90), (35, 65), (150, 200)):  # air, fat, muscle and organs, marrow
        assert np.count_nonzero((outside > low) & (outside < high)) > 500


def test_a_breath_changes_volume_and_density_but_not_the_tissue(patient, grid, healthy):
    out = patient.look(grid, Burden(), 0.8)
    ratio = volumes_ml(out).sum() / volumes_ml(healthy).sum()
    assert ratio == pytest.approx(0.8, abs=0.02)
    tissue = [np.where(view.lobes > 0, view.hu + 1000, 0).sum() for view in (healthy, out)]
    assert tissue[1] / tissue[0] == pytest.approx(1, abs=0.06)


def test_a_contrast_medium_is_seen_in_blood_alone(patient, grid, healthy):
    enhanced = patient.look(grid, Burden(), 1.0, blood_hu=240.0)
    change = enhanced.hu - healthy.hu
    lungs = healthy.lobes > 0
    assert np.median(change[lungs]) == pytest.approx(200 * CAPILLARIES, abs=0.1)
    assert change[lungs].mean() > 200 * CAPILLARIES + 2
    assert change[~lungs].max() == pytest.approx(200, abs=1)


def test_people_differ_in_the_unevenness_and_the_vessels_of_their_lungs(grid, healthy):
    lungs = healthy.lobes > 0
    uneven, vascular = (
        make_patient(**parenchyma).look(grid, Burden(), 1.0).hu[lungs] for parenchyma in ({"unevenness": 2.0}, {"vessels": 1.5})
    )
    spread = [np.subtract(*np.percentile(hu, [75, 25])) for hu in (healthy.hu[lungs], uneven)]
    assert spread[1] > 1.5 * spread[0]
    assert vascular.mean() > healthy.hu[lungs].mean() + 5


def test_a_body_is_the_same_at_every_voxel_size(patient, healthy):
    fine = patient.look(Grid.over(BOX, 3.0), Burden(), 1.0)
    np.testing.assert_allclose(volumes_ml(fine, 3.0), volumes_ml(healthy), rtol=0.03)
    for label in LABEL.values():
        assert fine.hu[fine.lobes == label].mean() == pytest.approx(healthy.hu[healthy.lobes == label].mean(), abs=15)


@pytest.mark.parametrize("lobe", LABEL)
def test_a_removed_lobe_leaves_its_place_to_the_others(lobe, grid, healthy):
    view = make_patient(without=lobe).look(grid, Burden(), 1.0)
    assert set(np.unique(view.lobes)) == {0, *LABEL.values()} - {LABEL[lobe]}
    assert volumes_ml(view).sum() == pytest.approx(volumes_ml(healthy).sum(), rel=1e-6)
    sides = {label: name[0] for name, label in LABEL.items()}
    left = [[label for label in np.unique(each.lobes) if sides.get(label) == "L"] for each in (view, healthy)]
    assert np.isin(view.lobes, left[0]).sum() == np.isin(healthy.lobes, left[1]).sum()


def shares(view, pattern):
    return {lobe: float((view.patterns[view.lobes == label] == pattern).mean()) for lobe, label in LABEL.items()}


def test_the_extent_of_the_disease_is_what_was_asked_for(patient, grid):
    for extent in (0.05, 0.2, 0.4):
        view = patient.look(grid, Burden(ild=extent, fibrosis=0.5, honeycombing=0.3), 1.0)
        patterns = view.patterns[view.lobes > 0]
        ild = np.isin(patterns, [Pattern.ground_glass, Pattern.reticulation, Pattern.honeycombing])
        scarred = np.isin(patterns, [Pattern.reticulation, Pattern.honeycombing])
        assert ild.mean() == pytest.approx(extent, rel=0.12)
        assert scarred.sum() / ild.sum() == pytest.approx(0.5, abs=0.1)
        assert (patterns == Pattern.honeycombing).sum() / scarred.sum() == pytest.approx(0.3, abs=0.1)


def test_the_disease_begins_at_the_base_beneath_the_pleura_and_grows_around_what_it_took(patient, grid):
    views = [patient.look(grid, Burden(ild=extent), 1.0) for extent in (0.05, 0.15, 0.3)]
    for view in views:
        glass = shares(view, Pattern.ground_glass)
        assert min(glass["LLL"], glass["RLL"]) > max(glass["LUL"], glass["RUL"])
    early, late = ((view.patterns == Pattern.ground_glass) for view in (views[0], views[2]))
    assert (late[early]).mean() > 0.99
    depth = -patient.shape.lungs(grid)
    assert np.median(depth[early]) < np.median(depth[views[0].lobes > 0])


def test_emphysema_is_in_the_upper_lobes_and_darker_than_lung(patient, grid, healthy):
    view = patient.look(grid, Burden(emphysema=0.15), 1.0)
    found = shares(view, Pattern.emphysema)
    assert min(found["LUL"], found["RUL"]) > max(found["LLL"], found["RLL"])
    there = view.patterns == Pattern.emphysema
    assert view.hu[there].mean() < healthy.hu[there].mean() - 20


@pytest.mark.parametrize(
    ("burden", "pattern", "rise"),
    [
        (Burden(ild=0.2), Pattern.ground_glass, (180, 330)),
        (Burden(ild=0.2, fibrosis=1.0), Pattern.reticulation, (60, 400)),
        (Burden(ild=0.2, fibrosis=1.0, honeycombing=1.0), Pattern.honeycombing, (80, 500)),
        (Burden(infection_mm=30.0), Pattern.infection, (200, 900)),
        (Burden(atelectasis=1.0), Pattern.atelectasis, (100, 600)),
    ],
)
def test_a_pattern_is_denser_than_lung(patient, grid, healthy, burden, pattern, rise):
    view = patient.look(grid, burden, 1.0)
    there = view.patterns == pattern
    low, high = rise
    assert there.sum() > 50
    assert low < np.median(view.hu[there] - healthy.hu[there]) < high
    untouched = (view.patterns == 0) & (view.lobes > 0)
    assert np.median(np.abs(view.hu[untouched] - healthy.hu[untouched])) < 1


def test_fibrosis_pulls_bronchi_open(patient, grid, healthy):
    patterns = patient.look(grid, Burden(ild=0.5, fibrosis=1.0), 1.0)
    without = replace(patient.disease.parameters, traction=0.0)
    other = make_patient()
    other.disease.parameters = without
    assert np.count_nonzero((patterns.hu < -980) & (patterns.lobes > 0)) > np.count_nonzero(
        (other.look(grid, Burden(ild=0.5, fibrosis=1.0), 1.0).hu < -980) & (patterns.lobes > 0)
    )


def test_the_same_seed_gives_the_same_patient(grid, healthy):
    again = make_patient().look(grid, Burden(), 1.0)
    np.testing.assert_array_equal(again.hu, healthy.hu)
    assert (make_patient(seed=2).look(grid, Burden(), 1.0).hu != healthy.hu).any()


def test_a_scanner_adds_its_noise_its_offset_and_its_blur():
    flat = np.full((20, 60, 60), -850, np.float32)
    scanner = Scanner("S", 1.0, 1.0, 20.0, 7.0)
    image = scanner.scan(flat, 1.0, np.random.default_rng(0))
    assert image.dtype == np.int16
    assert image.mean() == pytest.approx(-843, abs=0.3)
    assert image.std() == pytest.approx(20, rel=0.02)
    thick = scanner.scan(flat, 3.0, np.random.default_rng(0))
    assert thick.std() == pytest.approx(20 / np.sqrt(27), rel=0.05)  # a voxel averages over what it covers
    edge = np.where(np.arange(60) < 30, -1000, 0).astype(np.float32) + np.zeros((20, 60, 1), np.float32)
    sharp, soft = (
        Scanner("S", width, 1.0, 0.0, 0.0).scan(edge, 1.0, np.random.default_rng(0))[10, 30].astype(int) for width in (0.5, 3.0)
    )
    assert np.abs(np.diff(sharp)).max() > np.abs(np.diff(soft)).max()


def test_a_scanner_cuts_off_at_twelve_bits():
    image = Scanner("S", 1.0, 1.0, 0.0, 0.0).scan(np.full((4, 4, 4), -2000, np.float32), 1.0, np.random.default_rng(0))
    assert (image == -1024).all()


def test_sharper_kernels_are_noisier():
    scanners = make_scanners(6, np.random.default_rng(0), ScannerParameters(dose_spread=0, thickness_mm=(1.0,)))
    by_sharpness = sorted(scanners, key=lambda scanner: scanner.resolution_mm)
    assert [s.noise_hu for s in by_sharpness] == sorted((s.noise_hu for s in scanners), reverse=True)
    assert [s.name for s in scanners] == ["S1", "S2", "S3", "S4", "S5", "S6"]
