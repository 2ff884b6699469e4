"""What is concluded from a kernel: spectra, predictions, closed forms, training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from tangra._arguments import AnyArray
from tangra._description import Array, Table, axes_or_current


class Spectrum(Table):
    """The eigenvalues of a kernel and what they say.

    ``eigenvalues`` stand largest first; below ``rounding_bound`` one cannot be told from 0.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], text: str, table: str) -> None:
        super().__init__(text, table)
        self._arrays = arrays

    @property
    def eigenvalues(self) -> AnyArray:
        return np.array(self.info["eigenvalues"], dtype=np.float64)

    @property
    def eigenvectors(self) -> Optional[AnyArray]:
        """(rows of the kernel, eigenvalues), a column for each eigenvalue; None unless vectors=True."""
        vectors = self._arrays.get("eigenvectors")
        return None if vectors is None else vectors.T

    @property
    def verdict(self) -> str:
        """"positive definite", "semidefinite within rounding" or "not positive semidefinite"."""
        return str(self.info["verdict"])

    @property
    def rounding_bound(self) -> float:
        return float(self.info["rounding_bound"])

    @property
    def condition(self) -> float:
        """Largest by smallest; infinite where the smallest is not positive."""
        condition = self.info["condition"]
        return float("inf") if condition is None else float(condition)

    @property
    def effective_rank(self) -> float:
        """``trace^2 / |K|_F^2``, which is n for a multiple of the identity and 1 for a kernel of rank 1."""
        return float(self.info["effective_rank"])

    def plot(self, axes: Any = None) -> Any:
        """The eigenvalues in order on a logarithmic scale, with the rounding bound; gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        values = self.eigenvalues
        places = np.arange(1, len(values) + 1)
        positive = values > 0
        axes.semilogy(places[positive], values[positive], ".", label="eigenvalues")
        if not positive.all():
            axes.semilogy(places[~positive], -values[~positive], "x", label="negative ones, as -λ")
        axes.axhline(self.rounding_bound, linestyle=":", label="rounding bound")
        axes.set_xlabel("place")
        axes.set_ylabel("eigenvalue")
        axes.legend()
        return axes


class Plan(Table):
    """What a kernel would take: the order of contraction of each parameter's share, operations, memory, time."""

    @property
    def orders(self) -> list[dict[str, Any]]:
        """In what order each parameter's share would be contracted, and why."""
        return list(self.info["plan"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the kernel."""
        return tuple(self.info["shape"])

    @property
    def multiply_adds(self) -> float:
        """Of all contractions."""
        return float(self.info["multiply_adds"])

    @property
    def bytes(self) -> int:
        """Of the kernel and the factors that are held at once."""
        return int(self.info["kernel_bytes"]) + int(self.info["factor_bytes"])

    @property
    def peak_bytes(self) -> int:
        """Of the whole process, that are expected at most while the kernel is computed."""
        return int(self.info["expected_peak_bytes"])

    @property
    def seconds(self) -> float:
        """That are expected, from the rates that this machine showed."""
        return float(self.info["expected_seconds"]["total"])


class Prediction(Table):
    """Kernel regression: the mean of a Gaussian process with the tangent kernel as covariance.

    Errors are half the squared distance to the targets, mean over samples.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], text: str, table: str) -> None:
        super().__init__(text, table)
        self._arrays = arrays

    @property
    def mean(self) -> AnyArray:
        """(M, outputs): the predictions for the test samples."""
        return self._arrays["mean"]

    @property
    def variance(self) -> Optional[AnyArray]:
        """(M, outputs), or (M, O, O) of the full kernel: posterior variances; None unless variance=True."""
        return self._arrays.get("variance")

    @property
    def labels(self) -> AnyArray:
        """(M,): the largest output of each test sample."""
        labels: AnyArray = np.argmax(self.mean, axis=1)
        return labels

    @property
    def accuracy(self) -> Optional[float]:
        """On the test samples, where their labels are known."""
        return _number(self.info["accuracy"])

    @property
    def training_error(self) -> float:
        return float(self.info["training_error"])

    @property
    def leave_one_out(self) -> Optional[float]:
        """The error on each training sample by the fit without it, mean over samples; None without the matrix."""
        return _number(self.info["leave_one_out"])

    @property
    def log_likelihood(self) -> Optional[float]:
        """Of the targets under the Gaussian process, summed over outputs; None without the matrix."""
        return _number(self.info["log_likelihood"])

    @property
    def ridge(self) -> float:
        """What was added to the kernel's diagonal; of several the one with the least leave-one-out error."""
        return float(self.info["ridge"])

    @property
    def jitter(self) -> float:
        """What had to be added beyond the ridge to factorise the matrix; mostly 0."""
        return float(self.info["jitter"])

    @property
    def converged(self) -> bool:
        return bool(self.info["converged"])

    @property
    def path(self) -> list[dict[str, Any]]:
        """Where several ridges were given: errors and degrees of freedom of each."""
        return list(self.info["path"])

    def plot(self, axes: Any = None) -> Any:
        """Of several ridges the errors over the ridge; of one the predictions in order. Gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        if not self.path:
            axes.plot(self.mean, ".")
            axes.set_xlabel("test sample")
            axes.set_ylabel("prediction")
            return axes
        rows = [row for row in self.path if row["solved"]]
        for field, label in (("training_error", "training"), ("leave_one_out", "leave one out")):
            axes.loglog([row["ridge"] for row in rows], [row[field] for row in rows], ".-", label=label)
        axes.axvline(self.ridge, linestyle=":", label="chosen")
        axes.set_xlabel("ridge")
        axes.set_ylabel("error")
        axes.legend()
        return axes


class InfiniteKernel(Array, Table):
    """A closed form of infinite width: an array, ``values``, (N1, N2) in float64."""

    def __init__(self, arrays: Mapping[str, AnyArray], text: str, table: str) -> None:
        super().__init__(text, table)
        self._arrays = arrays

    @property
    def values(self) -> AnyArray:
        """(N1, N2), in float64."""
        return self._arrays["total"]

    @property
    def kind(self) -> str:
        """"ntk" or "nngp"."""
        return str(self.info["kind"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Of each layer its widths, standard deviations and activation, as they enter the closed form."""
        return list(self.info["layers"])

    @property
    def distance(self) -> Optional[float]:
        """``|K - Theta|_F / |Theta|_F`` of the network's own kernel K; None unless compare=True."""
        comparison = self.info["comparison"]
        return None if comparison is None else float(comparison["distance"])

    @property
    def convergence(self) -> AnyArray:
        """(networks, 2): hidden width and distance of each network that widths= asked for, by width; (0, 2) without."""
        rows = [(row["width"], row["distance"]) for row in self.info["convergence"]]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @property
    def slope(self) -> Optional[tuple[float, float]]:
        """Of log distance over log width, with its standard error; theory expects -1/2. None without widths=."""
        slope = self.info["slope"]
        return None if slope is None else (float(slope["slope"]), float(slope["error"]))

    def plot(self, axes: Any = None) -> Any:
        """The distances by width where widths= asked for them, else the matrix as a picture; gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        if self.slope is not None:
            axes.loglog(*self.convergence.T, "o", label=f"slope {self.slope[0]:.3g} ± {self.slope[1]:.2g}")
            axes.set_xlabel("width of the hidden layers")
            axes.set_ylabel("distance from infinite width")
            axes.legend()
            return axes
        picture = axes.imshow(self.values)
        axes.figure.colorbar(picture, ax=axes)
        axes.set_title(f"{self.kind}, infinite width")
        return axes


class Linearisation(Table):
    """A network trained by gradient descent, and beside it the network linearised in its parameters at the start.

    ``steps`` are those at which both were compared; the outputs there are arrays (steps, samples, outputs).
    """

    def __init__(self, arrays: Mapping[str, AnyArray], text: str, table: str) -> None:
        super().__init__(text, table)
        self._arrays = arrays

    def _array(self, name: str) -> AnyArray:
        if self.diverged:
            raise ValueError("the network's training diverged; choose a smaller rate")
        return self._arrays[name]

    @property
    def steps(self) -> AnyArray:
        """(steps,)"""
        return np.array([moment["step"] for moment in self.moments])

    @property
    def network(self) -> AnyArray:
        """(steps, N, O): the true network's outputs on the training samples."""
        return self._array("network:train")

    @property
    def linearised(self) -> AnyArray:
        """(steps, N, O): the linearised network's outputs on the training samples."""
        return self._array("linearised:train")

    @property
    def network_test(self) -> AnyArray:
        """(steps, M, O)"""
        return self._array("network:test")

    @property
    def linearised_test(self) -> AnyArray:
        """(steps, M, O)"""
        return self._array("linearised:test")

    @property
    def moments(self) -> list[dict[str, Any]]:
        """Of each step the losses and accuracies of both, and how far apart their outputs are."""
        return list(self.info["moments"])

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self.info["lr"])

    @property
    def largest_distance(self) -> float:
        """Largest root mean square, over samples, of the difference of the outputs on the training samples."""
        return float(self.info["largest_distance"])

    @property
    def kernel_distance(self) -> float:
        """``|K - K_0|_F / |K_0|_F`` at the last step: 0 in the lazy limit."""
        return float(self.info["kernel_distance"])

    @property
    def diverged(self) -> bool:
        return bool(self.info["diverged"])

    def plot(self, axes: Any = None) -> Any:
        """The training losses of both over the steps; gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        for which, style in (("network", "-"), ("linearised", "--")):
            axes.semilogy(self.steps, [moment["train"][which]["loss"] for moment in self.moments], style, label=which)
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")
        axes.legend()
        return axes


class Training(Table):
    """A training run: scores by epoch and, where asked for, how the kernel moved."""

    def __init__(self, arrays: Mapping[str, AnyArray], text: str, table: str) -> None:
        super().__init__(text, table)
        self.weights: dict[str, AnyArray] = dict(arrays)

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """Of each scored epoch its number, steps, and the losses and accuracies on training and test samples."""
        return list(self.info["epochs"])

    @property
    def loss(self) -> float:
        """On the training samples after the last scored epoch."""
        return float(self.epochs[-1]["train"]["loss"])

    @property
    def accuracy(self) -> float:
        """On the training samples after the last scored epoch."""
        return float(self.epochs[-1]["train"]["accuracy"])

    @property
    def rate_bound(self) -> float:
        """The largest learning rate at which gradient descent is stable at the start, 2 / largest eigenvalue."""
        return float(self.info["rate_bound"]["bound"])

    @property
    def kernel_moments(self) -> list[dict[str, Any]]:
        """Of each look at the kernel: distance from the first, alignment with it and with the labels, eigenvalues."""
        return list(self.info["kernel_moments"])

    @property
    def diverged(self) -> bool:
        return bool(self.info["diverged"])

    def plot(self, axes: Any = None) -> Any:
        """The losses over the epochs; gives matplotlib's axes back."""
        axes = axes_or_current(axes)
        for which in ("train", "test"):
            rows = [row for row in self.epochs if row[which] is not None]
            if rows:
                axes.semilogy([row["epoch"] for row in rows], [row[which]["loss"] for row in rows], ".-", label=which)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.legend()
        return axes


def _number(value: Optional[float]) -> Optional[float]:
    return None if value is None else float(value)
