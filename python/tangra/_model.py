"""Networks: where they come from, and what can be asked of them."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from tangra import _arguments as arguments
from tangra import _core
from tangra._arguments import AnyArray, DTypeLike, MemoryLike, ProgressLike, ReduceLike
from tangra._analysis import Analysis
from tangra._operator import KernelOperator
from tangra._results import Jacobian, Kernel, Summary


class Parameters(MutableMapping[str, AnyArray]):
    """A network's parameters by name, as read-only arrays. Setting one puts a copy in its place.

    >>> import tangra
    >>> model = tangra.chain("Chain(Dense(2 => 1))")
    >>> model.parameters["0.bias"] = model.parameters["0.bias"] + 1
    >>> model.parameters.update({name: 0 * w for name, w in model.parameters.items()})

    An array has to have the parameter's shape and type. update() takes names of frozen parameters too, and is faster than
    setting one after the other.
    """

    def __init__(self, core: _core.Model, frozen: bool) -> None:
        self._core = core
        self._frozen = frozen

    def _checked(self, name: str, given: Any) -> AnyArray:
        own = self._core.get(name)
        value = arguments.array(given, name)
        if value.dtype != own.dtype:
            other = f", or take model.astype('{value.dtype}')" if value.dtype.kind == "f" else ""
            raise ValueError(
                f"{name}: expected {own.dtype} of shape {own.shape}; got {value.dtype} of {value.shape}. "
                f"Round it with .astype(numpy.{own.dtype}){other}"
            )
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._core.names(frozen=self._frozen)

    def __getitem__(self, name: str) -> AnyArray:
        if name not in self:
            raise KeyError(f"{name}: the {'frozen ' if self._frozen else ''}parameters are {', '.join(self)}")
        return self._core.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, *others: Any, **named: Any) -> None:
        """Sets several at once; all or, where one does not fit, none."""
        self._core.set({name: self._checked(name, value) for name, value in dict(*others, **named).items()})

    def __delitem__(self, name: str) -> None:
        raise TypeError("a network keeps its parameters")

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.names(frozen=self._frozen))

    def __len__(self) -> int:
        return len(self._core.names(frozen=self._frozen))

    def __repr__(self) -> str:
        return "\n".join(f"{name}  {value.shape} {value.dtype}" for name, value in self.items()) or "no parameters"


def _names(names: Union[str, Sequence[str]]) -> list[str]:
    if not isinstance(names, (str, Iterable)):
        raise TypeError(f"wrt: expected 'parameters', 'input', or names; got {type(names).__name__}")
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def _directions(tangents: Mapping[str, Any]) -> dict[str, AnyArray]:
    if not isinstance(tangents, Mapping):
        raise TypeError(f"tangents: expected arrays by name, such as {{'input': v}}; got {type(tangents).__name__}")
    if not tangents:
        raise ValueError("tangents: there are none; expected arrays by name, of parameters or 'input'")
    return {name: arguments.array(value, f"tangents: {name}") for name, value in tangents.items()}


class Model(Analysis):
    """A network, made by chain(), load() or from_torch().

    Samples x are (N, ...) arrays of real numbers: NumPy's, or others by DLPack. Where their entries agree in number with
    the network's input, they are reshaped to it. Everything is computed in the type of the parameters unless ``precision``
    ("float32" or "float64") says otherwise.

    Arguments that all methods have: ``threads`` (default: one for each core), ``memory``, a budget in bytes or as "4GiB"
    (default: 80% of what is free), ``progress``, True for a tqdm bar or a function of (what, done, total).

    Errors: ValueError for arguments and arrays that do not fit, NotImplementedError for networks that are not supported,
    OSError for files, MemoryError where the budget is too small, ArithmeticError where a number stops being finite.
    Ctrl-C ends a run with KeyboardInterrupt.
    """

    def __init__(self, core: _core.Model) -> None:
        self._core = core

    # What the network is.

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self._core.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self._core.output_shape

    @property
    def precision(self) -> str:
        """"float32" or "float64": the type of the parameters, in which things are computed by default."""
        return self._core.precision

    @property
    def parameters(self) -> Parameters:
        """What is learned, by name. Setting counts from the next call on."""
        return Parameters(self._core, frozen=False)

    @property
    def frozen(self) -> Parameters:
        """Parameters that are not differentiated: running statistics, masks, what was frozen by name."""
        return Parameters(self._core, frozen=True)

    def summary(self) -> Summary:
        """Layers, shapes, parameters, and why each one counts as a parameter."""
        return Summary(*self._core.summary())

    def astype(self, dtype: Any) -> Model:
        """A copy with all parameters rounded to float32, or widened to float64."""
        name = np.dtype(dtype).name
        if name not in ("float32", "float64"):
            raise ValueError(f"dtype: expected float32 or float64; got {name}")
        return Model(self._core.in_type(in_double=name == "float64"))

    def copy(self) -> Model:
        """A network of its own with the same parameters."""
        return Model(self._core.copy())

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Model:
        return self.copy()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the parameters, also the frozen ones, to a .npz or .safetensors file, for ``weights`` of chain()."""
        self._core.save(os.fspath(path))

    def __repr__(self) -> str:
        count = sum(value.size for value in self.parameters.values())
        return f"tangra.Model({self._core.text}: {self.input_shape} -> {self.output_shape}, {count:,} parameters, {self.precision})"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # What can be asked of it.

    def __call__(
        self, x: Any, *, of: str = "output", precision: DTypeLike = "auto", memory: MemoryLike = None,
        threads: Optional[int] = None,
        progress: ProgressLike = None,
    ) -> AnyArray:
        """The outputs (N, ...); with ``of`` those of a hidden value, by its name in summary()."""
        with arguments.Progress(progress) as callback:
            arrays, _ = _core.outputs(
                self._core, arguments.samples(x), of=of, precision=arguments.precision(precision),
                memory=arguments.memory(memory),
                threads=arguments.threads(threads), progress=callback,
            )
        return arrays["output"]

    def jacobian(
        self, x: Any, *, wrt: Union[str, Sequence[str]] = "parameters", of: str = "output", layout: str = "dense",
        input_form: str = "blocks", precision: DTypeLike = "auto", memory: MemoryLike = None, threads: Optional[int] = None,
        progress: ProgressLike = None,
    ) -> Jacobian:
        """Derivatives of every output of every sample.

        wrt: "parameters", "input", or names of parameters or hidden values. of: "output" or a hidden value.
        layout: "dense", (N, O, shape) for each; "structured", the two factors where there are two (see Factors).
        input_form: of "input": "blocks" (N, O, features); "full" (N, O, features, N), with the zeros between different
        samples; "summed" (N, features), the gradient of the summed outputs.

        >>> import numpy as np, tangra
        >>> model = tangra.chain("Chain(Dense(3 => 2))")
        >>> model.jacobian(np.ones((4, 3)))["0.weight"].shape
        (4, 2, 2, 3)
        """
        with arguments.Progress(progress) as callback:
            arrays, text = _core.jacobian(
                self._core, arguments.samples(x), wrt=_names(wrt), of=of, layout=layout, input_form=input_form,
                precision=arguments.precision(precision), memory=arguments.memory(memory), threads=arguments.threads(threads),
                progress=callback,
            )
        return Jacobian(arrays, text)

    def jvp(
        self, x: Any, tangents: Mapping[str, Any], *, precision: DTypeLike = "auto", memory: MemoryLike = None,
        threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> AnyArray:
        """J t: (N, ...). tangents: by parameter name, of its shape, shared by the samples; "input", one for each sample."""
        with arguments.Progress(progress) as callback:
            arrays, _ = _core.product(
                self._core, arguments.samples(x), forward=True, directions=_directions(tangents),
                precision=arguments.precision(precision), memory=arguments.memory(memory),
                threads=arguments.threads(threads), progress=callback,
            )
        return arrays["jvp"]

    def vjp(
        self, x: Any, cotangents: Any, *, precision: DTypeLike = "auto", memory: MemoryLike = None, threads: Optional[int] = None,
        progress: ProgressLike = None,
    ) -> dict[str, AnyArray]:
        """J^T c by name: summed over the samples for parameters, one for each sample for "input". cotangents: (N, ...)."""
        with arguments.Progress(progress) as callback:
            arrays, _ = _core.product(
                self._core, arguments.samples(x), forward=False,
                directions={"cotangents": arguments.array(cotangents, "cotangents")}, precision=arguments.precision(precision),
                memory=arguments.memory(memory), threads=arguments.threads(threads), progress=callback,
            )
        return {name.removeprefix("vjp:"): value for name, value in arrays.items()}

    def kernel(
        self, x1: Any, x2: Any = None, *, reduce: ReduceLike = None, basis: Any = None, by: str = "total", pairs: str = "all",
        space: str = "samples", conjugate: str = "", method: str = "auto", precision: DTypeLike = "auto",
        out: Union[None, str, os.PathLike[str]] = None, overwrite: bool = False, resume: bool = False, triangle: str = "auto",
        memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> Kernel:
        """The empirical neural tangent kernel K[i,a,j,b] = sum_p df_a(x1_i)/dp df_b(x2_j)/dp.

        reduce: what becomes of the outputs; needed where there are several. "full" (N1, O, N2, O); "trace", a sum over a of
        K[i,a,j,a]; "mean", trace / O; "diagonal" (O, N1, N2); "sum", of the summed outputs; "output=3", 3 or (1, 2): one.
        basis: (R, O), or (N, R, O) one for each sample: cotangents that take the place of the outputs.
        by: "layer" or "parameter": shares that add up to the total, in ``parts``.
        pairs: "self": each sample with itself only. space: "parameters": R^T R, (P, P), of the reduced rows R.
        conjugate: the name of a value: the Gram matrix of its activations in place of the kernel.
        method: "structured", "jacobian", "product": different ways to the same numbers.
        out: a .npy, .npz or .zarr; FILE.json describes it. The result's array is then mapped from the .npy, or is that of
        zarr-python. A .zarr that was interrupted goes on with resume=True; it holds both triangles unless triangle="lower".

        >>> import numpy as np, tangra
        >>> model = tangra.chain("Chain(Dense(3 => 2, tanh))")
        >>> model.kernel(np.eye(3), reduce="full").shape
        (3, 2, 3, 2)
        """
        path = arguments.out_path(out, overwrite or resume, beside=".json")
        with arguments.Progress(progress) as callback:
            arrays, text = _core.kernel(
                self._core, arguments.samples(x1, "x1"), None if x2 is None else arguments.samples(x2, "x2"),
                reduce=arguments.reduction(reduce), basis=None if basis is None else arguments.array(basis, "basis"), by=by,
                pairs=pairs, space=space, conjugate=conjugate, method=method, precision=arguments.precision(precision), out=path,
                existing="resume" if resume else "replace" if overwrite else "refuse",
                triangle=arguments.triangle(triangle, path), memory=arguments.memory(memory),
                threads=arguments.threads(threads), progress=callback,
            )
        file = os.path.abspath(path) if path else ""
        return Kernel(functools.partial(_stored, file) if path else arrays, text, file)

    def operator(
        self, x1: Any, x2: Any = None, *, reduce: ReduceLike = None, basis: Any = None, precision: DTypeLike = "auto",
        memory: MemoryLike = None, threads: Optional[int] = None, progress: ProgressLike = None,
    ) -> KernelOperator:
        """The kernel as a scipy.sparse.linalg.LinearOperator, which never forms it: for eigsh, cg, lobpcg.

        Its rows are those of Kernel.matrix. It keeps the parameters that the model has now. Not for "diagonal".
        """
        # Copies: what is transposed or unpickled later is made from them, whatever the caller's arrays hold by then.
        rows = arguments.samples(x1, "x1").copy()
        columns = None if x2 is None else arguments.samples(x2, "x2").copy()
        make = functools.partial(
            _operator, self._core.copy(), rows, columns, reduce=arguments.reduction(reduce),
            basis=None if basis is None else arguments.array(basis, "basis").copy(), precision=arguments.precision(precision),
            memory=arguments.memory(memory), threads=arguments.threads(threads), progress=progress,
        )
        return KernelOperator(make, symmetric=columns is None)


def _operator(
    core: _core.Model, rows: AnyArray, columns: Optional[AnyArray], swapped: bool, progress: ProgressLike, **chosen: Any
) -> _core.KernelOperator:
    """Of the rows by the columns, or the other way round."""
    first, second = (columns, rows) if swapped and columns is not None else (rows, columns)
    with arguments.Progress(progress) as callback:
        return _core.KernelOperator(core, first, second, progress=callback, **chosen)


def _stored(path: str) -> dict[str, AnyArray]:
    """The arrays of a kernel's file by part."""
    if path.endswith(".zarr"):
        try:
            import zarr
        except ImportError as error:
            raise ImportError(f"reading {path} needs the package zarr; tangra.spectrum(path) does without") from error
        stored: Any = zarr.open(path, mode="r")
        parts: dict[str, Any] = dict(stored.arrays()) if isinstance(stored, zarr.Group) else {"total": stored}
        return parts
    if path.endswith(".npz"):
        with np.load(path) as arrays:
            return dict(arrays)
    return {"total": np.load(path, mmap_mode="r")}


def chain(
    text: str, *, init: Optional[str] = None, seed: Optional[int] = None, parameterization: str = "standard",
    weights: Union[None, str, os.PathLike[str], Mapping[str, Any]] = None, params: str = "", buffers: str = "",
    input_shape: Optional[Iterable[int]] = None,
) -> Model:
    """A network as Flux writes it: "Chain(Dense(784 => 60, sigmoid), Dense(60 => 10), softmax)" (docs/chain.md).

    init: "glorot_uniform" (default, zero biases), "ones", "normal", "lecun", "he", "pytorch". parameterization: "standard",
    "ntk" or "ntk(sigma_w, sigma_b)". The same seed (default 0) gives the same weights on every machine, and in the program.
    weights: a .npz or .safetensors file, or arrays by name, in place of the initial ones. params, buffers: regular
    expressions for what is learned and what is frozen. input_shape: the shape of one sample where the text leaves it open.

    Raises ValueError, with line and column, for what is wrong in the text, NotImplementedError for other layers.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a chain such as 'Chain(Dense(3 => 2))'; got {type(text).__name__}; load() reads files")
    if seed is not None and seed < 0:
        raise ValueError(f"seed: expected 0 or more; got {seed}")
    is_file = weights is not None and not isinstance(weights, Mapping)
    if isinstance(weights, Mapping) and (init is not None or seed is not None):
        raise ValueError("weights: they are given, so that none are drawn; leave init and seed out")
    core = _core.load(
        text, init=init or "", seed=seed, parameterization=parameterization,
        weights=arguments.existing(weights) if is_file else "",  # type: ignore[arg-type]
        params=params, buffers=buffers, input=None if input_shape is None else tuple(input_shape),
    )
    if isinstance(weights, Mapping):
        core.set({name: arguments.array(value, name) for name, value in weights.items()})
    return Model(core)


def load(
    model: Union[str, os.PathLike[str], bytes], *, output: str = "", params: str = "", buffers: str = "",
    input_shape: Optional[Iterable[int]] = None, batch: str = "",
) -> Model:
    """The network of an .onnx file, of its bytes, or of a file with a chain text (docs/onnx.md says what is read).

    output: the name of the output to differentiate (default: the first). params, buffers: regular expressions for what is
    learned and what is frozen. input_shape: the shape of one sample where the file leaves it open. batch="none": the inputs have
    no axis of samples.

    Raises OSError where there is no such file, ValueError for a damaged one, NotImplementedError, with a list, for operators
    that are not there and for networks that mix samples.
    """
    shape = None if input_shape is None else tuple(input_shape)
    if isinstance(model, (bytes, bytearray, memoryview)):
        if batch not in ("", "none"):
            raise ValueError(f'batch: expected "none", or nothing; got {batch!r}')
        return Model(
            _core.load_onnx(
                bytes(model), params=params, buffers=buffers, input=shape, output=output, whole_inputs=batch == "none"
            )
        )
    if isinstance(model, str) and model.lstrip().startswith("Chain(") and not os.path.exists(model):
        raise FileNotFoundError(f"the file is not there: {model}. Chain texts are for tangra.chain")
    return Model(
        _core.load(arguments.existing(model), params=params, buffers=buffers, input=shape, output=output, batch=batch)
    )
