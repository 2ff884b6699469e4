"""Samples from named data sets and files, as the program reads them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional, Union

import numpy as np
import numpy.typing as npt

from tangra import _core


class Samples(NamedTuple):
    """x: (N, ...) samples, labels: (N,) integers where the set has them, description: what was done to the numbers."""

    x: npt.NDArray[Any]
    labels: Optional[npt.NDArray[np.int64]]
    description: str


def data(
    source: Union[str, os.PathLike[str]], *, n: Optional[int] = None, samples: Optional[tuple[int, int]] = None,
    data_dir: Union[str, os.PathLike[str]] = "", scale: Optional[float] = None, normalize: Optional[str] = None,
    nhwc: bool = False,
) -> Samples:
    """Samples of a named set ("digits", which is built in; "mnist", "fashion-mnist", "cifar10", also with ":test"), or of a
    file: .npy, .npz:key, IDX, CIFAR-10's .bin, .csv.

    n: the first so many. samples: (a, b), those from a to b - 1. data_dir: where named sets are looked for first (then
    TANGRA_DATA and the usual places). scale, normalize ("MEAN:STD"): in place of the set's own scaling; without them 8-bit
    data are divided by 255 and digits by 16. nhwc: the file has (N, H, W, C).

    Raises ValueError where there is no such set or file, or it does not hold what is asked for.

    >>> import tangra
    >>> digits = tangra.data("digits", n=3)
    >>> digits.x.shape, digits.labels.tolist()
    ((3, 1, 8, 8), [0, 1, 2])
    """
    return Samples(
        *_core.data(
            os.fspath(source), data_dir=os.fspath(data_dir), n=n, samples=samples, scale=scale, normalize=normalize, nhwc=nhwc
        )
    )
