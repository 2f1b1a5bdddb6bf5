"""Baselines that need no expert: logistic regression on age and sex, on volume, on mean HU, or on the best single feature."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ren_features.draft import draft_of
from ren_features.store import Matrix
from ren_models.experts.expert import Embeddings, classes_of
from ren_models.inputs.matrices import Matrices
from ren_models.splits.parts import Part

BEST_FEATURE = "best_feature"
"""Choice of features of which train chooses one; other baselines use all features they are given."""


@dataclass(frozen=True)
class BaselineSettings:
    """Settings of the logistic regression.

    Parameters
    ----------
    C : float
        Inverse of the ridge penalty on standardised features.
    """

    C: float = 1.0

    @property
    def version(self) -> str:
        """Version of the expert; raise the first number with any change that could change a prediction."""
        return f"1, scikit-learn {sklearn.__version__}"

    selects_on_val: ClassVar[bool] = False
    suffix: ClassVar[str] = ".json"

    def as_dict(self) -> dict[str, Any]:
        """All settings, as JSON holds them."""
        return asdict(self)

    def changed(self) -> dict[str, Any]:
        """Nothing: REN has no baselines."""
        return {}

    def expert(self, inputs: Matrices) -> BaselineExpert:
        """A baseline with these settings, not fitted yet."""
        return BaselineExpert(inputs.examples.feature_names, self, single=inputs.method.features == BEST_FEATURE)

    def control_expert(self, inputs: Matrices, classes: int) -> BaselineExpert:  # noqa: ARG002
        """The same expert."""
        return self.expert(inputs)


class BaselineExpert:
    """Logistic regression on few features, standardised, missing values replaced by the medians of train.

    Parameters
    ----------
    feature_names : tuple of str
    settings : BaselineSettings
    single : bool
        Whether to choose the one feature whose AUC in train is farthest from 0.5.

    Attributes
    ----------
    classes_ : ndarray of int
    chosen_ : ndarray of int
        Places of the features in use.
    model_ : sklearn Pipeline
    """

    def __init__(self, feature_names: tuple[str, ...], settings: BaselineSettings, *, single: bool = False) -> None:
        self.feature_names, self.settings, self.single = feature_names, settings, single

    @property
    def params(self) -> dict[str, Any]:
        """Settings, features in use and coefficients on standardised features."""
        fitted = {"features": [self.feature_names[place] for place in self.chosen_], "coef": self.model_[-1].coef_.tolist()}
        return self.settings.as_dict() | fitted

    @property
    def changed(self) -> dict[str, Any]:
        """Nothing: REN has no baselines."""
        return {}

    def fit(self, train: Part[Matrix], val: Part[Matrix] | None = None) -> Self:  # noqa: ARG002 - selects nothing on val
        """Learn from the rows of the part train; a LeakageError for any other."""
        self.classes_ = classes_of(train.only("train", "a baseline's fit"))
        rows = train.examples
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        separations = feature_separations(imputer.fit_transform(rows.X), rows.y) if self.single else None
        self.chosen_ = np.arange(rows.X.shape[1]) if separations is None else np.array([separations.argmax()])
        regression = LogisticRegression(C=self.settings.C, max_iter=1000)
        self.model_ = make_pipeline(imputer, StandardScaler(), regression).fit(rows.X[:, self.chosen_], rows.y)
        return self

    def predict_proba(self, examples: Matrix) -> NDArray[np.float64]:
        """Probability of each class of `classes_`, shape (scan, class)."""
        return np.asarray(self.model_.predict_proba(examples.X[:, self.chosen_]), np.float64)

    def embed(self, examples: Matrix) -> Embeddings:  # noqa: ARG002
        """None: a regression has no layers."""
        return {}

    def save(self, path: Path) -> None:
        """Write its parameters as JSON."""
        with draft_of(path) as draft:
            draft.write_text(json.dumps(self.params), encoding="utf-8")


def feature_separations(X: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:  # noqa: N803
    """Distance of each feature's AUC from 0.5, averaged over classes against the rest, shape (feature,).

    Examples
    --------
    >>> feature_separations(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), np.array([1, 1, 0])).tolist()
    [0.5, 0.0]
    """
    ranks = rankdata(X, axis=0)
    distances = []
    for label in np.unique(y):
        members = y == label
        count = int(members.sum())
        pairs = count * (len(y) - count)
        distances.append(abs((ranks[members].sum(0) - count * (count + 1) / 2) / pairs - 0.5))
    return np.asarray(np.mean(distances, axis=0))
