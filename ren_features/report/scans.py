"""One scan as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ren_features.quality import WHOLE_SCAN
from ren_features.report.svg import number

Row = dict[str, Any]

SEVERITIES = ("error", "warning", "info")
TAG_NAMES = {
    "kernel": "Kernel",
    "slice_thickness_mm": "Slice thickness (mm)",
    "kvp": "Tube voltage (kV)",
    "vendor": "Vendor",
    "model": "Model",
}


@dataclass(frozen=True)
class GalleryScan:
    """One row of the gallery.

    Attributes
    ----------
    measured : dict or None
        The scan's row of `inputs`; None when nothing of it is stored.
    failure : dict or None
        Its row of `failures`; beside `measured` when only some regions were refused.
    findings : list of dict
        Its rows of `quality`.
    regions : dict of str to dict
        voxels and volume_ml of every measured region.
    """

    scan_id: str
    patient_id: str
    scan_date: date | None
    image: str
    mask: str | None
    attributes: dict[str, Any]
    labels: dict[str, int]
    measured: Row | None
    failure: Row | None
    findings: list[Row]
    regions: dict[str, Row]

    @property
    def state(self) -> str:
        """One of measured, partly measured, failed and not built."""
        if self.failure:
            return "partly measured" if self.measured else "failed"
        return "measured" if self.measured else "not built"

    @property
    def flagged(self) -> bool:
        """True after a warning or an error; an info flags no scan."""
        return any(finding["severity"] != "info" for finding in self.findings)

    @property
    def by_rule(self) -> dict[tuple[str, str], list[Row]]:
        """Findings of every (severity, rule), the severest first."""
        rules: dict[tuple[str, str], list[Row]] = {}
        for finding in sorted(self.findings, key=lambda row: (severity_rank(row["severity"]), row["rule"])):
            rules.setdefault((finding["severity"], finding["rule"]), []).append(finding)
        return rules

    @property
    def weight(self) -> int:
        """Sorts scans by what is wrong: a failure before errors, errors before warnings, warnings before notes."""
        severities = [finding["severity"] for finding in self.findings]
        counts = (int(self.failure is not None), *(min(severities.count(severity), 999) for severity in SEVERITIES))
        return sum(count * 1000**place for place, count in enumerate(reversed(counts)))

    @property
    def details(self) -> list[tuple[str, str]]:
        """Names and values for the opened scan; what is unknown is left out."""
        known: dict[str, Any] = {"State": self.state, "Patient": self.patient_id, "Date": self.scan_date}
        known |= {f"Label {task}": value for task, value in self.labels.items()}
        known |= self._grids() | {"Image": self.image, "Mask": self.mask}
        # What the manifest says besides stands last, and never in place of what was measured.
        known |= {name: value for name, value in self.attributes.items() if name not in {*known, *TAG_NAMES}}
        return [(name, str(value)) for name, value in known.items() if value not in (None, "")]

    def _grids(self) -> dict[str, Any]:
        if self.measured is None:
            return {}
        grids = {
            f"{kind.capitalize()} grid (z, y, x)": f"{_product(self.measured[f'{kind}_size'])} at "
            f"{_product(self.measured[f'{kind}_spacing_mm'])} mm"
            for kind in ("original", "analysed")
        }
        tags = {name: self.measured[tag] for tag, name in TAG_NAMES.items()}
        return {**grids, "Mask from": self.measured["mask_source"], **tags}


def severity_rank(severity: str) -> int:
    """Place among the severities; one that this page does not know comes first."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def region_name(region: str) -> str:
    """A finding's region in words."""
    return "whole scan" if region == WHOLE_SCAN else region


def _product(lengths: list[float]) -> str:
    return " × ".join(number(length) for length in lengths)
