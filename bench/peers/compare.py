#!/usr/bin/env python3
"""Times tangra and its peers in turn and prints their ratios.

    bench/peers/compare.py [--python-nt PYTHON] [--python-torch PYTHON] [--rounds 5] [--case CASE ...]

bench_kernel comes from the preset bench; the two Pythons are those of environments that hold neural-tangents and torch
(peer.py says which versions). Each round runs every program once, one after the other; what stands in the table is the
median over the rounds of each program's best repeat. A peer whose Python is not given is left out.
"""
import argparse
import pathlib
import re
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
WORK = (  # case, samples, peers: (library, method)
    ("mnist-mlp", 2000, (("neural-tangents", "structured"), ("torch", None))),
    ("mnist-mlp", 10000, (("neural-tangents", "structured"),)),
    ("mnist-mlp", 20000, (("neural-tangents", "structured"),)),
    ("mnist-mlp-trace", 2000, (("neural-tangents", "structured"), ("torch", None))),
    ("mnist-mlp-trace", 10000, (("neural-tangents", "structured"),)),
    ("wide-fcn", 16, (("neural-tangents", "structured"), ("neural-tangents", "products"))),
    ("cnn", 20, (("neural-tangents", "structured"), ("neural-tangents", "jacobian"), ("torch", None))),
    ("cnn-trace", 100, (("neural-tangents", "structured"), ("neural-tangents", "jacobian"), ("torch", None))),
    ("resnet20-trace", 100, (("torch", None),)),
)
LINE = re.compile(r"best\s+([\d.]+) s\s+peak\s+([\d.]+) GiB")


def timed(command):
    """Seconds and GiB that a program prints, or None where it fails (out of memory, say)."""
    done = subprocess.run(command, capture_output=True, text=True)
    found = LINE.search(done.stdout)
    return (float(found[1]), float(found[2])) if done.returncode == 0 and found else None


def median(runs):
    good = [run for run in runs if run is not None]
    return tuple(statistics.median(column) for column in zip(*good)) if good else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(HERE.parents[1] / "build/bench/bench/bench_kernel"))
    parser.add_argument("--python-nt")
    parser.add_argument("--python-torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", action="append")
    args = parser.parse_args()
    pythons = {"neural-tangents": args.python_nt, "torch": args.python_torch}
    print("| case | N | tangra | peer | peer's time | ratio | peak: tangra | peak: peer |\n|---|---|---|---|---|---|---|---|")
    for case, n, peers in WORK:
        if args.case and case not in args.case:
            continue
        common = [case, "--n", str(n), "--repeats", str(args.repeats)]
        commands = {"tangra": [args.bench, *common]}
        for library, method in peers:
            if pythons[library]:
                extra = ["--method", method] if method else []
                commands[f"{library} {method or ''}".strip()] = [
                    pythons[library], str(HERE / "peer.py"), case, library, *common[1:], *extra]
        runs = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                runs[name].append(timed(command))
        ours = median(runs.pop("tangra"))
        if ours is None:
            raise SystemExit(f"{commands['tangra']} failed")
        for name, own in runs.items():
            theirs = median(own)
            tail = "fails | | | |" if theirs is None else (
                f"{theirs[0]:.4g} s | {theirs[0] / ours[0]:.2f} | {ours[1]:.1f} GiB | {theirs[1]:.1f} GiB |")
            print(f"| {case} | {n} | {ours[0]:.4g} s | {name} | {tail}", flush=True)


if __name__ == "__main__":
    main()
