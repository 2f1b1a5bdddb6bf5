"""Rows of a manifest, before they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ren_features.images.dicom.identities import Identities

Row = dict[str, str]

MOST_SHOWN = 5
"""Names that a note lists."""


@dataclass(frozen=True)
class Rows:
    """Rows of scans, notes for a person, and of an export the pseudonym of each patient and who they are."""

    rows: list[Row]
    notes: list[str]
    pseudonyms: Mapping[str, str] = field(default_factory=dict, repr=False)
    identities: Identities | None = field(default=None, repr=False)


def relative(path: Path, manifest: Path) -> str:
    """A path as the manifest holds it; links stay links."""
    return os.path.relpath(path.absolute(), manifest.resolve().parent)


def note(what: str, names: Iterable[str]) -> list[str]:
    """A note on some names, or none."""
    found = sorted(names)
    shown = ", ".join(found[:MOST_SHOWN]) + (", ..." if len(found) > MOST_SHOWN else "")
    return [f"{len(found)} {what}: {shown}"] if found else []
