"""Tubes, trees, cells and fields, against what can be computed by hand."""

import numpy as np
import pytest

from ren_features.synthetic.disease import sheet
from ren_features.synthetic.grid import Grid, SmoothField
from ren_features.synthetic.lobules import Lobules
from ren_features.synthetic.trees import BRONCHUS, bronchi_along, grow
from ren_features.synthetic.tubes import Tubes, path, together

BOX = ((0.0, 0.0, 0.0), (40.0, 44.0, 48.0))


@pytest.mark.parametrize("spacing", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("radius", [0.4, 1.5, 6.0])
def test_a_tube_has_the_volume_of_a_cylinder_at_every_voxel_size(spacing, radius):
    tube = path(np.array([[-20.0, 21.3, 23.7], [60.0, 21.3, 23.7]]), radius)
    grid = Grid.over(BOX, spacing)
    volume = tube.coverage(grid).sum() * spacing**3
    length = len(grid.z_mm) * spacing
    # A tube thinner than a voxel takes a part of the voxels around it; how many these are depends on where it runs.
    assert volume == pytest.approx(np.pi * radius**2 * length, rel=0.05 if radius > spacing else 0.8)


def test_a_tube_is_full_inside_and_leaves_the_rest_alone():
    covered = path(np.array([[20.0, 10.0, 10.0], [20.0, 30.0, 10.0]]), 5.0).coverage(Grid.over(BOX, 1.0))
    assert covered[20, 20, 10] == 1
    assert covered[20, 20, 14] == 1
    assert covered[20, 20, 16] == 0
    assert covered[20, 38, 10] == 0
    assert 0 < covered[20, 20, 15] < 1


@pytest.fixture
def tree():
    rng = np.random.default_rng(0)
    return grow(rng, np.zeros(3), rng.uniform(10, 50, (100, 3)))


def test_a_tree_follows_murrays_law(tree):
    by_start = {}
    for start, radius in zip(tree.start_mm.round(6).tolist(), tree.radius_mm[:, 0], strict=True):
        by_start.setdefault(tuple(start), []).append(radius)
    for stop, radius in zip(tree.end_mm.round(6).tolist(), tree.radius_mm[:, 0], strict=True):
        if branches := by_start.get(tuple(stop)):
            assert len(branches) == 2
            assert radius**3 == pytest.approx(sum(branch**3 for branch in branches))


def test_a_tree_reaches_every_end_and_thins_outwards(tree):
    assert len(tree.radius_mm) == 2 * 100 - 1
    assert tree.radius_mm[0, 0] == tree.radius_mm.max()
    assert (tree.radius_mm[:, 0] > tree.radius_mm[:, 1]).all()


def test_bronchi_run_beside_arteries_without_touching_them(tree):
    bronchi = bronchi_along(tree, np.ones(len(tree.start_mm)))
    assert 0 < len(bronchi.start_mm) < len(tree.start_mm)
    assert len(bronchi_along(tree, np.full(len(tree.start_mm), 3.0)).start_mm) > len(bronchi.start_mm)
    thick = BRONCHUS * tree.radius_mm[:, 0] >= 1
    apart = np.linalg.norm(bronchi.middle_mm - tree.middle_mm[thick], axis=1)
    assert (apart > 0.95 * (bronchi.radius_mm.mean(axis=1) + tree.radius_mm[thick].mean(axis=1))).all()


def test_tubes_are_chosen_and_thickened():
    tubes = together(path(np.eye(3), 2.0), path(np.eye(3), 1.0))
    assert len(tubes.chosen(tubes.radius_mm[:, 0] > 1.5).start_mm) == 2
    assert tubes.thickened(2.0, -1.8).radius_mm.min() == 0.5
    assert isinstance(tubes, Tubes)


def test_cells_are_those_of_the_nearest_seeds():
    cells = Lobules.over(np.random.default_rng(3), BOX, 9.0)
    grid = Grid.over(((9.0, 9.0, 9.0), (30.0, 30.0, 30.0)), 2.5)
    inside = np.ones(grid.size, bool)
    inside[0] = False
    found = cells.on(grid, inside)
    places = np.stack(np.broadcast_arrays(grid.z, grid.y, grid.x), axis=-1)
    away = np.linalg.norm(places[..., None, :] - cells.seeds_mm.reshape(-1, 3), axis=-1)
    nearest, second = np.sort(away, axis=-1)[..., :2].transpose(3, 0, 1, 2)
    np.testing.assert_allclose(found.centre_mm[1:], nearest[1:], atol=1e-3)
    np.testing.assert_array_equal(found.value[1:], cells.values.ravel()[away.argmin(axis=-1)][1:])
    # The second seed of a jittered lattice may lie outside of the 27 cubes that are looked at, hardly ever.
    assert np.mean(np.abs(found.wall_mm - (second - nearest) / 2)[1:] < 1e-3) > 0.99
    assert not found.centre_mm[0].any()


def test_a_field_belongs_to_places_and_not_to_voxels():
    field = SmoothField.over(np.random.default_rng(1), BOX, 8.0)
    coarse, fine = (field.on(Grid.over(BOX, spacing)) for spacing in (2.0, 1.0))
    np.testing.assert_array_equal(coarse, fine[::2, ::2, ::2])
    assert abs(fine.mean()) < 0.3
    assert 0.7 < fine.std() < 1.3


def test_a_stretched_grid_has_the_same_voxels_elsewhere():
    grid = Grid.over(BOX, 2.0).stretched(10.0, 2.0)
    np.testing.assert_allclose(grid.z_mm[:7], [-20, -16, -12, -8, -4, 0, 4])
    assert grid.size == Grid.over(BOX, 2.0).size


@pytest.mark.parametrize("voxel", [0.5, 1.0, 3.0])
def test_a_wall_keeps_its_volume_whatever_the_voxels(voxel):
    distance = np.abs(np.arange(-20, 20, 0.01))
    assert sheet(distance, 1.0, voxel).sum() * 0.01 == pytest.approx(1.0, rel=0.02)
