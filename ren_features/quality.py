"""Rules of quality: what is looked at in every scan, and within which limits. The rules are data, in `quality_rules.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, isnan

import data_catalog
from ren_features.digest import short_digest

WHOLE_SCAN = "*"
"""In place of a region's name, for what concerns a scan as a whole; among limits, for every region that is not named."""


Limits = tuple[float | None, float | None]
"""Lowest and highest value; None for no limit."""


@dataclass(frozen=True)
class Rule:
    """Meaning of a value, and its limits.

    Attributes
    ----------
    name : str
    severity : str
        info, warning or error; info leaves `quality_ok` true.
    unit, meaning, source : str
    limits : mapping of str to (low, high)
        By region; a region without limits is not looked at.
    error_limits : mapping of str to (low, high)
        By region, where a value outside wider limits is an error.
    """

    name: str
    severity: str
    unit: str
    meaning: str
    limits: Mapping[str, Limits]
    source: str
    error_limits: Mapping[str, Limits]

    def within(self, region: str) -> Limits:
        """Lowest and highest value that is not remarked."""
        return _of_region(self.limits, region)

    def severity_of(self, region: str, value: float) -> str | None:
        """Severity of a value; None within the limits, and for a value that does not exist."""
        if _inside(value, self.within(region)):
            return None
        return self.severity if _inside(value, _of_region(self.error_limits, region)) else "error"

    def expected(self, region: str) -> str:
        """The limits in words."""
        return self.in_words(self.within(region))

    def in_words(self, limits: Limits) -> str:
        """Any limits in words, with the unit."""
        low, high = limits
        numbers = " to ".join(f"{limit:g}" for limit in limits if limit is not None)
        side = "" if None not in (low, high) else "at least " if high is None else "at most "
        return f"{side}{numbers} {self.unit}".strip()


@dataclass(frozen=True)
class Finding:
    """One rule's result for one region of a scan."""

    region: str
    rule: str
    severity: str
    value: float
    message: str


@dataclass(frozen=True)
class Observation:
    """A value that a rule is to judge, with what to say beside it."""

    rule: str
    region: str
    value: float
    remark: str = ""


RULES: Mapping[str, Rule] = {
    name: Rule(
        name,
        entry["severity"],
        entry["unit"],
        " ".join(entry["meaning"].split()),
        {region: (limits[0], limits[1]) for region, limits in entry["limits"].items()},
        " ".join(entry["source"].split()),
        {region: (limits[0], limits[1]) for region, limits in entry.get("error_limits", {}).items()},
    )
    for name, entry in data_catalog.read_yaml("quality_rules.yaml").items()
}


RULES_ID = short_digest(data_catalog.read_text("quality_rules.yaml"))
"""Digest of the rules: findings of other rules, or of other limits, are told apart by it."""


def findings(observations: Iterable[Observation]) -> Iterator[Finding]:
    """Findings of those values that lie outside their rule's limits; a value that does not exist is none."""
    for seen in observations:
        rule = RULES[seen.rule]
        if severity := rule.severity_of(seen.region, seen.value):
            yield Finding(seen.region, rule.name, severity, seen.value, seen.remark or _message(rule, seen))


def _of_region(limits: Mapping[str, Limits], region: str) -> Limits:
    return limits.get(region, limits.get(WHOLE_SCAN, (None, None)))


def _inside(value: float, limits: Limits) -> bool:
    low, high = limits
    return isnan(value) or (-inf if low is None else low) <= value <= (inf if high is None else high)


def _message(rule: Rule, seen: Observation) -> str:
    """The value and its limits in words; without limits, the meaning."""
    value = f"{seen.value:.4g} {rule.unit}".strip()
    if rule.within(seen.region) == (None, 0):
        return f"{value} {rule.meaning}" if rule.unit else rule.meaning
    return f"{rule.meaning}: {value}, expected {rule.expected(seen.region)}"
