"""What the methods of a model give back: plain fields, a readable text, a table for notebooks, and a plot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional, Union

import numpy as np

from tangra import _arguments as arguments
from tangra import _core
from tangra._answers import Spectrum
from tangra._arguments import AnyArray, MemoryLike, ProgressLike
from tangra._description import Array, Description, Table, axes_or_current


class Summary(Table):
    """Layers, shapes and parameters of a network.

    ``layers`` and ``parameters`` are lists of dictionaries, ``parameter_count`` is P.
    """

    @property
    def layers(self) -> list[dict[str, Any]]:
        return list(self.info["layers"])

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Of each parameter its name, shape, type, whether it is learned, and why."""
        return list(self.info["parameters"])

    @property
    def parameter_count(self) -> int:
        return int(self.info["model"]["parameters"])


class Verification(Table):
    """Every way to a kernel against every other. True where all agree.

    ``pairs`` lists, for each parameter and pair of methods, the difference and the bound that it has to keep.
    """

    @property
    def agree(self) -> bool:
        return bool(self.info["agree"])

    @property
    def methods(self) -> list[str]:
        return list(self.info["methods"])

    @property
    def pairs(self) -> list[dict[str, Any]]:
        return list(self.info["pairs"])

    def __bool__(self) -> bool:
        return self.agree


class Kernel(Array, Description):
    """A kernel, with how it was made. It is its array, ``values``, wherever NumPy wants one.

    The axes are those of ``axes``: (N1, N2) for trace, mean, sum and one output; (N1, O, N2, O) for full; (O, N1, N2) for
    diagonal; (N, ...) for ``pairs="self"``. ``parts`` holds the shares of layers or parameters, which add up to ``values``.
    ``file`` is the full path of what was written, "" where the kernel is in memory.
    """

    def __init__(self, arrays: Union[Mapping[str, AnyArray], Callable[[], Mapping[str, AnyArray]]], text: str, file: str = "") -> None:
        super().__init__(text)
        self._arrays = arrays
        self.file = file

    def _all(self) -> Mapping[str, AnyArray]:
        if callable(self._arrays):  # a file, which is opened when it is first looked at
            self._arrays = self._arrays()
        return self._arrays

    @property
    def values(self) -> AnyArray:
        """The kernel itself: NumPy's array, or of a .zarr that of zarr-python."""
        return self._all()["total"]

    @property
    def parts(self) -> dict[str, AnyArray]:
        """By name of layer or parameter; empty with by="total"."""
        return {name: part for name, part in self._all().items() if name != "total"}

    @property
    def shape(self) -> tuple[int, ...]:
        """Known without opening the file of a kernel that was written to one."""
        return tuple(self.info["shape"])

    @property
    def axes(self) -> list[str]:
        """What each axis counts: "samples", "outputs", ..."""
        return list(self.info["axes"])

    @property
    def reduce(self) -> str:
        """The reduction by its name."""
        return str(self.info["reduce"])

    @property
    def precision(self) -> str:
        """"float32" or "float64": what it was computed in."""
        return str(self.info["precision"])

    @property
    def plan(self) -> list[dict[str, Any]]:
        """In what order each parameter's share was contracted, and why."""
        return list(self.info["plan"])

    @property
    def measured_error(self) -> Optional[dict[str, Any]]:
        """Of a float32 kernel: a few samples computed again in float64. None in float64."""
        error = self.info["measured_error"]
        return None if error is None else dict(error)

    @property
    def seconds(self) -> float:
        """That the run took, without what Python does around it."""
        return float(self.info["seconds"])

    @property
    def matrix(self) -> AnyArray:
        """The kernel as a matrix: (N1 * O, N2 * O) for full, rows sample by sample. A view."""
        values: AnyArray = np.asarray(self.values)
        if values.ndim == 2:
            return values
        if values.ndim == 4:
            n1, o1, n2, o2 = values.shape
            return values.reshape(n1 * o1, n2 * o2)
        raise ValueError(f"a kernel with the axes {', '.join(self.axes)} is no matrix")

    def spectrum(
        self, *, top: int = 0, labels: Any = None, vectors: bool = False, density: bool = False, tolerance: float = 0.0,
        memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Spectrum:
        """Eigenvalues and the verdict on definiteness, with the measured error of the entries counted in: tangra.spectrum."""
        return spectrum(
            self, top=top, labels=labels, vectors=vectors, density=density, tolerance=tolerance, memory=memory, threads=threads,
            progress=progress,
        )

    def plot(self, axes: Any = None) -> Any:
        """The matrix as a picture; gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        picture = axes.imshow(self.matrix)
        axes.figure.colorbar(picture, ax=axes)
        axes.set_title(f"{self.reduce}, {self.precision}")
        return axes

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("shape", f"{self.shape}: {', '.join(self.axes)}"),
            ("reduction", f"{self.reduce}: {self.info['conventions']}"),
            ("computed", f"{self.info['method']}, {self.precision}, {self.seconds:.3g} s"),
        ]
        if self.measured_error is not None:
            rows.append(("error", f"{self.measured_error['largest_relative']:.2g} of the largest entry, measured"))
        statistics = self.info["statistics"]
        if statistics is not None:
            rows.append(("trace", f"{statistics['trace']:.6g}"))
        if len(self.info["parts"]) > 1:
            rows.append(("parts", ", ".join(self.info["parts"])))
        if self.info["out"]:
            rows.append(("file", str(self.info["out"])))
        return rows


class Factors:
    """The Jacobian by one weight as a pair: entry (i, a, c, k) is left[i, a, c] right[i, k], summed over positions where
    both have an axis for them. Neither factor is itself a Jacobian."""

    def __init__(self, left: AnyArray, right: AnyArray) -> None:
        self.left = left
        self.right = right

    def dense(self) -> AnyArray:
        """(N, O, C, K), all of it."""
        formula = "iac,ik->iack" if self.right.ndim == 2 else "iadc,idk->iack"
        result: AnyArray = np.einsum(formula, self.left, self.right)
        return result

    def __repr__(self) -> str:
        return f"Factors(left {self.left.shape}, right {self.right.shape}, {self.left.dtype})"


class Jacobian(Description, Mapping[str, Union[AnyArray, Factors]]):
    """Derivatives by name: ``jacobian["0.weight"]`` is (N, O, shape of 0.weight), ``jacobian["input"]`` the input's.

    ``output`` holds the outputs (N, ...) that were differentiated.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], text: str) -> None:
        super().__init__(text)
        self.output: AnyArray = arrays["output"]
        self._entries: dict[str, Union[AnyArray, Factors]] = {}
        for name, entries in arrays.items():
            key = name.split(":", 1)[-1]
            if name == "output" or name.endswith("/right"):
                continue
            if name.endswith("/left"):
                key = key[: -len("/left")]
                self._entries[key] = Factors(entries, arrays[name[: -len("left")] + "right"])
            else:
                self._entries[key] = entries

    def __getitem__(self, name: str) -> Union[AnyArray, Factors]:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def matrix(self) -> AnyArray:
        """(N * O, P): the derivatives side by side in the order of the names, rows sample by sample."""
        blocks = [entry.dense() if isinstance(entry, Factors) else entry for entry in self._entries.values()]
        rows = int(np.prod(self.output.shape))
        if any(block.size % rows for block in blocks) or any(block.shape[0] != len(self.output) for block in blocks):
            raise ValueError("a summed gradient or the full form over a batch has no rows for each sample and output")
        return np.concatenate([block.reshape(rows, -1) for block in blocks], axis=1)

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("output", f"{self.output.shape} {self.output.dtype}")]
        rows += [(name, repr(entry) if isinstance(entry, Factors) else f"{entry.shape}") for name, entry in self.items()]
        return rows


