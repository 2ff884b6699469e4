from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import CHAIN

import tangra


def test_parameters_are_read_and_set(model, x):
    before = model(x)
    assert list(model.parameters) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    bias = model.parameters["0.bias"]
    assert bias.dtype == np.float32 and not bias.flags.writeable
    model.parameters["0.bias"] = bias + 1
    np.testing.assert_array_equal(model.parameters["0.bias"], bias + 1)
    assert not np.array_equal(model(x), before)
    model.parameters.update({"0.bias": bias})
    np.testing.assert_array_equal(model(x), before)


def test_parameters_that_do_not_fit(model, x):
    before = model(x)
    weight = model.parameters["0.weight"]
    with pytest.raises(ValueError, match="another shape"):
        model.parameters["0.weight"] = weight.T
    with pytest.raises(ValueError, match=r"0.weight: expected float32 of shape .*; got float64"):
        model.parameters["0.weight"] = weight.astype(np.float64)
    with pytest.raises(KeyError, match="0.weight, 0.bias"):
        model.parameters["9.weight"] = weight
    with pytest.raises(ValueError, match="another shape"):
        model.parameters.update({"0.bias": model.parameters["0.bias"] * 2, "0.weight": weight.T})
    with pytest.raises(TypeError):
        del model.parameters["0.bias"]
    np.testing.assert_array_equal(model(x), before)


def test_operators_keep_their_parameters(model64, x):
    operator = model64.operator(x, reduce="trace")
    kernel = model64.kernel(x, reduce="trace").values
    model64.parameters["0.bias"] = model64.parameters["0.bias"] + 1
    np.testing.assert_allclose(operator @ np.eye(5), kernel, rtol=1e-12)
    assert not np.allclose(model64.kernel(x, reduce="trace").values, kernel)


def test_weights_from_a_dictionary_and_a_file(model, x, tmp_path):
    again = tangra.chain(CHAIN, weights=dict(model.parameters))
    with pytest.raises(ValueError, match="none are drawn"):
        tangra.chain(CHAIN, seed=9, weights=dict(model.parameters))
    np.testing.assert_array_equal(again(x), model(x))
    model.save(tmp_path / "w.npz")
    np.testing.assert_array_equal(tangra.chain(CHAIN, weights=tmp_path / "w.npz")(x), model(x))


def test_frozen_parameters(x):
    model = tangra.chain(CHAIN, buffers="0.weight")
    assert "0.weight" not in model.parameters and list(model.frozen) == ["0.weight"]
    assert "0.weight" not in model.jacobian(x)


def test_jacobian_against_kernel(model64, x):
    matrix = model64.jacobian(x).matrix
    kernel = model64.kernel(x, reduce="full").matrix
    np.testing.assert_allclose(matrix @ matrix.T, kernel, rtol=0, atol=1e-13 * np.abs(kernel).max())
    factors = model64.jacobian(x, layout="structured")
    np.testing.assert_allclose(factors["0.weight"].dense(), model64.jacobian(x)["0.weight"], rtol=0, atol=1e-15)


def test_products_against_jacobian(model64, x):
    random = np.random.default_rng(2)
    jacobian = model64.jacobian(x)
    tangents = {name: random.normal(size=value.shape) for name, value in model64.parameters.items()}
    vector = np.concatenate([tangents[name].ravel() for name in jacobian])
    np.testing.assert_allclose(model64.jvp(x, tangents).ravel(), jacobian.matrix @ vector, rtol=1e-12, atol=1e-14)
    cotangents = random.normal(size=(5, 3))
    pulled = model64.vjp(x, cotangents)
    np.testing.assert_allclose(
        np.concatenate([pulled[name].ravel() for name in jacobian]), jacobian.matrix.T @ cotangents.ravel(), rtol=1e-12, atol=1e-14
    )


def test_reductions_by_number(model, x):
    np.testing.assert_array_equal(model.kernel(x, reduce=2).values, model.kernel(x, reduce="output=2").values)
    np.testing.assert_array_equal(model.kernel(x, reduce=(2,)).values, model.kernel(x, reduce="output=2").values)


def test_parts_add_up(model64, x):
    kernel = model64.kernel(x, reduce="trace", by="layer")
    assert list(kernel.parts) == ["0", "1"]
    np.testing.assert_allclose(kernel.parts["0"] + kernel.parts["1"], kernel.values, rtol=1e-14)


