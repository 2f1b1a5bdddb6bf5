"""The fast engine against plain loops, hand-counted volumes, the IBSI phantom and PyRadiomics."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from threadpoolctl import threadpool_info

from ren_features.errors import SpecError, VolumeError
from ren_features.radiomics import extract
from ren_features.radiomics.fast import discretization, glcm, glrlm, glszm, neighbourhoods
from ren_features.radiomics.fast.discretization import discretize
from ren_features.radiomics.fast.structures import in_turns
from ren_features.regions import REN_REGIONS, RegionSet
from ren_features.spec import ExtractionSpec
from ren_features.voxels.extents import label_extents
from tests.phantom import chest_phantom
from tests.ren_features.radiomics import plain

REGIONS = {"A": (1,), "B": (2,), "AB": (1, 2), "ABC": (1, 2, 3), "BC": (2, 3)}
ONE_MM = (1.0, 1.0, 1.0)
ONE_REGION = RegionSet.from_dict({"regions": {"A": [1]}})

SHAPE = (4, 4, 7)
labels_of = arrays(np.uint8, SHAPE, elements=st.integers(0, 3)) | arrays(np.uint8, SHAPE, elements=st.integers(1, 2))
# Of few levels, so that runs and zones grow long.
images_of = arrays(np.int16, SHAPE, elements=st.integers(-60, 60)) | arrays(np.int16, SHAPE, elements=st.sampled_from([0, 30]))


def present_regions(labels):
    """Regions whose labels the map has."""
    return {name: members for name, members in REGIONS.items() if set(members) <= set(np.unique(labels).tolist())}


def voxels_of(image, labels, regions):
    with ThreadPoolExecutor(1) as pool:
        return discretize(image, labels, label_extents(labels), regions, 25.0, pool)


def counted(image, labels, parts=1):
    """Regions, voxels, the matrices of all regions counted in several parts, and the voxels at fissures."""
    present = present_regions(labels)
    voxels = voxels_of(image, labels, present)
    at_fissure = np.zeros(voxels.code.size, bool)
    counts = []
    for spans in np.array_split(voxels.spans, min(parts, len(voxels.spans))):
        queue = SimpleQueue()
        queue.put(spans)
        counts.append(neighbourhoods.count_parts(voxels, queue, at_fissure))
    return present, voxels, neighbourhoods.combine(voxels, counts), at_fissure


def level_maps(image, labels, present):
    """Absolute gray levels of each region on their own: 0 outside."""
    used = np.isin(labels, sorted({label for members in present.values() for label in members}))
    bins = np.floor_divide(image.astype(int), 25)
    return [np.where(np.isin(labels, members), bins - bins[used].min() + 1, 0) for members in present.values()]


def as_counts(matrix):
    """Nonzero entries, indices counted from 1."""
    return Counter({tuple(int(index) + 1 for index in place): int(matrix[tuple(place)]) for place in np.argwhere(matrix)})


@settings(max_examples=60, deadline=None)
@given(images_of, labels_of, st.integers(1, 3))
def test_matrices_are_those_of_plain_loops_for_overlapping_regions(image, labels, parts):
    assume({1, 2} <= set(np.unique(labels).tolist()))
    present, voxels, around, at_fissure = counted(image, labels, parts)
    zones = glszm.zones_of_regions(voxels, glszm.zones_of_structures(voxels), at_fissure)
    for region, level in enumerate(level_maps(image, labels, present)):
        for direction in range(13):
            assert as_counts(around.pairs[region, direction]) == plain.pairs(level)[direction]
            assert as_counts(around.runs[region, direction]) == plain.runs(level)[direction]
        assert Counter({(a, b - 1): n for (a, b), n in as_counts(around.equal[region]).items()}) == plain.dependences(level)
        difference = around.deviation[region, :, 1:] @ (1 / np.arange(1, 27))
        expected = plain.differences(level)
        assert difference == pytest.approx([expected[index + 1] for index in range(voxels.levels)])
        found = zip(zones[region].level.tolist(), zones[region].size.tolist(), strict=True)
        assert Counter(dict(zip(found, zones[region].count.tolist(), strict=True))) == plain.zones(level)


@settings(max_examples=25, deadline=None)
@given(images_of, labels_of)
def test_with_very_many_levels_sorting_counts_the_same(image, labels):
    assume({1, 2} <= set(np.unique(labels).tolist()))
    present, voxels, around, _ = counted(image, labels)
    for region in range(len(present)):
        levels = np.flatnonzero(voxels.member[1:, region] @ voxels.level_counts) + 1
        tabled = around.pairs[region][:, levels[:, None] - 1, levels - 1]
        np.testing.assert_array_equal(np.concatenate(list(glcm.sorted_pairs(voxels, region, levels))), tabled)
        for walked, table in zip(glrlm.walked_runs(voxels, region), glrlm.tabled_runs(around.runs[region]), strict=True):
            entries = [set(zip(m.level.tolist(), m.size.tolist(), m.count.tolist(), strict=True)) for m in (walked, table)]
            assert entries[0] == entries[1]


def slice_of(rows):
    """One slice of gray levels as HU, all of region A."""
    levels = np.array(rows)
    return (levels * 25).astype(np.int16)[None], np.ones((1, *levels.shape), np.uint8)


def test_haralicks_own_example_has_his_matrix():
    """Haralick et al. (1973), figure 3: horizontal neighbours, both ways."""
    image, labels = slice_of([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]])
    _, _, around, _ = counted(image, labels)
    ahead = around.pairs[0, plain.DIRECTIONS.index((0, 0, 1))]
    np.testing.assert_array_equal(ahead + ahead.T, [[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]])


def test_galloways_own_example_has_her_matrix():
    """Galloway (1975), figure 1: horizontal runs."""
    image, labels = slice_of([[0, 1, 2, 3], [0, 2, 3, 3], [2, 1, 1, 1], [3, 0, 3, 0]])
    _, _, around, _ = counted(image, labels)
    runs = around.runs[0, plain.DIRECTIONS.index((0, 0, 1))]
    np.testing.assert_array_equal(runs[:, :3], [[4, 0, 0], [1, 0, 1], [3, 0, 0], [3, 1, 0]])


def test_zones_dependences_and_differences_counted_by_hand():
    image, labels = slice_of([[1, 2, 3, 4], [1, 3, 4, 4], [3, 2, 2, 2], [4, 1, 4, 1]])
    _, voxels, around, at_fissure = counted(image, labels)
    (zones,) = glszm.zones_of_regions(voxels, glszm.zones_of_structures(voxels), at_fissure)
    sizes = dict(zip(zip(zones.level.tolist(), zones.size.tolist(), strict=True), zones.count.tolist(), strict=True))
    assert sizes == {(1, 1): 2, (1, 2): 1, (2, 1): 1, (2, 3): 1, (3, 3): 1, (4, 1): 2, (4, 3): 1}
    # Of the twos, the lone one has no equal neighbour; those in line have one, two and one.
    assert around.equal[0, 1, :3].tolist() == [1, 2, 1]
    # Two of them have five neighbours: 1, 3, 1, 3, 4 and 4, 4, 2, 4, 1.
    assert around.deviation[0, 1, 5] == abs(5 * 2 - 12) + abs(5 * 2 - 15)


def test_a_run_across_a_fissure_is_one_run_of_the_lung_and_two_of_the_lobes():
    labels = np.zeros((3, 3, 8), np.uint8)
    labels[1, 1, 1:4], labels[1, 1, 4:7] = 1, 2
    labels[0, 0, :2] = 1, 2  # so that both lobes have two axes
    image = np.full(labels.shape, 10, np.int16)
    _, _, around, _ = counted(image, labels)
    along_x = plain.DIRECTIONS.index((0, 0, 1))
    assert as_counts(around.runs[0, along_x]) == {(1, 1): 1, (1, 3): 1}
    assert as_counts(around.runs[2, along_x]) == {(1, 2): 1, (1, 6): 1}


def test_large_zones_of_one_size_are_counted_together():
    labels = np.ones((8, 8, 40), np.uint8)
    image = np.full(labels.shape, 100, np.int16)
    image[:, :, 5:15] = image[:, :, 20:30] = 10  # two zones of 640 voxels of one level, parted by others
    voxels = voxels_of(image, labels, {"A": (1,)})
    (zones,) = glszm.zones_of_regions(voxels, glszm.zones_of_structures(voxels), np.zeros(voxels.code.size, bool))
    entries = set(zip(zones.level.tolist(), zones.size.tolist(), zones.count.tolist(), strict=True))
    assert entries == {(1, 640, 2), (5, 320, 2), (5, 640, 1)}


@pytest.fixture(scope="module")
def chest():
    image, mask = chest_phantom(7, size=(30, 32, 40))
    return image.voxels, mask.voxels


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(chest, threads, monkeypatch):
    alone = extract(*chest, ONE_MM, engine="fast", threads=1)
    monkeypatch.setattr(neighbourhoods, "PART", 500)
    monkeypatch.setattr(discretization, "SLICES", 2)
    assert extract(*chest, ONE_MM, engine="fast", threads=threads) == alone


def test_no_kernel_reads_or_writes_outside_its_arrays(tmp_path):
    """Compiled code checks no index; here it does, in a process of its own."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    plain_loops = f"{__file__}::test_matrices_are_those_of_plain_loops_for_overlapping_regions"
    command = [sys.executable, "-m", "pytest", "-q", plain_loops]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout


