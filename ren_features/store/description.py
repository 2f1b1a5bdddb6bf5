"""Meanings of the store's names, from the data catalog."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import data_catalog
from ren_features.errors import StoreError
from ren_features.quality import RULES, WHOLE_SCAN
from ren_features.regions import LABEL_SCHEMES, REN_REGIONS


def describe(name: str, store: str | Path | None = None) -> str:
    """Everything that is known by a name: of a table, column, feature, region, label scheme, rule, metric, pattern or data set.

    `datasets` lists the public data sets.

    Parameters
    ----------
    name : str
    store : path, optional
        Adds the regions of that store.

    Raises
    ------
    StoreError
        When nothing has that name; it names the closest ones.
    """
    # A store's own regions come last, and take the place of REN's.
    regions = dict(_regions(store))
    known = [
        *_tables(),
        *_columns(),
        *_features(),
        *regions.items(),
        *_schemes(),
        *_rules(),
        *_experiments(),
        *_metrics(),
        *_patterns(),
        *_truth(),
        *_datasets(),
    ]
    found = [text for known_name, text in known if known_name == name]
    if found:
        return "\n\n".join(found)
    names = {known_name for known_name, _ in known}
    close = (
        get_close_matches(name, names, n=5, cutoff=0.5) or [other for other in sorted(names) if name.lower() in other.lower()][:5]
    )
    raise StoreError(
        f"{name}: expected a table, column, feature, region, label scheme, quality rule, experiment, metric, pattern or data "
        "set; " + (f"close: {', '.join(close)}" if close else "`ren-features describe radiomics` lists columns")
    )


def _tables() -> Iterator[tuple[str, str]]:
    for table in data_catalog.tables().values():
        columns = "\n".join(f"  {name}: {meaning}" for name, meaning in table.columns.items())
        more = "\n  and one column for each of the 107 features" if table.name in ("radiomics", "lobe_features") else ""
        key = f" (key: {', '.join(table.key)})" if table.key else ""
        yield table.name, f"{table.kind} {table.name}{key}\n{table.holds}\n{columns}{more}"


def _columns() -> Iterator[tuple[str, str]]:
    for table in data_catalog.tables().values():
        for name, meaning in table.columns.items():
            yield name, f"column {name} of {table.kind} {table.name}: {meaning}"


def _features() -> Iterator[tuple[str, str]]:
    for feature in data_catalog.features().values():
        ibsi = f"{feature.ibsi_id} {feature.ibsi_name}" if feature.ibsi_id else "no counterpart"
        difference = feature.ibsi_difference if feature.ibsi_id else ""
        lines = [
            f"feature {feature.name}: {feature.title}",
            feature.definition,
            f"  family: {feature.family}",
            f"  unit: {feature.unit}",
            f"  range: {feature.range}",
            f"  IBSI: {ibsi}",
        ]
        yield feature.name, "\n".join([*lines, *([f"  difference to IBSI: {difference}"] if difference else [])])


def _regions(store: str | Path | None) -> Iterator[tuple[str, str]]:
    descriptions = data_catalog.region_descriptions()
    for region in REN_REGIONS.regions:
        yield region.name, _region(region.name, sorted(region.members), descriptions[region.name])
    if store:
        from ren_features.store import FeatureStore

        with FeatureStore(store) as opened:
            for name, members, description in opened.sql("SELECT name, members, description FROM regions").iter_rows():
                yield name, _region(name, members, description)


def _region(name: str, members: list[str], description: str | None) -> str:
    return f"region {name}{f': {description}' if description else ''}\n  structures: {', '.join(members)}"


def _schemes() -> Iterator[tuple[str, str]]:
    for scheme in LABEL_SCHEMES.values():
        labels = ", ".join(f"{structure} {number}" for structure, number in scheme.labels.items())
        yield scheme.name, f"label scheme {scheme.name}: {labels}"


def _rules() -> Iterator[tuple[str, str]]:
    for rule in RULES.values():
        limits = [f"  {'expected' if region == WHOLE_SCAN else region}: {rule.expected(region)}" for region in rule.limits]
        limits += [f"  no error: {rule.in_words(beyond)}" for beyond in rule.error_limits.values()]
        lines = [f"quality rule {rule.name} ({rule.severity}): {rule.meaning}", *limits, f"  source: {rule.source}"]
        yield rule.name, "\n".join(lines)


def _experiments() -> Iterator[tuple[str, str]]:
    for name, meaning in data_catalog.experiments().items():
        yield name, f"experiment {name} of table results: {meaning}"


def _metrics() -> Iterator[tuple[str, str]]:
    for name, meaning in data_catalog.metrics().items():
        yield name, f"metric {name} of table results: {meaning}"


def _patterns() -> Iterator[tuple[str, str]]:
    for pattern in data_catalog.patterns().values():
        text = f"pattern {pattern.name} of synthetic patients: {pattern.definition}"
        yield pattern.name, f"{text}\n  label: {pattern.label}\n  source: {pattern.source}"


def _truth() -> Iterator[tuple[str, str]]:
    for name, meaning in data_catalog.truth_columns().items():
        yield name, f"column {name} of truth.parquet of a synthetic cohort: {meaning}"


def _datasets() -> Iterator[tuple[str, str]]:
    found = data_catalog.datasets()
    yield "datasets", "public data sets\n" + "\n".join(f"  {name}: {dataset.title}" for name, dataset in found.items())
    for name, dataset in found.items():
        facts = [f"  {fact}: {known.value}\n    (source: {known.source})" for fact, known in dataset.facts.items()]
        recipe = [f"  how to read it: {dataset.note}", *(f"    {command}" for command in dataset.commands)]
        yield name, "\n".join([f"data set {name}: {dataset.title}", *facts, *recipe])
