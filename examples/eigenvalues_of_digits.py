"""The kernel of pictures of digits and its eigenvalues, for ten samples and for more.

With MNIST at hand (tangra data list says where it is looked for), --data mnist --n 60000 is the same computation. The largest
eigenvalues need no kernel. --out K.zarr writes it all the same, one triangle of it: 7.2 GB as float32.
"""

import argparse

import numpy as np
from scipy.sparse.linalg import eigsh

import tangra

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", default="digits")
parser.add_argument("--n", type=int, default=1000)
parser.add_argument("--out", help="a .zarr for the kernel of all samples")
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

if options.out:
    kernel = model.kernel(x, reduce="output=0", out=options.out, triangle="lower")
    print(f"\nthe kernel took {kernel.seconds:.1f} s to {options.out}")
    stored = tangra.spectrum(options.out, top=5).eigenvalues
    print(f"and has the eigenvalues {stored}")
    np.testing.assert_allclose(largest, stored, rtol=1e-5)

if len(x) <= 2000:
    spectrum = model.spectrum(x, reduce="output=0", precision="float64")
    print(f"and with it: {spectrum.eigenvalues[:5]}\nverdict: {spectrum.verdict}")
    np.testing.assert_allclose(largest, spectrum.eigenvalues[:5], rtol=1e-8)
