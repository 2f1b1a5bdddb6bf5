"""Plan of a synthetic cohort: patients, their scans with the findings on each, labels and deaths.

Everything is decided here before a voxel is drawn; the drawing of one patient needs nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count, cycle

import numpy as np
from numpy.typing import NDArray

from ren_features.regions import LUNGMASK
from ren_features.synthetic.anatomy import Build
from ren_features.synthetic.body import BLOOD_HU
from ren_features.synthetic.disease import Burden
from ren_features.synthetic.faults import FAULTS
from ren_features.synthetic.parameters import HORIZONS_YEARS, CohortParameters, Normal, PopulationParameters
from ren_features.synthetic.patient import Parenchyma
from ren_features.synthetic.scanner import Scanner, make_scanners

YEAR_DAYS = 365.25

FOLLOW_UP = timedelta(days=365)
"""After the last year with scans nobody is followed for longer."""

POSITION_MM = 6.0
"""Largest distance of a patient from the middle of the scanner, along each axis."""

LOBES = tuple(LUNGMASK.labels)


@dataclass(frozen=True)
class Visit:
    """One scan of a patient.

    Parameters
    ----------
    breath : float
        Volume of the lungs as a part of that at full inspiration.
    blood_hu : float
        Density of blood, higher with a contrast medium.
    position_mm : tuple of float (z, y, x)
        How far the patient lies from the middle.
    fault : str, optional
        Of `FAULTS`: how the files of the scan are damaged.
    """

    scan_id: str
    day: date
    age: float
    scanner: Scanner
    burden: Burden
    breath: float
    blood_hu: float
    position_mm: tuple[float, float, float]
    fault: str | None = None


@dataclass(frozen=True)
class PatientPlan:
    """One patient, as decided.

    Parameters
    ----------
    number : int
        Place in the cohort; with the cohort's seed it decides everything that is random about the patient.
    ill : bool
        Whether the patient has interstitial lung disease.
    labelled : bool
        What the label says, which is wrong for a few.
    without : str or None
        A lobe that was removed.
    death : date or None
        None when the patient outlives the follow-up.
    """

    number: int
    patient_id: str
    ill: bool
    labelled: bool
    male: bool
    build: Build
    parenchyma: Parenchyma
    without: str | None
    visits: tuple[Visit, ...]
    death: date | None

    def died_within(self, day: date, years: int, end: date) -> bool | None:
        """True when the patient died within some years of a day; None when the follow-up ends earlier."""
        limit = day + timedelta(days=years * YEAR_DAYS)
        if self.death and self.death <= limit:
            return True
        return False if limit <= end else None


def patient_rng(parameters: CohortParameters, number: int, purpose: int) -> np.random.Generator:
    """Random numbers of one patient for one purpose, the same whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence(parameters.seed, spawn_key=(number, purpose)))


def plan_cohort(parameters: CohortParameters) -> list[PatientPlan]:
    """Decide who is in a cohort; shares of the population are met as exactly as whole patients allow."""
    rng = np.random.default_rng(np.random.SeedSequence(parameters.seed))
    patients, people = parameters.patients, parameters.population
    ill = _some(rng, patients, parameters.prevalence)
    labelled = ill ^ _some(rng, patients, people.label_noise)
    operated = _some(rng, patients, people.lobectomy)
    scans = 1 + rng.multinomial(parameters.scans - patients, np.full(patients, 1 / patients))
    scanners = make_scanners(parameters.scanners, rng, parameters.scanner)
    plans = [
        _Planner(parameters, number, scanners, ill=bool(ill[number])).plan(
            labelled=bool(labelled[number]), operated=bool(operated[number]), scans=int(scans[number])
        )
        for number in range(patients)
    ]
    return _with_faults(plans, rng.permutation(parameters.scans)[: parameters.faults].tolist())


def _with_faults(plans: list[PatientPlan], damaged: list[int]) -> list[PatientPlan]:
    """The plans with a fault in the scans of these numbers, counted over the cohort; every kind in turn."""
    kinds = dict(zip(damaged, cycle(FAULTS), strict=False))
    numbers = count()
    return [
        replace(plan, visits=tuple(replace(visit, fault=kinds.get(next(numbers))) for visit in plan.visits)) for plan in plans
    ]


def end_of_follow_up(people: PopulationParameters) -> date:
    """After which nothing is known of anybody."""
    return date(people.last_year, 12, 31) + FOLLOW_UP


