"""A module as an ONNX file in memory in which every parameter stands by itself: by the exporter of torch 2.5 and newer, which
takes the program of a module, and with older ones by that which traces it."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import logging
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

OLDEST = (1, 13)
BY_PROGRAM = (2, 5)
_TRACED_OPERATORS = 17  # ONNX's newest operators that torch 1.13 writes


class Exported(NamedTuple):
    """A file, and the real numbers of the module's code as Python has them: the file rounds them to float32."""

    file: bytes
    numbers: list[float]


def version(torch: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def all_named(module: Any, kind: str) -> Iterator[tuple[str, Any]]:
    """named_parameters() or named_buffers(), with tied ones under each of their names."""
    for prefix, part in module.named_modules(remove_duplicate=False):
        for name, value in getattr(part, f"_{kind}").items():
            if value is not None:
                yield (f"{prefix}.{name}" if prefix else name), value


def exported(torch: Any, twin: Any, names: dict[str, str], sample: Any) -> Exported:
    """The file of a twin in double precision. `names` are those of its parameters and buffers there; their values in the file
    may be others."""
    return _by_program(torch, twin, names, sample) if version(torch) >= BY_PROGRAM else _by_trace(torch, twin, sample)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def _by_trace(torch: Any, twin: Any, sample: Any) -> Exported:
    twin = copy.deepcopy(twin)
    _make_distinct(torch, twin)
    for value in twin.parameters():  # without gradients attention becomes an operator that has no export
        value.requires_grad_(value.is_floating_point())
    file = io.BytesIO()
    try:
        with _quiet():
            program = torch.jit.trace(twin, (sample,), check_trace=False).inlined_graph
            torch.onnx.export(
                twin, (sample,), file, opset_version=_TRACED_OPERATORS, training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False, input_names=["input"], dynamic_axes={"input": {0: "N"}},
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise NotImplementedError(f"PyTorch cannot export this module: {_reason(error)}") from error
    constants = [node.output().toIValue() for node in program.findAllNodes("prim::Constant")]
    return Exported(file.getvalue(), [value for value in constants if isinstance(value, float)])


def _reason(error: BaseException) -> str:
    """The first cause in one line: what stands around it is advice to those who write exporters, in colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()]
    return next((line for line in lines if line), type(error).__name__)


def _make_distinct(torch: Any, twin: Any) -> None:
    """The exporter that traces makes one array of those that are equal. Their values are set again by name."""
    with torch.no_grad():
        for count, value in enumerate([*twin.parameters(), *twin.buffers()]):
            if value.is_floating_point() and value.numel() > 0:
                value.data = value.data.clone(memory_format=torch.contiguous_format)
                first = (0,) * value.ndim
                value[first] += count * 2.0**-40 * max(1.0, abs(value[first].item()))


def _by_program(torch: Any, twin: Any, names: dict[str, str], sample: Any) -> Exported:
    try:
        with _quiet():
            program = torch.onnx.export(
                twin, (sample,), dynamo=True, optimize=False, verbose=False, dynamic_shapes=({0: torch.export.Dim("N")},)
            )
    except torch.onnx.OnnxExporterError as error:
        raise NotImplementedError(f"PyTorch cannot export this module: {_reason(error)}") from error
    _rename_tied(program, names)
    numbers = _real_numbers(program)
    _sharpen_constants(program, numbers)
    return Exported(program.model_proto.SerializeToString(), numbers)


def _rename_tied(program: Any, names: dict[str, str]) -> None:
    """Gives tied initialisers the first of their names."""
    graph = program.model.graph
    for name in list(graph.initializers):
        wanted = names.get(name, name)
        if wanted == name:
            continue
        value = graph.initializers.pop(name)
        if wanted in graph.initializers:
            value.replace_all_uses_with(graph.initializers[wanted])
        else:
            value.name = wanted
            graph.initializers[wanted] = value


def _real_numbers(program: Any) -> list[float]:
    """The real numbers of the module's code as Python has them: the file rounds them to float32."""
    import torch.utils._pytree as trees

    values = []
    for node in program.exported_program.graph.nodes:
        values += [value for value in trees.tree_leaves((node.args, node.kwargs)) if isinstance(value, float)]
    for node in program.model.graph.all_nodes():
        for attribute in node.attributes.values():
            if attribute.type.name == "FLOAT":
                values.append(float(attribute.value))
            elif attribute.type.name == "FLOATS":
                values.extend(float(value) for value in attribute.value)
    return values


def _sharpen_constants(program: Any, values: list[float]) -> None:
    """Gives single numbers that were rounded to float32 back the value that they had, where one alone rounds to them."""
    import onnxscript.ir as ir

    exact: dict[float, set[float]] = {}
    for value in values:
        exact.setdefault(float(np.float32(value)), set()).add(value)
    for node in program.model.graph.all_nodes():
        attribute = node.attributes.get("value") if node.op_type == "Constant" else None
        if attribute is None or attribute.type.name != "TENSOR":
            continue
        constant = attribute.value.numpy()
        candidates = exact.get(float(constant), set()) if constant.size == 1 and constant.dtype == np.float32 else set()
        if len(candidates) == 1:
            sharp = np.full(constant.shape, candidates.pop(), dtype=np.float64)
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(sharp))
