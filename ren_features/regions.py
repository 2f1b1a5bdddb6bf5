"""Which voxels make up a region: label schemes of segmenters, regions, and ordered sets of regions.

A segmenter's label numbers are data (`LabelScheme`), never bare integers in code. A region is a union of named structures;
REN's seven are the five lobes and the two lungs. Other sets (one lung, lung thirds, another organ) come from a small YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import data_catalog
from ren_features.errors import LabelError, SpecError
from ren_features.yaml_file import mapping, read_yaml, refuse_unknown

MOST_SHOWN = 8
"""Unknown labels that a message lists."""


@dataclass(frozen=True)
class LabelScheme:
    """Label number of every structure that a segmenter marks; 0 is background.

    Parameters
    ----------
    name : str
        As the manifest's column `mask_scheme` writes it.
    labels : mapping of str to int
        Structure name -> label number, each number positive and used once.

    Examples
    --------
    >>> LabelScheme("lungs", {"LEFT": 2, "RIGHT": 1}).labels["LEFT"]
    2
    """

    name: str
    labels: Mapping[str, int] = field(hash=False)

    def __post_init__(self) -> None:
        numbers = list(self.labels.values())
        if not all(type(number) is int and number > 0 for number in numbers) or len(set(numbers)) < len(numbers):
            raise SpecError(
                f"label scheme {self.name}: expected a positive number for each structure, none twice; got {dict(self.labels)}"
            )
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelScheme, (self.name, dict(self.labels))

    def with_structures(self, other: LabelScheme) -> LabelScheme:
        """This scheme and the structures of another one; a structure that both name keeps the other's number."""
        numbers = set(other.labels.values())
        kept = {structure: number for structure, number in self.labels.items() if number not in numbers}
        return LabelScheme(f"{self.name}+{other.name}", {**kept, **other.labels})

    def check(self, voxels_per_label: Mapping[int, int], *, where: str) -> None:
        """Refuse labels that the scheme does not know.

        Parameters
        ----------
        voxels_per_label : mapping of int to int
            Label number -> voxel count, as found in a mask; background left out.
        where : str
            The mask, for the message.

        Raises
        ------
        LabelError
            With every unknown number, its voxel count, and the scheme's labels.
        """
        known = set(self.labels.values())
        unknown = {number: count for number, count in voxels_per_label.items() if number not in known}
        if unknown:
            shown = [f"label {number} on {count} voxels" for number, count in unknown.items()]
            found = ", ".join(shown[:MOST_SHOWN]) + (f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else "")
            expected = ", ".join(f"{structure} {number}" for structure, number in self.labels.items())
            raise LabelError(f"{where}: expected the labels of scheme {self.name} ({expected}), got {found}")


@dataclass(frozen=True)
class Region:
    """A named union of segmented structures.

    Parameters
    ----------
    name : str
        As the store's column `region` writes it.
    members : frozenset of str
        Names of the structures (for REN's regions: the lobes).

    Examples
    --------
    >>> sorted(Region("LEFT", frozenset({"LUL", "LLL"})).members)
    ['LLL', 'LUL']
    """

    name: str
    members: frozenset[str]

    def __post_init__(self) -> None:
        if not self.name or not self.members:
            raise SpecError(f"region {self.name!r}: expected a name and at least one structure, got {sorted(self.members)}")


