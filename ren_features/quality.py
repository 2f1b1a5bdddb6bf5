"""Rules of quality: what is looked at in every scan, and within which limits. The rules are data, in `quality_rules.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf, isnan

import data_catalog

WHOLE_SCAN = "*"
"""In place of a region's name, for what concerns a scan as a whole; among limits, for every region that is not named."""


@dataclass(frozen=True)
class Rule:
    """What a value means, and when it is remarked.

    Attributes
    ----------
    name : str
    severity : str
        info, warning or error; info leaves `quality_ok` true.
    unit, meaning, source : str
    limits : mapping of str to (low, high)
        By region; a region without limits is not looked at.
    """

    name: str
    severity: str
    unit: str
    meaning: str
    limits: Mapping[str, tuple[float | None, float | None]]
    source: str

    def within(self, region: str) -> tuple[float | None, float | None]:
        """Lowest and highest value that is not remarked."""
        return self.limits.get(region, self.limits.get(WHOLE_SCAN, (None, None)))

    def expected(self, region: str) -> str:
        """The limits in words."""
        low, high = self.within(region)
        limits = " to ".join(f"{limit:g}" for limit in (low, high) if limit is not None)
        side = "" if None not in (low, high) else "at least " if high is None else "at most "
        return f"{side}{limits} {self.unit}".strip()


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
    )
    for name, entry in data_catalog.read_yaml("quality_rules.yaml").items()
}


RULES_ID = sha256(data_catalog.read_text("quality_rules.yaml").encode()).hexdigest()[:16]
"""Digest of the rules: findings of other rules, or of other limits, are told apart by it."""


def findings(observations: Iterable[Observation]) -> Iterator[Finding]:
    """Findings of those values that lie outside their rule's limits; a value that does not exist is none."""
    for seen in observations:
        rule = RULES[seen.rule]
        low, high = rule.within(seen.region)
        within = (-inf if low is None else low) <= seen.value <= (inf if high is None else high)
        if not within and not isnan(seen.value):
            yield Finding(seen.region, rule.name, rule.severity, seen.value, seen.remark or _message(rule, seen))


def _message(rule: Rule, seen: Observation) -> str:
    """What was seen and what is expected; where nothing is expected, the meaning says it all."""
    value = f"{seen.value:.4g} {rule.unit}".strip()
    if rule.within(seen.region) == (None, 0):
        return f"{value} {rule.meaning}" if rule.unit else rule.meaning
    return f"{rule.meaning}: {value}, expected {rule.expected(seen.region)}"
