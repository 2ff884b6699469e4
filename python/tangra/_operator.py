"""Kernels that are applied to vectors without being formed."""

from __future__ import annotations

import functools
from typing import Any, Callable

import numpy as np

from tangra import _core
from tangra._arguments import AnyArray, array

try:
    from scipy.sparse.linalg import LinearOperator as _Base
except ImportError:

    class _Base:  # type: ignore[no-redef]
        """The methods that do without SciPy's algebra."""

        _matvec: Callable[[Any], AnyArray]
        _matmat: Callable[[Any], AnyArray]

        def __init__(self, dtype: Any, shape: tuple[int, int]) -> None:
            self.dtype = dtype
            self.shape = shape

        def matvec(self, x: Any) -> AnyArray:
            return self._matvec(x)

        def matmat(self, x: Any) -> AnyArray:
            return self._matmat(x)

        def __matmul__(self, x: Any) -> AnyArray:
            return self._matvec(x) if np.ndim(x) == 1 else self._matmat(x)


def _swapped(make: Callable[[bool], _core.KernelOperator], swapped: bool) -> _core.KernelOperator:
    return make(not swapped)


class KernelOperator(_Base):  # type: ignore[misc]
    """K v = J (J'^T v) at the cost of some N P operations and without K: a scipy.sparse.linalg.LinearOperator.

    Vectors are float64; ``precision`` is what the products are computed in.
    """

    def __init__(self, make: Callable[[bool], _core.KernelOperator], symmetric: bool) -> None:
        self._make = make
        self._symmetric = symmetric
        self._core = make(False)
        self._transposed: Any = None
        super().__init__(np.dtype(np.float64), self._core.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made anew, from the network and the samples."""
        return KernelOperator, (self._make, self._symmetric)

    @property
    def precision(self) -> str:
        return self._core.precision

    def _matvec(self, x: Any) -> AnyArray:
        return self._core.apply(array(np.ravel(x), "x"))

    def _matmat(self, x: Any) -> AnyArray:
        return self._core.apply(array(x, "x"))

    def _adjoint(self) -> KernelOperator:
        if self._symmetric:
            return self
        if self._transposed is None:
            self._transposed = KernelOperator(functools.partial(_swapped, self._make), False)
        result: KernelOperator = self._transposed
        return result

    _transpose = _adjoint
