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
    """JSON gives every bit of a double."""
    for field in ("eigenvalues", "residuals", "verdict", "rounding_bound", "effective_rank", "trace", "condition"):
        assert a[field] == b[field], field


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


def test_plan(program, files, model, x):
    told = run(program, files, "plan", CHAIN, "x.npy", "--seed", "4", "--reduce", "full")
    plan = model.plan(x, reduce="full")
    for field in ("shape", "plan", "multiply_adds", "kernel_bytes", "factor_bytes", "tiles"):
        assert plan.info[field] == told[field], field
    assert plan.shape == (5, 3, 5, 3) and plan.seconds > 0 and plan.bytes > 900
    assert plan.orders == model.kernel(x, reduce="full").plan
    assert plan.peak_bytes == plan.info["expected_peak_bytes"] > plan.bytes


@pytest.mark.parametrize("out, triangle", [("there.npy", None), ("K.zarr", None), ("K.zarr", "lower")])
def test_plans_of_files(program, files, model, x, out, triangle, monkeypatch):
    monkeypatch.chdir(files)
    Path("there.npy").write_text("kept")
    plan = model.plan(x, reduce="trace", out=out, **({} if triangle is None else {"triangle": triangle}))
    options = ["--out", out, "--force", "--reduce", "trace"]
    if out.endswith(".zarr"):
        options += ["--triangle", triangle or "full"]
    told = run(program, files, "plan", CHAIN, "x.npy", "--seed", "4", *options)
    for field in ("shape", "kernel_bytes", "factor_bytes", "tiles", "written_to"):
        assert plan.info[field] == told[field], field
    assert Path("there.npy").read_text() == "kept" and not Path("K.zarr").exists()


@pytest.fixture
def labels(files: Path) -> np.ndarray:
    labels = np.array([0, 1, 2, 1, 0])
    np.save(files / "labels.npy", labels)
    np.save(files / "few.npy", labels[:2])
    return labels


def test_spectrum_with_labels(program, files, model, x, labels):
    arguments = ["--seed", "4", "--reduce", "full", "--labels", "labels.npy"]
    told = run(program, files, "spectrum", CHAIN, "x.npy", *arguments, "--density", "-o", "S.npz")
    spectrum = model.spectrum(x, reduce="full", labels=labels, density=True, vectors=True)
    assert_same_spectrum(spectrum.info, told)
    assert spectrum.info["labels"] == told["labels"] and spectrum.info["density"] == told["density"]
    with np.load(files / "S.npz") as stored:
        assert same_bits(np.ascontiguousarray(spectrum.eigenvectors.T), stored["eigenvectors"])
    assert model.spectrum(x, reduce="full").eigenvectors is None


@pytest.mark.parametrize("reduce, solver", [("full", "auto"), ("mean", "cg"), ("trace", "cholesky")])
def test_predict(program, files, model, x, labels, reduce, solver):
    arguments = ["--seed", "4", "--reduce", reduce, "--ridge", "0.5", "--solver", solver]
    out = "P.npy" if solver == "cg" else "P.npz"
    if solver != "cg":
        arguments.append("--variance")
    told = run(program, files, "predict", CHAIN, "x.npy", "y.npy", *arguments, "--labels", "labels.npy", "--labels2", "few.npy", "-o", out)
    prediction = model.predict(
        x, labels, x[:2] + 1, labels[:2], reduce=reduce, ridge=0.5, solver=solver, variance=solver != "cg"
    )
    for field in ("accuracy", "ridge", "jitter", "leave_one_out", "training_error", "log_likelihood", "network_accuracy"):
        assert prediction.info[field] == told[field], field
    stored = np.load(files / out)
    assert same_bits(prediction.mean, stored if solver == "cg" else stored["mean"])
    assert prediction.variance is None if solver == "cg" else same_bits(prediction.variance, stored["variance"])


def test_predict_numbers_by_several_ridges(program, files, model, x):
    targets = np.random.default_rng(5).normal(size=(5, 2))
    np.save(files / "T.npy", targets)
    arguments = ["--seed", "4", "--reduce", "mean", "--ridge", "0.1,1,10", "--targets", "T.npy"]
    told = run(program, files, "predict", CHAIN, "x.npy", "y.npy", *arguments, "-o", "P.npy")
    prediction = model.predict(x, targets, x[:2] + 1, reduce="mean", ridge=[0.1, 1, 10])
    assert prediction.path == told["path"] and len(prediction.path) == 3
    assert same_bits(prediction.mean, np.load(files / "P.npy"))


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_infinite(program, files, x, kind):
    text = "Chain(Dense(6 => 9, relu), Dense(9 => 1))"
    told = run(program, files, "infinite", text, "x.npy", "y.npy", "--parameterization", "ntk", "--kind", kind, "-o", "K.npy")
    infinite = tangra.chain(text, parameterization="ntk").infinite(x, x[:2] + 1, kind=kind)
    assert same_bits(infinite.values, np.load(files / "K.npy"))
    for field in ("kind", "layers", "conventions", "shape", "statistics"):
        assert infinite.info[field] == told[field], field
    assert infinite.distance is None


def test_infinite_of_the_standard_parameterisation(program, files, x):
    text = "Chain(Dense(6 => 9, relu), Dense(9 => 1))"
    told = run(program, files, "infinite", text, "x.npy", "--init", "he", "--compare")
    model = tangra.chain(text, init="he")
    infinite = model.infinite(x, compare=True)
    assert infinite.info["comparison"] == told["comparison"] and infinite.info["conventions"] == told["conventions"]
    assert model.astype("float64").infinite(x).shape == (5, 5)  # still drawn from the same distribution
    model.parameters["0.weight"] = model.parameters["0.weight"]
    with pytest.raises(NotImplementedError, match="weights from a file"):
        model.infinite(x)


