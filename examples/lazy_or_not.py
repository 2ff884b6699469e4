"""Does the kernel stand still while the network learns? The wider the network (in the NTK parameterisation), the more so."""

import numpy as np

import tangra

digits = tangra.data("digits", n=200)
keep = np.isin(digits.labels, (3, 8))
x, y = digits.x[keep].reshape(-1, 64), np.where(digits.labels[keep] == 3, 1.0, -1.0)

changes = []
for width in (10, 100, 1000):
    model = tangra.chain(f"Chain(Dense(64 => {width}, tanh), Dense({width} => 1))", parameterization="ntk", seed=3).astype("float64")
    before = model.kernel(x).values
    rate = 1 / np.linalg.eigvalsh(before)[-1]
    for step in range(200):
        gradients = model.vjp(x, model(x) - y[:, None])
        model.parameters.update({name: value - rate * gradients[name] for name, value in model.parameters.items()})
    after = model.kernel(x).values
    changes.append(np.linalg.norm(after - before) / np.linalg.norm(before))
    print(f"width {width:5}: the kernel has changed by {changes[-1]:6.1%}, the mean squared residual is {np.mean((model(x)[:, 0] - y) ** 2):.3f}")

assert changes[0] > changes[1] > changes[2]