def spectrum(
    kernel: Any, *, top: int = 0, labels: Any = None, vectors: bool = False, density: bool = False, tolerance: float = 0.0,
    memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
) -> Spectrum:
    """Eigenvalues of a symmetric kernel, and whether it is positive definite as far as rounding lets one say.

    kernel: a Kernel; an array (n, n) or (N, O, N, O), float32 or float64; or the path of a .npy or .zarr that tangra wrote,
    which may be larger than memory where ``top`` is given. top: how many of the largest; 0: all.
    labels: (N,) integers of 0 or more: how the kernel aligns with them. vectors: keep the eigenvectors too.
    density: count the eigenvalues by size. tolerance: of residuals, as a share of the largest; 0: from the arithmetic.

    Raises ValueError for what is not square, symmetric and finite; ArithmeticError where LAPACK does not converge.

    >>> import numpy as np, tangra
    >>> tangra.spectrum(np.diag([3.0, 2.0, 1.0])).eigenvalues
    array([3., 2., 1.])
    """
    measured = kernel.measured_error if isinstance(kernel, Kernel) else None
    if isinstance(kernel, Kernel) and kernel.file:
        kernel = kernel.file
    is_file = isinstance(kernel, (str, os.PathLike))
    if is_file and not os.path.exists(kernel):
        raise FileNotFoundError(f"the file is not there: {os.fspath(kernel)}")
    with arguments.Progress(progress) as callback:
        return Spectrum(
            *_core.spectrum(
                None if is_file else arguments.array(kernel, "kernel"), path=os.fspath(kernel) if is_file else "",
                relative_error=0.0 if measured is None else measured["rms"],
                labels=None if labels is None else arguments.labels(labels, "labels"), top=top, vectors=vectors,
                density=density, tolerance=tolerance, memory=arguments.memory(memory), threads=arguments.threads(threads),
                progress=callback,
            )
        )
