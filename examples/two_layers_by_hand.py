"""The tangent kernel of a network with one hidden layer, by hand and by tangra.

f(x) = a . tanh(W x + b). With h = tanh(W x + b) and g = a (1 - h^2) the derivatives are

    by a: h      by b: g      by W: g x^T

so K(x, y) = h(x) . h(y) + g(x) . g(y) + (g(x) . g(y)) (x . y).
"""

import numpy as np

import tangra

model = tangra.chain("Chain(Dense(3 => 5, tanh), Dense(5 => 1; bias = false))", init="normal", seed=1).astype("float64")
x = np.random.default_rng(0).normal(size=(4, 3))

W, b, a = (model.parameters[name] for name in ("0.weight", "0.bias", "1.weight"))
h = np.tanh(x @ W.T + b)  # (N, 5)
g = a * (1 - h**2)  # (N, 5)
by_hand = {"1.weight": h @ h.T, "0.bias": g @ g.T, "0.weight": (g @ g.T) * (x @ x.T)}

kernel = model.kernel(x, by="parameter")
for name, part in by_hand.items():
    print(f"{name:9} differs by {np.abs(kernel.parts[name] - part).max():.1e}")
    np.testing.assert_allclose(kernel.parts[name], part, rtol=1e-12)
np.testing.assert_allclose(kernel.values, sum(by_hand.values()), rtol=1e-12)
print(kernel.values)
