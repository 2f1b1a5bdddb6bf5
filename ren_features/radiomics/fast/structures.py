"""Which labels are counted together, and which regions: labels that belong to the same regions are one structure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

MOST_STRUCTURES = 16
"""Of regions that are measured in one pass: tables are kept for each structure, and for each pair of them."""

Regions = Mapping[str, tuple[int, ...]]
"""Region -> its label numbers."""


def structures_of(regions: Regions, present: Container[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Number the structures of some regions.

    Parameters
    ----------
    regions : mapping of str to tuple of int
    present : container of int
        Labels that the map has.

    Returns
    -------
    numbers : ndarray of int, shape (label,)
        Labels of the regions that are present.
    structure : ndarray of int, shape (label,)
        Their structures, from 1.
    member : ndarray of bool, shape (structure + 1, region)
        Which structures make up which region; row 0 is the background.
    """
    numbers = sorted({number for members in regions.values() for number in members if number in present})
    rows = np.array([[number in members for members in regions.values()] for number in numbers])
    member, structure = np.unique(rows, axis=0, return_inverse=True)
    return np.array(numbers), structure.ravel() + 1, np.vstack([np.zeros_like(member[:1]), member])


def in_turns(regions: Regions, present: Container[int]) -> Iterator[Regions]:
    """Regions in groups that make no more structures than can be counted in one pass."""
    group: dict[str, tuple[int, ...]] = {}
    for name, members in regions.items():
        larger = {**group, name: members}
        if group and len(structures_of(larger, present)[2]) - 1 > MOST_STRUCTURES:
            yield group
            larger = {name: members}
        group = larger
    if group:
        yield group
