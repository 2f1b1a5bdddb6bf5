"""Fit an expert in each round, and see what it says of the patients that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ren_models.experts.radiomics import RadiomicsExpert
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs import Inputs
from ren_models.metrics import Rows, by_patient, evaluate
from ren_models.parts import Part, permute_labels, read_parts
from ren_models.splits import Round


@dataclass(frozen=True)
class Fit:
    """One fit that is to be made.

    Attributes
    ----------
    inputs : Inputs
    round : Round
    classes : int
        Number of classes of the task.
    permutation : int
        Seed of shuffled labels; 0 leaves them.
    """

    inputs: Inputs
    round: Round
    classes: int
    permutation: int = 0


@dataclass(frozen=True)
class Prediction:
    """What an expert says of the scans of a part."""

    part: str
    scan_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    rows: Rows


@dataclass(frozen=True)
class Evaluation:
    """An expert that was fitted, and what came of it; `metrics` of scans, and under `..._patient` of patients."""

    fit: Fit
    expert: RadiomicsExpert
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]


def cross_validate(fits: Sequence[Fit], settings: RadiomicsSettings, *, jobs: int) -> Iterator[Evaluation]:
    """Make fits, `jobs` at once; their evaluations come in order."""
    # Threads suffice: XGBoost works outside the interpreter's lock, and rows need no copies.
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(evaluate_fit, fits, repeat(settings))


def evaluate_fit(fit: Fit, settings: RadiomicsSettings) -> Evaluation:
    """Fit on train; predict val and test."""
    parts = read_parts(fit.inputs.matrix, fit.round)
    if fit.permutation:
        parts = permute_labels(parts, fit.permutation)
    expert = RadiomicsExpert(fit.inputs.region, fit.inputs.matrix.feature_names, settings).fit(parts.train)
    val, test = (_predict(expert, part, fit.classes) for part in (parts.val, parts.test))
    of_patients = evaluate(*(by_patient(each.rows, each.patient_ids) for each in (val, test)))
    metrics = evaluate(val.rows, test.rows) | {f"{name}_patient": value for name, value in of_patients.items()}
    return Evaluation(fit, expert, (val, test), metrics)


def _predict(expert: RadiomicsExpert, part: Part, classes: int) -> Prediction:
    probabilities = np.zeros((len(part.y), classes))
    probabilities[:, expert.classes_] = expert.predict_proba(part.X)
    return Prediction(part.name, part.scan_ids, part.patient_ids, Rows(part.y, probabilities))