@dataclass(frozen=True)
class RegionSet:
    """Regions in the order of every table and figure.

    Parameters
    ----------
    name : str
        Name of the set.
    regions : tuple of Region
        Region names are unique.
    scheme : LabelScheme, optional
        The set's own labels, for structures that no segmenter's scheme names.

    Examples
    --------
    >>> [region.name for region in REN_REGIONS.regions]
    ['LUL', 'LLL', 'RUL', 'RML', 'RLL', 'LEFT', 'RIGHT']
    """

    name: str
    regions: tuple[Region, ...]
    scheme: LabelScheme | None = None

    def __post_init__(self) -> None:
        names = [region.name for region in self.regions]
        if not names or len(set(names)) < len(names):
            raise SpecError(f"region set {self.name}: expected at least one region and unique names, got {names}")

    @property
    def structures(self) -> tuple[str, ...]:
        """Structures of the regions, sorted, without repetition."""
        return tuple(sorted({member for region in self.regions for member in region.members}))

    @classmethod
    def from_yaml(cls, path: str | Path) -> RegionSet:
        """Read a region set: region name -> the structures, or the label numbers, that make it up.

        Raises
        ------
        SpecError
            When the file cannot be read, or a key or value is not understood.

        Examples
        --------
        One lung by its label number, and a union of lobes by name::

            name: right_lung                 name: upper
            regions:                         regions:
              RIGHT: [1]                       UPPER: [LUL, RUL]
        """
        return cls.from_dict(read_yaml(Path(path), "region set"), where=f"region set {path}")

    @classmethod
    def from_dict(cls, content: Any, *, where: str = "region set") -> RegionSet:
        """Build from the content of such a file: keys `name`, `regions`, and optional `labels` (structure -> number)."""
        fields = mapping(content, where)
        refuse_unknown(fields, ("name", "regions", "labels", "descriptions"), where)
        labels: dict[str, Any] = mapping(fields.get("labels"), f"{where}: labels")
        regions = mapping(fields.get("regions"), f"{where}: regions").items()
        built = tuple(Region(name, _members(members, labels, f"{where}: region {name}")) for name, members in regions)
        name = str(fields.get("name") or "own")
        return cls(name, built, LabelScheme(name, labels) if labels else None)

    def as_dict(self) -> dict[str, Any]:
        """Content that `from_dict` reads back; the same for equal sets."""
        regions = {region.name: sorted(region.members) for region in self.regions}
        return {"name": self.name, "regions": regions, "labels": dict(self.scheme.labels) if self.scheme else {}}

    def scheme_for(self, mask_scheme: str | None, *, where: str) -> LabelScheme:
        """Labels to expect in one scan's mask: those of its scheme, and those of the set itself.

        Raises
        ------
        LabelError
            When neither is given, the scheme is unknown, or a region's structure has no label in it.
        """
        scheme = _named_scheme(mask_scheme, where) if mask_scheme else self.scheme
        if scheme is None:
            raise LabelError(f"{where}: expected a mask_scheme, one of {', '.join(LABEL_SCHEMES)}; got none")
        if mask_scheme and self.scheme:
            scheme = scheme.with_structures(self.scheme)
        missing = {member for region in self.regions for member in region.members} - set(scheme.labels)
        if missing:
            raise LabelError(
                f"{where}: regions need {', '.join(sorted(missing))}; scheme {scheme.name} has {', '.join(scheme.labels)}"
            )
        return scheme


def _members(members: Any, labels: dict[str, int], where: str) -> frozenset[str]:
    """Structure names of a region; a bare label number becomes a structure of the set's own labels."""
    if not isinstance(members, list) or not members:
        raise SpecError(f"{where}: expected a list of structures or label numbers, got {members!r}")
    names = {number: structure for structure, number in labels.items()}
    for member in members:
        if type(member) is int:
            labels.setdefault(names.setdefault(member, f"label_{member}"), member)
        elif not isinstance(member, str):
            raise SpecError(f"{where}: expected structure names or whole label numbers, got {member!r}")
    return frozenset(names[member] if type(member) is int else member for member in members)


def _named_scheme(name: str, where: str) -> LabelScheme:
    if name not in LABEL_SCHEMES:
        raise LabelError(f"{where}: expected a mask_scheme, one of {', '.join(LABEL_SCHEMES)}; got {name}")
    return LABEL_SCHEMES[name]


LABEL_SCHEMES: Mapping[str, LabelScheme] = {
    name: LabelScheme(name, entry["labels"]) for name, entry in data_catalog.read_yaml("label_schemes.yaml").items()
}
LUNGMASK = LABEL_SCHEMES["lungmask"]
REN_REGIONS = RegionSet.from_dict(data_catalog.read_yaml("regions.yaml"), where="data_catalog/regions.yaml")
