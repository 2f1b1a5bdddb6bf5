"""`extract`: the features of every region of one volume, by the engine that the spec names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from math import inf
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from ren_features.errors import GeometryError, SpecError
from ren_features.regions import LUNGMASK, LabelScheme, RegionSet
from ren_features.spec import ExtractionSpec, Spacing, check_engine
from ren_features.voxels.extents import Extent, as_labels, joined, label_extents

Features = dict[str, float]


class Engine(Protocol):
    """A module of this package: `ren_features.radiomics.<engine name>`."""

    def measure(
        self,
        image: NDArray[Any],
        labels: NDArray[Any],
        extents: Mapping[int, Extent],
        regions: Mapping[str, tuple[int, ...]],
        spacing_mm: Spacing,
        spec: ExtractionSpec,
        threads: int | None,
    ) -> dict[str, Features]:
        """Features of every region.

        Parameters
        ----------
        image : ndarray, shape (z, y, x), HU
        labels : ndarray of uint8 or uint16, shape (z, y, x)
        extents : mapping of int to Extent
            Of every label.
        regions : mapping of str to tuple of int
            Region -> its label numbers; each large enough to measure (`refusal`).
        spacing_mm : tuple of float (z, y, x)
        spec : ExtractionSpec
            Bin width and features.
        threads : int, optional
            The values do not depend on it.
        """
        ...


def extract(
    image: NDArray[Any],
    labels: NDArray[Any],
    spacing_mm: Spacing,
    *,
    regions: RegionSet | None = None,
    scheme: LabelScheme | None = None,
    spec: ExtractionSpec | None = None,
    engine: str | None = None,
    threads: int | None = None,
) -> dict[str, Features]:
    """Measure every region on the given grid.

    Parameters
    ----------
    image : ndarray of int or float, shape (z, y, x), HU
        Taken as it is: `spec.spacing_mm` is for `ren_features.resampling`, and not applied here.
    labels : ndarray of int, shape (z, y, x)
        Label map in the numbers of `scheme`.
    spacing_mm : tuple of float (z, y, x)
        Distance of voxel centres.
    regions : RegionSet, optional
        Takes the place of the spec's, which are REN's by default.
    scheme : LabelScheme, optional
        Label number of each structure; by default the region set's own labels, or lungmask's.
    spec : ExtractionSpec, optional
        Bin width, features and regions; by default REN's.
    engine : str, optional
        Takes the place of the spec's.
    threads : int, optional
        Threads that an engine may use; None leaves it to the engine. No value depends on it; the reference engine uses one.

    Returns
    -------
    dict of str to dict of str to float
        Region name -> feature name -> value. Regions that are absent or too small (`refusal`) are left out.

    Raises
    ------
    GeometryError
        When image and labels differ in shape, are not three-dimensional, or a spacing is not positive.
    VolumeError
        When labels are not whole numbers from 0 to 65535, or labelled voxels not finite.
    LabelError
        When a region's structure has no label.
    SpecError
        When the engine is unknown or what it needs not installed, or a setting cannot be met.

    References
    ----------
    [REN], section III-B; van Griethuysen et al., Cancer Res 77 (2017) e104, for the 107 features.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(-900, -700, (12, 12, 12))
    >>> labels = np.full((12, 12, 12), 2)
    >>> features = extract(image, labels, (1, 1, 1))
    >>> sorted(features), len(features["LLL"])
    (['LEFT', 'LLL'], 107)
    """
    if image.ndim != 3 or image.shape != labels.shape:
        raise GeometryError(f"expected image and labels of one shape (z, y, x), got {image.shape} and {labels.shape}")
    if len(spacing_mm) != 3 or not all(0 < spacing < inf for spacing in spacing_mm):
        raise GeometryError(f"expected three positive spacings in mm (z, y, x), got {spacing_mm}")
    if threads is not None and threads < 1:
        raise SpecError(f"threads: expected 1 or more, got {threads}")
    spec = spec or ExtractionSpec()
    labels = as_labels(labels)
    extents = label_extents(labels)
    regions = regions or spec.regions
    scheme = scheme or regions.scheme_for(None if regions.scheme else LUNGMASK.name, where="labels")
    members = {region.name: tuple(sorted(scheme.labels[member] for member in region.members)) for region in regions.regions}
    measurable = {name: numbers for name, numbers in members.items() if refusal(joined(extents, numbers)) is None}
    name = engine or spec.engine
    check_engine(name)
    module = cast(Engine, import_module(f"ren_features.radiomics.{name}"))
    return module.measure(image, labels, extents, measurable, spacing_mm, spec, threads)


def refusal(extent: Extent) -> str | None:
    """Reason why a region of this extent cannot be measured; None when it can.

    As in PyRadiomics (`minimumROIDimensions` 2), a region must extend over two voxels along at least two axes:
    a voxel or a line has no texture and no surface.
    """
    if sum(length > 1 for length in extent.size) >= 2:
        return None
    return f"expected voxels along at least two axes, got {extent.voxels} voxels of extent {extent.size} (z, y, x)"