class Foreign:
    """An array of another library, as JAX's and torch's are: DLPack and nothing else."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **arguments):
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("change", [
    Foreign,
    lambda x: Foreign(np.asfortranarray(x)),
    lambda x: x.astype(">f8"),
    lambda x: np.asfortranarray(x),
    lambda x: np.repeat(x, 2, axis=0)[::2],
    lambda x: x.tolist(),
])
def test_arrays_of_all_kinds(model, x, change):
    np.testing.assert_array_equal(model(change(x)), model(x))


def test_arrays_are_not_changed_and_not_rounded(model64, x):
    given = x.copy()
    model64.kernel(given, reduce="trace")
    np.testing.assert_array_equal(given, x)
    assert not np.array_equal(model64(x), model64(x.astype(np.float32)))
    whole = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(model64(whole), model64(whole.astype(float)))
    np.testing.assert_array_equal(model64(x.astype(np.float16)), model64(x.astype(np.float16).astype(float)))


def test_results_outlive_everything(x):
    values = tangra.chain(CHAIN).kernel(x, reduce="full").values
    copy = values.copy()
    gc.collect()
    np.ones(10**6)
    np.testing.assert_array_equal(values, copy)


@pytest.mark.parametrize("call, error, message", [
    (lambda m, x: m(x[:, :5]), ValueError, "do not fit the network"),
    (lambda m, x: m(x * np.nan), ValueError, "not finite"),
    (lambda m, x: m(x.astype(np.uint8)), ValueError, r"x / 255.0"),
    (lambda m, x: m(x + 1j), ValueError, "complex128"),
    (lambda m, x: m(1.0), ValueError, "first axis"),
    (lambda m, x: m.kernel(x), ValueError, "reduce"),
    (lambda m, x: m.kernel(x, reduce="total"), ValueError, "reduce"),
    (lambda m, x: m.kernel(x, reduce="trace", by="weight"), ValueError, "by"),
    (lambda m, x: m.kernel(x, reduce="trace", space="parameters"), ValueError, "space"),
    (lambda m, x: m.kernel(x, reduce="trace", memory=100), MemoryError, "memory"),
    (lambda m, x: m.kernel(x, reduce="trace", memory="many"), ValueError, "4GiB"),
    (lambda m, x: m.kernel(x, reduce="trace", threads=0), ValueError, "threads"),
    (lambda m, x: m.kernel(x, reduce="trace", out="nowhere/K.npy"), FileNotFoundError, "nowhere"),
    (lambda m, x: m.kernel(x, reduce="trace", out="K.txt"), ValueError, "npy"),
    (lambda m, x: m.jacobian(x, wrt="weights"), ValueError, "wrt"),
    (lambda m, x: m.jvp(x, {"0.weight": np.ones(3)}), ValueError, r"0.weight"),
    (lambda m, x: m.vjp(x, np.ones((5, 2))), ValueError, r"\(5, 3\)"),
    (lambda m, x: m.operator(x, reduce="diagonal"), ValueError, "reduce"),
    (lambda m, x: tangra.chain("Chain(Dense(6 => 9, exp), Dense(9 => 1))").kernel(x * 1e6), ArithmeticError, "sample"),
    (lambda m, x: tangra.chain("Chain(Dense(3 => 2, sigmod))"), ValueError, "1:"),
    (lambda m, x: tangra.chain("Chain(Conv((3, 3), 1 => 2))"), ValueError, "input_shape"),
    (lambda m, x: tangra.chain("Chain(LSTM(3 => 2))"), NotImplementedError, "LSTM"),
    (lambda m, x: tangra.load("nowhere.onnx"), FileNotFoundError, "nowhere.onnx"),
    (lambda m, x: tangra.load(b"not onnx"), ValueError, "bytes"),
    (lambda m, x: tangra.spectrum(np.ones((2, 3))), ValueError, "symmetric"),
])
def test_errors(model, x, call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as raised:
        call(model, x)
    assert "--" not in str(raised.value)


def test_an_existing_file_is_kept(model, x, tmp_path):
    path = tmp_path / "K.npy"
    model.kernel(x, reduce="trace", out=path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.kernel(x, reduce="sum", out=path)
    assert model.kernel(x, reduce="sum", out=path, overwrite=True).info["reduce"] == "sum"


def test_an_interrupted_zarr_goes_on(tmp_path):
    model = tangra.chain("Chain(Dense(60 => 200, tanh), Dense(200 => 10))")
    x = np.random.default_rng(0).normal(size=(6000, 60))
    path = tmp_path / "K.zarr"

    def stop(what, done, total):
        if done > 0.2 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.kernel(x, reduce="trace", out=path, progress=stop)
    assert path.is_dir()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.kernel(x, reduce="trace", out=path)
    kernel = model.kernel(x, reduce="trace", out=path, resume=True)
    assert kernel.shape == (6000, 6000) and str(path) in repr(kernel)
    pytest.importorskip("zarr", reason="zarr is not installed")
    np.testing.assert_array_equal(np.asarray(kernel), model.kernel(x, reduce="trace").values)


def test_progress(model64):
    x = np.random.default_rng(0).normal(size=(4000, 6))
    heard = []
    model64.kernel(x, reduce="trace", progress=lambda *report: heard.append(report))
    assert heard and all(isinstance(what, str) and 0 <= done <= total for what, done, total in heard)

    def refuse(*_):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        model64.kernel(x, reduce="full", progress=refuse)


WAIT = """
import signal, sys, numpy as np, tangra
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
model = tangra.chain("Chain(Dense(300 => 200, tanh), Dense(200 => 10))")
x = np.random.default_rng(0).normal(size=(20000, 300))
print("begin", flush=True)
try:
    model.kernel(x, reduce="trace", out=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", WAIT, str(tmp_path / "K.npy")], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "begin\n"
    time.sleep(1)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert out == "interrupted\n" and child.returncode == 0
    assert time.monotonic() - start < 20
    assert list(tmp_path.iterdir()) == []


def test_threads_of_python(model64, x):
    expected = model64.kernel(x, reduce="full").values
    operator = model64.operator(x, reduce="full")
    results = []

    def work():
        for _ in range(5):
            results.append(np.array_equal(model64.kernel(x, reduce="full").values, expected))
            results.append(np.allclose(operator @ np.eye(15), expected.reshape(15, 15), atol=1e-13))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 40 and all(results)


def test_the_lock_is_released():
    """Another thread goes on meanwhile."""
    model = tangra.chain("Chain(Dense(60 => 200, tanh), Dense(200 => 10))")
    x = np.random.default_rng(0).normal(size=(3000, 60))
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.001):
            ticks.append(time.monotonic())

    other = threading.Thread(target=tick)
    other.start()
    start = time.monotonic()
    model.kernel(x, reduce="trace")
    end = time.monotonic()
    done.set()
    other.join()
    assert sum(start < moment < end for moment in ticks) > 5


