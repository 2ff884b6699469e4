"""Networks from PyTorch, by ONNX in memory, so that the kernel is that of the module and not of what an exporter made of it."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tangra import _core, _torch_export
from tangra._arguments import AnyArray
from tangra._model import Model

# Of the largest output, between PyTorch's double precision and ours: sums in another order.
_AGREEMENT = 1e-10


def from_torch(module: Any, example: Any) -> Model:
    """The network of a torch.nn.Module, with PyTorch's names and shapes of parameters.

    example: a tensor (N, ...) of samples as the module takes them. The parameters are those of ``named_parameters()`` that
    require a gradient, in that order; the others, and buffers, are in ``frozen``. Tied parameters are one, under their first
    name. Parameters keep their type, so a float32 module makes a float32 model; constants (epsilons, slopes, scales) are
    float64. The outputs on the example are compared with PyTorch's in double precision; the model's text says how well they
    agree.

    The module is exported as it is: BatchNorm is not folded, and no parameters are merged because their values are equal.

    >>> model = tangra.from_torch(module.eval(), torch.randn(2, 3, 32, 32))           # doctest: +SKIP
    >>> model.parameters.update(dict(module.named_parameters()))     # after a step of training  # doctest: +SKIP

    Raises ImportError without torch (1.13 or newer; from 2.5 on with onnxscript); ValueError for BatchNorm or Dropout in
    training mode, where samples are not independent or not deterministic, and where outputs do not agree;
    NotImplementedError for what cannot be exported or is not supported.
    """
    torch = _torch()
    if isinstance(example, (tuple, list)):
        if len(example) != 1:
            raise NotImplementedError(f"networks with one input can be taken; the example has {len(example)}")
        example = example[0]
    if not isinstance(example, torch.Tensor) or example.ndim == 0 or len(example) == 0:
        raise ValueError("example: expected a tensor (N, ...) with at least one sample")
    _refuse_training_mode(torch, module)

    twin = copy.deepcopy(module).double().cpu()
    sample = example.detach().cpu()
    sample = sample.double() if sample.is_floating_point() else sample
    if len(sample) == 1:  # the exporter takes a length of 1 for a constant
        sample = torch.cat([sample, sample])
    aliases = _first_names(twin)
    with _plain_attention(torch):
        outputs = _first(twin(sample))
        learned = _learned(torch, twin, outputs)
        exported = _torch_export.exported(torch, twin, aliases, sample)

    core = _core.load_onnx(exported.file, source=type(module).__name__)
    known = set(core.names(frozen=False) + core.names(frozen=True))
    lost = [name for name in learned if name not in known]
    if lost:
        raise NotImplementedError(f"the export has lost these parameters: {', '.join(lost)}")
    core.learn(learned)
    core.sharpen(exported.numbers)
    _set_values(core, twin, aliases)
    _check(core, twin, aliases, sample, outputs)
    _set_own_types(core, module, aliases)
    return Model(core)


def _torch() -> Any:
    try:
        import torch
        import torch.onnx
    except ImportError as error:
        raise ImportError(f"from_torch needs the package torch: {error}") from error
    version = _torch_export.version(torch)
    if version < _torch_export.OLDEST:
        raise ImportError(f"from_torch needs torch 1.13 or newer; this is {torch.__version__}. tangra.load reads its .onnx files")
    if version >= _torch_export.BY_PROGRAM:
        try:
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise ImportError(f"from_torch needs the package onnxscript beside torch {torch.__version__}: {error}") from error
    return torch


def _first_names(twin: Any) -> dict[str, str]:
    """Of every parameter and buffer the name by which it goes here: tied ones have the first of theirs."""
    first: dict[int, str] = {}
    everything = [*_torch_export.all_named(twin, "parameters"), *_torch_export.all_named(twin, "buffers")]
    return {name: first.setdefault(id(value), name) for name, value in everything}


def _refuse_training_mode(torch: Any, module: Any) -> None:
    for name, part in module.named_modules():
        where = name or type(part).__name__
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            if part.training:
                raise ValueError(f"{where}: BatchNorm in training mode makes samples depend on each other; call module.eval()")
            if part.running_mean is None:
                raise ValueError(f"{where}: BatchNorm without running statistics makes samples depend on each other")
        if isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.training and part.p > 0:
            raise ValueError(f"{where}: Dropout in training mode is random; call module.eval()")


@contextlib.contextmanager
def _plain_attention(torch: Any) -> Iterator[None]:
    """Attention without the fused operator of inference, which has neither an export nor derivatives."""
    if not hasattr(torch.backends, "mha"):  # it is used then only where nothing requires a gradient
        yield
        return
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, (tuple, list)) else outputs


def _learned(torch: Any, twin: Any, outputs: Any) -> list[str]:
    """The names of what the outputs depend on and what requires a gradient."""
    named = [(name, value) for name, value in twin.named_parameters() if value.requires_grad]
    if not named:
        raise ValueError("no parameter of the module requires a gradient")
    if not outputs.requires_grad:
        raise ValueError("the outputs depend on no parameter that requires a gradient")
    gradients = torch.autograd.grad(outputs.sum(), [value for _, value in named], allow_unused=True)
    unused = [name for (name, _), gradient in zip(named, gradients) if gradient is None]
    if unused:
        warnings.warn(f"the outputs do not depend on these parameters, which are left out: {', '.join(unused)}", stacklevel=3)
    return [name for name, _ in named if name not in unused]


def _numpy(value: Any) -> AnyArray:
    """In float64 where it is that, else in float32, which holds float16 and bfloat16."""
    value = value.detach().cpu()
    value = value if value.element_size() == 8 else value.float()
    result: AnyArray = value.contiguous().numpy()
    return result


def _set_values(core: _core.Model, twin: Any, names: dict[str, str]) -> None:
    """The values of the double precision twin: exporters may need others."""
    known = set(core.names(frozen=False) + core.names(frozen=True))
    everything = [*twin.named_parameters(), *twin.named_buffers()]
    core.set({names[name]: _numpy(value) for name, value in everything if names[name] in known and value.is_floating_point()})


def _check(core: _core.Model, twin: Any, names: dict[str, str], sample: Any, outputs: Any) -> None:
    for name, value in twin.named_parameters():
        own = names[name]
        if own in core.names(frozen=False) and core.get(own).shape != tuple(value.shape):
            raise NotImplementedError(f"{name}: the export has changed the shape {tuple(value.shape)} to {core.get(own).shape}")
    expected = outputs.detach().numpy()
    found = Model(core)(sample.numpy(), precision="float64")
    if found.shape != expected.shape:
        raise ValueError(f"the network's outputs have the shape {found.shape}, PyTorch's {expected.shape}")
    largest = float(np.max(np.abs(expected), initial=0.0))
    difference = float(np.max(np.abs(found - expected), initial=0.0))
    if not difference <= _AGREEMENT * max(largest, np.finfo(float).tiny):
        raise ValueError(
            f"the outputs on the example differ from PyTorch's by {difference:.3g}, the largest being {largest:.3g}"
        )
    core.text = f"{core.text} from PyTorch, outputs agree to {difference / largest if largest else 0:.1g}"


def _set_own_types(core: _core.Model, module: Any, names: dict[str, str]) -> None:
    """From the double precision of the export back to the module's types."""
    originals = {**dict(_torch_export.all_named(module, "parameters")), **dict(_torch_export.all_named(module, "buffers"))}
    arrays: dict[str, AnyArray] = {}
    for name in core.names(frozen=False) + core.names(frozen=True):
        if name in names and originals[name].is_floating_point():
            arrays[name] = _numpy(originals[name])
            continue
        value = core.get(name)
        narrow = value.astype(np.float32)
        if np.array_equal(narrow, value):
            arrays[name] = narrow
    core.set(arrays)
