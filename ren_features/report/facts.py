"""Facts of the page: a spec, its regions and scans, read from a store in a few queries."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass

from ren_features.errors import StoreError
from ren_features.report.scans import GalleryScan, Row
from ren_features.store import FeatureStore


@dataclass(frozen=True)
class Facts:
    """Everything but values and pictures; scans by patient, date and name, regions in the store's order."""

    spec: Row
    regions: list[Row]
    scans: list[GalleryScan]

    @property
    def structures(self) -> list[str]:
        """Structures of the regions, in the order in which regions name them."""
        return list(dict.fromkeys(member for region in self.regions for member in region["members"]))


def read_facts(store: FeatureStore, spec_id: str | None = None) -> Facts:
    """Facts of the latest spec, or of the given one.

    Raises
    ------
    StoreError
        When the store has no build, or not that spec.
    """
    spec = _spec(store, spec_id)
    own = spec["settings"]["regions"]
    regions = [region for region in store.sql("FROM regions ORDER BY position").to_dicts() if region["name"] in own]
    return Facts(spec, regions, _scans(store, spec["spec_id"]))


def _spec(store: FeatureStore, spec_id: str | None) -> Row:
    """The wanted spec; where nothing was ever measured, that of the latest run, for its failures."""
    known = store.sql("""
        SELECT spec_id, engine, engine_version, settings::VARCHAR AS settings FROM specs s
        ORDER BY spec_id IN (FROM latest_spec) DESC, (SELECT max(started_at) FROM runs r WHERE r.spec_id = s.spec_id) DESC
    """).to_dicts()
    wanted = [spec for spec in known if spec_id in (None, spec["spec_id"])]
    if not wanted:
        specs = ", ".join(spec["spec_id"] for spec in known) or "no build at all"
        raise StoreError(f"store {store.path}: expected spec {spec_id or 'of a build'}, found {specs}")
    return wanted[0] | {"settings": json.loads(wanted[0]["settings"])}


def _scans(store: FeatureStore, spec_id: str) -> list[GalleryScan]:
    cohort = store.sql("""
        SELECT scan_id, patient_id, scan_date, image, mask, attributes::VARCHAR AS attributes
        FROM scans ORDER BY patient_id, scan_date NULLS LAST, scan_id
    """)
    labels = _by_scan(store, "SELECT scan_id, task, value FROM labels ORDER BY task")
    measured, failures, findings, regions = (
        _by_scan(store, f"FROM {table} WHERE spec_id = $1 ORDER BY ALL", spec_id)
        for table in (
            "inputs",
            "failures",
            "(SELECT scan_id, severity, rule, region, value, message, spec_id FROM quality)",
            "(SELECT scan_id, region, voxels, volume_ml, spec_id FROM radiomics)",
        )
    )
    return [
        GalleryScan(
            **row | {"attributes": json.loads(row["attributes"])},
            labels={label["task"]: label["value"] for label in labels[row["scan_id"]]},
            measured=next(iter(measured[row["scan_id"]]), None),
            failure=next(iter(failures[row["scan_id"]]), None),
            findings=findings[row["scan_id"]],
            regions={region["region"]: region for region in regions[row["scan_id"]]},
        )
        for row in cohort.to_dicts()
    ]


def _by_scan(store: FeatureStore, query: str, *parameters: str) -> defaultdict[str, list[Row]]:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in store.sql(query, parameters).to_dicts():
        rows[row["scan_id"]].append(row)
    return rows
