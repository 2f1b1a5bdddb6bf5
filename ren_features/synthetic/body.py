"""Surroundings of the lungs: skin, fat, muscles, bones, heart, great vessels, and the organs below the diaphragm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.synthetic.anatomy import ROUNDNESS, Shape
from ren_features.synthetic.grid import Floats, Grid
from ren_features.synthetic.tubes import Tubes, path, together

AIR_HU, FAT_HU, MUSCLE_HU, BLOOD_HU, LIVER_HU, MARROW_HU, CORTEX_HU = -1000, -100, 50, 40, 60, 180, 600

RIBS = 11
RIB_MM, CORTEX_MM = 5.0, 1.5


def share_inside(level: Any, spacing_mm: float) -> Any:
    """Share of a voxel inside a shape, 0 to 1, from its level in mm."""
    return np.clip(0.5 - level / np.float32(spacing_mm), 0, 1)


def paint(hu: Floats, share: Any, value: Any) -> None:
    """Mix a tissue into voxels, in place."""
    hu += share * (value - hu)


def draw_body(shape: Shape, grid: Grid, inner: Grid, blood_hu: float) -> Floats:
    """HU of everything but lungs and airways, shape (z, y, x).

    Parameters
    ----------
    grid : Grid
        For what does not move with the breath.
    inner : Grid
        The same voxels, for what does.
    blood_hu : float
    """
    hu = np.full(grid.size, AIR_HU, np.float32)
    build = shape.build
    half_width, half_depth = build.half_width_mm + 18 + build.fat_mm, build.half_depth_mm + 16 + build.fat_mm
    round_ = (np.abs(grid.x / half_width) ** ROUNDNESS + np.abs(grid.y / half_depth) ** ROUNDNESS) ** (1 / ROUNDNESS)
    skin = np.broadcast_to((round_ - 1) * half_depth, grid.size)
    cage = shape.rib_cage(grid)
    for level, tissue in ((skin, FAT_HU), (skin + build.fat_mm, MUSCLE_HU), (cage, FAT_HU)):
        paint(hu, share_inside(level, grid.spacing_mm), tissue)
    _draw_organs(hu, shape, inner, cage, blood_hu)
    for tubes, tissue in _bones(shape):
        paint(hu, tubes.coverage(grid), tissue)
    return hu


def _draw_organs(hu: Floats, shape: Shape, inner: Grid, cage: Floats, blood_hu: float) -> None:
    below = np.maximum(cage + 3, shape.diaphragm(inner) + 3)
    liver = np.maximum(below, inner.x - 25)
    stomach = np.sqrt((inner.x - 60) ** 2 + (inner.y + 25) ** 2 + ((inner.z - 0.5 * shape.build.dome_mm) / 0.6) ** 2) - 38
    gas = np.maximum(stomach + 4, inner.y + 30)
    spacing = inner.spacing_mm
    for level, tissue in (
        (liver, LIVER_HU),
        (np.maximum(below, 25 - inner.x), MUSCLE_HU),
        (np.maximum(below, stomach), 15),
        (np.maximum(below, gas), AIR_HU + 50),
        (shape.heart(inner), blood_hu),
    ):
        paint(hu, share_inside(level, spacing), tissue)
    paint(hu, _great_vessels(shape).coverage(inner), blood_hu)


def hilum(shape: Shape, side: int) -> NDArray[np.float64]:
    """Where vessels and bronchi enter the lung of a side (1 left, -1 right), in mm (z, y, x)."""
    return np.array([(0.57 if side > 0 else 0.55) * shape.build.height_mm, 4.0, 30.0 * side])


def _great_vessels(shape: Shape) -> Tubes:
    height, back = shape.build.height_mm, 0.42 * shape.build.half_depth_mm
    arch = np.array(
        [[0.45, -22, 2], [0.6, -22, -6], [0.68, -14, -4], [0.71, 0, 6], [0.69, 18, 16], [0.63, back, 20], [-0.3, back, 18]]
    )
    caval = np.array([[0.4, -12, -22], [0.75, -14, -21], [0.95, -16, -16]])
    scale = np.array([height, 1, 1])
    trunk = np.array([[0.48 * height, -26, 10], [0.58 * height, -8, 8]])
    branches = [path(np.stack([trunk[-1], hilum(shape, side)]), 9.0) for side in (1, -1)]
    return together(path(arch * scale, 12.0), path(caval * scale, 8.0), path(trunk, 13.0), *branches)


def bronchi(shape: Shape) -> Tubes:
    """Trachea and main bronchi: the inside."""
    height = shape.build.height_mm
    carina = np.array([0.68 * height, 6.0, 0.0])
    trachea = path(np.stack([[1.3 * height, -4.0, 0.0], [0.95 * height, 0.0, 0.0], carina]), 8.0)
    return together(trachea, *(path(np.stack([carina, hilum(shape, side)]), 5.5) for side in (1, -1)))


def _bones(shape: Shape) -> list[tuple[Tubes, int]]:
    """Bones with their tissue: first cortical, then what is inside."""
    ribs = [_rib(shape, number, side) for number in range(RIBS) for side in (1, -1)]
    build = shape.build
    spine_y = 0.8 * build.half_depth_mm
    levels = np.arange(-40.0, build.height_mm + 60, 26)
    bodies = [path(np.array([[z, spine_y - 6, 0.0], [z + 18, spine_y - 6, 0.0]]), 16.0) for z in levels]
    arches = [path(np.array([[z, spine_y + 24, 0.0], [z - 8, spine_y + 40, 0.0]]), 4.0) for z in levels]
    sides = [path(np.array([[z, spine_y + 8, s * 14.0], [z, spine_y + 24, s * 2.0]]), 4.0) for z in levels for s in (1, -1)]
    z0, z1 = 0.3 * build.height_mm, 0.82 * build.height_mm
    front = -np.array([shape.outline(z)[2] - shape.outline(z)[3] + 8 for z in (z0, z1)])
    sternum = [path(np.array([[z0, front[0], x], [z1, front[1], x]]), 6.0) for x in (-10.0, 0.0, 10.0)]
    whole = together(*ribs, *bodies, *arches, *sides, *sternum)
    return [(whole, CORTEX_HU), (whole.thickened(1, -CORTEX_MM), MARROW_HU)]


def _rib(shape: Shape, number: int, side: int) -> Tubes:
    """A rib runs from the spine around the chest, and falls on its way to the front."""
    height = shape.build.height_mm
    along = np.linspace(0.12, 0.86, 18)
    top = height * (1.0 - 0.093 * number)
    z = top - 0.28 * height * (0.35 + 0.065 * number) * np.sin(np.pi * along / 2) ** 1.4
    apart, half_width, half_depth, behind = shape.outline(np.minimum(z, 0.985 * height), outside_mm=RIB_MM)
    angle = np.pi * along
    x = apart + half_width * np.sin(angle) ** (2 / ROUNDNESS)
    y = behind + half_depth * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / ROUNDNESS)
    return path(np.stack([z, y, side * x], axis=1), RIB_MM)
