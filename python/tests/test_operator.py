from __future__ import annotations

import warnings

import numpy as np
import pytest

linalg = pytest.importorskip("scipy.sparse.linalg", reason="SciPy is not installed")


@pytest.mark.parametrize("reduce", ["full", "trace", "mean", "sum", "output=1"])
def test_eigsh_agrees_with_the_dense_kernel(model64, x, reduce):
    operator = model64.operator(x, reduce=reduce)
    dense = model64.kernel(x, reduce=reduce).matrix
    assert isinstance(operator, linalg.LinearOperator) and operator.shape == dense.shape
    scale = np.abs(dense).max()
    if scale < 1e-10:  # behind a softmax the kernel of the summed outputs is rounding noise
        return
    top = linalg.eigsh(operator, k=3, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(top), np.linalg.eigvalsh(dense)[-3:], rtol=1e-10, atol=1e-12 * scale)


def test_two_sets_and_the_adjoint(model64, x):
    operator = model64.operator(x, x[:2] + 1, reduce="full")
    dense = model64.kernel(x, x[:2] + 1, reduce="full").matrix
    scale = np.abs(dense).max()
    np.testing.assert_allclose(operator @ np.eye(6), dense, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(operator.H @ np.eye(15), dense.T, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(operator.rmatvec(np.arange(15.0)), dense.T @ np.arange(15.0), rtol=0, atol=1e-11 * scale)


def test_cg_solves(model64, x):
    operator = model64.operator(x, reduce="trace")
    ridge = linalg.aslinearoperator(np.eye(5)) * 0.1
    solution, failed = linalg.cg(operator + ridge, np.ones(5), rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(model64.kernel(x, reduce="trace").values @ solution + 0.1 * solution, np.ones(5), atol=1e-9)


def test_lobpcg(model64):
    random = np.random.default_rng(5)
    operator = model64.operator(random.normal(size=(40, 6)), reduce="full")
    dense = operator @ np.eye(120)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stopped at rounding, before its own tolerance
        values, vectors = linalg.lobpcg(operator, random.normal(size=(120, 4)), largest=True, maxiter=200, tol=1e-9)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(dense)[-4:], rtol=1e-8)
    np.testing.assert_allclose(dense @ vectors, vectors * values, atol=1e-6 * values.max())


def test_a_basis(model64, x):
    basis = np.random.default_rng(0).normal(size=(2, 3))
    operator = model64.operator(x, reduce="full", basis=basis)
    dense = model64.kernel(x, reduce="full", basis=basis).matrix
    np.testing.assert_allclose(operator @ np.eye(10), dense, rtol=0, atol=1e-13 * np.abs(dense).max())
