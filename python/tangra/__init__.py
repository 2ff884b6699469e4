"""Exact per-sample derivatives of neural networks, and the kernels that they span (NTK).

>>> import numpy as np, tangra
>>> model = tangra.chain("Chain(Dense(3 => 8, tanh), Dense(8 => 2))", seed=1)
>>> x = np.random.default_rng(0).normal(size=(5, 3))
>>> model.kernel(x, reduce="trace").shape
(5, 5)

Conventions (docs/math.md): nothing is divided by the number of samples, outputs or parameters; rows of a Jacobian are
ordered sample by sample.
"""

from tangra._answers import InfiniteKernel, Linearisation, Plan, Prediction, Spectrum, Training
from tangra._core import __version__
from tangra._data import Samples, data
from tangra._model import Model, Parameters, chain, load
from tangra._operator import KernelOperator
from tangra._results import Factors, Jacobian, Kernel, Summary, Verification, spectrum
from tangra._report import Report, report
from tangra._torch import from_torch

__all__ = [
    "Factors",
    "InfiniteKernel",
    "Jacobian",
    "Kernel",
    "KernelOperator",
    "Linearisation",
    "Model",
    "Parameters",
    "Plan",
    "Prediction",
    "Report",
    "Samples",
    "Spectrum",
    "Summary",
    "Training",
    "Verification",
    "__version__",
    "chain",
    "data",
    "from_torch",
    "load",
    "report",
    "spectrum",
]
