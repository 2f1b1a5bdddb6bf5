"""Values of the template: numbers, findings, plots and values of the cohort."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ren_features.measuring.preview import structure_colours
from ren_features.report import charts, svg
from ren_features.report.facts import Facts
from ren_features.report.pictures import Picture
from ren_features.report.scans import region_name, severity_rank
from ren_features.report.values import read_histograms, read_values
from ren_features.store import FeatureStore

FAMILIES = {
    "shape": "Shape",
    "firstorder": "First order",
    "glcm": "Co-occurrence (GLCM)",
    "glrlm": "Run length (GLRLM)",
    "glszm": "Size zone (GLSZM)",
    "gldm": "Dependence (GLDM)",
    "ngtdm": "Gray tone difference (NGTDM)",
}


def content(store: FeatureStore, facts: Facts, pictures: Sequence[Picture | None]) -> dict[str, Any]:
    """Everything of the page that is data; `page` is what its script reads."""
    names = [region["name"] for region in facts.regions]
    values = read_values(store, facts.spec["spec_id"], names, [scan.scan_id for scan in facts.scans])
    return {
        "facts": facts,
        "rows": list(enumerate(zip(facts.scans, pictures, strict=True))),
        "numbers": _numbers(facts, pictures),
        "findings": _findings(facts),
        "charts": _charts(facts),
        "histograms": _histograms(store, facts),
        "colours": structure_colours(facts.structures),
        "values": values.blocks,
        "page": {
            "scans": [scan.scan_id for scan in facts.scans],
            "families": list(FAMILIES.items()),  # a list: `tojson` sorts the keys of an object
            "features": [[f.name, f.family, _unit(f.unit), f.definition] for f in values.features],
        },
    }


def _numbers(facts: Facts, pictures: Sequence[Picture | None]) -> dict[str, int]:
    return {
        "patients": len({scan.patient_id for scan in facts.scans}),
        "scans": len(facts.scans),
        "measured": sum(scan.measured is not None for scan in facts.scans),
        "failed": sum(scan.failure is not None for scan in facts.scans),
        "flagged": sum(scan.flagged for scan in facts.scans),
        "unpictured": pictures.count(None),
    }


def _findings(facts: Facts) -> list[tuple[str, str, int, str]]:
    """Severity, rule, scans and regions of every rule, the severest first."""
    scans: Counter[tuple[str, str]] = Counter(kind for scan in facts.scans for kind in scan.by_rule)
    regions: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for finding in (finding for scan in facts.scans for finding in scan.findings):
        regions[finding["severity"], finding["rule"]][finding["region"]] += 1
    kinds = sorted(scans, key=lambda kind: (severity_rank(kind[0]), kind[1]))
    return [(*kind, scans[kind], _where(regions[kind])) for kind in kinds]


def _where(regions: Counter[str]) -> str:
    return ", ".join(f"{region_name(name)} {svg.number(count)}" for name, count in sorted(regions.items()))


def _charts(facts: Facts) -> dict[str, Markup]:
    measured = [scan for scan in facts.scans if scan.regions]
    volumes = {
        region["name"]: np.array(
            [scan.regions[region["name"]]["volume_ml"] for scan in measured if region["name"] in scan.regions]
        )
        for region in facts.regions
    }
    return {
        "Scans a patient": charts.scans_per_patient(facts.scans),
        "Dates": charts.scans_by_date(facts.scans),
        "Labels": charts.labels_by_task(facts.scans),
        "Volumes": charts.volumes_by_region(volumes),
    }


def _histograms(store: FeatureStore, facts: Facts) -> list[Markup]:
    shares = read_histograms(store, facts.spec["spec_id"])
    most = max((float(charts.quartiles(of_region)[2].max()) for of_region in shares.values()), default=0)
    order = [region["name"] for region in facts.regions if region["name"] in shares]
    return [charts.histogram(region, shares[region], most) for region in order] if most else []


def _unit(unit: str) -> str:
    """A unit in print: none for 1, raised powers."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "" if unit == "1" else re.sub(r"\^(-?\d+)", lambda power: power[1].translate(raised), unit)
