"""What calls cost: time, memory, copies."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tangra


@pytest.mark.parametrize("clock", [time.process_time, time.perf_counter])
def test_small_calls_are_quick(model, x, clock):
    """The promise is 1 ms above the computation: of all threads' work, and of waiting. The quickest of many counts."""
    if clock is time.perf_counter and os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1):
        pytest.skip("the machine is too busy to measure time by the clock on the wall")
    ten, tangents, cotangents = np.concatenate([x, x]), {"0.bias": np.ones(7)}, np.ones((10, 3))
    for call in (
        lambda: model(ten), lambda: model.kernel(ten, reduce="trace"), lambda: model.vjp(ten, cotangents),
        lambda: model.jvp(ten, tangents), lambda: model.jacobian(ten), lambda: model.plan(ten, reduce="trace"),
    ):
        times = []
        for _ in range(300):
            start = clock()
            call()
            times.append(clock() - start)
        assert min(times) < 1e-3


def test_calls_cost_little_more_than_their_runs():
    """Of the time of a call the most is that of the run itself, whatever the machine: the program measures its own. What is
    done around it (arguments, plans that are made twice, descriptions) may not grow to twice as much."""
    model = tangra.chain("Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)")
    ten = np.random.default_rng(0).random((10, 784), dtype=np.float32)
    calls, runs = [], []
    for _ in range(200):
        start = time.perf_counter()
        kernel = model.kernel(ten, reduce="trace")
        calls.append(time.perf_counter() - start)
        runs.append(kernel.seconds)
    assert min(calls) < 3 * min(runs)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.slow
def test_ten_thousand_calls_leave_nothing(model, x):
    operator = model.operator(x, reduce="trace")
    cotangents, bias = np.ones((5, 3)), model.parameters["0.bias"]

    def refused():
        with pytest.raises(ValueError):
            model(x[:, :5])

    kinds = [
        lambda: model(x), lambda: model.kernel(x, reduce="trace"), lambda: model.kernel(x, x, reduce="full", by="layer").parts,
        lambda: model.jacobian(x, layout="structured"), lambda: model.vjp(x, cotangents), lambda: operator @ np.ones(5),
        lambda: model.parameters.update({"0.bias": bias}), lambda: repr(model.summary()), refused,
        lambda: model.kernel(x, reduce="trace", progress=lambda *_: None),
    ]

    def calls(count):
        for k in range(count):
            kinds[k % len(kinds)]()
        gc.collect()

    calls(2000)
    before = resident()
    calls(10_000)
    assert resident() - before < 2**20


# Peaks are the largest resident set of a call, beyond what was there before it.
BEGIN = """
import re, sys, numpy as np, tangra
from pathlib import Path

def resident(what):
    return int(re.search(what + ":\\s*([0-9]+)", Path("/proc/self/status").read_text())[1]) * 1024

def peak_of(call):
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmHWM")
    call()
    return resident("VmHWM") - before
"""

# In units of the samples.
SAMPLES = """
model = tangra.chain("Chain(Dense(1000 => 4, tanh), Dense(4 => 1))").astype(sys.argv[1])
x = np.random.default_rng(0).random((20000, 1000), dtype=np.float32).astype(sys.argv[1])
given = np.asfortranarray(x) if sys.argv[2] == "F" else x
model(x[:10])
print(peak_of(lambda: model(given)) / x.nbytes)
"""

# Of calls on few samples, in units of the parameters.
PARAMETERS = """
model, small = (
    tangra.chain(f"Chain(Dense(3000 => {width}, tanh), Dense({width} => 1))").astype(sys.argv[1]) for width in (3000, 4)
)
x = np.random.default_rng(0).random((2, 3000)).astype(sys.argv[1])
calls = [lambda m: m(x), lambda m: m.jvp(x, {"input": x}), lambda m: m.jacobian(x, wrt="input"), lambda m: m.plan(x)]
if sys.argv[1] == "float64":  # in float32 the error is measured, with parameters in float64
    calls.append(lambda m: m.kernel(x))
for call in calls:
    call(small)
    print(peak_of(lambda: call(model)) / model.parameters["0.weight"].nbytes)
"""


def peaks(script: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", BEGIN + script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.split()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_in_c_order_are_not_copied(dtype):
    """Blocks of them are, while they are swept: some 32 MB at most, whatever their number."""
    assert peaks(SAMPLES, dtype, "C")[0] < 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_are_not_copied(dtype):
    assert max(peaks(PARAMETERS, dtype)) < 0.5


def test_other_orders_are_copied_once():
    assert 0.8 < peaks(SAMPLES, "float64", "F")[0] - peaks(SAMPLES, "float64", "C")[0] < 1.3


def test_operators_keep_their_samples(model64, x):
    """What belongs to the caller may change: an operator has a copy."""
    given = x.copy()
    operator = model64.operator(given, reduce="trace")
    expected = operator @ np.ones(5)
    given[:] = 0
    np.testing.assert_array_equal(operator @ np.ones(5), expected)
