#!/usr/bin/env python3
"""The kernel of one case by another library: python peer.py CASE neural-tangents|torch [--method M] [--n N] [--repeats R].

Prints one line as bench_kernel does: case, method, shape, first call, best of the repeats, peak memory. The networks are
those of bench/networks.cpp, with weights of the same distribution; the inputs are standard normal.

neural-tangents 0.6.5 needs jax 0.4.25, numpy < 2, scipy < 1.13, ml_dtypes < 0.5, tensorflow-cpu 2.16.1 and tf2jax 0.3.6;
torch any version with torch.func.
"""
import argparse
import resource
import time

import numpy as np

FULL = ("wide-fcn", "cnn")


def draw(shape, fan_in, seed):
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def inputs(case, n):
    """Rows and columns of the kernel; columns None where they are the rows."""
    def samples(count, shape, seed):
        return np.random.default_rng(1000 + seed).standard_normal((count, *shape)).astype(np.float32)

    if case.startswith("mnist-mlp"):
        return samples(n, (784,), 0), None
    if case == "wide-fcn":
        return samples(16, (3072,), 0), samples(16, (3072,), 1)
    if case == "cnn":
        return samples(20, (3, 32, 32), 0), samples(5, (3, 32, 32), 1)
    return samples(n, (3, 32, 32), 0), None


def by_neural_tangents(case, method, rows, columns):
    import jax
    import neural_tangents as nt
    from jax import numpy as jnp

    def layers(widths):
        return [(draw((a, b), a, k), np.zeros(b, np.float32)) for k, (a, b) in enumerate(zip(widths, widths[1:]))]

    def dense(x, layer):
        return x @ layer[0] + layer[1]

    if case.startswith("mnist-mlp"):
        params = layers([784, 60, 60, 10])

        def network(params, x):
            for layer in params:
                x = jax.nn.sigmoid(dense(x, layer))
            y = jax.nn.softmax(x)
            return y if case.endswith("trace") else y[:, :1]
    elif case == "wide-fcn":
        params = layers([3072, 2048, 2048, 2048, 8])

        def network(params, x):
            for layer in params[:-1]:
                x = jax.nn.relu(dense(x, layer))
            return dense(x, params[-1])
    elif case.startswith("cnn"):
        params = [(draw((32, c, 3, 3), 9 * c, k), np.zeros((32, 1, 1), np.float32)) for k, c in enumerate((3, 32, 32))]
        params += layers([32 * 26 * 26, 10])

        def network(params, x):
            for kernel, bias in params[:-1]:
                x = jax.lax.conv(x, kernel, (1, 1), "VALID")
                x = jax.nn.relu(x + bias)
            return dense(x.reshape(len(x), -1), params[-1])
    else:
        raise SystemExit(f"{case} is not there for neural-tangents")
    kinds = {"jacobian": nt.NtkImplementation.JACOBIAN_CONTRACTION, "products": nt.NtkImplementation.NTK_VECTOR_PRODUCTS,
             "structured": nt.NtkImplementation.STRUCTURED_DERIVATIVES}
    trace_axes = () if case in FULL else (-1,)
    kernel = jax.jit(nt.empirical_ntk_fn(network, trace_axes=trace_axes, vmap_axes=0, implementation=kinds[method]))
    params = jax.tree_util.tree_map(jnp.asarray, params)
    rows, columns = jnp.asarray(rows), None if columns is None else jnp.asarray(columns)
    return lambda: kernel(rows, columns, params).block_until_ready().shape


def residual_network(nn):
    """He et al. (CVPR 2016), section 4.2, with projections, in evaluation mode."""
    def conv(c_in, c_out, size, stride):
        return [nn.Conv2d(c_in, c_out, size, stride, size // 2, bias=False), nn.BatchNorm2d(c_out)]

    class Sum(nn.Module):
        def __init__(self, c_in, c_out, stride):
            super().__init__()
            self.long = nn.Sequential(*conv(c_in, c_out, 3, stride), nn.ReLU(), *conv(c_out, c_out, 3, 1))
            same = stride == 1 and c_in == c_out
            self.short = nn.Identity() if same else nn.Sequential(*conv(c_in, c_out, 1, stride))

        def forward(self, x):
            return nn.functional.relu(self.long(x) + self.short(x))

    blocks, width = [*conv(3, 16, 3, 1), nn.ReLU()], 16
    for channels in (16, 32, 64):
        for k in range(3):
            blocks.append(Sum(width, channels, 2 if k == 0 and channels > 16 else 1))
            width = channels
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()


def by_torch(case, rows, columns):
    """The recipe of torch.func's tutorial on tangent kernels: Jacobians of all samples, then their contraction."""
    import torch
    from torch import nn
    from torch.func import functional_call, jacrev, vmap

    def dense(widths, activation):
        stack = [m for a, b in zip(widths, widths[1:]) for m in (nn.Linear(a, b), activation())]
        return stack if activation is nn.Sigmoid else stack[:-1]

    if case.startswith("mnist-mlp"):
        net = nn.Sequential(*dense([784, 60, 60, 10], nn.Sigmoid), nn.Softmax(-1))
    elif case == "wide-fcn":
        net = nn.Sequential(*dense([3072, 2048, 2048, 2048, 8], nn.ReLU))
    elif case.startswith("cnn"):
        convs = [m for c in (3, 32, 32) for m in (nn.Conv2d(c, 32, 3), nn.ReLU())]
        net = nn.Sequential(*convs, nn.Flatten(), nn.Linear(32 * 26 * 26, 10))
    else:
        net = residual_network(nn)
    params = {name: own.detach() for name, own in net.named_parameters()}
    buffers = dict(net.named_buffers())

    def of_one(params, x):
        y = functional_call(net, (params, buffers), (x[None],))[0]
        return y[:1] if case == "mnist-mlp" else y

    jacobians = vmap(jacrev(of_one), (None, 0), chunk_size=10 if case.startswith("resnet") else None)
    rule = "iap,jbp->ijab" if case in FULL else "iap,jap->ij"

    def kernel():
        with torch.no_grad():
            left = {name: j.flatten(2) for name, j in jacobians(params, torch.from_numpy(rows)).items()}
            right = left
            if columns is not None:
                right = {name: j.flatten(2) for name, j in jacobians(params, torch.from_numpy(columns)).items()}
            return sum(torch.einsum(rule, left[name], right[name]) for name in left).shape

    return kernel


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("library", choices=("neural-tangents", "torch"))
    parser.add_argument("--method", choices=("jacobian", "products", "structured"), default="structured")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rows, columns = inputs(args.case, args.n)
    if args.library == "torch":
        kernel, method = by_torch(args.case, rows, columns), "torch.func jacobian"
    else:
        kernel, method = by_neural_tangents(args.case, args.method, rows, columns), "neural-tangents " + args.method
    times = []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        shape = kernel()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    best = min(times[1:])
    print(f"{args.case:16} {method:28} {str(tuple(shape)):20} first {times[0]:8.3f} s  best {best:8.4f} s  peak {peak:5.1f} GiB")


if __name__ == "__main__":
    main()
