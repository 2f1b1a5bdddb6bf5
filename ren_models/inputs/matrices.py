"""Matrices for experts: the features of a region, of the lobes on average, or of all regions together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ren_features import FeatureStore
from ren_features.store import Matrix
from ren_models.inputs.inputs import Inputs
from ren_models.methods import Method

Matrices = Inputs[Matrix]


def region_inputs(
    store: FeatureStore, task: str, spec_id: str, architecture: str = "radiomics", *, sound_only: bool = False
) -> tuple[Matrices, ...]:
    """The features of each region, in the order of regions; `sound_only` as in `FeatureStore.matrix`.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     inputs = region_inputs(store, "ill", store.latest_spec)
    >>> [str(one.method) for one in inputs[:2]]
    ['radiomics LUL', 'radiomics LLL']
    """
    regions = store.sql(
        "SELECT name FROM regions WHERE name IN (SELECT region FROM radiomics WHERE spec_id = ?) ORDER BY position", [spec_id]
    )
    return tuple(
        Inputs(Method(architecture, name), store.matrix(region=name, task=task, spec_id=spec_id, sound_only=sound_only))
        for name in regions.to_series()
    )


def whole_set_inputs(store: FeatureStore, regions: Iterable[Matrices]) -> tuple[Matrices, ...]:
    """The mean over the lobes that a scan has, and the features of all regions side by side; NaN where a region is absent."""
    members = dict(store.sql("SELECT name, len(members) FROM regions").rows())
    regions = tuple(regions)
    lobes = [inputs for inputs in regions if members[str(inputs.method.region)] == 1]
    means = [_of_set(lobes, "lobe_mean", _mean(lobes))] if len(lobes) > 1 else []
    return (*means, *all_regions(regions)) if len(regions) > 1 else ()


def all_regions(regions: Iterable[Matrices]) -> tuple[Matrices, ...]:
    """The features of all regions side by side, named <region>_<feature>; none of a single region.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     regions = region_inputs(store, "ill", store.latest_spec)
    >>> all_regions(regions)[0].examples.X.shape
    (60, 749)
    """
    regions = tuple(regions)
    return (_of_set(regions, "all_regions", _side_by_side(regions)),) if len(regions) > 1 else ()


def _of_set(regions: Sequence[Matrices], region_set: str, matrix: Matrix) -> Matrices:
    return Inputs(Method(regions[0].method.architecture, None, region_set), matrix)


def _mean(regions: Sequence[Matrices]) -> Matrix:
    names = shared_features(inputs.examples for inputs in regions)
    scans = _scans(regions)
    sums, counts = np.zeros((len(scans), len(names))), np.zeros((len(scans), len(names)))
    for inputs in regions:
        rows, values = np.searchsorted(scans, inputs.examples.scan_ids), inputs.examples.select_features(names).X
        sums[rows] += np.nan_to_num(values)
        counts[rows] += ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return _of_scans(regions, sums / counts, names)


def _side_by_side(regions: Sequence[Matrices]) -> Matrix:
    scans = _scans(regions)
    blocks = []
    for inputs in regions:
        block = np.full((len(scans), inputs.examples.X.shape[1]), np.nan)
        block[np.searchsorted(scans, inputs.examples.scan_ids)] = inputs.examples.X
        blocks.append(block)
    names = tuple(f"{inputs.method.region}_{name}" for inputs in regions for name in inputs.examples.feature_names)
    return _of_scans(regions, np.hstack(blocks), names)


def _scans(regions: Sequence[Matrices]) -> NDArray[np.str_]:
    return np.unique(np.concatenate([inputs.examples.scan_ids for inputs in regions]))


def _of_scans(regions: Sequence[Matrices], values: NDArray[np.float64], names: tuple[str, ...]) -> Matrix:
    """A matrix of all scans of the regions, with their labels and patients."""
    scan_ids, first = np.unique(np.concatenate([inputs.examples.scan_ids for inputs in regions]), return_index=True)
    y = np.concatenate([inputs.examples.y for inputs in regions])[first]
    patient_ids = np.concatenate([inputs.examples.patient_ids for inputs in regions])[first]
    return Matrix(values, y, scan_ids, patient_ids, names)


def of_features(inputs: Matrices, features: str, chosen: Iterable[str]) -> Matrices:
    """The same rows with some of the features, under a name for the choice.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     region = region_inputs(store, "ill", store.latest_spec)[0]
    >>> of_features(region, "only_one", ["original_glcm_Id"]).examples.X.shape
    (60, 1)
    """
    return Inputs(inputs.method._replace(features=features), inputs.examples.select_features(chosen))


def shared_features(matrices: Iterable[Matrix]) -> tuple[str, ...]:
    """Names of the features that all of them have."""
    return tuple(sorted(set.intersection(*(set(matrix.feature_names) for matrix in matrices))))
