"""A mask brought to the grid of its image when both lie on one lattice: padded or cut, never interpolated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ren_features.errors import GeometryError
from ren_features.volume import GRID_TOLERANCE_MM, Volume, difference_of, grid_in_words


@dataclass(frozen=True)
class Fitted:
    """A mask on its image's grid.

    Attributes
    ----------
    mask : Volume
    change : str
        How its extent was changed, in words; empty when it was not.
    lost : mapping of int to int
        Voxels of each label that lie outside the image.
    """

    mask: Volume
    change: str = ""
    lost: Mapping[int, int] = field(default_factory=dict)


def fit(image: Volume, mask: Volume, *, where: str) -> Fitted:
    """Pad or cut a mask to the extent of its image (both in the canonical frame).

    Raises
    ------
    GeometryError
        As `first_voxel`.

    Examples
    --------
    >>> image = Volume(np.zeros((1, 1, 4)), (1.0, 1.0, 1.0))
    >>> mask = Volume(np.array([[[1, 2, 3]]], np.uint8), (1.0, 1.0, 1.0), origin_mm=(2.0, 0.0, 0.0))
    >>> fitted = fit(image, mask, where="mask")
    >>> fitted.mask.voxels.tolist(), fitted.lost
    ([[[0, 0, 1, 2]]], {3: 1})
    """
    start = first_voxel(image, mask, where=where)
    if start == (0, 0, 0) and image.size == mask.size:
        return Fitted(mask)
    spans = [(max(at, 0), min(at + count, length)) for at, count, length in zip(start, mask.size, image.size, strict=True)]
    inside = tuple(slice(low - at, high - at) for (low, high), at in zip(spans, start, strict=True))
    labels = np.zeros(image.size, mask.voxels.dtype)
    labels[tuple(slice(*span) for span in spans)] = mask.voxels[inside]
    change = (
        f"mask of {mask.size} voxels (z, y, x) from voxel {start} of the image on was padded or cut to the image's {image.size}, "
        "without interpolation"
    )
    return Fitted(replace(image, voxels=labels), change, _lost(mask, inside))


def first_voxel(image: Volume, mask: Volume, *, where: str) -> tuple[int, int, int]:
    """Index in the image (z, y, x) of the first voxel of a mask on its lattice; it may lie outside.

    Raises
    ------
    GeometryError
        When spacing, direction or lattice differ, with both grids and the largest offset in voxels; when image and mask have no
        voxel in common; when a mask of the image's own size lies elsewhere, which no crop explains.
    """
    index = image.index(np.array(mask.origin_mm))
    z, y, x = np.rint(index).astype(int).tolist()
    shifted = replace(mask, origin_mm=tuple(mask.position_mm((-z, -y, -x)).tolist()))
    if difference_of(image, shifted):
        last = np.array(mask.size) - 1.0
        offset = max(np.abs(index - (z, y, x)).max(), np.abs(image.index(mask.position_mm(last)) - last - (z, y, x)).max())
        raise GeometryError(
            f"{where}: {difference_of(image, mask)}; expected one lattice within {GRID_TOLERANCE_MM:g} mm, "
            f"got {grid_in_words(image)} of the image, {grid_in_words(mask)} of the mask, which is up to {offset:.3g} voxels off"
        )
    if any(at + count <= 0 or at >= length for at, count, length in zip((z, y, x), mask.size, image.size, strict=True)):
        raise GeometryError(
            f"{where}: expected the image's place, got a mask that lies outside it: {grid_in_words(image)} of the image, "
            f"{grid_in_words(mask)} of the mask"
        )
    if mask.size == image.size and (z, y, x) != (0, 0, 0):
        raise GeometryError(
            f"{where}: expected the image's origin for a mask of the image's own size, got one that is {(z, y, x)} voxels "
            f"(z, y, x) off: {grid_in_words(image)} of the image, {grid_in_words(mask)} of the mask"
        )
    return z, y, x


def _lost(mask: Volume, inside: tuple[slice, ...]) -> dict[int, int]:
    counts = np.bincount(mask.voxels.ravel())
    outside = counts - np.bincount(mask.voxels[inside].ravel(), minlength=counts.size)
    return {int(label): int(outside[label]) for label in np.flatnonzero(outside) if label}
