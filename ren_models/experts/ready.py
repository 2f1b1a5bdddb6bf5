"""Classifiers that radiomics studies use beside gradient-boosted trees, ready for `ren-models classifier`.

Parmar et al., Sci Rep 2015;5:13087, compare such classifiers on radiomics features.
"""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def logistic() -> Pipeline:
    """Logistic regression with an elastic net on standardised features (Zou and Hastie, J R Stat Soc B 2005;67:301).

    Examples
    --------
    >>> [name for name, _ in logistic().steps]
    ['standardscaler', 'logisticregression']
    """
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, l1_ratio=0.5, solver="saga", max_iter=10_000, tol=1e-3))


def forest() -> RandomForestClassifier:
    """Random forest of 500 trees (Breiman, Machine Learning 2001;45:5).

    Examples
    --------
    >>> forest().n_estimators
    500
    """
    return RandomForestClassifier(500, min_samples_leaf=2, n_jobs=1)


def gaussian_process() -> Pipeline:
    """Gaussian process with a squared exponential kernel on standardised features (Rasmussen and Williams 2006, chapter 3).

    Examples
    --------
    >>> [name for name, _ in gaussian_process().steps]
    ['standardscaler', 'gaussianprocessclassifier']
    """
    # Of about a hundred standardised features two scans are about fourteen apart.
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF(14.0, (1.0, 1e3))
    return make_pipeline(StandardScaler(), GaussianProcessClassifier(kernel))


READY = {factory.__name__: factory for factory in (logistic, forest, gaussian_process)}
"""Factories by name."""
