"""By what a label's part of an image is known again: in another file format, and in a crop that leaves the label whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import numpy as np

from ren_features.volume import Volume
from ren_features.voxels.extents import Extent

STEP = 2
"""Every other voxel along each axis is enough, counted from the label's own box: a crop of the image does not move that."""

SAMPLE = 4096
"""About as many voxels are looked at to see whether CT numbers vary."""

FEWEST_VALUES = 16
"""A label of fewer different CT numbers, as one in a void or of a few voxels, could agree with another by chance."""


def label_digests(image: Volume, mask: Volume, extents: Mapping[int, Extent]) -> dict[int, str]:
    """SHA-256 of the voxels of each label in whole HU, on the scan's own grid; of labels whose CT numbers hardly vary, none.

    Positions do not count, so that two images of which one is a crop of the other have the labels in common that the crop left
    whole. Two scans of one patient have none: their noise differs.

    Parameters
    ----------
    image, mask : Volume
        On one grid, in the canonical frame.
    extents : mapping of int to Extent
        Of the mask's labels.

    Examples
    --------
    >>> from ren_features.voxels.extents import label_extents
    >>> image = Volume(np.arange(1000).reshape(10, 10, 10), (1, 1, 1))
    >>> mask = Volume(np.zeros((10, 10, 10), np.uint8), (1, 1, 1))
    >>> mask.voxels[3:8, 2:9, 2:9] = 5
    >>> cropped = [volume.crop((slice(1, 9), slice(0, 10), slice(2, 10))) for volume in (image, mask)]
    >>> label_digests(image, mask, label_extents(mask.voxels)) == label_digests(*cropped, label_extents(cropped[1].voxels))
    True
    """
    digests = {}
    for label, extent in extents.items():
        box = tuple(slice(axis.start, axis.stop, STEP) for axis in extent.box)
        values = np.rint(image.voxels[box][mask.voxels[box] == label]).astype("<i4")
        if len(np.unique(values[:: len(values) // SAMPLE + 1])) >= FEWEST_VALUES:
            digests[label] = sha256(values.tobytes()).hexdigest()
    return digests


def joined_digest(digests: Mapping[int, str], labels: Iterable[int]) -> str | None:
    """Digest of a union of labels; None when none of them has one."""
    parts = [digests[label] for label in sorted(labels) if label in digests]
    return sha256("".join(parts).encode()).hexdigest() if parts else None
