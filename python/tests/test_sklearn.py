from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.datasets import load_digits, make_regression  # noqa: E402
from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: E402
from sklearn.gaussian_process.kernels import WhiteKernel  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.svm import SVC  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

import tangra  # noqa: E402
from tangra.sklearn import NTKClassifier, NTKKernel, NTKRegressor  # noqa: E402


@parametrize_with_checks([NTKRegressor(hidden=(32,)), NTKClassifier(hidden=(32,))])
def test_estimators(estimator, check):
    check(estimator)


def digits():
    """Mixed, as neighbours in the set were written by the same people. SVC's own kernel has 95% right on these parts."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order] / 16.0, y[order]


def test_classifier_learns_digits():
    x, y = digits()
    assert NTKClassifier().fit(x[:500], y[:500]).score(x[500:800], y[500:800]) > 0.93


def test_regression_is_the_closed_form():
    x, y = make_regression(40, 5, random_state=0)
    text = "Chain(Dense(5 => 9, tanh), Dense(9 => 1))"
    model = tangra.chain(text, seed=3).astype("float64")
    kernel = model.kernel(x[:30]).values
    expected = model.kernel(x[30:], x[:30]).values @ np.linalg.solve(kernel + 0.5 * np.eye(30), y[:30])
    found = NTKRegressor(architecture=text, ridge=0.5, seed=3).fit(x[:30], y[:30]).predict(x[30:])
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_gaussian_process_has_the_same_mean():
    x, y = make_regression(40, 5, random_state=0)
    process = GaussianProcessRegressor(NTKKernel() + WhiteKernel(0.5, "fixed"), alpha=0.0).fit(x[:30], y[:30])
    regressor = NTKRegressor(ridge=0.5).fit(x[:30], y[:30])
    mean, deviation = process.predict(x[30:], return_std=True)
    np.testing.assert_allclose(mean, regressor.predict(x[30:]), rtol=1e-6)
    assert (deviation > 0).all()


def test_support_vectors():
    x, y = digits()
    assert SVC(kernel=NTKKernel(), C=100).fit(x[:400], y[:400]).score(x[400:600], y[400:600]) > 0.92


def test_grid_search():
    x, y = digits()
    search = GridSearchCV(NTKClassifier(hidden=(64,)), {"ridge": [1e-3, 1e3]}, cv=2).fit(x[:200], y[:200])
    assert search.best_params_ == {"ridge": 1e-3}


def test_networks_of_several_outputs_are_refused():
    x, y = make_regression(10, 5, random_state=0)
    with pytest.raises(ValueError, match="one output"):
        NTKRegressor(architecture="Chain(Dense(5 => 2))").fit(x, y)