def test_after_a_fork(model64, x):
    operator = model64.operator(x, reduce="trace")
    expected = operator @ np.ones(5)
    child = os.fork()
    if child == 0:
        same = np.array_equal(operator @ np.ones(5), expected) and np.isfinite(model64.kernel(x, reduce="trace").values).all()
        os._exit(0 if same else 1)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child of a fork waits for ever")
    assert os.waitstatus_to_exitcode(status) == 0


def test_texts(model, x, tmp_path):
    kernel = model.kernel(x, reduce="trace")
    for result in (model, kernel, model.jacobian(x), model.summary(), kernel.spectrum(), model.verify(x[:2])):
        assert "\n" in repr(result) or "tangra.Model" in repr(result)
        assert result._repr_html_().startswith("<")
    assert "(5, 5)" in repr(kernel) and "float32" in repr(kernel)


def test_plots(model, x):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kernel = model.kernel(x, reduce="trace")
    assert kernel.plot(plt.figure().gca()).images
    assert len(kernel.spectrum().plot(plt.figure().gca()).lines) >= 2
    infinite = tangra.chain("Chain(Dense(6 => 9, relu), Dense(9 => 1))", parameterization="ntk").infinite
    assert infinite(x).plot(plt.figure().gca()).images
    by_width = infinite(x, widths=[8, 16], seeds=2).plot(plt.figure().gca())
    assert len(by_width.lines[0].get_xdata()) == 4 and "slope" in by_width.get_legend().get_texts()[0].get_text()
    plt.close("all")
