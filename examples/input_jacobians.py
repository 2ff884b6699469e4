"""Input Jacobians of a dense layer as Keras has it, y = f(x W + b) with W (in, out), in the three forms that are about."""

import numpy as np

import tangra

random = np.random.default_rng(0)
W, b = random.normal(size=(6, 4)), random.normal(size=4)
x = random.normal(size=(3, 6))

# Weights are (out, in) here: Keras's transposed.
model = tangra.chain("Chain(Dense(6 => 4, sigmoid))").astype("float64")
model.parameters.update({"0.weight": W.T, "0.bias": b})
y = model(x)
np.testing.assert_allclose(y, 1 / (1 + np.exp(-(x @ W + b))), rtol=1e-12)

blocks = model.jacobian(x, wrt="input")["input"]  # (N, O, in): what is not zero
full = model.jacobian(x, wrt="input", input_form="full")["input"]  # (N, O, in, N): the batch's Jacobian
summed = model.jacobian(x, wrt="input", input_form="summed")["input"]  # (N, in): the gradient of the summed outputs
print("blocks", blocks.shape, " full", full.shape, " summed", summed.shape)

np.testing.assert_allclose(blocks, (y * (1 - y))[:, :, None] * W.T, rtol=1e-10)
for i in range(3):
    for j in range(3):
        np.testing.assert_array_equal(full[i, :, :, j], blocks[i] if i == j else 0 * blocks[i])
np.testing.assert_allclose(summed, blocks.sum(axis=1), rtol=1e-10)
print(f"of the full form {np.mean(full == 0):.0%} is zero")
