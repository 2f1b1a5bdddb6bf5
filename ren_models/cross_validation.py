"""Fit an expert in each round, and see what it says of the patients that it has not seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, repeat

import numpy as np
from numpy.typing import NDArray

from ren_models.experts import Expert, RadiomicsExpert
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs import Inputs
from ren_models.metrics import Rows, by_patient, evaluate
from ren_models.parts import Part, Parts, permute_labels, read_parts
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
    expert: Expert
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]


def cross_validate(fits: Sequence[Fit], settings: RadiomicsSettings, *, jobs: int) -> Iterator[Evaluation]:
    """Make fits, `jobs` at once; their evaluations come in order."""
    # Threads suffice: XGBoost works outside the interpreter's lock, and rows need no copies.
    with ThreadPoolExecutor(jobs) as pool:
        for evaluations in pool.map(evaluate_together, _of_equal_train(fits), repeat(settings)):
            yield from evaluations


def _of_equal_train(fits: Sequence[Fit]) -> list[list[Fit]]:
    """Neighbours whose expert is the same: rounds that swap val and test. Labels are shuffled anew in each round."""

    def train(fit: Fit) -> tuple[Hashable, ...]:
        return id(fit.inputs), fit.round.train, fit.permutation, fit.round.index if fit.permutation else None

    return [list(group) for _, group in groupby(fits, train)]


def evaluate_together(fits: Sequence[Fit], settings: RadiomicsSettings) -> list[Evaluation]:
    """Fit one expert on the train that the fits share; predict val and test of each."""
    every = [_read(fit) for fit in fits]
    inputs = fits[0].inputs
    expert = RadiomicsExpert(inputs.region, inputs.matrix.feature_names, settings).fit(every[0].train)
    return [_evaluate(fit, parts, expert) for fit, parts in zip(fits, every, strict=True)]


def _read(fit: Fit) -> Parts:
    parts = read_parts(fit.inputs.matrix, fit.round)
    return permute_labels(parts, fit.permutation) if fit.permutation else parts


def _evaluate(fit: Fit, parts: Parts, expert: Expert) -> Evaluation:
    val, test = (_predict(expert, part, fit.classes) for part in (parts.val, parts.test))
    of_patients = evaluate(*(by_patient(each.rows, each.patient_ids) for each in (val, test)))
    metrics = evaluate(val.rows, test.rows) | {f"{name}_patient": value for name, value in of_patients.items()}
    return Evaluation(fit, expert, (val, test), metrics)


def _predict(expert: Expert, part: Part, classes: int) -> Prediction:
    probabilities = np.zeros((len(part.y), classes))
    probabilities[:, expert.classes_] = expert.predict_proba(part.X)
    return Prediction(part.name, part.scan_ids, part.patient_ids, Rows(part.y, probabilities))