@pytest.mark.parametrize("parameterization, init", [("ntk(1.3, 0.2)", None), ("standard", "he")])
def test_infinite_by_width(program, files, x, parameterization, init):
    text = "Chain(Dense(6 => 9, relu), Dense(9 => 1))"
    arguments = ["--parameterization", parameterization, "--seed", "5", "--widths", "16,64", "--seeds", "2"]
    told = run(program, files, "infinite", text, "x.npy", *arguments, *(["--init", init] if init else []))
    infinite = tangra.chain(text, parameterization=parameterization, init=init, seed=5).infinite(x, widths=[16, 64], seeds=2)
    assert infinite.info["convergence"] == told["convergence"] and infinite.info["slope"] == told["slope"]
    assert infinite.convergence.tolist() == [[row["width"], row["distance"]] for row in told["convergence"]]
    assert infinite.convergence.shape == (4, 2)
    assert infinite.slope == (told["slope"]["slope"], told["slope"]["error"])


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_linearise(program, files, model, x, labels, loss):
    arguments = ["--seed", "4", "--labels", "labels.npy", "--labels2", "few.npy", "--loss", loss, "--lr", "0.1", "--steps", "20"]
    told = run(program, files, "linearise", CHAIN, "x.npy", "y.npy", *arguments, "-o", "L.npz")
    result = model.linearise(x, labels, x[:2] + 1, labels[:2], loss=loss, rate=0.1, steps=20)
    assert result.moments == told["moments"] and not result.diverged
    for field in ("largest_distance", "kernel_distance", "parameter_distance", "rate_bound"):
        assert result.info[field] == told[field], field
    with np.load(files / "L.npz") as stored:
        assert np.array_equal(result.steps, stored["steps"])
        assert same_bits(result.network, stored["network:train"]) and same_bits(result.linearised, stored["linearised:train"])
        assert same_bits(result.network_test, stored["network:test"]) and same_bits(result.linearised_test, stored["linearised:test"])


@pytest.mark.parametrize("optimizer, rate, more", [("gd", 0.1, {"momentum": 0.5}), ("adam", 0.01, {})])
def test_train(program, files, model, x, labels, optimizer, rate, more):
    arguments = ["--seed", "4", "--labels", "labels.npy", "--test", "y.npy", "--labels2", "few.npy", "--loss", "mse",
                 "--optimizer", optimizer, "--lr", str(rate), "--epochs", "7", "--batch-size", "2", "--kernel-every", "3", "--kernel-samples", "4"]
    for name, value in more.items():
        arguments += [f"--{name}", str(value)]
    told = run(program, files, "train", CHAIN, "x.npy", *arguments, "-o", "W.npz")
    training = model.train(x, labels, x[:2] + 1, labels[:2], loss="mse", optimizer=optimizer, rate=rate, epochs=7,
                           batch_size=2, kernel_every=3, kernel_samples=4, **more)
    assert training.epochs == told["epochs"] and training.kernel_moments == told["kernel_moments"]
    assert training.info["rate_bound"] == told["rate_bound"]
    with np.load(files / "W.npz") as stored:
        for name, value in model.parameters.items():
            assert same_bits(value, stored[name]) and same_bits(training.weights[name], stored[name])


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


def test_report(program, files, model, x, labels):
    runs = files / "runs"
    runs.mkdir()
    for name, arguments in {"K.npy": ["--reduce", "trace"], "P.npz": ["--reduce", "trace", "--by", "layer"]}.items():
        run(program, files, "kernel", CHAIN, "x.npy", "--seed", "4", *arguments, "-o", f"runs/{name}")
    (runs / "S.json").write_text(json.dumps(run(program, files, "spectrum", "runs/K.npy")))
    told = run(program, files, "report", "runs", "--labels", "labels.npy", "-o", "theirs.html")
    report = tangra.report(runs, labels=labels, out=files / "ours.html")
    assert report.path.read_bytes() == (files / "theirs.html").read_bytes() == report.html.encode()
    assert report.runs == told["runs"] and len(report.runs) == 3
    assert report.html == tangra.report(str(runs), labels=files / "labels.npy").html
    assert tangra.report(runs).path is None
    with pytest.raises(FileExistsError, match="ours.html"):
        tangra.report(runs, out=files / "ours.html")
    tangra.report(runs / "S.json", out=files / "ours.html", overwrite=True)


def test_report_of_results(files, model, x, labels):
    """The numbers are those of the same results from files."""
    kernel, parts = model.kernel(x, reduce="trace", out=files / "K.npy"), model.kernel(x, reduce="trace", by="layer")
    training = model.copy().train(x, labels, loss="mse", epochs=3, rate=0.1)
    results = [kernel, model.kernel(x, reduce="trace"), parts, kernel.spectrum(labels=labels), training, model.summary()]
    report = tangra.report(results, labels=labels)
    assert [one["command"] for one in report.runs] == ["kernel", "kernel", "kernel", "spectrum", "train", "summary"]
    assert [one["picture"] for one in report.runs] == [True, True, True, False, False, False]
    assert not any(one["notes"] for one in report.runs)
    assert f"{kernel.spectrum().eigenvalues[0]:.8g}" in report.html
    assert "3-kernel.npz" in repr(report)
    with pytest.raises(ValueError, match="labels"):
        tangra.report(kernel, labels=labels[:3])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tangra.report(files / "nowhere")
    with pytest.raises(ValueError, match="nothing to report on"):
        tangra.report([])
    with pytest.raises(ValueError, match="ends in .html"):
        tangra.report(files / "x.npy", out=files / "page.txt")
