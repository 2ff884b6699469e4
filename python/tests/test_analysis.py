"""Spectra, predictions, closed forms and training, against NumPy and against each other."""

from __future__ import annotations

import numpy as np
import pytest

import tangra

LABELS = np.array([0, 1, 2, 1, 0])


def test_prediction_is_kernel_regression(model64, x):
    random = np.random.default_rng(0)
    targets, test = random.normal(size=(5, 3)), random.normal(size=(4, 6))
    kernel = model64.kernel(x, reduce="full").matrix
    cross = model64.kernel(test, x, reduce="full").matrix
    prediction = model64.predict(x, targets, test, reduce="full", ridge=0.3, variance=True)
    solved = np.linalg.solve(kernel + 0.3 * np.eye(15), np.column_stack([targets.ravel(), cross.T]))
    np.testing.assert_allclose(prediction.mean.ravel(), cross @ solved[:, 0], rtol=1e-9, atol=1e-12)
    own = model64.kernel(test, reduce="full", pairs="self").values
    for i in range(4):
        expected = own[i] - cross[3 * i : 3 * i + 3] @ solved[:, 1 + 3 * i : 4 + 3 * i]
        np.testing.assert_allclose(prediction.variance[i], expected, rtol=1e-8, atol=1e-12)


def test_labels_and_numbers_are_told_apart(model64, x):
    by_labels = model64.predict(x, LABELS, x, LABELS, reduce="trace", ridge=1e-3)
    by_numbers = model64.predict(x, np.eye(3)[LABELS], x, reduce="trace", ridge=1e-3)
    np.testing.assert_array_equal(by_labels.mean, by_numbers.mean)
    assert by_labels.accuracy == 1 and by_numbers.accuracy is None
    np.testing.assert_array_equal(by_labels.labels, LABELS)
    assert model64.predict(x, LABELS.astype(float), x, reduce="trace", ridge=1e-3).mean.shape == (5, 1)


def test_the_network_as_prior(model64, x):
    outputs = model64(x)
    prediction = model64.predict(x, outputs, x + 1, reduce="full", ridge=0.1, prior="network")
    np.testing.assert_allclose(prediction.mean, model64(x + 1), rtol=1e-12)


