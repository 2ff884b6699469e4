"""The package as a whole: its types, its documentation, what it brings into a process."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tangra

PACKAGE = Path(tangra.__file__).parent


def signatures(source: str) -> dict:
    """Names with their arguments; a property is its name alone."""
    found = {}
    for scope in ast.walk(ast.parse(source)):
        if not isinstance(scope, (ast.Module, ast.ClassDef)):
            continue
        prefix = scope.name + "." if isinstance(scope, ast.ClassDef) else ""
        for entry in scope.body:
            if isinstance(entry, ast.FunctionDef):
                is_property = bool(entry.decorator_list)
                names = [one.arg for one in [*entry.args.posonlyargs, *entry.args.args, *entry.args.kwonlyargs]]
                found[prefix + entry.name] = None if is_property else names
            elif isinstance(entry, ast.AnnAssign) and prefix:
                found[prefix + entry.target.id] = None
    return found


def test_stub_is_that_of_the_module():
    stubgen = pytest.importorskip("nanobind.stubgen", reason="nanobind is not installed")
    generator = stubgen.StubGen(module=importlib.import_module("tangra._core"))
    generator.put(generator.module)
    assert signatures(generator.get()) == signatures((PACKAGE / "_core.pyi").read_text())


def test_types():
    pytest.importorskip("mypy", reason="mypy is not installed")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "mypy", "--config-file", str(root / "pyproject.toml"), "--no-incremental"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(f"tangra.{path.stem}".removesuffix(".__init__") for path in PACKAGE.glob("*.py")))
def test_examples_in_docstrings(name):
    if name == "tangra.sklearn":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    if name.removeprefix("tangra") in ("", "._analysis", "._data", "._model", "._report"):
        assert tried > 0


def test_version():
    assert tangra.__version__ == (Path(__file__).resolve().parents[2] / "VERSION").read_text().strip()


def test_import_is_light():
    code = "import sys, tangra; print([m for m in ('torch', 'sklearn', 'matplotlib', 'tqdm', 'onnx') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_no_openmp_of_ours():
    code = "import tangra; print([m for m in open('/proc/self/maps').read().split() if 'omp.so' in m or 'omp5.so' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("order", [("torch", "tangra"), ("tangra", "torch"), ("onnx", "tangra"), ("tangra", "onnx")])
def test_beside_others(order):
    for name in order:
        pytest.importorskip(name, reason=f"{name} is not installed")
    code = f"""
import {order[0]}, {order[1]}, numpy as np, tangra
x = np.random.default_rng(0).normal(size=(50, 6))
for _ in range(3):
    np.linalg.eigvalsh(x @ x.T)
    k = tangra.chain("Chain(Dense(6 => 7, tanh), Dense(7 => 3))").kernel(x, reduce="trace")
    assert k.spectrum().eigenvalues[0] > 0
    if "torch" in {order}:
        import torch
        torch.linalg.eigvalsh(torch.from_numpy(x @ x.T))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