class _Planner:
    """Decides one patient."""

    def __init__(self, parameters: CohortParameters, number: int, scanners: list[Scanner], *, ill: bool) -> None:
        self.parameters, self.number, self.ill, self.scanners = parameters, number, ill, scanners
        self.people, self.body = parameters.population, parameters.body
        self.rng = patient_rng(parameters, number, 0)

    def plan(self, *, labelled: bool, operated: bool, scans: int) -> PatientPlan:
        male = bool(self.rng.random() >= self.people.female)
        own = self.body
        build = self._build(male=male)
        parenchyma = Parenchyma(*(_normal(self.rng, spread) for spread in (own.lung_hu, own.unevenness, own.vessels)))
        without = str(self.rng.choice(LOBES)) if operated else None
        patient_id = f"P{self.number:04d}"
        visits = tuple(self._visits(patient_id, scans))
        death = self._death(visits[-1])
        return PatientPlan(self.number, patient_id, self.ill, labelled, male, build, parenchyma, without, visits, death)

    def _build(self, *, male: bool) -> Build:
        own = self.body
        scale = _normal(self.rng, own.size) * (own.male if male else 1.0)
        lengths = (own.height_mm, own.half_width_mm, own.half_depth_mm, own.dome_mm)
        height, width, depth, dome = (scale * _normal(self.rng, length) for length in lengths)
        oblique, horizontal = _normal(self.rng, own.oblique), _normal(self.rng, own.horizontal)
        heart, fat = scale * _normal(self.rng, own.heart_mm), _normal(self.rng, own.fat_mm)
        return Build(height, width, depth, dome, oblique, horizontal, heart, fat)

    def _visits(self, patient_id: str, scans: int) -> Iterator[Visit]:
        gaps = np.cumsum(np.concatenate([[0.0], self.people.gap_years * self.rng.gamma(3, 1 / 3, scans - 1)]))
        first, last = date(self.people.first_year, 1, 1), date(self.people.last_year, 12, 31)
        days = (last - first).days - scans
        gaps *= min(1.0, days / max(YEAR_DAYS * gaps[-1], 1.0))  # many scans stand closer
        after = (gaps * YEAR_DAYS).astype(int) + np.arange(scans)  # never two scans on a day
        begin = first + timedelta(days=int(self.rng.uniform(0, max(1, days + scans - after[-1]))))
        age, burdens, home = _normal(self.rng, self.people.age), self._burdens(gaps), self._scanner()
        inspiration = _normal(self.rng, self.body.inspiration)
        for number, (day, burden) in enumerate(zip(after, burdens, strict=True), start=1):
            scanner = home if number == 1 or self.rng.random() < self.people.same_scanner else self._scanner()
            breath = min(inspiration + _normal(self.rng, self.body.breath), 1.0)
            z, y, x = self.rng.uniform(-POSITION_MM, POSITION_MM, 3)
            yield Visit(
                f"{patient_id}_{number}",
                begin + timedelta(days=int(day)),
                age + float(day) / YEAR_DAYS,
                scanner,
                burden,
                breath,
                self._blood(),
                (float(z), float(y), float(x)),
            )

    def _blood(self) -> float:
        """Density of blood at one scan."""
        own = self.body
        return _normal(self.rng, own.contrast_hu) if self.rng.random() < own.contrast else float(BLOOD_HU)

    def _scanner(self) -> Scanner:
        """Scanners of the first half are those of the ill, as far as there is a bias."""
        half = (len(self.scanners) + 1) // 2
        own = self.scanners[:half] if self.ill else self.scanners[half:] or self.scanners
        choice = own if self.rng.random() < self.parameters.scanner_bias else self.scanners
        return choice[int(self.rng.integers(len(choice)))]

    def _burdens(self, years: NDArray[np.float64]) -> Iterator[Burden]:
        """The disease grows; emphysema stays; what is infected or dependent changes from scan to scan."""
        people, rng = self.people, self.rng
        extent = people.extent * float(np.exp(people.extent_spread * rng.standard_normal()))
        growth = rng.exponential(people.growth)
        fibrosis = min(max(_normal(rng, people.fibrosis), 0.0), 1.0)
        honeycombing = rng.uniform(*people.honeycombing_share) * (rng.random() < people.honeycombing)
        emphysema = rng.uniform(*people.emphysema_extent) * (rng.random() < people.emphysema)
        for year in years:
            ild = min(self.parameters.effect * extent * float(np.exp(growth * year)), people.largest_extent) if self.ill else 0.0
            yield Burden(
                ild=ild,
                fibrosis=fibrosis,
                honeycombing=float(honeycombing),
                emphysema=float(emphysema),
                atelectasis=float(rng.uniform(*people.atelectasis_strength) * (rng.random() < people.atelectasis)),
                infection_mm=float(rng.uniform(*people.infection_mm) * (rng.random() < people.infection)),
                infection_at=(float(rng.random()), float(rng.random()), float(rng.random())),
            )

    def _death(self, last: Visit) -> date | None:
        """Exponential from the last scan on: a patient who was scanned was alive."""
        people = self.people
        log_ratio = people.hazard_of_extent * last.burden.ild + people.hazard_of_age * (last.age - people.age.mean)
        years = self.rng.exponential(1 / (people.hazard * float(np.exp(log_ratio))))
        end = end_of_follow_up(people)
        death = last.day + timedelta(days=1 + years * YEAR_DAYS) if years < 100 else None
        return death if death and death <= end else None


def _some(rng: np.random.Generator, count: int, share: float) -> NDArray[np.bool_]:
    """A share of the patients, by lot."""
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[: round(share * count)]] = True
    return chosen


def _normal(rng: np.random.Generator, of: Normal) -> float:
    return of.mean + of.sd * float(np.clip(rng.standard_normal(), -2.5, 2.5))


def labels_of(plan: PatientPlan, visit: Visit, end: date) -> dict[str, str]:
    """Cells of the manifest's label columns for one scan; empty where it is not known."""
    deaths = {f"label_death_{years}": plan.died_within(visit.day, years, end) for years in HORIZONS_YEARS}
    return {name: "" if value is None else str(int(value)) for name, value in {"label_has_ILD": plan.labelled, **deaths}.items()}
