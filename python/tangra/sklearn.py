"""Kernel regression with a network's tangent kernel, as scikit-learn estimators, and the kernel itself.

>>> from sklearn.datasets import load_diabetes
>>> from tangra.sklearn import NTKRegressor
>>> x, y = load_diabetes(return_X_y=True)
>>> x = x / x.std(axis=0)
>>> round(NTKRegressor(ridge=1.0).fit(x[:300], y[:300] - y.mean()).score(x[300:], y[300:] - y.mean()), 1)
0.5
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

try:
    import scipy.linalg
    from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
    from sklearn.gaussian_process.kernels import Kernel
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(f"tangra.sklearn needs the package scikit-learn, 1.6 or newer: {error}") from error

from tangra._arguments import AnyArray
from tangra._model import Model, chain


def _built(architecture: Optional[str], hidden: Sequence[int], activation: str, features: int, seed: int) -> Model:
    """The network for this many features, with one output, in float64. The same for the same arguments."""
    if architecture is None:
        widths = [features, *hidden]
        layers = [f"Dense({a} => {b}, {activation})" for a, b in zip(widths, widths[1:])]
        text = f"Chain({', '.join([*layers, f'Dense({widths[-1]} => 1)'])})"
        return chain(text, seed=seed, parameterization="ntk").astype("float64")
    model = chain(architecture, seed=seed).astype("float64")
    if int(np.prod(model.output_shape)) != 1:
        raise ValueError(f"architecture: expected a network with one output; got outputs of shape {model.output_shape}")
    return model


class _NTKEstimator(BaseEstimator):  # type: ignore[misc]
    """Kernel ridge regression: a = (K + ridge I)^-1 Y at fit, K(x, X) a at predict."""

    def __init__(
        self, *, architecture: Optional[str] = None, hidden: Sequence[int] = (256,), activation: str = "relu",
        ridge: float = 1e-3, seed: int = 0,
    ) -> None:
        self.architecture = architecture
        self.hidden = hidden
        self.activation = activation
        self.ridge = ridge
        self.seed = seed

    def _model(self) -> Model:
        return _built(self.architecture, self.hidden, self.activation, self.n_features_in_, self.seed)

    def _solve(self, x: AnyArray, targets: AnyArray) -> None:
        if not self.ridge >= 0:
            raise ValueError(f"ridge: expected 0 or more; got {self.ridge}")
        kernel = self._model().kernel(x).values
        kernel[np.diag_indices_from(kernel)] += self.ridge
        self.X_fit_ = x
        self.dual_coef_ = scipy.linalg.solve(kernel, targets, assume_a="pos")

    def _values(self, x: Any) -> AnyArray:
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=np.float64)
        values: AnyArray = self._model().kernel(x, self.X_fit_).values @ self.dual_coef_
        return values


class NTKRegressor(MultiOutputMixin, RegressorMixin, _NTKEstimator):  # type: ignore[misc]
    """Kernel ridge regression with the tangent kernel of a network at its initial weights.

    architecture: a chain text with one output and as many inputs as there are features. None: made at fit, dense layers of
    the widths ``hidden`` with the function ``activation`` in the NTK parameterisation. ridge: what is added to the kernel's
    diagonal; the kernel itself is not divided by anything. seed: of the weights.

    Targets are taken as they are: centre them where their mean is far from 0.
    """

    def fit(self, X: Any, y: Any) -> NTKRegressor:
        x, targets = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._solve(x, np.asarray(targets, dtype=np.float64))
        return self

    def predict(self, X: Any) -> AnyArray:
        return self._values(X)


class NTKClassifier(ClassifierMixin, _NTKEstimator):  # type: ignore[misc]
    """Kernel ridge regression on 1 for a sample's class and -1 for the others; the largest value decides.

    The arguments are those of NTKRegressor.
    """

    def fit(self, X: Any, y: Any) -> NTKClassifier:
        x, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, places = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs two classes or more; got one class, {self.classes_[0]!r}")
        targets = np.where(places[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        self._solve(x, targets[:, 1] if len(self.classes_) == 2 else targets)
        return self

    def decision_function(self, X: Any) -> AnyArray:
        """(N,), positive for the second of two classes; (N, classes) where there are more."""
        return self._values(X)

    def predict(self, X: Any) -> AnyArray:
        values = self.decision_function(X)
        places = (values > 0).astype(int) if values.ndim == 1 else np.argmax(values, axis=1)
        result: AnyArray = self.classes_[places]
        return result


class NTKKernel(Kernel):  # type: ignore[misc]
    """The tangent kernel as a function of two sets of samples: for SVC(kernel=NTKKernel()), and for
    GaussianProcessRegressor, alone or in sums and products with scikit-learn's own kernels.

    It has no hyperparameters to optimise. The arguments are those of NTKRegressor.
    """

    def __init__(
        self, architecture: Optional[str] = None, hidden: Sequence[int] = (256,), activation: str = "relu", seed: int = 0
    ) -> None:
        self.architecture = architecture
        self.hidden = hidden
        self.activation = activation
        self.seed = seed

    def _model(self, features: int) -> Model:
        return _built(self.architecture, self.hidden, self.activation, features, self.seed)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        x = np.atleast_2d(np.asarray(X, dtype=np.float64))
        second = None if Y is None else np.atleast_2d(np.asarray(Y, dtype=np.float64))
        values = self._model(x.shape[1]).kernel(x, second).values
        return (values, np.empty((len(x), len(x), 0))) if eval_gradient else values

    def diag(self, X: Any) -> AnyArray:
        """K(x, x) of each sample, at the cost of as many derivatives."""
        x = np.atleast_2d(np.asarray(X, dtype=np.float64))
        return self._model(x.shape[1]).kernel(x, pairs="self").values

    def is_stationary(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"NTKKernel({self.architecture or f'hidden={tuple(self.hidden)}, {self.activation}'})"
