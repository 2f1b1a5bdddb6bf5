"""The page's plots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ren_features.report import svg
from ren_features.report.scans import GalleryScan
from ren_features.report.svg import Scale
from ren_features.voxels.histogram import FIRST_HU, LAST_HU, WIDTH_HU

WIDTH, HEIGHT = 310, 206
LEFT, TOP, BOTTOM = 32, 22, 38
MOST_BARS = 36
HALF_LETTER = 3.5


def scans_per_patient(scans: Sequence[GalleryScan]) -> Markup:
    """Numbers of patients with one scan, two scans, ..."""
    patients = Counter(Counter(scan.patient_id for scan in scans).values())
    counts = {svg.number(many): patients[many] for many in range(1, max(patients, default=0) + 1)}
    return _bars("Patients by their number of scans", counts, x_label="scans of a patient", y_label="patients", of="scans")


def scans_by_date(scans: Sequence[GalleryScan]) -> Markup:
    """Scans a month, or a year where months would be too many."""
    dates = sorted(scan.scan_date for scan in scans if scan.scan_date)
    if not dates:
        return Markup("")
    months = (dates[-1].year - dates[0].year) * 12 + dates[-1].month - dates[0].month + 1
    periods = _months(dates[0], months) if months <= MOST_BARS else _years(dates)
    found = Counter(str(day)[: len(periods[0])] for day in dates)
    counts = {period: found[period] for period in periods}
    by = "month" if months <= MOST_BARS else "year"
    return _bars(f"Scans by {by}", counts, x_label=f"{by} of the scan", y_label="scans", of="")


def _months(first: date, count: int) -> list[str]:
    start = first.year * 12 + first.month - 1
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(start, start + count)]


def _years(dates: Sequence[date]) -> list[str]:
    return [f"{year:04d}" for year in range(dates[0].year, dates[-1].year + 1)]


def _bars(label: str, counts: Mapping[str, int], *, x_label: str, y_label: str, of: str) -> Markup:
    """Vertical bars, named beneath as far as the names have room."""
    floor_y, width = HEIGHT - BOTTOM, (WIDTH - LEFT) / max(len(counts), 4)
    scale = Scale(0, max(1, *counts.values()), floor_y, TOP, least_step=1)
    marks = [svg.y_axis(scale, LEFT, WIDTH, y_label)]
    every = -(-len(counts) * max(len(name) for name in counts) * 8 // (WIDTH - LEFT))
    for place, (name, count) in enumerate(counts.items()):
        x = LEFT + place * width
        hint = f"{name} {of}: {svg.number(count)} {y_label}".replace(" :", ":")
        marks.append(svg.bar(x + width * 0.12, scale(count), min(width * 0.76, 60), floor_y - scale(count), "bar", hint))
        if place % every == 0:
            middle = x + width * 0.12 + min(width * 0.76, 60) / 2
            marks.append(svg.text(min(middle, WIDTH - HALF_LETTER * len(name)), floor_y + 14, name))
    marks += [svg.line(LEFT, floor_y, WIDTH, floor_y, "base"), svg.text((LEFT + WIDTH) / 2, HEIGHT - 6, x_label, kind="axis")]
    return svg.drawing(WIDTH, HEIGHT, label, marks)


def labels_by_task(scans: Sequence[GalleryScan]) -> Markup:
    """Positive, negative and unknown scans of every task."""
    tasks = sorted({task for scan in scans for task in scan.labels})
    if not tasks:
        return Markup("")
    height = 40 * len(tasks) + BOTTOM
    scale = Scale(0, len(scans), 4, WIDTH - 12, least_step=1)
    marks = []
    for place, task in enumerate(tasks):
        values = Counter(scan.labels.get(task) for scan in scans)
        counts = {"positive": values[1], "negative": values[0], "unknown": len(scans) - values[1] - values[0]}
        y = 14 + 40 * place
        said = " · ".join(f"{svg.number(count)} {kind}" for kind, count in counts.items() if count)
        marks += [svg.text(4, y, task, anchor="start", kind="name"), svg.text(scale.stop, y, said, anchor="end")]
        left = 0
        for kind, count in counts.items():
            hint = f"{task}: {count} {kind}"
            marks.append(svg.bar(scale(left), y + 6, scale(left + count) - scale(left), 12, kind, hint))
            left += count
    marks.append(svg.x_axis(scale, height - BOTTOM + 2, "scans"))
    return svg.drawing(WIDTH, height, "Labels of every task", marks)


def volumes_by_region(volumes: Mapping[str, NDArray[np.float64]]) -> Markup:
    """Every scan's volume of each region as a dot, and the quartiles as a box."""
    most = max((values.max() for values in volumes.values() if values.size), default=0)
    if not most:
        return Markup("")
    height = 24 * len(volumes) + BOTTOM + 4
    scale = Scale(0, float(most) / 1000, 14 + 7 * max(map(len, volumes)), WIDTH - 8)
    marks = []
    for place, (region, values) in enumerate(volumes.items()):
        marks += _box(region, values / 1000, scale, 14 + 24 * place)
    marks.append(svg.x_axis(scale, height - BOTTOM + 2, "volume (l)"))
    return svg.drawing(WIDTH, height, "Volumes by region, in litres", marks)


def _box(region: str, litres: NDArray[np.float64], scale: Scale, y: float) -> list[Markup]:
    """One region's dots, spread a little in a fixed pattern, and their quartiles."""
    name = svg.text(0, y + 4, region, anchor="start", kind="name")
    if not litres.size:
        return [name]
    spread = np.arange(litres.size) * 0.618034 % 1 * 14 - 7
    low, middle, high = (float(value) for value in np.percentile(litres, (25, 50, 75)))
    hint = f"{region}: median {middle:.2f} l, quartiles {low:.2f} and {high:.2f} l, {svg.number(litres.size)} scans"
    return [
        name,
        svg.dots(((scale(value), round(y + up, 1)) for value, up in zip(litres, spread, strict=True)), "dots"),
        svg.bar(scale(low), y - 7, scale(high) - scale(low), 14, "box", hint),
        svg.line(scale(middle), y - 7, scale(middle), y + 7, "median"),
    ]


def histogram(region: str, shares: NDArray[np.float64], most: float) -> Markup:
    """Median and interquartile band over scans of one region's CT numbers.

    Parameters
    ----------
    shares : ndarray, shape (scan, bin)
        Percent of the region's voxels.
    most : float
        Upper end of the scale, the same for every region.
    """
    width, height, left = 180, 132, 24
    x = Scale(FIRST_HU, LAST_HU, left, width - 6)
    y = Scale(0, most, height - BOTTOM, TOP)
    centres = np.arange(FIRST_HU, LAST_HU, WIDTH_HU) + WIDTH_HU / 2
    low, middle, high = ([(x(hu), y(share)) for hu, share in zip(centres, line, strict=True)] for line in quartiles(shares))
    label = f"CT numbers of {region}: median and quartiles over {len(shares)} scans, percent of voxels in bins of {WIDTH_HU} HU"
    return svg.drawing(
        width,
        height,
        label,
        [
            svg.y_axis(y, left, width - 6, f"{region} (% of voxels)", 3),
            svg.curve([*low, *reversed(high)], "band"),
            svg.curve(middle, "median"),
            svg.x_axis(x, height - BOTTOM, "CT number (HU)", 4),
        ],
    )


def quartiles(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower quartile, median and upper quartile over scans, shape (3, bin)."""
    return np.asarray(np.percentile(shares, (25, 50, 75), axis=0))
