"""Settings of the radiomics expert, from METHOD or from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xgboost

from ren_features.errors import SpecError
from ren_features.yaml_file import mapping, read_yaml, refuse_unknown

if TYPE_CHECKING:
    from ren_models.experts.expert import Expert
    from ren_models.experts.radiomics import RadiomicsExpert
    from ren_models.inputs.matrices import Matrices

RANGES: Mapping[str, tuple[type, float, float]] = {
    "n_estimators": (int, 1, 100_000),
    "max_depth": (int, 1, 50),
    "learning_rate": (float, 1e-6, 1),
    "min_child_weight": (float, 0, 1e6),
    "reg_lambda": (float, 0, 1e6),
    "subsample": (float, 0.01, 1),
    "colsample_bytree": (float, 0.01, 1),
    "seed": (int, 0, 2**31 - 1),
    "early_stopping_rounds": (int, 1, 100_000),
    "inner_folds": (int, 2, 100),
}
"""Whole numbers or any, from where to where."""

SEARCHABLE = tuple(RANGES)[:7]

DEEPEST = 3
"""Depth up to which trees of controls are boosted here: deeper nodes have few rows, where splits tie."""


@dataclass(frozen=True)
class RadiomicsSettings:
    """Settings of gradient-boosted trees; names are XGBoost's.

    The defaults are REN's [METHOD section 5]: 50 trees of depth 3, learning rate 0.1.

    Parameters
    ----------
    n_estimators, max_depth : int
    learning_rate, min_child_weight, reg_lambda, subsample, colsample_bytree : float
    seed : int
        Of subsamples and of the inner folds.
    early_stopping_rounds : int, optional
        Number of trees after which fitting stops if the log loss does not fall in a fold of the training patients that is held
        back; then all of them are fitted with the best number of trees.
    search : mapping of str to list
        Values to try of each setting; the best mean AUC over inner folds of the training patients is taken.
    inner_folds : int
        Folds, over patients, for the search and for early stopping.

    Raises
    ------
    SpecError
        When a setting is no number in its range or cannot be searched, or when early stopping and a search are both to find the
        number of trees.

    Examples
    --------
    >>> RadiomicsSettings(max_depth=2).changed()
    {'max_depth': 2}
    """

    n_estimators: int = 50
    max_depth: int = 3
    learning_rate: float = 0.1
    min_child_weight: float = 1.0
    reg_lambda: float = 1.0
    subsample: float = 1.0
    colsample_bytree: float = 1.0
    seed: int = 0
    early_stopping_rounds: int | None = None
    search: Mapping[str, list[Any]] = field(default_factory=dict)
    inner_folds: int = 3

    def __post_init__(self) -> None:
        for name in RANGES:
            if name != "early_stopping_rounds" or self.early_stopping_rounds is not None:
                _check(name, getattr(self, name))
        if not isinstance(self.search, Mapping):
            raise SpecError(f"search: expected settings with lists of values, got {self.search!r}")
        for name, values in self.search.items():
            if name not in SEARCHABLE:
                raise SpecError(f"search: expected settings out of {', '.join(SEARCHABLE)}, got {name}")
            if not isinstance(values, list) or not values:
                raise SpecError(f"search: expected a list of values for {name}, got {values!r}")
            for value in values:
                _check(name, value)
        if self.early_stopping_rounds is not None and "n_estimators" in self.search:
            raise SpecError("search: expected no n_estimators beside early_stopping_rounds, which finds it")

    @classmethod
    def from_yaml(cls, path: Path) -> RadiomicsSettings:
        """Settings of a YAML file; those it does not name keep their defaults.

        Raises
        ------
        SpecError
            When the file names a setting that there is not.
        """
        what = f"settings {path}"
        content = mapping(read_yaml(path, "settings"), what)
        refuse_unknown(content, [setting.name for setting in fields(cls)], what)
        return cls(**content)

    @property
    def version(self) -> str:
        """Version of the expert; raise the first number with any change that could change a prediction."""
        return f"1, XGBoost {xgboost.__version__}"

    selects_on_val: ClassVar[bool] = False
    suffix: ClassVar[str] = ".json"

    def expert(self, inputs: Matrices) -> RadiomicsExpert:
        """An expert with these settings, not fitted yet."""
        from ren_models.experts.radiomics import RadiomicsExpert  # which needs these settings

        return RadiomicsExpert(inputs.method.region, inputs.examples.feature_names, self)

    def control_expert(self, inputs: Matrices, classes: int) -> Expert:
        """An expert with the same predictions for a control: a faster one, unless the settings or more classes forbid it."""
        from ren_models.experts.boosting import BoostedExpert

        chosen_inside = bool(self.search) or self.early_stopping_rounds is not None
        sampled = self.subsample < 1 or self.colsample_bytree < 1
        may_tie = self.max_depth > DEEPEST or self.reg_lambda == 0
        return self.expert(inputs) if classes > 2 or chosen_inside or sampled or may_tie else BoostedExpert(self)

    @property
    def booster(self) -> dict[str, Any]:
        """Arguments of `XGBClassifier`."""
        return {name: getattr(self, name) for name in SEARCHABLE} | {"random_state": self.seed}

    def as_dict(self) -> dict[str, Any]:
        """All settings, as JSON holds them."""
        return asdict(self)

    def changed(self) -> dict[str, Any]:
        """Settings that differ from REN's."""
        usual = REN_SETTINGS.as_dict()
        return {name: value for name, value in self.as_dict().items() if value != usual[name]}


def read_settings(path: Path | None) -> RadiomicsSettings:
    """Settings of a YAML file, or REN's."""
    return RadiomicsSettings.from_yaml(path) if path else REN_SETTINGS


def _check(name: str, value: Any) -> None:
    kind, low, high = RANGES[name]
    right = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        raise SpecError(f"{name}: expected {what} from {low:g} to {high:g}, got {value!r}")


REN_SETTINGS = RadiomicsSettings()
"""[METHOD section 5]"""
