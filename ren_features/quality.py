"""What is unusual about a scan that was measured all the same."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ren_features.regions import LabelScheme, RegionSet


@dataclass(frozen=True)
class Finding:
    """One rule's result for one region of a scan."""

    region: str
    rule: str
    severity: str
    value: float
    message: str


def missing_structures(present: Container[int], regions: RegionSet, scheme: LabelScheme) -> list[Finding]:
    """Regions of which the mask lacks some or all structures, as after a lobectomy.

    Parameters
    ----------
    present : container of int
        Label numbers that the mask has, as it was given.
    """
    findings = []
    for region in regions.regions:
        missing = sorted(member for member in region.members if scheme.labels[member] not in present)
        absent = len(missing) == len(region.members)
        if absent:
            findings.append(
                Finding(
                    region.name,
                    "region_absent",
                    "info",
                    len(missing),
                    f"no voxel of {', '.join(missing)} in the mask: not measured",
                )
            )
        elif missing:
            findings.append(
                Finding(
                    region.name,
                    "region_incomplete",
                    "warning",
                    len(missing),
                    f"no voxel of {', '.join(missing)} in the mask: measured without",
                )
            )
    return findings
