"""The radiomics expert: gradient-boosted trees on a region's features."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from xgboost import XGBClassifier
from xgboost.core import XGBoostError

from ren_features.draft import draft_of
from ren_features.errors import SplitError, StoreError
from ren_features.store import Matrix
from ren_models.experts.expert import Embeddings, classes_of
from ren_models.experts.settings import REN_SETTINGS, RadiomicsSettings
from ren_models.splits.parts import Part


class RadiomicsExpert:
    """XGBoost on the features of one region [METHOD section 5], missing values replaced by the medians of train.

    Parameters
    ----------
    region : str, optional
        None for an expert on several regions.
    feature_names : tuple of str
    settings : RadiomicsSettings

    Attributes
    ----------
    classes_ : ndarray of int
        Classes in the order of the columns of `predict_proba`.
    medians_ : ndarray of float, shape (feature,)
    model_ : XGBClassifier
    chosen_ : RadiomicsSettings
        Settings after a search and early stopping; otherwise those given.

    References
    ----------
    Chen and Guestrin, KDD 2016 (XGBoost).
    """

    def __init__(self, region: str | None, feature_names: tuple[str, ...], settings: RadiomicsSettings = REN_SETTINGS) -> None:
        self.region, self.feature_names, self.settings = region, feature_names, settings

    @property
    def params(self) -> dict[str, Any]:
        """Settings that it was fitted with."""
        return self.chosen_.as_dict()

    @property
    def changed(self) -> dict[str, Any]:
        """Settings that it was fitted with and that differ from REN's."""
        return self.chosen_.changed()

    def fit(self, train: Part[Matrix], val: Part[Matrix] | None = None) -> Self:  # noqa: ARG002 - selects nothing on val
        """Learn from the rows of the part train.

        Raises
        ------
        LeakageError
            When the rows are of another part.
        SplitError
            When they are of one class, or too few for a search or early stopping.
        """
        rows = train.only("train", "an expert's fit")
        self.classes_ = classes_of(rows)
        rows = replace(rows, examples=rows.examples.with_labels(np.searchsorted(self.classes_, rows.y)))
        self.chosen_ = self._stop_early(rows, self._search(rows, self.settings))
        pipeline = _pipeline(self.chosen_).fit(rows.examples.X, rows.y)
        self.medians_, self.model_ = pipeline[0].statistics_, pipeline[1]
        return self

    def predict_proba(self, examples: Matrix) -> NDArray[np.float64]:
        """Probability of each class of `classes_`, shape (scan, class)."""
        return np.asarray(self.model_.predict_proba(self.impute(examples.X)), np.float64)

    def embed(self, examples: Matrix) -> Embeddings:  # noqa: ARG002
        """None: trees have no layers."""
        return {}

    def impute(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: N803 - as scikit-learn has it
        """Features as the trees see them, shape (scan, feature); one that train has no value of is 0."""
        return np.where(np.isnan(X), self.medians_, X)

    def save(self, path: Path) -> None:
        """Write one JSON file in XGBoost's format; what else the expert needs is in its attributes."""
        booster = self.model_.get_booster()
        fitted = {"medians": self.medians_.tolist(), "classes": self.classes_.tolist()}
        facts = {"region": self.region, "features": self.feature_names} | fitted
        booster.set_attr(expert=json.dumps(facts), settings=json.dumps(self.params))
        with draft_of(path) as draft:
            draft.write_bytes(booster.save_raw("json"))

    @classmethod
    def load(cls, path: Path) -> RadiomicsExpert:
        """Read what `save` wrote.

        Raises
        ------
        StoreError
            When the file is not there, or is none.
        """
        if not path.is_file():
            raise StoreError(
                f"{path}: expected the file of a model, found none; its folder moves with the store, and `ren-models radiomics` "
                "fits anew"
            )
        model = XGBClassifier()
        try:
            model.load_model(path)
        except (XGBoostError, UnicodeDecodeError) as error:  # a binary file also breaks XGBoost's own message
            raise StoreError(
                f"{path}: expected the file of a model, could not read it; remove it, and `ren-models radiomics` fits anew"
            ) from error
        facts, settings = (json.loads(model.get_booster().attr(name) or "null") for name in ("expert", "settings"))
        if not facts or not settings:
            raise StoreError(f"{path}: expected the file of an expert, got a model of XGBoost without what `save` adds")
        expert = cls(facts["region"], tuple(facts["features"]), RadiomicsSettings(**settings))
        expert.classes_, expert.model_, expert.chosen_ = np.array(facts["classes"]), model, expert.settings
        expert.medians_ = np.array(facts["medians"], np.float64)
        return expert

    def inner_folds(self, rows: Part[Matrix]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows to fit and rows held back of each inner fold; who shares an image is on one side, every class on both.

        Raises
        ------
        SplitError
            When there are too few patients of a class.
        """
        count, classes = self.settings.inner_folds, np.unique(rows.y)
        fewest = min(len(np.unique(rows.group_ids[rows.y == label])) for label in classes)
        folds = []
        if fewest >= count:
            splitter = StratifiedGroupKFold(count, shuffle=True, random_state=self.settings.seed)
            folds = list(splitter.split(rows.examples.X, rows.y, rows.group_ids))
        if not folds or any(len(np.unique(rows.y[side])) < len(classes) for fold in folds for side in fold):
            raise SplitError(
                f"round {rows.round}, region {self.region}: expected enough patients of each class in train "
                f"for {count} inner folds, got {fewest} of the rarest"
            )
        return folds

    def _search(self, rows: Part[Matrix], settings: RadiomicsSettings) -> RadiomicsSettings:
        """Settings with the best mean AUC over inner folds of the training patients."""
        if not settings.search:
            return settings
        grid = {f"xgbclassifier__{name}": values for name, values in settings.search.items()}
        scoring = "roc_auc" if len(self.classes_) == 2 else "roc_auc_ovr"
        search = GridSearchCV(
            _pipeline(settings), grid, scoring=scoring, cv=self.inner_folds(rows), refit=False, error_score="raise"
        )
        search.fit(rows.examples.X, rows.y)
        return replace(settings, **{name.removeprefix("xgbclassifier__"): value for name, value in search.best_params_.items()})

    def _stop_early(self, rows: Part[Matrix], settings: RadiomicsSettings) -> RadiomicsSettings:
        """Settings with the number of trees after which the log loss of training patients held back was lowest."""
        if settings.early_stopping_rounds is None:
            return settings
        fitted, held_back = self.inner_folds(rows)[0]
        imputer = _pipeline(settings)[0].fit(rows.examples.X[fitted])
        seen, unseen = imputer.transform(rows.examples.X[fitted]), imputer.transform(rows.examples.X[held_back])
        model = _trees(settings).set_params(early_stopping_rounds=settings.early_stopping_rounds)
        model.fit(seen, rows.y[fitted], eval_set=[(unseen, rows.y[held_back])], verbose=False)
        return replace(settings, n_estimators=model.best_iteration + 1)


def _pipeline(settings: RadiomicsSettings) -> Pipeline:
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), _trees(settings))


def _trees(settings: RadiomicsSettings) -> XGBClassifier:
    # One thread a fit: fits run side by side, and sums come in one order.
    return XGBClassifier(**settings.booster, n_jobs=1)
