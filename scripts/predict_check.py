#!/usr/bin/env python3
"""Kernel regression of tangra against scikit-learn's KernelRidge on the same kernel in float64.

  predict_check.py TANGRA FOLDER [TRAIN TEST]

Trains a wide dense network on MNIST, takes its tangent kernel of TRAIN (2000) training and TEST (1000) test pictures, and lets
both predict. Exit code 1 where predictions differ by more than max(1e-8, n eps cond) of the largest, or an accuracy differs.
"""
import json
import subprocess
import sys

import numpy
from sklearn.kernel_ridge import KernelRidge

CHAIN = "Chain(Dense(784 => 1000, relu), Dense(1000 => 10))"
RIDGE = 1.0


def tangra(*words):
    done = subprocess.run([sys.argv[1], *map(str, words), "--json", "--progress", "none"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    folder = sys.argv[2]
    train, test = map(int, sys.argv[3:5]) if len(sys.argv) > 4 else (2000, 1000)
    weights = f"{folder}/W.safetensors"
    trained = tangra("train", CHAIN, "mnist", "--n", 10000, "--loss", "mse", "--optimizer", "adam", "--lr", 1e-3, "--epochs", 3,
                     "--batch-size", 100, "--bound-samples", 0, "-o", weights, "--force")
    print(f"{CHAIN}, training accuracy {trained['epochs'][-1]['train']['accuracy']:.4f}")
    network = ["--weights", weights, "--reduce", "mean", "--precision", "float64", "--force"]
    tangra("kernel", CHAIN, "mnist", "--n", train, *network, "-o", f"{folder}/K.npy")
    tangra("kernel", CHAIN, "mnist:test", "mnist", "--n", test, "--n2", train, *network, "-o", f"{folder}/T.npy")
    told = tangra("predict", CHAIN, "mnist", "mnist:test", "--n", train, "--n2", test, *network, "--ridge", RIDGE, "-o", f"{folder}/P.npy")
    labels = numpy.array(labels_of("mnist", train)), numpy.array(labels_of("mnist:test", test))
    kernel, cross = numpy.load(f"{folder}/K.npy"), numpy.load(f"{folder}/T.npy")
    fit = KernelRidge(alpha=RIDGE, kernel="precomputed").fit(kernel, numpy.eye(10)[labels[0]])
    theirs, ours = fit.predict(cross), numpy.load(f"{folder}/P.npy")
    values = numpy.linalg.eigvalsh(kernel) + RIDGE
    allowed = max(1e-8, train * numpy.finfo(float).eps / 2 * values[-1] / values[0])
    difference = numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
    accuracy = (theirs.argmax(1) == labels[1]).mean()
    print(f"accuracy {told['accuracy']:.4f}, scikit-learn's {accuracy:.4f}; largest difference {difference:.2g} of {allowed:.2g} allowed; condition {values[-1] / values[0]:.3g}")
    if not (difference <= allowed and abs(told["accuracy"] - accuracy) < 1e-12):
        sys.exit("predict_check.py: the predictions differ")


def labels_of(name, count):
    """The labels as the IDX files have them."""
    import gzip
    import os
    part = "t10k" if name.endswith(":test") else "train"
    for place in os.environ.get("TANGRA_DATA", "").split(":"):
        for folder in (place, os.path.join(place, "mnist")):
            for end, opener in (("", open), (".gz", gzip.open)):
                path = os.path.join(folder, f"{part}-labels-idx1-ubyte{end}")
                if os.path.exists(path):
                    with opener(path, "rb") as file:
                        return list(file.read()[8 : 8 + count])
    sys.exit(f"predict_check.py: no labels of {name} in TANGRA_DATA")


main()
