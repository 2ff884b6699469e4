"""What users pass, brought into the form that the extension module takes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
DTypeLike = npt.DTypeLike
ProgressCallback = Callable[[str, float, float], Any]
ProgressLike = Union[None, bool, ProgressCallback]
MemoryLike = Union[None, int, str]
ReduceLike = Union[None, str, int, "tuple[int, ...]"]

_MOST_THREADS = 1024  # as on the command line
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def array(given: Any, name: str) -> AnyArray:
    """Real numbers in C order on the CPU, of the type they have; from NumPy, DLPack (torch, JAX) or nested lists.

    No copy is made of what is in C order already. float16 becomes float32, which holds all its numbers.
    """
    if not isinstance(given, np.ndarray):
        if hasattr(given, "detach"):  # a torch tensor that requires a gradient refuses DLPack
            given = given.detach()
        if hasattr(given, "__dlpack__"):
            try:
                given = np.from_dlpack(given)
            except (BufferError, RuntimeError, TypeError) as error:
                kind = getattr(given, "dtype", type(given).__name__)
                raise ValueError(
                    f"{name}: this array of {kind} cannot be read ({error}); expected float32 or float64 in the CPU's memory"
                ) from error
    try:
        result: AnyArray = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{name}: this is no array: {error}") from error
    if result.dtype == np.float16:
        result = result.astype(np.float32)
    if result.dtype.kind not in "fiub" or result.dtype.itemsize > 8:
        raise ValueError(f"{name}: arrays of type {result.dtype} cannot be taken; expected real numbers, float64 or float32")
    return np.require(result, dtype=result.dtype.newbyteorder("="), requirements=["C", "A"])


def samples(given: Any, name: str = "x") -> AnyArray:
    """(N, ...) samples. Bytes are refused: whether pictures are 0..255 or 0..1 is for the caller to say."""
    result = array(given, name)
    if result.ndim == 0:
        raise ValueError(f"{name}: samples have a first axis; got a single number")
    if result.dtype == np.uint8:
        raise ValueError(f"{name}: bytes may mean 0..255 or 0..1; pass {name} / 255.0 or {name}.astype(float)")
    if result.dtype.kind == "b":
        result = result.astype(np.float64)
    return result


def labels(given: Any, name: str) -> AnyArray:
    """(N,) integers, whatever array they come in."""
    result = array(given, name)
    return result.astype(np.int64) if result.dtype.kind == "b" else result


def reduction(given: ReduceLike) -> str:
    """"" where the user left it out; 3 and (1, 2) mean "output=3" and "output=1,2"."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return f"output={int(given)}"
    if not isinstance(given, tuple):
        raise TypeError(f"reduce: expected a name, an index or a tuple of indices; got {type(given).__name__}")
    return "output=" + ",".join(str(int(index)) for index in given)


def precision(given: DTypeLike) -> str:
    """"auto" (also None), "float32" or "float64"; also numpy.float64 and the like."""
    if given is None:  # which numpy.dtype takes for float64
        return "auto"
    if isinstance(given, str):
        return given
    try:
        return np.dtype(given).name
    except TypeError as error:
        raise TypeError(f"precision: expected 'auto', 'float32' or 'float64'; got {given!r}") from error


def memory(given: MemoryLike) -> int:
    """Bytes; 0 where the library is to decide. Strings are as on the command line: "4GiB", "500MB"."""
    if given is None:
        return 0
    if isinstance(given, (int, np.integer)):
        amount = float(given)
    else:
        match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT]?)(i?)B?\s*", str(given), re.IGNORECASE)
        if match is None:
            raise ValueError(f"memory: this is no amount of memory: {given!r}; expected bytes, or a text such as '4GiB'")
        unit = match[2].upper()
        scale = _UNITS[unit] if match[3] else 1000 ** "KMGT".index(unit) * 1000 if unit else 1
        amount = float(match[1]) * scale
    if amount < 1:
        raise ValueError(f"memory: expected a positive number of bytes; got {given!r}")
    return int(min(amount, 2.0**62))  # a budget beyond all memory is no budget


def threads(given: Optional[int]) -> int:
    """0 where the library is to take all cores."""
    if given is None:
        return 0
    if not isinstance(given, (int, np.integer)) or isinstance(given, bool):
        raise TypeError(f"threads: expected a whole number; got {type(given).__name__}")
    if not 1 <= given <= _MOST_THREADS:
        raise ValueError(f"threads: expected 1 to {_MOST_THREADS}, or None for all cores; got {given}")
    return int(given)


def existing(path: Union[str, os.PathLike[str]]) -> str:
    """A file that is there."""
    text = os.fspath(path)
    if not os.path.exists(text):
        raise FileNotFoundError(f"the file is not there: {text}")
    return text


def out_path(out: Union[None, str, os.PathLike[str]], may_exist: bool, beside: str = "") -> str:
    """Where a result goes, with another file beside it; "" where none was asked for."""
    if out is None:
        return ""
    path = Path(out)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of the result does not exist: {path.absolute().parent}")
    for file in (path, Path(f"{path}{beside}")):
        if file.exists() and not may_exist:
            raise FileExistsError(f"{file} exists; choose another name, or replace it with overwrite=True")
    return str(path)


def triangle(given: str, path: str) -> str:
    """Of a .zarr both by default: a reader that knows nothing of triangles sees NaN in the other one."""
    return "full" if given == "auto" and path.endswith(".zarr") else given


class _Bar:
    """A tqdm bar for each step of a run."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._what = ""
        self._bar: Any = None

    def __call__(self, what: str, done: float, total: float) -> None:
        if what != self._what:
            self.close()
            self._bar = self._tqdm(total=total, desc=what, leave=False)
            self._what = what
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


class Progress:
    """What the caller hears of a run, as a context: ``with Progress(given) as callback``."""

    def __init__(self, given: ProgressLike) -> None:
        self._bar: Optional[_Bar] = None
        self._callback: Optional[ProgressCallback] = None
        if given is True:
            try:
                from tqdm.auto import tqdm
            except ImportError as error:
                raise ValueError("progress=True needs the package tqdm; a function (what, done, total) does without") from error
            self._bar = _Bar(tqdm)
            self._callback = self._bar
        elif callable(given):
            self._callback = given
        elif given is not None and given is not False:
            raise TypeError(f"progress: expected True or a function (what, done, total); got {type(given).__name__}")

    def __enter__(self) -> Optional[ProgressCallback]:
        return self._callback

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
