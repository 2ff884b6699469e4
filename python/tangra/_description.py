"""What all results have: the facts of a run, a readable text, a table for notebooks."""

from __future__ import annotations

import html
import json
from typing import Any, Optional


def axes_or_current(axes: Any) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plot() needs the package matplotlib") from error
    return plt.gca()


class Description:
    """The facts of a run, as ``--json`` of the program gives them: read once, when they are first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._info: Optional[dict[str, Any]] = None

    @property
    def info(self) -> dict[str, Any]:
        """Everything that is known of the run: the same fields as in the program's .json."""
        if self._info is None:
            self._info = json.loads(self._text)
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
