"""Names that people give to segmented structures: names and codes of segments, and names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import data_catalog
from ren_features.errors import LabelError
from ren_features.regions import LabelScheme

Key = TypeVar("Key", int, str)


def structures_of(names: Mapping[Key, Iterable[str]], scheme: LabelScheme, path: Path) -> dict[int, Key]:
    """Which segment is which structure of the scheme, by the structure's label number.

    Parameters
    ----------
    names : mapping of int or str to iterable of str
        Number of a segment, or name of a file -> what it is called: names, and codes with their modifiers.
    path : Path
        Of the file or folder, for the message.

    Raises
    ------
    LabelError
        When none is one of the structures, one is called by names of two, or two are the same.
    """
    meanings = known_names() | {plain_name(structure): structure for structure in scheme.labels}
    found: dict[str, Key] = {}
    for key, called in names.items():
        structures = sorted({meanings[plain_name(name)] for name in called if plain_name(name) in meanings})
        if len(structures) > 1:
            raise LabelError(f"{path}: segment {key}: expected name and code of one structure, got {structures}")
        for structure in set(structures) & set(scheme.labels):
            if structure in found:
                raise LabelError(f"{path}: expected one segment of {structure}, got segments {found[structure]} and {key}")
            found[structure] = key
    if not found:
        raise LabelError(
            f"{path}: expected segments of {', '.join(scheme.labels)}, got none of {len(names)} segments with such a name or code"
        )
    return {scheme.labels[structure]: key for structure, key in found.items()}


@cache
def known_names() -> dict[str, str]:
    """Lobe by each of its names and codes, as `segment_names.yaml` lists them."""
    table = data_catalog.read_yaml("segment_names.yaml")
    return {plain_name(name): lobe for lobe, entry in table.items() for name in (*entry["names"], *entry["codes"])}


def plain_name(name: str) -> str:
    """A name as names are compared: small letters and digits, with one space between words."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))
