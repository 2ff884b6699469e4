"""Four ways to one kernel, and what it looks like when one of them forgets the biases."""

import numpy as np

import tangra

model = tangra.chain("Chain(Dense(64 => 20, tanh), Dense(20 => 10), softmax)", seed=2).astype("float64")
x = tangra.data("digits", n=6).x

structured = model.kernel(x, reduce="trace", by="parameter")
for method in ("jacobian", "product"):
    other = model.kernel(x, reduce="trace", method=method)
    difference = np.abs(other.values - structured.values).max()
    print(f"structured against {method}: {difference:.1e}")
    assert difference < 1e-12 * np.abs(structured.values).max()

# The fourth way: finite differences. verify() compares all of them, parameter by parameter.
verification = model.verify(x[:2])
print("all methods agree:", verification.agree)
assert verification

# A program that differentiates by the weights alone gets this kernel. It looks like one: symmetric, positive.
forgetful = sum(part for name, part in structured.parts.items() if name.endswith("weight"))
missing = np.abs(forgetful - structured.values).max() / np.abs(structured.values).max()
print(f"without the biases {missing:.0%} of the largest entry is missing;", "smallest eigenvalue:", np.linalg.eigvalsh(forgetful)[0])
assert missing > 0.01
