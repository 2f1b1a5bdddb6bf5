"""Meanings of the numbers of a store, and sources of such data. Data files and the few lines that read them.

Features, regions, label schemes, tables, quality rules, patterns; public data sets (`datasets`), the paper's numbers (`paper`).

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
    """One of the 107 radiomics features, under PyRadiomics' name.

    `range` is what the definition allows, for regions of whatever shape: `any`, `at least A`, `above A` or `A to B`.
    """

    name: str
    title: str
    family: str
    unit: str
    range: str
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


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a data set, and from where; the source may say that it is not verified."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A public cohort of chest CT.

    `layout` is where its files are, for `ren-features manifest --layout`; None where it is read as DICOM, or is not known.
    """

    name: str
    title: str
    facts: dict[str, Fact]
    note: str
    commands: tuple[str, ...]
    layout: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of disease that synthetic patients have."""

    name: str
    label: int
    definition: str
    source: str


def read_text(name: str) -> str:
    """Text of a data file of the catalog."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    """Content of a YAML file of the catalog."""
    return yaml.safe_load(read_text(name))


@cache
def features() -> dict[str, Feature]:
    """The 107 features by name, in PyRadiomics' order of families.

    Examples
    --------
    >>> features()["original_glcm_Contrast"].family
    'glcm'
    """
    rows = csv.DictReader(read_text("features.csv").splitlines())
    return {row["name"]: _feature(row) for row in rows}


def families() -> tuple[str, ...]:
    """The seven families of features in PyRadiomics' order.

    Examples
    --------
    >>> families()
    ('shape', 'firstorder', 'glcm', 'glrlm', 'glszm', 'gldm', 'ngtdm')
    """
    return tuple(dict.fromkeys(feature.family for feature in features().values()))


def _feature(row: dict[str, str]) -> Feature:
    return Feature(
        name=row["name"],
        title=row["title"],
        family=row["family"],
        unit=row["unit"],
        range=row["range"],
        ibsi_id=row["ibsi_id"] or None,
        ibsi_name=row["ibsi_name"] or None,
        definition=row["definition"],
        ibsi_difference=row["ibsi_difference"],
    )


@cache
def tables() -> dict[str, Table]:
    """The tables and views of the store by name; feature columns are described by `features`.

    Examples
    --------
    >>> tables()["radiomics"].key
    ('scan_id', 'region', 'spec_id')
    """
    return {
        name: Table(name, entry["kind"], tuple(entry["key"]), entry["holds"], entry["columns"])
        for name, entry in read_yaml("tables.yaml").items()
    }


def region_descriptions() -> dict[str, str]:
    """REN's regions by name, in their order.

    Examples
    --------
    >>> list(region_descriptions())
    ['LUL', 'LLL', 'RUL', 'RML', 'RLL', 'LEFT', 'RIGHT']
    """
    descriptions: dict[str, str] = read_yaml("regions.yaml")["descriptions"]
    return descriptions


@cache
def datasets() -> dict[str, Dataset]:
    """Public cohorts that an outsider could use, by name.

    Examples
    --------
    >>> "lidc_idri" in datasets()
    True
    """
    found = files(__package__).joinpath("datasets").iterdir()
    names = sorted(file.name.removesuffix(".yaml") for file in found if file.name.endswith(".yaml"))
    return {name: _dataset(name, read_yaml(f"datasets/{name}.yaml")) for name in names}


def _dataset(name: str, content: dict[str, Any]) -> Dataset:
    facts = {fact: Fact(_one_line(entry["value"]), _one_line(entry["source"])) for fact, entry in content["facts"].items()}
    recipe = content["manifest"]
    return Dataset(
        name, content["title"], facts, _one_line(recipe["note"]), tuple(recipe.get("commands", ())), recipe.get("layout")
    )


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


@cache
def patterns() -> dict[str, Pattern]:
    """Patterns of synthetic patients by name, in the order of their labels.

    Examples
    --------
    >>> patterns()["ground_glass"].label
    1
    """
    return {
        name: Pattern(name, entry["label"], entry["definition"], entry["source"])
        for name, entry in read_yaml("patterns.yaml").items()
    }


def truth_columns() -> dict[str, str]:
    """Meanings of the columns of a synthetic cohort's `truth.parquet`."""
    columns: dict[str, str] = read_yaml("truth.yaml")
    return columns


def metrics() -> dict[str, str]:
    """Meanings of the metrics of the table `results`, by name.

    Examples
    --------
    >>> "auc_test_patient" in metrics()
    True
    """
    known = {name: (_one_line(entry["meaning"]), entry.get("parts")) for name, entry in read_yaml("metrics.yaml").items()}
    of_parts = {
        f"{name}_{part}{ending}": f"{meaning}; of the {rows} of {part}"
        for name, (meaning, parts) in known.items()
        for part in parts or ()
        for ending, rows in (("", "scans"), ("_patient", "patients"))
    }
    return of_parts | {name: meaning for name, (meaning, parts) in known.items() if parts is None}


def experiments() -> dict[str, str]:
    """Meanings of the experiments of the table `results`, and of their methods, by name.

    Examples
    --------
    >>> "ablation" in experiments()
    True
    """
    return {
        name: f"{_one_line(entry['meaning'])}\n  method: {entry['method']}"
        for name, entry in read_yaml("experiments.yaml").items()
    }


PAPER_TABLES = ("performance", "complexity", "gating_ablation", "figures")
"""Tables I and II, III, IV, and what is stated about Fig. 3 and 4; `paper/README.md` tells what does not fit in them."""


def paper_table(name: str) -> list[dict[str, str | float | None]]:
    """Rows of one of `PAPER_TABLES`, as REN printed them (arXiv 2510.04923); empty cells are None."""
    rows = csv.DictReader(read_text(f"paper/{name}.csv").splitlines())
    return [{column: _number_or_text(cell) for column, cell in row.items()} for row in rows]


def paper_cohort() -> dict[str, Any]:
    """The patients of REN (section III.A)."""
    cohort: dict[str, Any] = read_yaml("paper/cohort.yaml")
    return cohort


def _number_or_text(cell: str) -> str | float | None:
    try:
        return float(cell)
    except ValueError:
        return cell or None
