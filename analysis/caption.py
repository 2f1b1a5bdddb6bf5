"""The end of a caption: whom a figure shows, with which labels and settings, and when its numbers were computed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from analysis.stored_results import Setting
from ren_models.outcomes.summary import span

SOUND_ONLY = " Regions with a quality warning or error are excluded."


def provenance(setting: Setting, *experiments: str, region: str | None = None) -> str:
    """Cohort, task, split, spec, day and settings of results.

    Parameters
    ----------
    setting : Setting
    *experiments : str
        Whose results the figure shows.
    region : str, optional
        The one that it shows; by default several.
    """
    tested = setting.store.sql(
        """SELECT DISTINCT p.patient_id, p.scan_id, p.label FROM predictions p JOIN models m USING (model_id)
        WHERE m.task = ? AND m.split_id = ? AND list_contains(?, m.experiment) AND part = 'test' AND permutation = 0
        AND (? IS NULL OR p.region = ?)""",
        [*setting.key, list(experiments), region, region],
    )
    where = "" if region else ", each in the regions that it has"
    of = f"{patients_and_scans(setting, tested)} tested, out of {len(setting.split.patients)} patients{where}"
    spec, day = setting.store.sql(
        """SELECT string_agg(DISTINCT r.spec_id, ', '), max(u.finished_at)::DATE::VARCHAR
        FROM results r JOIN runs u USING (run_id) WHERE task = ? AND split_id = ? AND list_contains(?, experiment)""",
        [*setting.key, list(experiments)],
    ).row(0)
    return f"{_cohort(setting, of)} Spec: {spec}. Computed {day} (UTC).{_settings(setting, experiments)}"


def provenance_of_features(setting: Setting, rows: pl.DataFrame, *, sound_only: bool) -> str:
    """The same of a figure that shows features: of rows `patient_id`, `scan_id`, `label`."""
    day = setting.store.sql(
        """SELECT max(finished_at)::DATE::VARCHAR FROM runs WHERE run_id IN (SELECT run_id FROM radiomics
        WHERE spec_id IN (FROM latest_spec))"""
    ).item()
    cohort = _cohort(setting, patients_and_scans(setting, rows))
    return f"{cohort} Spec: {setting.store.latest_spec}. Features of {day} (UTC).{SOUND_ONLY if sound_only else ''}"


def patients_and_scans(setting: Setting, rows: pl.DataFrame) -> str:
    """Numbers of patients, by class, and of scans; a patient's class is the largest of the scans'."""
    classes = rows.group_by("patient_id").agg(pl.max("label"))["label"].to_list()
    counts = {label: classes.count(label) for label in sorted(set(classes))}
    if max(counts, default=0) > 1:
        by_class = ", ".join(f"{count} of class {label}" for label, count in counts.items())
    else:
        by_class = f"{counts.get(1, 0)} with {setting.task}"
    return f"{len(classes)} patients ({by_class}) and {rows['scan_id'].n_unique()} scans"


def _cohort(setting: Setting, whom: str) -> str:
    split = setting.split
    tested = span(len(number.test) for number in split.rounds)
    rounds = f"{len(split.rounds)} rounds of {split.folds} folds that test {tested} patients each"
    return (
        f"Cohort: {setting.store.path.name}, {whom}. Task: {split.task}. "
        f"Split: {split.split_id}, protocol {split.protocol}, {rounds}, seed {split.seed}."
    )


def _settings(setting: Setting, experiments: tuple[str, ...]) -> str:
    """Settings that differ from REN's, and whether doubtful regions were excluded."""
    models = setting.store.sql(
        """SELECT DISTINCT params, changed FROM models
        WHERE task = ? AND split_id = ? AND list_contains(?, experiment) ORDER BY ALL""",
        [*setting.key, list(experiments)],
    )
    fitted, changed = ([json.loads(text) for text in models[column]] for column in ("params", "changed"))
    names = dict.fromkeys(name for settings in changed for name in settings)
    values = "; ".join(f"{name} {_values(settings[name] for settings in fitted if name in settings)}" for name in names)
    sound = SOUND_ONLY if any(settings.get("sound_only") for settings in fitted) else ""
    return sound + (f" Settings that differ from REN's: {values}." if values else "")


def _values(settings: Iterable[Any]) -> str:
    """Values of a setting: one, a range of numbers, or what a search tried."""
    different = list({json.dumps(value): value for value in settings}.values())
    if all(isinstance(value, int | float) for value in different) and len(different) > 1:
        return f"{min(different):g} to {max(different):g}"
    return ", ".join(_value(value) for value in different)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " and ".join(f"of {name} {', '.join(map(str, tried))}" for name, tried in value.items())
    return str(value)
