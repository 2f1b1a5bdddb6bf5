"""A store of many scans: one measured phantom, and copies of its rows under other names with values and pictures of their own."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from ren_features import ExtractionSpec, build
from ren_features.images.fingerprint import Fingerprint
from ren_features.measuring.preview import preview_folder, preview_path, write_preview
from ren_features.regions import LUNGMASK
from ren_features.store.connection import connect_to_write

# A manifest could not bring such a name; another program that writes a store could.
HOSTILE = "</script><script>alert('x')</script>&\"'\u2028é"
UNPICTURED = "c010"
"""A measured scan without a picture."""


def gray_of(place: int) -> int:
    """Gray level of the picture of a scan, another one for each of 200."""
    return 40 + place * 37 % 200


def make_store(folder: Path, scans: Path, count: int) -> Path:
    """A store of `count` measured scans c000, c001, ...; every 7th is flagged; and one that failed under a hostile name."""
    with (folder / "cohort.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient_id", "scan_id", "image", "mask", "mask_scheme", "scan_date", "label_ILD", "sex"])
        writer.writerow(["P000", "c000", scans / "ct.nii.gz", scans / "lobes.nii.gz", "lungmask", "2021-01-05", 1, "F"])
        writer.writerow(["P1", "lost", "no such <i>.nii", scans / "lobes.nii.gz", "lungmask", "", 0, "<img src=x>"])
    build(folder / "cohort.csv", folder / "ren.duckdb", spec=ExtractionSpec(spacing_mm=None), jobs=0)
    with connect_to_write(folder / "ren.duckdb") as connection:
        for table in ("scans", "failures", "labels"):
            connection.execute(f"UPDATE {table} SET scan_id = ? WHERE scan_id = 'lost'", [HOSTILE])
        multiply(connection, count)
    return folder / "ren.duckdb"


def multiply(connection, count: int) -> None:
    connection.execute(
        "DELETE FROM quality; DELETE FROM histograms; CREATE TEMP TABLE places AS FROM range(1, ?) AS r(i)", [count]
    )
    scan, patient = "printf('c%03d', i)", "printf('P%03d', (i * 7) // 12)"
    connection.execute(f"INSERT OR IGNORE INTO patients SELECT DISTINCT {patient} FROM places")
    connection.execute(f"""
        INSERT INTO scans SELECT s.* REPLACE ({scan} AS scan_id, {patient} AS patient_id,
            scan_date + (i * 53 % 700)::INTEGER AS scan_date) FROM scans s, places WHERE scan_id = 'c000'
    """)
    connection.execute(f"INSERT INTO labels SELECT {scan}, 'ILD', i % 2 FROM places WHERE i % 5 > 0")
    connection.execute(f"""
        INSERT INTO inputs SELECT s.* REPLACE ({scan} AS scan_id, 'image' || i AS image_sha256, 'B70f' AS kernel)
        FROM inputs s, places WHERE scan_id = 'c000'
    """)
    connection.execute(f"""
        INSERT INTO radiomics SELECT s.* REPLACE ({scan} AS scan_id, {patient} AS patient_id),
        FROM radiomics s, places WHERE scan_id = 'c000' AND NOT (region = 'RML' AND i % 6 = 5)
    """)
    features = [name for (name,) in connection.execute("SELECT name FROM features").fetchall()]
    changed = ", ".join(
        f"{name} = {name} * (1 + 0.25 * sin(hash(scan_id || region || '{name}') % 628 / 100.0))"
        for name in [*features, "volume_ml"]
    )
    connection.execute(f"UPDATE radiomics SET {changed} WHERE scan_id <> 'c000'")
    connection.execute("""
        INSERT INTO quality SELECT scan_id, region, spec_id, 'volume_unusual', 'warning', volume_ml,
        'volume of ' || region || ' is unusual <' || round(volume_ml) || ' ml>' FROM radiomics
        WHERE substr(scan_id, 2)::INTEGER % 7 = 3 AND region IN ('LUL', 'LLL')
    """)
    connection.execute("""
        INSERT INTO quality SELECT scan_id, 'RML', spec_id, 'region_absent', 'info', 1, 'no voxel of RML' FROM inputs
        WHERE substr(scan_id, 2)::INTEGER % 6 = 5
    """)
    connection.execute("""
        INSERT INTO histograms SELECT scan_id, region, spec_id, [
            (20000 * exp(-pow((b * 20 - 240 - hash(scan_id) % 60) / 90.0, 2))
            + 800 * exp(-pow((b * 20 - 1120) / 150.0, 2)))::BIGINT
            for b in range(72)], NULL FROM radiomics
    """)


def write_pictures(store: Path, phantom) -> dict[str, Path]:
    """A flat picture of its own gray for every measured scan but `UNPICTURED`."""
    image, mask = phantom
    paths = {}
    with connect_to_write(store) as connection:
        query = "SELECT scan_id, image_sha256, mask_sha256, mask_scheme FROM inputs ORDER BY scan_id"
        rows = connection.execute(query).fetchall()
    for scan_id, *files in rows:
        if scan_id != UNPICTURED:
            paths[scan_id] = preview_path(preview_folder(store), scan_id, Fingerprint(*files), LUNGMASK.labels)
            hounsfield = round(gray_of(int(scan_id[1:])) * 1200 / 255) - 1000
            flat = replace(image, voxels=np.full(image.size, hounsfield, np.int16))
            write_preview(flat, mask, paths[scan_id], dict(LUNGMASK.labels))
    return paths
