"""Lungs and lobes of one person, as functions of the place in the body: where they are, and how far a place is from their edge.

Shapes are levels: negative inside, positive outside, in mm near the surface. All sizes are those of full inspiration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.regions import LUNGMASK
from ren_features.synthetic.grid import Box, Floats, Grid, SmoothField

ROUNDNESS = 2.3
"""Of a chest's cross-section: 2 is an ellipse, more comes nearer to a rectangle."""


@dataclass(frozen=True)
class Build:
    """Sizes of one person's chest.

    Parameters
    ----------
    height_mm : float
        Of the lungs, from the costophrenic recess to the apex, at full inspiration.
    half_width_mm, half_depth_mm : float
        Of the inside of the rib cage where it is widest.
    dome_mm : float
        How far the right half of the diaphragm rises above the recess.
    oblique, horizontal : float
        Height of the fissures, as parts of the lungs' height: of the oblique ones at the back, of the right horizontal one.
    heart_mm : float
        Mean radius of the heart.
    fat_mm : float
        Thickness of the fat beneath the skin.
    """

    height_mm: float
    half_width_mm: float
    half_depth_mm: float
    dome_mm: float
    oblique: float
    horizontal: float
    heart_mm: float
    fat_mm: float


class Shape:
    """The chest of one person.

    Parameters
    ----------
    build : Build
    rng : Generator
        Decides how surfaces and fissures undulate.
    """

    def __init__(self, build: Build, rng: np.random.Generator) -> None:
        self.build = build
        self.surface = SmoothField.over(rng, self.box, 45)
        self.fissure = SmoothField.over(rng, self.box, 60)

    @property
    def box(self) -> Box:
        """Corners (z, y, x) of a box around the rib cage."""
        width, depth = self.build.half_width_mm + 30, self.build.half_depth_mm + 30
        return (-30.0, -depth, -width), (self.build.height_mm + 30, depth, width)

    def outline(self, z: Any, outside_mm: float = 0.0) -> tuple[Any, Any, Any, Any]:
        """Cross-section of the rib cage at a height: two half ellipses, each this far from the midline, with these half axes.

        Returns
        -------
        apart, half_width, half_depth, behind : ndarray, of the shape of `z`
            In mm; `behind` is how far the middle lies to the back.
        """
        up = z / self.build.height_mm
        upper = _smooth((up - 0.3) / 0.7)
        apart = 45 * _smooth((up - 0.35) / 0.65)  # the apices lie beside the midline
        taper = np.maximum(1 - np.clip((up - 0.3) / 0.72, 0, 1) ** 2.4, 1e-4) ** 0.48 * (1 - 0.05 * np.clip(0.3 - up, 0, 1))
        half_width = (self.build.half_width_mm - apart) * taper + outside_mm
        return apart, half_width, self.build.half_depth_mm * taper + outside_mm, 12 * upper

    def rib_cage(self, grid: Grid) -> Floats:
        """The inside of the rib cage, level in mm."""
        apart, half_width, half_depth, behind = self.outline(grid.z)
        wide, deep = np.abs((np.abs(grid.x) - apart) / half_width), np.abs((grid.y - behind) / half_depth)
        level = (wide**ROUNDNESS + deep**ROUNDNESS) ** (1 / ROUNDNESS) - 1
        return _float32(level * np.minimum(half_width, half_depth) + 300 * np.maximum(grid.z / self.build.height_mm - 1, 0))

    def diaphragm(self, grid: Grid) -> Floats:
        """The space below the diaphragm, level in mm."""
        z, y, x = grid.z, grid.y, grid.x
        dome = np.where(x < 0, self.build.dome_mm, 0.82 * self.build.dome_mm)
        centre_x, radius_x = 0.52 * self.build.half_width_mm, 0.62 * self.build.half_width_mm
        centre_y, radius_y = -0.12 * self.build.half_depth_mm, 1.02 * self.build.half_depth_mm
        aside = ((np.abs(x) - centre_x) / radius_x) ** 2
        aside = np.where(np.abs(x) < centre_x, 0.3 * aside, aside)  # towards the heart it falls little
        off = aside + ((y - centre_y) / radius_y) ** 2
        return _float32(0.75 * (z - dome * np.maximum(1 - off, 0) ** 0.75))

    def heart(self, grid: Grid) -> Floats:
        """The heart, level in mm."""
        z, y, x = grid.z, grid.y, grid.x
        build, radius = self.build, self.build.heart_mm
        z0, y0, x0 = 0.82 * build.dome_mm + 0.62 * radius, -0.32 * build.half_depth_mm, 0.16 * build.half_width_mm
        tilted = (x - x0) + 0.35 * (z - z0)
        return _float32(
            (np.sqrt(((z - z0) / 0.95) ** 2 + ((y - y0) / 0.85) ** 2 + (tilted / 1.12) ** 2) / radius - 1) * 0.85 * radius
        )

    def mediastinum(self, grid: Grid) -> Floats:
        """Everything between the lungs, the heart and the spine included, level in mm."""
        z, y, x = grid.z, grid.y, np.abs(grid.x)
        build = self.build
        up = z / build.height_mm
        vessels = np.sqrt((x / (17 + 10 * _smooth((up - 0.35) / 0.2))) ** 2 + ((y - 2) / 44) ** 2)
        spine = np.sqrt((x / 24) ** 2 + ((y - 0.8 * build.half_depth_mm) / 34) ** 2)
        aorta = np.sqrt((grid.x - 20) ** 2 + (y - 0.42 * build.half_depth_mm) ** 2) - 14 + 200 * np.maximum(up - 0.66, 0)
        parts = [(vessels - 1) * 25, (spine - 1) * 25, aorta, self.heart(grid) - 3, x - 3]
        level = parts[0]
        for part in parts[1:]:
            level = _union(level, part)
        return _float32(level)

    def lungs(self, grid: Grid) -> Floats:
        """Both lungs, level in mm."""
        outside = np.maximum(self.rib_cage(grid), -self.diaphragm(grid))
        rough = self.surface.on(grid)
        return _float32(np.maximum(outside + 1.5 * rough, -self.mediastinum(grid) + 2.5 * rough))

    def fissures(self, grid: Grid) -> tuple[Floats, Floats]:
        """Heights above the oblique fissure of the side, and above the horizontal fissure, in mm."""
        z, y = grid.z, grid.y
        build, rough = self.build, self.fissure.on(grid)
        back = (build.half_depth_mm - y) / (2 * build.half_depth_mm)  # 0 at the back, 1 at the front
        lower = np.where(grid.x > 0, 0.0, -0.04)
        height = build.oblique + lower - 0.84 * back + 0.06 * np.sin(np.pi * np.clip(back, 0, 1))
        lateral = 0.0006 * (np.abs(grid.x) - 60)
        oblique = (z - build.height_mm * (height + lateral)) * 0.75 + 4 * rough
        horizontal = z - build.height_mm * (build.horizontal - 0.0005 * (np.abs(grid.x) - 60)) + 4 * rough
        return _float32(oblique), _float32(horizontal)

    def lobes(self, grid: Grid, lungs: Floats) -> NDArray[np.uint8]:
        """Label of lungmask for every voxel of the lungs, shape (z, y, x)."""
        oblique, horizontal = self.fissures(grid)
        left, upper, top = grid.x > 0, oblique > 0, horizontal > 0
        right = np.where(upper, np.where(top, LUNGMASK.labels["RUL"], LUNGMASK.labels["RML"]), LUNGMASK.labels["RLL"])
        lobes = np.where(left, np.where(upper, LUNGMASK.labels["LUL"], LUNGMASK.labels["LLL"]), right)
        return np.where(lungs < 0, lobes, 0).astype(np.uint8)


def _smooth(t: Any) -> Any:
    """0 below 0, 1 above 1, smoothly between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _union(first: Any, second: Any, blend_mm: float = 8.0) -> Any:
    """Either shape, with the crease between them filled."""
    near = np.maximum(blend_mm - np.abs(first - second), 0) / blend_mm
    return np.minimum(first, second) - near * near * blend_mm / 4


def _float32(level: Any) -> Floats:
    return np.asarray(level, np.float32)