def test_linearised_training_is_its_closed_form(model64, x):
    """f_t = y + exp-like powers of (1 - rate K / N) on f_0 - y."""
    result = model64.linearise(x, LABELS, rate=0.2, steps=30, loss="mse")
    kernel, start, targets = model64.kernel(x, reduce="full").matrix, model64(x).ravel(), np.eye(3)[LABELS].ravel()
    for step, outputs in zip(result.steps, result.linearised):
        expected = targets + np.linalg.matrix_power(np.eye(15) - 0.2 / 5 * kernel, int(step)) @ (start - targets)
        np.testing.assert_allclose(outputs.ravel(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.network[0], model64(x), rtol=1e-12)


def test_training_changes_the_model(model64, x):
    before = model64.copy()
    training = model64.train(x, LABELS, loss="mse", epochs=3, rate=0.5)
    gradient = before.copy()
    for _ in range(3):
        pulled = gradient.vjp(x, (gradient(x) - np.eye(3)[LABELS]) / 5)
        gradient.parameters.update({name: w - 0.5 * pulled[name] for name, w in gradient.parameters.items()})
    for name, value in model64.parameters.items():
        np.testing.assert_allclose(value, gradient.parameters[name], rtol=1e-10, atol=1e-13)
        assert not np.array_equal(value, before.parameters[name])
    loss = 0.5 * np.square(model64(x) - np.eye(3)[LABELS]).sum() / 5
    assert training.loss == pytest.approx(loss, rel=1e-12) and not training.diverged


def test_a_rate_above_the_bound_is_told(x):
    model = tangra.chain("Chain(Dense(6 => 3))", seed=1)
    before = dict(model.parameters)
    with pytest.warns(UserWarning, match="above the bound"):
        training = model.train(x, LABELS, loss="mse", epochs=2000, rate=1e4)
    assert training.diverged
    assert all(np.array_equal(value, before[name]) for name, value in model.parameters.items())


def test_top_eigenvalues_with_and_without_the_matrix(model64, x):
    dense = model64.spectrum(x, reduce="full").eigenvalues
    np.testing.assert_allclose(dense, np.linalg.eigvalsh(model64.kernel(x, reduce="full").matrix)[::-1], atol=1e-12 * dense[0])
    top = model64.spectrum(x, reduce="full", top=3, without_matrix=True)
    np.testing.assert_allclose(top.eigenvalues, dense[:3], rtol=1e-10)
    kernel = model64.kernel(x, reduce="full")
    spectrum = kernel.spectrum(vectors=True)
    np.testing.assert_allclose(kernel.matrix @ spectrum.eigenvectors, spectrum.eigenvectors * spectrum.eigenvalues, atol=1e-12 * dense[0])


def test_a_kernel_that_is_not_definite():
    values = np.diag([2.0, 1.0, -0.5])
    spectrum = tangra.spectrum(values)
    assert spectrum.verdict == "not positive semidefinite"
    np.testing.assert_array_equal(spectrum.eigenvalues, [2, 1, -0.5])


def test_infinite_width_is_the_limit(x):
    text = "Chain(Dense(6 => {0}, relu), Dense({0} => 1))"
    networks = [tangra.chain(text.format(width), parameterization="ntk") for width in (64, 4096)]
    distances = [network.infinite(x, compare=True).distance for network in networks]
    assert distances[1] < 0.3 * distances[0]
    narrow = tangra.chain(text.format(8), parameterization="ntk").infinite(x)
    wide = tangra.chain(text.format(99), parameterization="ntk").infinite(x)
    np.testing.assert_allclose(narrow.values, wide.values, rtol=1e-14)


@pytest.mark.parametrize("call, error, message", [
    (lambda m, x: m.predict(x, LABELS[:4], x, reduce="trace"), ValueError, "y: the number of labels"),
    (lambda m, x: m.predict(x, LABELS * 1.0, x, reduce="trace", ridge=-1), ValueError, "ridge"),
    (lambda m, x: m.predict(x, LABELS, x), ValueError, "reduce"),
    (lambda m, x: m.predict(x, np.ones((4, 3)), x, reduce="trace"), ValueError, "targets"),
    (lambda m, x: m.predict(x, LABELS, x, reduce="trace", solver="lu"), ValueError, "solver"),
    (lambda m, x: m.predict(x, LABELS - 1, x, reduce="trace"), ValueError, "label 0"),
    (lambda m, x: m.plan(x, reduce="none"), ValueError, "reduce"),
    (lambda m, x: m.infinite(x), NotImplementedError, "closed form"),
    (lambda m, x: m.infinite(x, kind="gp"), ValueError, "kind"),
    (lambda m, x: m.train(x, LABELS, loss="mse", epochs=0, rate=1.0), ValueError, "epochs"),
    (lambda m, x: m.train(x, LABELS, loss="mse", epochs=1, rate=-1.0), ValueError, "lr|rate"),
    (lambda m, x: m.train(x, LABELS + 3, loss="mse", epochs=1, rate=1.0), ValueError, "label"),
    (lambda m, x: m.linearise(x, LABELS, loss="hinge"), ValueError, "loss"),
    (lambda m, x: m.spectrum(x, reduce="full", top=-1), ValueError, "top"),
    (lambda m, x: m.spectrum(x, reduce="trace", labels=LABELS[:2]), ValueError, "labels"),
    (lambda m, x: tangra.spectrum(np.eye(4), labels=[0, 1]), ValueError, "labels"),
])
def test_errors(model, x, call, error, message):
    with pytest.raises(error, match=message) as raised:
        call(model, x)
    assert "--" not in str(raised.value)


def test_texts_and_plots(model, x):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    wide = tangra.chain("Chain(Dense(6 => 9, relu), Dense(9 => 1))", parameterization="ntk")
    results = [
        model.predict(x, LABELS, x, reduce="mean", ridge=1.0), model.predict(x, LABELS, x, reduce="mean", ridge=[1.0, 2.0]),
        model.linearise(x, LABELS, loss="mse", steps=5), model.copy().train(x, LABELS, loss="mse", epochs=2, rate=0.1), wide.infinite(x),
    ]
    for result in results:
        assert "\n" in repr(result) and result._repr_html_().startswith("<pre>")
        axes = result.plot(plt.figure().gca())
        assert axes.lines or axes.images
    assert "multiply" in repr(model.plan(x, reduce="full")) or "order" in repr(model.plan(x, reduce="full"))
    plt.close("all")
