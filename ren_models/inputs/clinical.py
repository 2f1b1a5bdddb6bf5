"""Age and sex of patients, from the attributes of a manifest."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from ren_features import FeatureStore
from ren_features.store import Matrix

SEXES = {"m": 0.0, "male": 0.0, "f": 1.0, "female": 1.0}
"""Numbers of the words for sex."""


class Clinical(NamedTuple):
    """Age and sex of every labelled scan, and the words that were not understood."""

    matrix: Matrix | None
    unknown: tuple[str, ...]


def read_clinical(store: FeatureStore, task: str) -> Clinical:
    """Read the attributes `age` and `sex`, in upper or lower case, of every labelled scan.

    Parameters
    ----------
    store : FeatureStore
    task : str

    Returns
    -------
    Clinical
        `matrix` has age in years, and sex as 0 (male) or 1 (female); NaN where unknown; None where no scan has either.
    """
    rows = store.sql(
        "SELECT scan_id, patient_id, value, attributes::VARCHAR FROM scans JOIN labels USING (scan_id) WHERE task = ? ORDER BY 1",
        [task],
    ).rows()
    attributes = [{name.lower(): str(value).strip().lower() for name, value in json.loads(row[3]).items()} for row in rows]
    values = {
        "age": [_years(scan.get("age")) for scan in attributes],
        "sex": [SEXES.get(scan.get("sex", "")) for scan in attributes],
    }
    columns = {name: np.array(column, np.float64) for name, column in values.items()}
    names = tuple(name for name, column in columns.items() if not np.isnan(column).all())
    unknown = {
        f"{name} {scan[name]!r}"
        for name, column in columns.items()
        for scan, missing in zip(attributes, np.isnan(column), strict=True)
        if missing and scan.get(name)
    }
    if not names:
        return Clinical(None, tuple(sorted(unknown)))
    scan_ids, patient_ids, y = (np.array([row[place] for row in rows]) for place in range(3))
    return Clinical(
        Matrix(np.column_stack([columns[name] for name in names]), y, scan_ids, patient_ids, names), tuple(sorted(unknown))
    )


def _years(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