def test_calls_at_once_leave_linear_algebra_as_it_was(chest):
    before = [library["num_threads"] for library in threadpool_info()]
    small = [array[:12] for array in chest]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda volume: extract(*volume, ONE_MM, engine="fast"), [chest, small, chest, small]))
    assert [library["num_threads"] for library in threadpool_info()] == before


def test_calls_at_once_do_not_disturb_each_other(chest):
    alone = extract(*chest, ONE_MM, engine="fast")
    with ThreadPoolExecutor(4) as pool:
        assert all(found == alone for found in pool.map(lambda _: extract(*chest, ONE_MM, engine="fast"), range(6)))


def close(found, expected, rel=1e-6):
    assert set(found) == set(expected)
    for region, features in expected.items():
        for name, value in features.items():
            tolerance = 1e-4 if name.endswith("_MCC") else rel
            assert found[region][name] == pytest.approx(value, rel=tolerance, abs=1e-9, nan_ok=True), (region, name)


def metal(image, labels):
    return np.where((labels == 1) & (np.arange(image.size).reshape(image.shape) % 97 == 0), 3071, image)


CASES = {
    "as it is": lambda image, labels: (image, labels),
    "float HU": lambda image, labels: ((image + 0.37).astype(np.float32), labels),
    "unsigned": lambda image, labels: ((image + 1024).clip(0).astype(np.uint16), labels),
    "wide integers": lambda image, labels: (image.astype(np.int64), labels),
    "full range": lambda image, labels: (np.where(labels, image, np.where(image % 2, 32767, -32768)).astype(np.int16), labels),
    "flat": lambda image, labels: (np.full_like(image, -700), labels),
    "metal": lambda image, labels: (metal(image, labels), labels),
    "scattered": lambda image, labels: (image, np.where((image * 7) % 5 == 0, labels, 0)),
    "one slice": lambda image, labels: (image, np.where(np.arange(len(labels))[:, None, None] == 15, labels, 0)),
    "wide labels": lambda image, labels: (image, labels.astype(np.int64)),
    "fortran order": lambda image, labels: (np.asfortranarray(image), np.asfortranarray(labels)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_are_the_reference_engines_on_awkward_volumes(chest, case):
    image, labels = CASES[case](*(array[:, 4:28, 4:36] for array in chest))
    spacing = (2.5, 0.7, 0.8)
    close(extract(image, labels, spacing, engine="fast"), extract(image, labels, spacing, engine="pyradiomics"))


@pytest.mark.parametrize("bin_width", [0.7, 12.3, 1, 5, 400, 5000])
def test_values_are_the_reference_engines_for_any_bin_width(chest, bin_width):
    image, labels = (array[8:20, 6:20, 4:20] for array in chest)
    spec = ExtractionSpec(bin_width=bin_width)
    spec, reference = (replace(spec, engine=engine) for engine in ("fast", "pyradiomics"))
    close(extract(image, labels, ONE_MM, spec=spec), extract(image, labels, ONE_MM, spec=reference))


def test_overlapping_regions_of_your_own_are_measured_together(chest):
    regions = RegionSet.from_dict(
        {"regions": {"UP": ["LUL", "RUL"], "MIX": ["LUL", "RLL"], "ALL": ["LUL", "LLL", "RUL", "RML", "RLL"]}}
    )
    image, labels = (array[5:25, 6:26, 4:36] for array in chest)
    found = extract(image, labels, ONE_MM, regions=regions, engine="fast")
    close(found, extract(image, labels, ONE_MM, regions=regions, engine="pyradiomics"))


@pytest.mark.parametrize("bin_width", [0.1, 0.3, 0.7, 3.3, 20.1])
@pytest.mark.parametrize("lowest", [-990, -891, -66, 0, 231])
def test_levels_are_the_reference_engines_where_a_region_begins_at_an_edge(bin_width, lowest):
    """With widths like these, PyRadiomics' first level may be 2."""
    image = (lowest + np.random.default_rng(0).integers(0, 9, (4, 5, 6))).astype(np.int16)
    image[0, 0, 0] = lowest
    spec = ExtractionSpec(bin_width=bin_width, features=("glcm", "gldm"), regions=ONE_REGION)
    labels = np.ones(image.shape, np.uint8)
    for voxels in (image, image.astype(np.float32)):
        close(extract(voxels, labels, ONE_MM, spec=spec), extract(voxels, labels, ONE_MM, spec=spec, engine="pyradiomics"))


def test_sums_of_the_highest_gray_levels_do_not_overflow():
    image = np.random.default_rng(0).integers(60000, 65500, (4, 4, 4))
    image[0, 0, 0] = 0
    spec = ExtractionSpec(bin_width=1, features=("ngtdm",), regions=ONE_REGION)
    labels = np.ones(image.shape, np.uint8)
    close(extract(image, labels, ONE_MM, spec=spec), extract(image, labels, ONE_MM, spec=spec, engine="pyradiomics"))


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("bin_width", [0.02, 1 / 64, 1e-9])
def test_too_many_gray_levels_are_refused(chest, dtype, bin_width):
    image, labels = chest
    with pytest.raises(SpecError, match="expected at most 65532 gray levels"):
        extract(image.astype(dtype) * 2, labels, ONE_MM, spec=ExtractionSpec(bin_width=bin_width))


def test_intensities_that_are_not_finite_are_refused_where_they_count(chest):
    image, labels = (array.copy() for array in chest)
    image = image.astype(np.float32)
    image[labels == 0] = np.nan
    assert extract(image, labels, ONE_MM)
    image[labels == 1] = np.inf
    with pytest.raises(VolumeError, match="expected finite HU in labelled voxels"):
        extract(image, labels, ONE_MM)


def test_a_flat_region_without_neighbours_has_the_reference_engines_values():
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1, 1, 1] = labels[3, 3, 1] = 1
    spec = ExtractionSpec(regions=ONE_REGION)
    image = np.full(labels.shape, -700, np.int16)
    close(extract(image, labels, ONE_MM, spec=spec), extract(image, labels, ONE_MM, spec=spec, engine="pyradiomics"))


def test_a_label_beyond_the_masks_type_is_absent():
    image, mask = chest_phantom(3, size=(20, 20, 24))
    own = RegionSet.from_dict({"regions": {"A": [1, 300], "B": [2]}})
    without = RegionSet.from_dict({"regions": {"A": [1], "B": [2]}})
    assert extract(image.voxels, mask.voxels, ONE_MM, regions=own) == extract(image.voxels, mask.voxels, ONE_MM, regions=without)


def test_many_regions_are_measured_in_turns_with_the_values_that_they_have_alone():
    rng = np.random.default_rng(5)
    blocks = rng.permutation(np.arange(1, 65)).reshape(4, 4, 4).astype(np.uint8)
    labels = blocks.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    image = rng.integers(-900, -600, labels.shape).astype(np.int16)
    members = {f"R{k}": rng.choice(64, 4, replace=False) + 1 for k in range(30)} | {"ALL": np.arange(1, 65)}
    regions = RegionSet.from_dict({"regions": {name: labels.tolist() for name, labels in members.items()}})
    assert len(list(in_turns({name: tuple(found) for name, found in members.items()}, set(range(1, 65))))) > 1
    together = extract(image, labels, ONE_MM, regions=regions)
    assert list(together) == list(members)
    for region in regions.regions:
        alone = extract(image, labels, ONE_MM, regions=RegionSet("alone", (region,), regions.scheme))
        close(alone, {region.name: together[region.name]}, rel=1e-12)


def invariant(name):
    """Features that do not know one axis from another, nor up from down: all but planes' diameters and the mesh's ambiguities."""
    mesh = ("Maximum2D", "MeshVolume", "SurfaceArea", "Sphericity", "SurfaceVolumeRatio")
    return not any(part in name for part in mesh)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_turning_and_mirroring_changes_only_what_knows_axes(chest, order, flip):
    spacing = (2.0, 1.0, 1.5)
    turned = [array.transpose(order)[tuple(slice(None, None, step) for step in flip)] for array in chest]
    before = extract(*chest, spacing, engine="fast")
    after = extract(*turned, tuple(spacing[axis] for axis in order), engine="fast")
    kept = {region: {name: value for name, value in features.items() if invariant(name)} for region, features in before.items()}
    close({region: {name: after[region][name] for name in features} for region, features in kept.items()}, kept)


def test_planes_diameters_turn_with_the_axes(chest):
    names = [f"original_shape_Maximum2DDiameter{plane}" for plane in ("Slice", "Column", "Row")]
    before = extract(*chest, ONE_MM, engine="fast")["LLL"]
    for order in permutations(range(3)):
        after = extract(*(array.transpose(order) for array in chest), ONE_MM, engine="fast")["LLL"]
        for axis, source in enumerate(order):
            assert after[names[axis]] == pytest.approx(before[names[source]])


def test_air_around_changes_nothing(chest):
    image, labels = chest
    wider = [np.pad(array, 5, constant_values=value) for array, value in ((image, -1000), (labels, 0))]
    assert extract(*wider, ONE_MM, engine="fast") == extract(image, labels, ONE_MM, engine="fast")


def test_regions_are_rens_by_default(chest):
    assert list(extract(*chest, ONE_MM, engine="fast")) == [region.name for region in REN_REGIONS.regions]
