"""What Python computes is what the program computes, bit for bit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import CHAIN

import tangra


def run(program: str, folder: Path, *arguments: str) -> dict:
    done = subprocess.run([program, *arguments, "--json"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same_spectrum(a: dict, b: dict) -> None:
    """Up to the backward error of LAPACK, n eps |K|: its bits depend on the process that it runs in."""
    n, largest = len(a["eigenvalues"]), max(map(abs, a["eigenvalues"]))
    np.testing.assert_allclose(a["eigenvalues"], b["eigenvalues"], rtol=0, atol=n * 2.0**-52 * largest)
    assert a["verdict"] == b["verdict"]
    for field in ("rounding_bound", "effective_rank", "trace"):
        assert a[field] == pytest.approx(b[field], rel=1e-10)


@pytest.fixture
def files(tmp_path: Path, x: np.ndarray) -> Path:
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x[:2] + 1)
    return tmp_path


@pytest.mark.parametrize("precision", ["auto", "float64"])
@pytest.mark.parametrize("reduce", ["full", "trace", "mean", "diagonal", "sum", "output=1"])
def test_kernels(program, files, model, x, reduce, precision):
    run(program, files, "kernel", CHAIN, "x.npy", "--seed", "4", "--reduce", reduce, "--precision", precision, "-o", "K.npy")
    kernel = model.kernel(x, reduce=reduce, precision=precision)
    assert same_bits(kernel.values, np.load(files / "K.npy"))
    described = json.loads((files / "K.npy.json").read_text())
    for field in ("shape", "axes", "reduce", "conventions", "precision", "plan", "statistics", "measured_error"):
        assert kernel.info[field] == described[field]


def test_kernel_of_two_sets_by_parameter(program, files, model, x):
    run(program, files, "kernel", CHAIN, "x.npy", "y.npy", "--seed", "4", "--reduce", "full", "--by", "parameter", "-o", "K.npz")
    kernel = model.kernel(x, x[:2] + 1, reduce="full", by="parameter")
    with np.load(files / "K.npz") as stored:
        assert set(stored) == {*kernel.parts, "total"}
        assert same_bits(kernel.values, stored["total"])
        assert all(same_bits(part, stored[name]) for name, part in kernel.parts.items())


def test_kernel_with_a_basis(program, files, model, x):
    basis = np.random.default_rng(0).normal(size=(2, 3))
    np.save(files / "C.npy", basis)
    run(program, files, "kernel", CHAIN, "x.npy", "--seed", "4", "--reduce", "full", "--basis", "C.npy", "-o", "K.npy")
    assert same_bits(model.kernel(x, reduce="full", basis=basis).values, np.load(files / "K.npy"))


def test_jacobian(program, files, model, x):
    run(program, files, "jacobian", CHAIN, "x.npy", "--seed", "4", "--wrt", "parameters,input", "-o", "J.npz")
    jacobian = model.jacobian(x, wrt=["parameters", "input"])
    with np.load(files / "J.npz") as stored:
        assert set(stored) == {"output", *(f"jacobian:{name}" for name in jacobian)}
        assert same_bits(jacobian.output, stored["output"])
        assert all(same_bits(jacobian[name], stored[f"jacobian:{name}"]) for name in jacobian)
        assert same_bits(model(x), stored["output"])


def test_structured_jacobian(program, files, model, x):
    run(program, files, "jacobian", CHAIN, "x.npy", "--seed", "4", "--layout", "structured", "-o", "J.npz")
    factors = model.jacobian(x, layout="structured")["0.weight"]
    with np.load(files / "J.npz") as stored:
        assert same_bits(factors.left, stored["jacobian:0.weight/left"])
        assert same_bits(factors.right, stored["jacobian:0.weight/right"])


def test_products(program, files, model, x):
    random = np.random.default_rng(1)
    tangents = {"0.weight": random.normal(size=(7, 6)), "input": random.normal(size=(5, 6))}
    cotangents = random.normal(size=(5, 3))
    np.savez(files / "T.npz", **tangents)
    np.save(files / "C.npy", cotangents)
    run(program, files, "jvp", CHAIN, "x.npy", "--seed", "4", "--tangent", "T.npz", "-o", "jvp.npy")
    run(program, files, "vjp", CHAIN, "x.npy", "--seed", "4", "--cotangent", "C.npy", "-o", "vjp.npz")
    assert same_bits(model.jvp(x, tangents), np.load(files / "jvp.npy"))
    with np.load(files / "vjp.npz") as stored:
        pulled = model.vjp(x, cotangents)
        assert set(stored) == {f"vjp:{name}" for name in pulled}
        assert all(same_bits(pulled[name], stored[f"vjp:{name}"]) for name in pulled)


def test_spectrum(program, files, model, x):
    told = run(program, files, "spectrum", CHAIN, "x.npy", "--seed", "4", "--reduce", "full")
    assert_same_spectrum(model.spectrum(x, reduce="full").info, told)


def test_verify_and_summary(program, files, model, x):
    told = run(program, files, "verify", CHAIN, "x.npy", "--seed", "4", "--n", "2")
    verification = model.verify(x[:2])
    assert verification and verification.pairs == told["pairs"]
    summary = run(program, files, "summary", CHAIN)
    assert model.summary().layers == summary["layers"]
    assert model.summary().parameters == summary["parameters"]


def test_kernel_files_are_the_programs(program, files, model, x):
    run(program, files, "kernel", CHAIN, "x.npy", "--seed", "4", "--reduce", "trace", "-o", "K.npy")
    kernel = model.kernel(x, reduce="trace", out=files / "P.npy")
    assert (files / "P.npy").read_bytes() == (files / "K.npy").read_bytes()
    assert isinstance(kernel.values, np.memmap)
    ours, theirs = (json.loads((files / name).read_text()) for name in ("P.npy.json", "K.npy.json"))
    assert ours.keys() == theirs.keys() and ours["shape"] == theirs["shape"]
    told = run(program, files, "spectrum", "P.npy")
    assert_same_spectrum(tangra.spectrum(files / "P.npy").info, told)
    assert_same_spectrum(kernel.spectrum().info, told)


@pytest.mark.parametrize("by", ["total", "layer"])
def test_zarr(program, files, model, x, by):
    kernel = model.kernel(x, reduce="full", by=by, out=files / "P.zarr")
    expected = model.kernel(x, reduce="full", by=by)
    run(program, files, "kernel", CHAIN, "x.npy", "--seed", "4", "--reduce", "full", "--by", by, "--triangle", "full", "-o", "K.zarr")
    written = {path.relative_to(files / "K.zarr"): path.read_bytes() for path in (files / "K.zarr").rglob("c/**/*") if path.is_file()}
    assert written
    assert all((files / "P.zarr" / path).read_bytes() == chunk for path, chunk in written.items())
    assert_same_spectrum(kernel.spectrum().info, run(program, files, "spectrum", "P.zarr"))
    pytest.importorskip("zarr", reason="zarr is not installed")
    assert same_bits(np.asarray(kernel), expected.values)
    assert {name: part.shape for name, part in kernel.parts.items()} == {n: p.shape for n, p in expected.parts.items()}
