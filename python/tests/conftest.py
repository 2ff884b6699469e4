from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import tangra

CHAIN = "Chain(Dense(6 => 7, tanh), Dense(7 => 3), softmax)"


def torch_or_skip():
    """PyTorch, with what from_torch needs of it."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 5):
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    return torch



@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(5, 6))


@pytest.fixture
def model() -> tangra.Model:
    """In float32, as the program makes it."""
    return tangra.chain(CHAIN, seed=4)


@pytest.fixture
def model64(model: tangra.Model) -> tangra.Model:
    return model.astype("float64")


@pytest.fixture(scope="session")
def program() -> str:
    """The command line program."""
    found = os.environ.get("TANGRA_PROGRAM") or shutil.which("tangra")
    if found is None or not Path(found).exists():
        pytest.skip("the program tangra is not here: set TANGRA_PROGRAM")
    return found
