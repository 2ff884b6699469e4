"""A call of every kind, for valgrind: see the step `python` of scripts/slow.sh."""

import numpy as np

import tangra

model = tangra.chain("Chain(Dense(6 => 7, tanh), Dense(7 => 3), softmax)", seed=4)
x = np.random.default_rng(3).normal(size=(5, 6)).astype(np.float32)
model(x)
model.jacobian(x)
model.jacobian(x, layout="structured")
model.jvp(x, {name: np.ones_like(value) for name, value in model.parameters.items()})
model.vjp(x, np.ones((5, 3)))
kernel = model.kernel(x, reduce="full", by="layer", progress=lambda *_: None)
kernel.parts
model.kernel(x, x[:2], reduce="trace")
model.operator(x, reduce="trace") @ np.ones(5)
model.spectrum(x, reduce="trace")
model.parameters["0.bias"] = model.parameters["0.bias"] + 1
model.train(x, [0, 1, 2, 1, 0], loss="mse", epochs=2, rate=0.1)
for wrong in (x[:, :5], x[:0], np.array(["a"])):
    try:
        model(wrong)
    except (TypeError, ValueError) as error:
        print(error)
    else:
        raise SystemExit("what is wrong was taken")
print(model.summary())
