"""What segmented structures are called by those who draw them: names and codes of segments, and names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import data_catalog
from ren_features.errors import LabelError
from ren_features.regions import LabelScheme


def structures_of(names: Mapping[int, Iterable[str]], scheme: LabelScheme, path: Path) -> dict[int, int]:
    """Label number of each segment that is a structure of the scheme.

    Parameters
    ----------
    names : mapping of int to iterable of str
        Segment number -> what it is called: names, and codes with their modifiers.
    path : Path
        For the message.

    Raises
    ------
    LabelError
        When none is one of the structures, one is called by names of two, or two are the same.
    """
    meanings = known_names() | {plain_name(structure): structure for structure in scheme.labels}
    found: dict[int, str] = {}
    for number, called in names.items():
        structures = sorted({meanings[plain_name(name)] for name in called if plain_name(name) in meanings})
        if len(structures) > 1:
            raise LabelError(f"{path}: segment {number}: expected name and code of one structure, got {structures}")
        if structures and structures[0] in scheme.labels:
            found[number] = structures[0]
    twice = sorted({structure for structure in found.values() if list(found.values()).count(structure) > 1})
    if not found or twice:
        what = f"several segments of {', '.join(twice)}" if twice else f"none of {len(names)} segments with such a name or code"
        raise LabelError(f"{path}: expected one segment for each of {', '.join(scheme.labels)}, got {what}")
    return {number: scheme.labels[structure] for number, structure in found.items()}


@cache
def known_names() -> dict[str, str]:
    """Lobe by each of its names and codes, as `segment_names.yaml` lists them."""
    table = data_catalog.read_yaml("segment_names.yaml")
    return {plain_name(name): lobe for lobe, entry in table.items() for name in (*entry["names"], *entry["codes"])}


def plain_name(name: str) -> str:
    """A name as names are compared: small letters and digits, with one space between words."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))
