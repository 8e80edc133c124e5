"""Examines ONNX models: data outside of the file, operators of other domains, and where the values are.

Source: onnx/onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto).
"""

from __future__ import annotations

from collections.abc import Iterator

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.protobuf_wire import Field, NotProtobuf, fields, text
from weighbridge.probes.checkpoint.report import Examined, NotExamined, Region
from weighbridge.probes.checkpoint.source import Source, Window

_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "ai.onnx.preview")
_KNOWN = ("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "org.pytorch.aten", "pkg.onnxscript.torch_lib", "com.microsoft.experimental")  # fmt: skip
_PYTHON = ("PyOp", "PythonOp", "PythonOpGrad", "PyFunc")
_DTYPES = {1: ("f32", 4), 2: ("u8", 1), 3: ("i8", 1), 4: ("u16", 2), 5: ("i16", 2), 6: ("i32", 4), 7: ("i64", 8), 9: ("bool", 1), 10: ("f16", 2), 11: ("f64", 8), 12: ("u32", 4), 13: ("u64", 8), 16: ("bf16", 2), 17: ("f8_e4m3", 1), 19: ("f8_e5m2", 1)}  # fmt: skip
_DEEPEST = 12
_FIELDS = {
    1: 0,
    2: 2,
    3: 2,
    4: 2,
    5: 0,
    6: 2,
    7: 2,
    8: 2,
    14: 2,
    20: 2,
    25: 2,
    26: 2,
}  # of a ModelProto, with their wire types


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes are a ModelProto: a small ir_version first, then only its fields, with a graph or opset among them."""
    if head[:1] != b"\x08" or len(head) < 4 or head[1] > 30:
        return False
    context = Context()
    context.allowance.steps = 2000
    seen = set()
    try:
        for field in fields(source, 0, source.size_bytes, context):
            if _FIELDS.get(field.number) != field.wire:
                return 7 in seen
            seen.add(field.number)
    except (NotProtobuf, Spent):
        return 7 in seen or (source.path.lower().endswith(".onnx") and bool(seen & {1, 2, 8}))
    return bool(seen & {7, 8})


def examine(source: Source, into: Examined, context: Context) -> None:
    """Walk the model."""
    into.format = "onnx"
    walk = _Walk(source, into, context)
    reached = 0
    try:
        for field in fields(source, 0, source.size_bytes, context):
            if _FIELDS.get(field.number) != field.wire:
                raise NotProtobuf
            reached = field.offset + field.size
            if field.number == 7:
                walk.graph(field, 0)
            elif field.number == 8:
                walk.opset(field)
            elif field.number == 20:
                walk.training(field)
            elif field.number == 25:
                walk.function(field)
    except NotProtobuf:
        into.findings.append(found("onnx.damaged", source.path, f"byte {reached}", "the model is cut off or damaged"))
        into.not_examined.append(NotExamined(source.path, f"what lies behind byte {reached}"))
        if 0 < reached < source.size_bytes:
            context.examine(Window(f"{source.path}!behind {reached}", source, reached, source.size_bytes - reached))
    walk.say_operators()


class _Walk:
    """Goes through a model's graphs. Operators are judged at the end, when the model's own functions are known."""

    def __init__(self, source: Source, into: Examined, context: Context) -> None:
        self.source, self.into, self.context = source, into, context
        self.domains: list[str] = []
        self.used: dict[tuple[str, str], str] = {}
        self.defined: set[tuple[str, str]] = set()

    def parts(self, field: Field) -> Iterator[Field]:
        return fields(self.source, field.offset, field.offset + field.size, self.context)

    def opset(self, field: Field) -> None:
        for inner in self.parts(field):
            if inner.number == 1 and (domain := text(self.source, inner)) is not None:
                self.domains.append(domain)

    def training(self, field: Field) -> None:
        for inner in self.parts(field):
            if inner.number in (1, 2) and inner.wire == 2:
                self.graph(inner, 0)

    def function(self, field: Field) -> None:
        name = domain = ""
        for inner in self.parts(field):
            if inner.number == 1 and inner.wire == 2:
                name = text(self.source, inner) or ""
            elif inner.number == 10 and inner.wire == 2:
                domain = text(self.source, inner) or ""
            elif inner.number == 7 and inner.wire == 2:
                self.node(inner, 1)
        self.defined.add((domain, name))

    def say_operators(self) -> None:
        """Say which operators need a library: of unknown domains, and not functions that the model itself defines."""
        source, into = self.source, self.into
        known = (*_STANDARD, *_KNOWN)
        for (domain, kind), name in self.used.items():
            if kind in _PYTHON:
                into.findings.append(found("onnx.python", source.path, name, f"the operator {kind!r} calls Python"))
            elif domain not in known and (domain, kind) not in self.defined:
                message = f"the operator {kind!r} of the domain {domain!r}: a library of its author's own must be loaded for it"
                into.findings.append(found("onnx.custom-domain", source.path, name, message))
        defined = {domain for domain, _ in self.defined}
        for domain in dict.fromkeys(self.domains):
            if domain not in known and domain not in defined:
                message = f"operators of the domain {domain!r}: a library of its author's own must be loaded for them"
                into.findings.append(found("onnx.custom-domain", source.path, domain, message))

    def graph(self, field: Field, depth: int) -> None:
        if depth > _DEEPEST:
            message = f"graphs nested deeper than {_DEEPEST} levels"
            self.into.findings.append(found("onnx.damaged", self.source.path, f"byte {field.offset}", message))
            self.into.not_examined.append(NotExamined(self.source.path, message))
            return
        for inner in self.parts(field):
            if inner.wire != 2:
                continue
            if inner.number == 1:
                self.node(inner, depth)
            elif inner.number == 5:
                self.tensor(inner)
            elif inner.number == 15:
                self.sparse(inner)

    def sparse(self, field: Field) -> None:
        for inner in self.parts(field):
            if inner.number in (1, 2) and inner.wire == 2:
                self.tensor(inner)

    def node(self, field: Field, depth: int) -> None:
        kind = domain = ""
        name = f"byte {field.offset}"
        for inner in self.parts(field):
            if inner.wire != 2:
                continue
            if inner.number == 3:
                name = text(self.source, inner) or name
            elif inner.number == 4:
                kind = text(self.source, inner) or ""
            elif inner.number == 7:
                domain = text(self.source, inner) or ""
            elif inner.number == 5:
                for attribute in self.parts(inner):
                    if attribute.number in (6, 11) and attribute.wire == 2:
                        self.graph(attribute, depth + 1)
                    elif attribute.number in (5, 10) and attribute.wire == 2:
                        self.tensor(attribute)
                    elif attribute.number in (22, 23) and attribute.wire == 2:
                        self.sparse(attribute)
        self.used.setdefault((domain, kind), name)

    def tensor(self, field: Field) -> None:
        _tensor(self.source, field, self.into, self.context)


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
            key = pair.get(1) or ""
            if key in external:
                _external(
                    source, name or f"byte {field.offset}", external, into
                )  # readers differ in which one they take
            external[key] = pair.get(2) or ""
        elif inner.number == 14 and inner.wire == 0:
            outside = inner.value == 1
    name = name or f"byte {field.offset}"
    if external or outside:
        _external(source, name, external, into)
    elif raw is not None and kind in _DTYPES:
        dtype, width = _DTYPES[kind]
        elements = 1
        for length in shape:
            elements = min(elements * length, 1 << 62)
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


def _external(source: Source, name: str, stated: dict[str, str], into: Examined) -> None:
    location = stated.get("location", "")
    parts = location.replace("\\", "/").split("/")
    if ".." in parts or location.startswith(("/", "\\")) or "://" in location or location[1:2] == ":":
        message = f"reads its values from {location!r}, outside of the model's directory"
        into.findings.append(found("onnx.external-path", source.path, name, message))
        return
    ends = into.metadata.setdefault("external_data", {})
    offset, length = (_whole(stated.get(key, "0")) for key in ("offset", "length"))
    if offset is None or length is None:
        message = "the place of its values in another file is no number"
        into.findings.append(found("onnx.size", source.path, name, message))
    ends[location] = max(ends.get(location, 0), (offset or 0) + (length or 0))


def _whole(text_: str) -> int | None:
    return int(text_) if text_.isascii() and text_.isdigit() and len(text_) < 20 else None
