"""The kernel of pictures of digits and its eigenvalues, for ten samples and for more.

With MNIST at hand (tangra data list says where it is looked for), --data mnist --n 60000 is the same computation: 14.4 GB as
float32, so write it to a file, or ask for the largest eigenvalues alone, which need no kernel.
"""

import argparse

import numpy as np
from scipy.sparse.linalg import eigsh

import tangra

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", default="digits")
parser.add_argument("--n", type=int, default=1000)
options = parser.parse_args()

x = tangra.data(options.data, n=options.n).x
features = int(np.prod(x.shape[1:]))
model = tangra.chain(
    f"Chain(Dense({features} => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)", init="glorot_uniform"
)

ten = model.kernel(x[:10], reduce="output=0")
print(ten)
print(ten.spectrum())

operator = model.operator(x, reduce="output=0", precision="float64")
largest = eigsh(operator, k=5, return_eigenvectors=False)[::-1]
print(f"\nlargest eigenvalues of {len(x)} samples, without their kernel: {largest}")

if len(x) <= 2000:
    spectrum = model.spectrum(x, reduce="output=0", precision="float64")
    print(f"and with it: {spectrum.eigenvalues[:5]}\nverdict: {spectrum.verdict}")
    np.testing.assert_allclose(largest, spectrum.eigenvalues[:5], rtol=1e-8)
