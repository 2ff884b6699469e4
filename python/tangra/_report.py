"""One page from many results."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from tangra import _arguments as arguments
from tangra import _core
from tangra._arguments import MemoryLike, ProgressLike
from tangra._description import Description, Table
from tangra._results import Kernel

Reported = Union[str, "os.PathLike[str]", Description]


class Report(Table):
    """A page that needs no network and no other file. ``html`` is its text, ``path`` where it was written."""

    def __init__(self, page: str, text: str, table: str) -> None:
        super().__init__(text, table)
        self.html = page

    @property
    def path(self) -> Optional[Path]:
        """None where no file was asked for."""
        return None if self.info["out"] is None else Path(self.info["out"])

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Of each result on the page its name, command, a line about it, and notes on what could not be shown."""
        return list(self.info["runs"])


def report(
    results: Union[Reported, Sequence[Reported]], *, out: Union[None, str, os.PathLike[str]] = None, overwrite: bool = False,
    labels: Any = None, data_dir: Union[str, os.PathLike[str]] = "", memory: MemoryLike = None, threads: Optional[int] = None,
    progress: ProgressLike = None,
) -> Report:
    """A page about results: kernels as heat maps, eigenvalues, shares of layers, training curves, conventions and machine.

    results: one or several of what methods of Model gave back, files (.json, .npy, .npz, .zarr) that tangra wrote, or folders
    of them. Kernels in memory are written to a temporary folder for it. Of kernels with up to 2,000 rows the eigenvalues are
    computed where no spectrum is among the results. out: a .html. labels: (N,) integers, by which the samples of kernels are
    sorted, or a file of them. data_dir: where data sets that files name are looked for.

    Raises ValueError for files that are no results, FileNotFoundError and FileExistsError for files.

    >>> import numpy as np, tangra
    >>> model = tangra.chain("Chain(Dense(3 => 2, tanh))")
    >>> kernel = model.kernel(np.eye(3), reduce="trace")
    >>> tangra.report([kernel, kernel.spectrum()], labels=[0, 1, 0]).html.startswith("<!doctype html>")
    True
    """
    several = [results] if isinstance(results, (str, os.PathLike, Description)) else list(results)
    path = arguments.out_path(out, overwrite)
    with tempfile.TemporaryDirectory(prefix="tangra-") as folder, arguments.Progress(progress) as callback:
        sources = [_source(one, Path(folder), place) for place, one in enumerate(several, start=1)]
        made = _core.report(
            sources, out=path, overwrite=overwrite, labels_file=_labels_file(labels, Path(folder)), data_dir=os.fspath(data_dir),
            memory=arguments.memory(memory), threads=arguments.threads(threads), progress=callback,
        )
    return Report(*made)


def _source(result: Reported, folder: Path, place: int) -> str:
    """The file of a result: its own, or one that is written now."""
    if not isinstance(result, Description):
        return arguments.existing(result)
    if isinstance(result, Kernel) and result.info["out"]:
        return str(result.info["out"])
    if isinstance(result, Kernel) and result.parts:
        kernel = folder / f"{place}-kernel.npz"
        np.savez(kernel, total=result.values)  # what the picture is of
    elif isinstance(result, Kernel):
        kernel = folder / f"{place}-kernel.npy"
        np.save(kernel, result.values)
    else:
        description = folder / f"{place}-{result.info['command']}.json"
        description.write_text(result.json)
        return str(description)
    Path(f"{kernel}.json").write_text(result.json)
    return str(kernel)


def _labels_file(labels: Any, folder: Path) -> str:
    if labels is None:
        return ""
    if isinstance(labels, (str, os.PathLike)):
        return arguments.existing(labels)
    file = folder / "labels.npy"
    np.save(file, arguments.array(labels, "labels"))
    return str(file)
