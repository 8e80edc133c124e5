"""Examines ONNX models: data outside of the file, operators of other domains, and where the values are.

Source: onnx/onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto).
"""

from __future__ import annotations

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.protobuf_wire import Field, NotProtobuf, fields, text
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import Source

_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "ai.onnx.preview")
_KNOWN = ("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "org.pytorch.aten", "pkg.onnxscript.torch_lib", "com.microsoft.experimental")  # fmt: skip
_PYTHON = ("PyOp", "PythonOp", "PythonOpGrad", "PyFunc")
_DTYPES = {1: ("f32", 4), 2: ("u8", 1), 3: ("i8", 1), 4: ("u16", 2), 5: ("i16", 2), 6: ("i32", 4), 7: ("i64", 8), 9: ("bool", 1), 10: ("f16", 2), 11: ("f64", 8), 12: ("u32", 4), 13: ("u64", 8), 16: ("bf16", 2), 17: ("f8_e4m3", 1), 19: ("f8_e5m2", 1)}  # fmt: skip
_DEEPEST = 12


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes are a ModelProto: a small ir_version first, then only its fields, with a graph or opset among them."""
    if head[:1] != b"\x08" or len(head) < 4 or head[1] > 30:
        return False
    context = Context()
    context.allowance.steps = 2000
    known: dict[int, int] = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
    seen = set()
    try:
        for field in fields(source, 0, source.size_bytes, context):
            if known.get(field.number) != field.wire:
                return False
            seen.add(field.number)
    except (NotProtobuf, Spent):
        return 7 in seen or (source.path.lower().endswith(".onnx") and bool(seen & {2, 8}))
    return bool(seen & {7, 8})


def examine(source: Source, into: Examined, context: Context) -> None:
    """Walk the model."""
    into.format = "onnx"
    try:
        for field in fields(source, 0, source.size_bytes, context):
            if field.number == 7 and field.wire == 2:
                _graph(source, field, into, context, 0)
            elif field.number == 8 and field.wire == 2:
                _opset(source, field, into, context)
            elif field.number == 25 and field.wire == 2:
                for inner in fields(source, field.offset, field.offset + field.size, context):
                    if inner.number == 7 and inner.wire == 2:
                        _node(source, inner, into, context, 1)
    except NotProtobuf:
        into.findings.append(found("onnx.damaged", source.path, "file", "the model is cut off or damaged"))
        into.not_examined.append(NotExamined(source.path, "what lies behind the damage"))


def _opset(source: Source, field: Field, into: Examined, context: Context) -> None:
    for inner in fields(source, field.offset, field.offset + field.size, context):
        if inner.number == 1 and (domain := text(source, inner)) is not None and domain not in (*_STANDARD, *_KNOWN):
            message = f"operators of the domain {domain!r}: a library of its author's own must be loaded for them"
            into.findings.append(found("onnx.custom-domain", source.path, domain, message))


def _graph(source: Source, field: Field, into: Examined, context: Context, depth: int) -> None:
    if depth > _DEEPEST:
        into.not_examined.append(NotExamined(source.path, "graphs nested too deeply"))
        return
    for inner in fields(source, field.offset, field.offset + field.size, context):
        if inner.wire != 2:
            continue
        if inner.number == 1:
            _node(source, inner, into, context, depth)
        elif inner.number == 5:
            _tensor(source, inner, into, context)
        elif inner.number == 15:
            for sparse in fields(source, inner.offset, inner.offset + inner.size, context):
                if sparse.number in (1, 2) and sparse.wire == 2:
                    _tensor(source, sparse, into, context)


def _node(source: Source, field: Field, into: Examined, context: Context, depth: int) -> None:
    kind = domain = ""
    name = f"byte {field.offset}"
    for inner in fields(source, field.offset, field.offset + field.size, context):
        if inner.wire != 2:
            continue
        if inner.number == 3:
            name = text(source, inner) or name
        elif inner.number == 4:
            kind = text(source, inner) or ""
        elif inner.number == 7:
            domain = text(source, inner) or ""
        elif inner.number == 5:
            for attribute in fields(source, inner.offset, inner.offset + inner.size, context):
                if attribute.number in (6, 11) and attribute.wire == 2:
                    _graph(source, attribute, into, context, depth + 1)
                elif attribute.number in (5, 10) and attribute.wire == 2:
                    _tensor(source, attribute, into, context)
    if kind in _PYTHON:
        into.findings.append(found("onnx.python", source.path, name, f"the operator {kind!r} calls Python"))
    elif domain not in (*_STANDARD, *_KNOWN):
        message = f"the operator {kind!r} of the domain {domain!r}: a library of its author's own must be loaded for it"
        into.findings.append(found("onnx.custom-domain", source.path, name, message))


def _tensor(source: Source, field: Field, into: Examined, context: Context) -> None:
    shape: list[int] = []
    kind = 0
    name = ""
    raw: Field | None = None
    external: dict[str, str] = {}
    outside = False
    for inner in fields(source, field.offset, field.offset + field.size, context):
        if inner.number == 1:
            if inner.wire == 0:
                shape.append(inner.value)
            elif inner.wire == 2 and inner.size < 1000:
                shape += _packed(source.read(inner.offset, inner.size))
        elif inner.number == 2 and inner.wire == 0:
            kind = inner.value
        elif inner.number == 8 and inner.wire == 2:
            name = text(source, inner) or ""
        elif inner.number == 9 and inner.wire == 2:
            raw = inner
        elif inner.number == 13 and inner.wire == 2:
            pair = {
                each.number: text(source, each)
                for each in fields(source, inner.offset, inner.offset + inner.size, context)
            }
            external[pair.get(1) or ""] = pair.get(2) or ""
        elif inner.number == 14 and inner.wire == 0:
            outside = inner.value == 1
    name = name or f"byte {field.offset}"
    if external or outside:
        _external(source, name, external.get("location", ""), into)
    elif raw is not None and kind in _DTYPES:
        dtype, width = _DTYPES[kind]
        elements = 1
        for length in shape:
            elements *= length
        if elements * width != raw.size:
            message = f"{raw.size:,} bytes for a shape and type that need {elements * width:,}"
            into.findings.append(found("onnx.size", source.path, name, message))
        elif raw.size:
            into.regions.append(Region(name, raw.offset, raw.size, dtype, tuple(shape)))


def _packed(data: bytes) -> list[int]:
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            values.append(value)
            value = shift = 0
    return values


def _external(source: Source, name: str, location: str, into: Examined) -> None:
    parts = location.replace("\\", "/").split("/")
    if ".." in parts or location.startswith(("/", "\\")) or "://" in location or location[1:2] == ":":
        message = f"reads its values from {location!r}, outside of the model's directory"
        into.findings.append(found("onnx.external-path", source.path, name, message))
    else:
        into.metadata.setdefault("external_data", [])
        if location not in into.metadata["external_data"]:
            into.metadata["external_data"].append(location)
