"""Kernel regression with the tangent kernel against the network itself, trained by gradient descent from the same weights.

Linearised at its first weights, the network after t steps on half the squared distance is known in closed form,

    f_t(z) = f_0(z) + K(z, X) K^-1 (I - (I - rate K)^t) (y - f_0(X)),

which is kernel regression for t -> infinity. A wide network stays close to that; here both take the same steps.
"""

import numpy as np

import tangra

digits = tangra.data("digits", n=400)
keep = np.isin(digits.labels, (3, 8))
x, y = digits.x[keep].reshape(-1, 64), np.where(digits.labels[keep] == 3, 1.0, -1.0)
train, test = slice(0, 40), slice(40, None)
steps = 300

distances = []
for width in (20, 1000):
    model = tangra.chain(f"Chain(Dense(64 => {width}, tanh), Dense({width} => 1))", parameterization="ntk", seed=1)
    model = model.astype("float64")
    eigenvalues, vectors = np.linalg.eigh(model.kernel(x[train]).values)
    between = model.kernel(x[test], x[train]).values
    f0 = model(x)[:, 0]
    rate = 1 / eigenvalues[-1]

    def linearised(shrink):
        """f_t on the test samples, with 1 - (1 - rate K)^t as a function of K's eigenvalues."""
        return f0[test] + between @ (vectors @ (shrink / eigenvalues * (vectors.T @ (y[train] - f0[train]))))

    for step in range(steps):
        gradients = model.vjp(x[train], model(x[train]) - y[train, None])
        model.parameters.update({name: value - rate * gradients[name] for name, value in model.parameters.items()})

    network, same_steps, limit = model(x[test])[:, 0], linearised(1 - (1 - rate * eigenvalues) ** steps), linearised(1.0)
    distances.append(np.linalg.norm(network - same_steps) / np.linalg.norm(same_steps))
    right = [f"{np.mean(np.sign(f) == y[test]):.1%}" for f in (network, same_steps, limit)]
    print(f"width {width:4}: right answers of the network {right[0]}, linearised {right[1]}, kernel regression {right[2]};")
    print(f"            the network and its linearisation are {distances[-1]:.1%} apart after {steps} steps")

assert distances[1] < distances[0] and distances[1] < 0.05
