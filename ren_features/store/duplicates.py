"""Scans that hold one image, under whatever ids: equal voxels, an equal lobe of a crop, or lobes that are nearly equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ren_features.quality import RULES, WHOLE_SCAN
from ren_features.store.connection import Connection, transaction
from ren_features.store.near_copies import alike, in_several
from ren_features.store.rows import Row, delete, insert
from ren_features.voxels.histogram import BINS

SHOWN = 10
"""Scans that a finding names."""

EQUAL = """
    WITH mark AS (
        SELECT scan_id, coalesce(voxels_sha256, image_sha256) AS digest FROM inputs
        UNION SELECT scan_id, voxels_sha256 FROM histograms WHERE voxels_sha256 IS NOT NULL
    )
    SELECT min(scan_id) OVER (PARTITION BY digest) AS first, scan_id FROM mark QUALIFY first <> scan_id
"""
"""Scans with the digest of another one, of all voxels or of a region's, under any spec; beside the first that has it."""

SMALLEST_REGIONS = """
    WITH measured AS (
        SELECT spec_id, name, members FROM (SELECT DISTINCT spec_id, region AS name FROM histograms) JOIN regions USING (name)
    )
    SELECT spec_id, name FROM measured whole WHERE NOT EXISTS (
        FROM measured part WHERE part.spec_id = whole.spec_id
        AND len(part.members) < len(whole.members) AND list_has_all(whole.members, part.members)
    ) ORDER BY ALL
"""
"""Regions of each spec that hold no other one of it: the lobes, and no lung beside them."""

RANKED = """
    SELECT i.spec_id, i.scan_id FROM inputs i
    ORDER BY i.spec_id, (SELECT count(*) = 0 FROM labels l WHERE l.scan_id = i.scan_id),
             (SELECT count(*) FROM quality q WHERE q.scan_id = i.scan_id AND q.spec_id = i.spec_id AND q.severity <> 'info'),
             i.scan_id
"""
"""Measured scans, those first that are kept of several with one image."""


def duplicate_scans(connection: Connection) -> tuple[tuple[str, ...], ...]:
    """Groups of two scans or more that hold one image, in order.

    Two scans hold one image when all voxels or those of a region are equal (`label_digest`), when three lobes or more are nearly
    equal (`near_copies`), or when both hold that of a third. The time grows as n log n with the number of scans.
    """
    scans = connection.sql("SELECT DISTINCT scan_id FROM inputs ORDER BY 1").pl()["scan_id"].to_numpy().astype(np.str_)
    equal = np.searchsorted(scans, connection.sql(EQUAL).pl().to_numpy().astype(np.str_))
    image = _components(len(scans), equal)
    # One scan of each image is enough to look for images that are nearly the same.
    near = _nearly_equal(connection, scans, np.unique(image))
    groups = defaultdict(list)
    for scan, first in zip(scans.tolist(), _components(len(scans), np.concatenate([equal, near])).tolist(), strict=True):
        groups[first].append(scan)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def mark_duplicates(connection: Connection) -> None:
    """A finding for every scan of an image that several hold, in place of those of before.

    One scan of each image is kept: the finding about it is an info, so that it stays sound (`quality_ok`). It is one that has
    labels, if any has, with the fewest warnings and errors, and of several such the first by its id.
    """
    rule = RULES["duplicate_image"]
    with transaction(connection):
        delete(connection, {"rule": rule.name}, "quality")
        groups = {scan: number for number, group in enumerate(duplicate_scans(connection)) for scan in group}
        if groups:
            ranked = [(groups[scan], spec_id, scan) for spec_id, scan in connection.execute(RANKED).fetchall() if scan in groups]
            insert(connection, "quality", list(_findings(sorted(ranked, key=lambda row: row[:2]))))


def _findings(ranked: Iterable[tuple[int, str, str]]) -> Iterator[Row]:
    rule = RULES["duplicate_image"]
    for (_, spec_id), rows in groupby(ranked, lambda row: row[:2]):
        scans = [scan for _, _, scan in rows]
        for scan in scans if len(scans) > 1 else ():
            yield {
                "scan_id": scan,
                "region": WHOLE_SCAN,
                "spec_id": spec_id,
                "rule": rule.name,
                "severity": "info" if scan == scans[0] else rule.severity,
                "value": len(scans) - 1,
                "message": f"same image as {_named(sorted({*scans} - {scan}))}",
            }


def _named(scans: Sequence[str]) -> str:
    return ", ".join(scans[:SHOWN]) + (f" and {len(scans) - SHOWN} more" if len(scans) > SHOWN else "")


def _nearly_equal(connection: Connection, scans: NDArray[np.str_], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places among the scans of pairs of the chosen ones that are nearly equal, shape (pair, 2)."""
    pairs = [np.empty((0, 2), np.int64)]
    for _, regions in groupby(connection.execute(SMALLEST_REGIONS).fetchall(), lambda row: row[0]):
        pairs.append(in_several(_alike_in(connection, scans, chosen, *region) for region in regions))
    return np.concatenate(pairs)


def _alike_in(
    connection: Connection, scans: NDArray[np.str_], chosen: NDArray[np.int64], spec_id: str, region: str
) -> NDArray[np.int64]:
    query = "SELECT scan_id, counts FROM histograms WHERE spec_id = ? AND region = ? AND list_sum(counts) > 0 ORDER BY scan_id"
    frame = connection.sql(query, params=[spec_id, region]).pl()
    places: NDArray[np.int64] = np.searchsorted(scans, frame["scan_id"].to_numpy().astype(np.str_))
    rows = np.isin(places, chosen)
    counts = frame["counts"].list.to_array(BINS).to_numpy()
    pairs: NDArray[np.int64] = places[rows][alike(counts[rows])]
    return pairs


def _components(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of all that each one is joined with, shape (count,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), pairs.T), (count, count))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    joined: NDArray[np.int64] = first[component]
    return joined
