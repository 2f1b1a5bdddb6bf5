"""What the numbers of a store mean: features, regions, label schemes, tables. Data files and the few lines that read them.

The data stand beside this module as CSV and YAML, so that they can be read without Python.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Feature:
    """One of the 107 radiomics features, under PyRadiomics' name."""

    name: str
    family: str
    unit: str
    ibsi_id: str | None
    ibsi_name: str | None
    definition: str
    ibsi_difference: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the store with the meaning of its columns."""

    name: str
    kind: str
    key: tuple[str, ...]
    holds: str
    columns: dict[str, str]


def read_text(name: str) -> str:
    """Text of a data file of the catalog."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    """Content of a YAML file of the catalog."""
    return yaml.safe_load(read_text(name))


@cache
def features() -> dict[str, Feature]:
    """The 107 features by name, in PyRadiomics' order of families."""
    rows = csv.DictReader(read_text("features.csv").splitlines())
    return {row["name"]: _feature(row) for row in rows}


def _feature(row: dict[str, str]) -> Feature:
    return Feature(
        name=row["name"],
        family=row["family"],
        unit=row["unit"],
        ibsi_id=row["ibsi_id"] or None,
        ibsi_name=row["ibsi_name"] or None,
        definition=row["definition"],
        ibsi_difference=row["ibsi_difference"],
    )


@cache
def tables() -> dict[str, Table]:
    """The tables and views of the store by name; feature columns are described by `features`."""
    return {
        name: Table(name, entry["kind"], tuple(entry["key"]), entry["holds"], entry["columns"])
        for name, entry in read_yaml("tables.yaml").items()
    }


def region_descriptions() -> dict[str, str]:
    """REN's regions by name, in their order."""
    descriptions: dict[str, str] = read_yaml("regions.yaml")["descriptions"]
    return descriptions
