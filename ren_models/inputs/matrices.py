"""What experts read: the features of a region, of the lobes on average, or of all regions together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ren_features import FeatureStore
from ren_features.store import Matrix


@dataclass(frozen=True)
class Inputs:
    """Rows for an expert.

    Attributes
    ----------
    method : str
        Name in `results`.
    region : str, optional
        None for several.
    matrix : Matrix
    """

    method: str
    region: str | None
    matrix: Matrix

    @property
    def name(self) -> str:
        """What messages call it: the method, and the region if there is one."""
        return f"{self.method} {self.region}" if self.region else self.method

    @cached_property
    def digests(self) -> dict[str, str]:
        """Digests of the features with their scans and patients, and of the labels: first 16 digits of SHA-256 each."""
        matrix = self.matrix
        features = (np.ascontiguousarray(matrix.X).tobytes(), matrix.scan_ids, matrix.patient_ids, matrix.feature_names)
        return {"features": _digest(*features), "labels": _digest(matrix.scan_ids, matrix.y)}

    def of_patients(self, patients: Iterable[str]) -> Inputs:
        """The rows of some patients."""
        return replace(self, matrix=self.matrix.select_rows(np.isin(self.matrix.patient_ids, sorted(patients))))


def _digest(*contents: bytes | Iterable[object]) -> str:
    sha = hashlib.sha256()
    for content in contents:
        sha.update(content if isinstance(content, bytes) else "\n".join(map(str, content)).encode())
    return sha.hexdigest()[:16]


def region_inputs(
    store: FeatureStore, task: str, spec_id: str, method: str = "radiomics", *, sound_only: bool = False
) -> tuple[Inputs, ...]:
    """Those of each region, in the order of regions; `sound_only` as in `FeatureStore.matrix`."""
    regions = store.sql(
        "SELECT name FROM regions WHERE name IN (SELECT region FROM radiomics WHERE spec_id = ?) ORDER BY position", [spec_id]
    )
    return tuple(
        Inputs(method, name, store.matrix(region=name, task=task, spec_id=spec_id, sound_only=sound_only))
        for name in regions.to_series()
    )


def whole_set_inputs(store: FeatureStore, regions: Iterable[Inputs]) -> tuple[Inputs, ...]:
    """The mean over the lobes that a scan has, and the features of all regions side by side; NaN where a region is absent."""
    members = dict(store.sql("SELECT name, len(members) FROM regions").rows())
    every = tuple(regions)
    lobes = [each for each in every if members[str(each.region)] == 1]
    sets = [Inputs("radiomics_lobe_mean", None, _mean(lobes))] if len(lobes) > 1 else []
    return (*sets, *all_regions(every)) if len(every) > 1 else ()


def all_regions(regions: Iterable[Inputs]) -> tuple[Inputs, ...]:
    """The features of all regions side by side, named <region>_<feature>; none of a single region."""
    every = tuple(regions)
    return (Inputs("radiomics_all_regions", None, _side_by_side(every)),) if len(every) > 1 else ()


def _mean(regions: Iterable[Inputs]) -> Matrix:
    every = tuple(regions)
    names = shared_features(each.matrix for each in every)
    scans = _scans(every)
    sums, counts = np.zeros((len(scans), len(names))), np.zeros((len(scans), len(names)))
    for each in every:
        rows, values = np.searchsorted(scans, each.matrix.scan_ids), each.matrix.select_features(names).X
        sums[rows] += np.nan_to_num(values)
        counts[rows] += ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return _of_scans(every, sums / counts, names)


def _side_by_side(regions: Iterable[Inputs]) -> Matrix:
    every = tuple(regions)
    scans = _scans(every)
    blocks = []
    for each in every:
        block = np.full((len(scans), each.matrix.X.shape[1]), np.nan)
        block[np.searchsorted(scans, each.matrix.scan_ids)] = each.matrix.X
        blocks.append(block)
    names = tuple(f"{each.region}_{name}" for each in every for name in each.matrix.feature_names)
    return _of_scans(every, np.hstack(blocks), names)


def _scans(every: tuple[Inputs, ...]) -> np.ndarray:
    return np.unique(np.concatenate([each.matrix.scan_ids for each in every]))


def _of_scans(every: tuple[Inputs, ...], values: np.ndarray, names: tuple[str, ...]) -> Matrix:
    """A matrix of all scans of the regions, with their labels and patients."""
    scan_ids, first = np.unique(np.concatenate([each.matrix.scan_ids for each in every]), return_index=True)
    labels, patients = (np.concatenate([getattr(each.matrix, name) for each in every])[first] for name in ("y", "patient_ids"))
    return Matrix(values, labels, scan_ids, patients, names)


def of_features(inputs: Inputs, method: str, chosen: Iterable[str]) -> Inputs:
    """The same rows with some of the features."""
    return Inputs(method, inputs.region, inputs.matrix.select_features(chosen))


def shared_features(matrices: Iterable[Matrix]) -> tuple[str, ...]:
    """Names of the features that all of them have."""
    return tuple(sorted(set.intersection(*(set(matrix.feature_names) for matrix in matrices))))
