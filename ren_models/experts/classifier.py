"""Any classifier of scikit-learn as an expert."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import sklearn
import skops.io
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from ren_features.draft import draft_of
from ren_features.errors import SpecError, StoreError
from ren_features.store import Matrix
from ren_models.experts.expert import Embeddings, classes_of
from ren_models.experts.ready import READY
from ren_models.inputs.matrices import Matrices
from ren_models.splits.parts import Part

Factory = Callable[[], Any]

SEED = 0
"""Random state of estimators that have none."""


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of the experts that one factory makes.

    Parameters
    ----------
    estimator : str
        `logistic`, `forest`, `gaussian_process`, or `module:factory`, a function without arguments that returns an estimator.

    Raises
    ------
    SpecError
        When there is no such factory, or it returns no classifier with probabilities.

    Examples
    --------
    >>> ClassifierSettings("logistic").as_dict()["parameters"]["logisticregression__C"]
    0.1
    """

    estimator: str
    factory: Factory = field(init=False, repr=False, compare=False)

    selects_on_val: ClassVar[bool] = False
    suffix: ClassVar[str] = ".skops"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factory", _factory(self.estimator))
        try:
            made = self.factory()
        except Exception as error:
            raise SpecError(f"estimator {self.estimator}: expected an estimator, its factory failed: {error!r}") from error
        if not isinstance(made, BaseEstimator) or not is_classifier(made) or not hasattr(made, "predict_proba"):
            raise SpecError(
                f"estimator {self.estimator}: expected a factory of a classifier with predict_proba, got {type(made).__name__}"
            )

    @property
    def name(self) -> str:
        """Name of the factory, by which results are known."""
        return self.estimator.rpartition(":")[2]

    @property
    def version(self) -> str:
        """Version of the expert; raise the first number with any change that could change a prediction."""
        return f"1, scikit-learn {sklearn.__version__}"

    def as_dict(self) -> dict[str, Any]:
        """The estimator and all its parameters, as text."""
        parameters = {name: _plain(value) for name, value in self.make().get_params().items()}
        return {"estimator": self.estimator, "parameters": dict(sorted(parameters.items()))}

    def changed(self) -> dict[str, Any]:
        """Nothing: REN has no such classifiers."""
        return {}

    def make(self) -> Any:
        """An estimator with fixed random states."""
        made = self.factory()
        seeds = {name: SEED for name, value in made.get_params().items() if name.endswith("random_state") and value is None}
        return made.set_params(**seeds)

    def expert(self, inputs: Matrices) -> ClassifierExpert:
        """An expert with these settings, not fitted yet."""
        return ClassifierExpert(inputs.method.region, inputs.examples.feature_names, self)

    def control_expert(self, inputs: Matrices, classes: int) -> ClassifierExpert:  # noqa: ARG002
        """The same expert."""
        return self.expert(inputs)


class ClassifierExpert:
    """A classifier on the features of a region.

    An estimator that takes no missing values has them replaced by the medians of train.

    Parameters
    ----------
    region : str, optional
        None for features of several regions.
    feature_names : tuple of str
    settings : ClassifierSettings

    Attributes
    ----------
    classes_ : ndarray of int
    model_ : scikit-learn estimator
    """

    def __init__(self, region: str | None, feature_names: tuple[str, ...], settings: ClassifierSettings) -> None:
        self.region, self.feature_names, self.settings = region, feature_names, settings

    @property
    def params(self) -> dict[str, Any]:
        """Settings that it was fitted with."""
        return self.settings.as_dict()

    @property
    def changed(self) -> dict[str, Any]:
        """Nothing: REN has no such classifiers."""
        return self.settings.changed()

    def fit(self, train: Part[Matrix], val: Part[Matrix] | None = None) -> Self:  # noqa: ARG002 - selects nothing on val
        """Learn from the rows of the part train.

        Raises
        ------
        LeakageError
            When the rows are of another part.
        SplitError
            When they are of one class.
        """
        rows = train.only("train", "an expert's fit")
        self.classes_ = classes_of(rows)
        estimator = self.settings.make()
        if not get_tags(estimator).input_tags.allow_nan:
            estimator = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), estimator)
        self.model_ = estimator.fit(rows.examples.X, rows.y)
        return self

    def predict_proba(self, examples: Matrix) -> NDArray[np.float64]:
        """Probability of each class of `classes_`, shape (scan, class)."""
        return np.asarray(self.model_.predict_proba(examples.X), np.float64)

    def embed(self, examples: Matrix) -> Embeddings:  # noqa: ARG002
        """None: a classifier has no layers."""
        return {}

    def save(self, path: Path) -> None:
        """Write one file in the format of skops, which holds no code."""
        content = {name: getattr(self, name) for name in ("region", "feature_names", "model_", "classes_")}
        with draft_of(path) as draft:
            draft.write_bytes(skops.io.dumps(content | {"estimator": self.settings.estimator}))

    @classmethod
    def load(cls, path: Path) -> ClassifierExpert:
        """Read what `save` wrote.

        Raises
        ------
        StoreError
            When the file is not there, or has types of other packages than scikit-learn, NumPy, SciPy and XGBoost.
        """
        try:
            types = skops.io.get_untrusted_types(file=path)
            content = skops.io.load(path, trusted=types if not _foreign(types) else [])
        except Exception as error:
            raise StoreError(f"{path}: expected the file of a classifier, could not read it: {error}") from error
        expert = cls(content["region"], tuple(content["feature_names"]), ClassifierSettings(content["estimator"]))
        expert.model_, expert.classes_ = content["model_"], content["classes_"]
        return expert


def _foreign(types: list[str]) -> list[str]:
    return [name for name in types if not re.match(r"(sklearn|numpy|scipy|xgboost)\.", name)]


def _factory(name: str) -> Factory:
    if name in READY:
        return READY[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise SpecError(f"estimator: expected {', '.join(READY)} or module:factory, got {name}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a module in the folder where the command was called
    try:
        factory: Factory = getattr(import_module(module), function)
    except Exception as error:
        raise SpecError(f"estimator {name}: expected a module with that function, got {error}") from error
    return factory


def _plain(value: Any) -> Any:
    """A parameter as JSON holds it; an address in a text would differ from run to run."""
    return value if isinstance(value, str | int | float | bool | None) else re.sub(r" at 0x[0-9a-f]+", "", repr(value))
