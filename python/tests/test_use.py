"""Habits of Python's users: copies, pickles, worker processes, arithmetic with results, messages."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys

import numpy as np
import pytest
from conftest import CHAIN

import tangra


@pytest.fixture
def networks(model, model64, x):
    """One of each kind."""
    changed = model.copy()
    changed.parameters["0.bias"] = changed.parameters["0.bias"] + np.float32(0.5)
    pictures = tangra.chain(
        "Chain(Conv((3, 3), 1 => 2, relu; pad = 1), BatchNorm(2), GlobalMeanPool(), flatten, Dense(2 => 3))",
        input_shape=(1, 2, 3), seed=2, params="weight",
    )
    return [model, model64, changed, pictures]


def again(thing):
    return pickle.loads(pickle.dumps(thing))


def test_pickled_networks(networks, x):
    for network in networks:
        twin = again(network)
        assert repr(twin) == repr(network) and list(twin.frozen) == list(network.frozen)
        np.testing.assert_array_equal(twin(x), network(x))
        kernel, expected = (one.kernel(x, reduce="full", by="parameter") for one in (twin, network))
        np.testing.assert_array_equal(kernel, expected)
        assert kernel.info["model"] == expected.info["model"] and kernel.info["plan"] == expected.info["plan"]
        assert twin.summary().table == network.summary().table


def test_pickled_networks_of_files(tmp_path, x):
    """Without the file."""
    onnx = pytest.importorskip("onnx.helper", reason="onnx is not installed")
    nodes = [
        onnx.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1, alpha=0.3), onnx.make_node("LeakyRelu", ["h"], ["a"], alpha=0.01),
        onnx.make_node("ReduceMean", ["a"], ["y"], axes=[-1], keepdims=1),
    ]
    values = [onnx.make_tensor(n, 1, s, np.linspace(-1, 1, int(np.prod(s)))) for n, s in (("w", (4, 6)), ("b", (4,)))]
    ends = [[onnx.make_tensor_value_info(n, 1, ["N", k])] for n, k in (("x", 6), ("y", 1))]
    file = onnx.make_model(onnx.make_graph(nodes, "net", *ends, values), opset_imports=[onnx.make_opsetid("", 17)])
    network = tangra.load(file.SerializeToString())
    np.testing.assert_array_equal(again(network).kernel(x), network.kernel(x))


def test_pickles_of_others_are_refused(model):
    state = model._core.__getstate__()
    core = type(model._core).__new__(type(model._core))
    with pytest.raises(ValueError, match="0.0.1.*expected one of this version.*save"):
        core.__setstate__(("0.0.1", *state[1:]))
    with pytest.raises(ValueError, match="another network"):
        core.__setstate__((*state[:-1], 7))


def test_drawn_networks_stay_drawn(x):
    wide = tangra.chain("Chain(Dense(6 => 9, relu), Dense(9 => 1))", parameterization="ntk", seed=3)
    twin = again(wide)
    assert twin.infinite(x, widths=[8, 16], seeds=2).slope == wide.infinite(x, widths=[8, 16], seeds=2).slope


@pytest.mark.parametrize("change", [copy.copy, copy.deepcopy, tangra.Model.copy])
def test_copies_are_networks_of_their_own(model, x, change):
    twin = change(model)
    twin.parameters["1.bias"] = twin.parameters["1.bias"] + np.float32(1)
    assert not np.array_equal(twin.parameters["1.bias"], model.parameters["1.bias"])
    assert np.array_equal(twin.parameters["0.bias"], model.parameters["0.bias"])


def test_pickled_results(model, x, tmp_path):
    labels = np.array([0, 1, 2, 1, 0])
    kernel = model.kernel(x, reduce="trace", by="layer")
    stored = model.kernel(x, reduce="trace", out=tmp_path / "K.npy")
    results = [
        kernel, stored, kernel.spectrum(), model.jacobian(x, layout="structured"), model.plan(x, reduce="trace"), model.summary(),
        model.predict(x, labels, x, reduce="trace", ridge=1.0), model.linearise(x, labels, loss="mse", steps=3), tangra.report(kernel),
    ]
    for result in results:
        for twin in (again(result), copy.deepcopy(result)):
            assert repr(twin) == repr(result) and twin.info == result.info
    np.testing.assert_array_equal(again(stored), stored)
    assert again(kernel).parts.keys() == kernel.parts.keys()
    assert dict(again(model.parameters)).keys() == dict(model.parameters).keys()


def test_pickled_operators(model64, x):
    v = np.arange(15.0)
    operator = model64.operator(x, x[:2], reduce="full")
    for twin in (again(operator), copy.deepcopy(operator)):
        np.testing.assert_array_equal(twin.T @ v, operator.T @ v)
        np.testing.assert_array_equal(twin @ v[:6], operator @ v[:6])
    np.testing.assert_array_equal(again(operator.T) @ v, operator.T @ v)


def trace_of(network, x):
    return float(np.trace(network.kernel(x, reduce="trace").values))


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_worker_processes(model, x, start):
    if start == "fork" and "jax" in sys.modules:
        pytest.skip("JAX, which other tests have brought in, has threads that a fork leaves behind")
    with multiprocessing.get_context(start).Pool(2) as pool:
        found = pool.starmap_async(trace_of, [(model, x[:k]) for k in (2, 3, 4)]).get(timeout=300)
    assert found == [trace_of(model, x[:k]) for k in (2, 3, 4)]


def test_kernels_are_arrays(model, x):
    kernel = model.kernel(x, reduce="trace")
    values = kernel.values
    for found, expected in [
        (kernel + 1, values + 1), (2 * kernel, 2 * values), (kernel / len(x), values / len(x)), (-kernel, -values),
        (kernel @ x, values @ x), (x.T @ kernel, x.T @ values), (kernel - kernel, values - values), (kernel.T, values.T),
        (kernel == kernel, values == values), (np.exp(kernel), np.exp(values)), (kernel[1:, 0], values[1:, 0]),
        (np.add.reduce(kernel), np.add.reduce(values)), (np.linalg.cholesky(kernel + np.eye(5)), np.linalg.cholesky(values + np.eye(5))),
    ]:
        assert type(found) is np.ndarray and found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert kernel.ndim == 2 and kernel.dtype == np.float32 and len({kernel, kernel}) == 1
    with pytest.raises(TypeError, match="not written into"):
        np.add(values, 1, out=kernel)


@pytest.mark.parametrize("call, error, message", [
    (lambda m, x: m([[1, 2], [3]]), ValueError, "^x: this is no array"),
    (lambda m, x: m.jvp(x, np.ones(3)), TypeError, "tangents: expected arrays by name"),
    (lambda m, x: m.jvp(x, {}), ValueError, "tangents: there are none"),
    (lambda m, x: m.jvp(x, {"0.bias": "a"}), ValueError, "tangents: 0.bias"),
    (lambda m, x: m.kernel(x, reduce=1.5), TypeError, "reduce: expected a name"),
    (lambda m, x: m.kernel(x, reduce=True), TypeError, "reduce: expected a name.*bool"),
    (lambda m, x: m(x, threads="2"), TypeError, "threads: expected a whole number"),
    (lambda m, x: m(x, threads=1025), ValueError, "threads: expected 1 to 1024"),
    (lambda m, x: m(x, precision=object()), TypeError, "precision: expected 'auto'"),
    (lambda m, x: m.jacobian(x, wrt=None), TypeError, "wrt: expected 'parameters'"),
    (lambda m, x: m(x, progress=3), TypeError, "progress: expected True or a function"),
    (lambda m, x: m(x, precision="single"), ValueError, "precision: .*single"),
    (lambda m, x: m(x, precision=np.int32), ValueError, "int32, expected one of auto"),
    (lambda m, x: tangra.chain(None), TypeError, "text: expected a chain"),
    (lambda m, x: tangra.chain(CHAIN, seed=-1), ValueError, "seed: expected 0 or more"),
    (lambda m, x: tangra.load(CHAIN), FileNotFoundError, "Chain texts are for tangra.chain"),
    (lambda m, x: m.parameters.update({"0.bias": 0}), ValueError, r"0.bias: expected float32 of shape \(7,\); got int64 of \(\)"),
])
def test_messages(model, x, call, error, message):
    with pytest.raises(error, match=message):
        call(model, x)


def test_types_of_numpy_are_precisions(model, x):
    assert model.kernel(x, reduce="trace", precision=np.float64).dtype == np.float64
    assert model(x, precision=np.dtype("float64")).dtype == np.float64
    assert model(x, precision=None).dtype == model(x).dtype == np.float32


def test_a_budget_beyond_all_memory(model, x):
    np.testing.assert_array_equal(model(x, memory="9999999999TiB"), model(x))


def test_operators_keep_their_samples(model64, x):
    mine = x.copy()
    operator = model64.operator(mine, x[:2], reduce="full")
    expected = model64.kernel(x, x[:2], reduce="full").matrix
    mine[:] = 0
    random = np.random.default_rng(3).normal(size=len(expected))
    np.testing.assert_allclose(operator.T @ random, expected.T @ random, rtol=1e-12)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(operator)) @ random[:6], expected @ random[:6], rtol=1e-12)


def test_kernels_in_files_are_found_from_everywhere(model, x, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    kernel = model.kernel(x, reduce="trace", out="K.npy")
    monkeypatch.chdir(tmp_path / "other")
    assert kernel.file == str(tmp_path / "K.npy")
    assert kernel.spectrum().verdict == "positive definite"
    np.testing.assert_array_equal(kernel, model.kernel(x, reduce="trace"))


def test_spectra_take_labels_of_yes_and_no(model, x):
    kernel = model.kernel(x, reduce="trace")
    answers = np.array([True, False, True, False, True])
    assert kernel.spectrum(labels=answers).info["labels"] == kernel.spectrum(labels=answers.astype(int)).info["labels"]


def test_axes_of_others(model, x):
    kernel = model.kernel(x, x[:2], reduce="full")
    assert kernel.transpose(0, 2, 1, 3).shape == kernel.transpose((0, 2, 1, 3)).shape == (5, 2, 3, 3)
    np.testing.assert_array_equal(kernel.transpose(0, 2, 1, 3)[4, 1], kernel.values[4, :, 1])
    np.testing.assert_array_equal(kernel.reshape(15, 6), kernel.matrix)
    assert kernel.astype("float64").dtype == np.float64
