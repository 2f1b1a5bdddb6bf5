"""`extract`: the features of every region of one volume, by the engine that the spec names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import GeometryError, SpecError
from ren_features.regions import LUNGMASK, REN_REGIONS, LabelScheme, RegionSet, region_mask
from ren_features.spec import ENGINE_VERSIONS, ExtractionSpec, Spacing
from ren_features.volume import bounding_box

Features = dict[str, float]


class Engine(Protocol):
    """A module of this package: `ren_features.radiomics.<engine name>`."""

    def check(self) -> None:
        """Raise a SpecError when the engine cannot run here."""
        ...

    def measure(
        self,
        image: NDArray[Any],
        masks: Mapping[str, NDArray[np.bool_]],
        spacing_mm: Spacing,
        spec: ExtractionSpec,
        threads: int | None,
    ) -> dict[str, Features]:
        """Features of every mask; the masks have been found large enough."""
        ...


def extract(
    image: NDArray[Any],
    labels: NDArray[Any],
    spacing_mm: Spacing,
    *,
    regions: RegionSet = REN_REGIONS,
    scheme: LabelScheme = LUNGMASK,
    spec: ExtractionSpec | None = None,
    engine: str | None = None,
    threads: int | None = None,
) -> dict[str, Features]:
    """Measure every region on the given grid.

    Parameters
    ----------
    image : ndarray of int or float, shape (z, y, x), HU
        Taken as it is: resampling is `ren_features.volume`'s work.
    labels : ndarray of int, shape (z, y, x)
        Label map in the numbers of `scheme`.
    spacing_mm : tuple of float (z, y, x)
        Distance of voxel centres.
    regions : RegionSet
        Regions to measure; takes the place of the spec's.
    scheme : LabelScheme
        Label number of each structure.
    spec : ExtractionSpec, optional
        Bin width and features; by default REN's.
    engine : str, optional
        Takes the place of the spec's.
    threads : int, optional
        Threads that an engine may use; None leaves it to the engine. The reference engine uses one.

    Returns
    -------
    dict of str to dict of str to float
        Region name -> feature name -> value. Regions that are absent or too small (`refusal`) are left out.

    Raises
    ------
    GeometryError
        When image and labels differ in shape, or are not three-dimensional.

    References
    ----------
    [REN], section III-B; van Griethuysen et al., Cancer Res 77 (2017) e104, for the 107 features.
    """
    if image.ndim != 3 or image.shape != labels.shape:
        raise GeometryError(f"expected image and labels of one shape (z, y, x), got {image.shape} and {labels.shape}")
    spec = spec or ExtractionSpec()
    masks = {region.name: region_mask(labels, region, scheme) for region in regions.regions}
    measurable = {name: mask for name, mask in masks.items() if refusal(mask) is None}
    return load_engine(engine or spec.engine).measure(image, measurable, spacing_mm, spec, threads)


def refusal(mask: NDArray[np.bool_]) -> str | None:
    """Why a region cannot be measured, or None when it can.

    As in PyRadiomics (`minimumROIDimensions` 2), a region must extend over two voxels along at least two axes:
    a voxel or a line has no texture and no surface.
    """
    extents = [axis.stop - axis.start for axis in bounding_box(mask)] if mask.any() else [0, 0, 0]
    if sum(extent > 1 for extent in extents) >= 2:
        return None
    return f"expected voxels along at least two axes, got {int(mask.sum())} voxels of extent {tuple(extents)} (z, y, x)"


def load_engine(name: str) -> Engine:
    """The engine's module, imported when it is first used."""
    if name not in ENGINE_VERSIONS:
        raise SpecError(f"engine: expected one of {', '.join(ENGINE_VERSIONS)}, got {name!r}")
    return cast(Engine, import_module(f"ren_features.radiomics.{name}"))
