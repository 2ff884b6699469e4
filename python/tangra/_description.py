"""What all results have: the facts of a run, a readable text, a table for notebooks."""

from __future__ import annotations

import html
import json
from typing import Any, Optional

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tangra._arguments import AnyArray


def axes_or_current(axes: Any) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plot() needs the package matplotlib") from error
    return plt.gca()


class Description:
    """The facts of a run, as ``--json`` of the program gives them (``json``): read once, when they are first asked for."""

    def __init__(self, text: str) -> None:
        self.json = text
        self._info: Optional[dict[str, Any]] = None

    @property
    def info(self) -> dict[str, Any]:
        """Everything that is known of the run: the same fields as in the program's .json."""
        if self._info is None:
            self._info = json.loads(self.json)
        return self._info

    def _rows(self) -> list[tuple[str, str]]:
        return []

    def __repr__(self) -> str:
        rows = self._rows()
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:<{width}}  {value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"


class Table(Description):
    """A result that the program prints as a table."""

    def __init__(self, text: str, table: str) -> None:
        super().__init__(text)
        self.table = table

    def __repr__(self) -> str:
        return self.table.rstrip("\n")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.table)}</pre>"


class Array(NDArrayOperatorsMixin):
    """A result that is an array, ``values``, wherever NumPy wants one: also in K + 1, K.T @ v, K[0], numpy.trace(K)."""

    __hash__ = object.__hash__

    @property
    def values(self) -> AnyArray:
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def T(self) -> AnyArray:
        """With its axes in the other order."""
        return np.asarray(self.values).T

    def transpose(self, *axes: Any) -> AnyArray:
        """As numpy.ndarray.transpose."""
        return np.asarray(self.values).transpose(*axes)

    def reshape(self, *shape: Any) -> AnyArray:
        """As numpy.ndarray.reshape."""
        return np.asarray(self.values).reshape(*shape)

    def astype(self, dtype: Any) -> AnyArray:
        """As numpy.ndarray.astype."""
        return np.asarray(self.values).astype(dtype)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> AnyArray:
        if dtype is not None and np.dtype(dtype) != self.dtype:
            if copy is False:
                raise ValueError(f"an array of {self.dtype} becomes one of {np.dtype(dtype)} by a copy only")
            return np.asarray(self.values).astype(dtype)
        values: AnyArray = np.asarray(self.values)
        return values.copy() if copy else values

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(given, Array) for given in options.get("out", ())):
            raise TypeError("a result is not written into; take numpy.array(result)")
        plain = [np.asarray(given) if isinstance(given, Array) else given for given in inputs]
        return getattr(function, method)(*plain, **options)

    def __getitem__(self, key: Any) -> Any:
        return self.values[key]

    def __len__(self) -> int:
        return len(self.values)
