"""What can be concluded about a network: the part of Model that does not only differentiate."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np

from tangra import _arguments as arguments
from tangra import _core
from tangra._answers import InfiniteKernel, Linearisation, Plan, Prediction, Spectrum, Training
from tangra._arguments import AnyArray, DTypeLike, MemoryLike, ProgressLike, ReduceLike
from tangra._results import Verification


def _labels_or_targets(given: Any, name: str) -> tuple[Optional[AnyArray], Optional[AnyArray]]:
    """Whole-number types are labels, real ones targets."""
    values = arguments.labels(given, name)
    return (None, values) if values.dtype.kind == "f" else (values, None)


class Analysis:
    """The methods of Model about spectra, predictions, closed forms and training."""

    _core: _core.Model

    def plan(
        self, x1: Any, x2: Any = None, *, reduce: ReduceLike = None, basis: Any = None, by: str = "total",
        method: str = "auto", precision: DTypeLike = "auto", out: Union[None, str, os.PathLike[str]] = None,
        triangle: str = "auto", memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Plan:
        """What kernel() would do with these arguments: orders of contraction, operations, memory, time. Nothing is computed.

        out: the file that kernel() would write; it is not written here, and may be there already.

        >>> import numpy as np, tangra
        >>> tangra.chain("Chain(Dense(3 => 2, tanh))").plan(np.eye(3), reduce="trace").shape
        (3, 3)
        """
        path = arguments.out_path(out, may_exist=True)
        with arguments.Progress(progress) as callback:
            return Plan(
                *_core.plan(
                    self._core, arguments.samples(x1, "x1"), None if x2 is None else arguments.samples(x2, "x2"),
                    reduce=arguments.reduction(reduce), basis=None if basis is None else arguments.array(basis, "basis"), by=by,
                    method=method, precision=arguments.precision(precision), out=path,
                    triangle=arguments.triangle(triangle, path), memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )

    def verify(
        self, x: Any, *, reduce: ReduceLike = "full", precision: DTypeLike = "float64", memory: MemoryLike = None,
        threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Verification:
        """Every way to the kernel of x against every other and against finite differences: take a few samples.

        Disagreement is a result (``agree``, and the truth of the result), not an error.

        >>> import numpy as np, tangra
        >>> bool(tangra.chain("Chain(Dense(3 => 2, tanh))").verify(np.eye(3)))
        True
        """
        with arguments.Progress(progress) as callback:
            return Verification(
                *_core.verify(
                    self._core, arguments.samples(x), reduce=arguments.reduction(reduce),
                    precision=arguments.precision(precision), memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )

    def spectrum(
        self, x: Any, *, reduce: ReduceLike = None, basis: Any = None, labels: Any = None, top: int = 0, vectors: bool = False,
        density: bool = False, space: str = "samples", without_matrix: bool = False, tolerance: float = 0.0,
        precision: DTypeLike = "auto", memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Spectrum:
        """Eigenvalues of the kernel of x, and the verdict on its definiteness.

        top: how many of the largest; 0: all. without_matrix: with ``top``, the kernel is applied and never formed. space:
        "parameters": of J^T J, which has the same eigenvalues but for zeros. labels: (N,) integers: how the kernel aligns
        with them. vectors: keep the eigenvectors. density: count the eigenvalues by size. tolerance: of residuals, as a share
        of the largest eigenvalue; 0: from the arithmetic.

        >>> import numpy as np, tangra
        >>> tangra.chain("Chain(Dense(3 => 2, tanh))").spectrum(np.eye(3), reduce="trace").verdict
        'positive definite'
        """
        with arguments.Progress(progress) as callback:
            return Spectrum(
                *_core.network_spectrum(
                    self._core, arguments.samples(x), labels=None if labels is None else arguments.labels(labels, "labels"),
                    reduce=arguments.reduction(reduce), basis=None if basis is None else arguments.array(basis, "basis"),
                    space=space, top=top, vectors=vectors, density=density, without_matrix=without_matrix, tolerance=tolerance,
                    precision=arguments.precision(precision), memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )

    def predict(
        self, x: Any, y: Any, x_test: Any, y_test: Any = None, *, reduce: ReduceLike = None,
        ridge: Union[float, Sequence[float]] = 0.0, prior: str = "zero", solver: str = "auto", variance: bool = False,
        precision: DTypeLike = "auto", memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Prediction:
        """Kernel regression with the tangent kernel: K(x_test, x) (K(x, x) + ridge I)^-1 y.

        y: (N,) integers are labels, taken as unit vectors; real numbers (N,) or (N, outputs) are targets. y_test: labels,
        for the accuracy. reduce: "full" predicts the network's outputs with all pairs of outputs; "mean", "trace", "sum" or
        one output share one kernel among all. ridge: several: the one with the least leave-one-out error is taken.
        prior: "network": the kernel corrects the network's own outputs. solver: "cholesky", or "cg", conjugate gradients
        without the matrix. variance: posterior variances too.

        Raises ValueError for labels and targets that do not fit. What does not converge is a result (``converged``).

        >>> import numpy as np, tangra
        >>> model = tangra.chain("Chain(Dense(1 => 64, relu), Dense(64 => 1))").astype("float64")
        >>> x = np.linspace(-1, 1, 9)[:, None]
        >>> model.predict(x, np.abs(x), [[0.5]], ridge=1e-8).mean.round(3)
        array([[0.5]])
        """
        labels, targets = _labels_or_targets(y, "y")
        ridges = [float(one) for one in np.atleast_1d(np.asarray(ridge, dtype=np.float64))]
        with arguments.Progress(progress) as callback:
            result = Prediction(
                *_core.predict(
                    self._core, arguments.samples(x), labels=labels, targets=targets, x_test=arguments.samples(x_test, "x_test"),
                    test_labels=None if y_test is None else arguments.labels(y_test, "y_test"), reduce=arguments.reduction(reduce),
                    ridges=ridges, prior=prior, solver=solver, variance=variance, precision=arguments.precision(precision),
                    memory=arguments.memory(memory), threads=arguments.threads(threads), progress=callback,
                )
            )
        if not result.converged:
            warnings.warn(str(result.info["message"]), stacklevel=2)
        return result

    def infinite(
        self, x1: Any, x2: Any = None, *, kind: str = "ntk", compare: bool = False, widths: Sequence[int] = (), seeds: int = 3,
        memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> InfiniteKernel:
        """The closed form of the kernel of one output as the hidden widths become infinite, (N1, N2) in float64.

        kind: "ntk", or "nngp", the covariance of the outputs. compare: how far the network's own kernel is from it.
        widths: the same for networks whose hidden layers have these widths, ``seeds`` of each from the network's own seed on:
        ``convergence`` and ``slope`` of the result, which theory expects at -1/2.
        For chains of Dense layers with relu, erf or nothing, drawn from normal distributions (init="normal", "lecun", "he" or
        parameterization="ntk"). Raises NotImplementedError for other networks.

        >>> import numpy as np, tangra
        >>> wide = tangra.chain("Chain(Dense(3 => 512, relu), Dense(512 => 1))", parameterization="ntk")
        >>> wide.infinite(np.eye(3), compare=True).distance < 0.2
        True
        >>> wide.infinite(np.eye(3), widths=[64, 256], seeds=2).convergence.shape
        (4, 2)
        """
        with arguments.Progress(progress) as callback:
            return InfiniteKernel(
                *_core.infinite(
                    self._core, arguments.samples(x1, "x1"), None if x2 is None else arguments.samples(x2, "x2"), kind=kind,
                    compare=compare, widths=[int(width) for width in widths], seeds=seeds, memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )

    def linearise(
        self, x: Any, y: Any, x_test: Any = None, y_test: Any = None, *, loss: str, rate: Optional[float] = None,
        steps: int = 1000, points: int = 15, precision: DTypeLike = "float64", memory: MemoryLike = None,
        threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Linearisation:
        """Trains a copy by gradient descent with all samples, and beside it the network linearised in its parameters.

        y, y_test: (N,) integer labels; without a test set the training samples serve for it. loss: "mse" (half the squared
        distance to unit vectors, mean over samples) or "cross-entropy". rate: default a tenth of what is stable. points: at
        how many of the steps both are compared. The model itself is not changed.

        >>> import tangra
        >>> digits = tangra.data("digits", n=20)
        >>> model = tangra.chain("Chain(Dense(64 => 128, tanh), Dense(128 => 10))", parameterization="ntk")
        >>> model.linearise(digits.x, digits.labels, loss="mse", steps=10).network.shape
        (10, 20, 10)
        """
        given = arguments.samples(x)
        labels = arguments.labels(y, "y")
        with arguments.Progress(progress) as callback:
            return Linearisation(
                *_core.linearise(
                    self._core, given, labels, given if x_test is None else arguments.samples(x_test, "x_test"),
                    labels if x_test is None else arguments.labels(y_test, "y_test"), loss=loss, rate=0.0 if rate is None else float(rate),
                    steps=steps, points=points, precision=arguments.precision(precision), memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )

    def train(
        self, x: Any, y: Any, x_test: Any = None, y_test: Any = None, *, loss: str, epochs: int, rate: float,
        optimizer: str = "gd", momentum: float = 0.0, batch_size: int = 0, shuffle_seed: int = 0, evaluate_every: int = 1,
        kernel_every: int = 0, kernel_samples: int = 100, reduce: ReduceLike = "trace", precision: DTypeLike = "auto",
        memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Training:
        """Trains the model: its parameters are those at the end, unless the training diverged (``diverged``).

        y, y_test: (N,) integer labels. optimizer: "gd" (with ``momentum``) or "adam". batch_size: samples a step; 0: all.
        loss: "mse" (half the squared distance to unit vectors, mean over samples) or "cross-entropy". evaluate_every: epochs
        between scores. kernel_every: epochs between looks at the kernel of kernel_samples samples, by ``reduce``; 0: none.

        The same arguments give the same weights.

        >>> import tangra
        >>> digits = tangra.data("digits", n=50)
        >>> model = tangra.chain("Chain(Dense(64 => 32, relu), Dense(32 => 10), softmax)")
        >>> training = model.train(digits.x, digits.labels, loss="cross-entropy", epochs=100, rate=0.01, optimizer="adam")
        >>> training.accuracy
        1.0
        """
        with arguments.Progress(progress) as callback:
            result = Training(
                *_core.train(
                    self._core, arguments.samples(x), arguments.labels(y, "y"),
                    None if x_test is None else arguments.samples(x_test, "x_test"),
                    None if y_test is None else arguments.labels(y_test, "y_test"), loss=loss, optimizer=optimizer, rate=rate,
                    momentum=momentum, epochs=epochs, batch_size=batch_size, shuffle_seed=shuffle_seed,
                    evaluate_every=evaluate_every, kernel_every=kernel_every, kernel_samples=kernel_samples,
                    reduce=arguments.reduction(reduce), precision=arguments.precision(precision), memory=arguments.memory(memory),
                    threads=arguments.threads(threads), progress=callback,
                )
            )
        if optimizer == "gd" and rate > result.rate_bound:
            warnings.warn(f"the rate {rate} is above the bound of stability, {result.rate_bound:.3g}", stacklevel=2)
        if not result.diverged:
            own = {name: self._core.get(name).dtype for name in result.weights}
            self._core.set({name: value.astype(own[name], copy=False) for name, value in result.weights.items()})
        return result
