"""Examines TensorFlow's SavedModel and frozen graphs for operations that touch files or call Python, and Keras' metadata beside them.

Source: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, framework/graph.proto, function.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.protobuf_wire import Field, NotProtobuf, fields, text
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import MemorySource, Source

# Saving and restoring (SaveV2, MergeV2Checkpoints, RestoreV2 ...) and tables read from assets are in every ordinary model.
_OPERATIONS = {
    **dict.fromkeys(("ReadFile", "WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2",
                     "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader", "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2",
                     "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "CSVDataset", "CSVDatasetV2", "LMDBDataset", "LoadDataset", "SqlDataset",
                     "ExperimentalCSVDataset", "ExperimentalLMDBDataset", "ExperimentalSqlDataset"), "reads files"),
    **dict.fromkeys(("WriteFile", "Save", "SaveSlices", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "SaveDataset", "SaveDatasetV2",
                     "SnapshotDataset", "SnapshotDatasetV2", "CreateSummaryFileWriter", "CreateSummaryDbWriter"), "writes files"),
    **dict.fromkeys(("PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"), "calls Python"),
    **dict.fromkeys(("RpcCall", "RpcClient", "Rpc", "TryRpc", "DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3",
                     "DataServiceDatasetV4", "RegisterDataset", "RegisterDatasetV2"), "calls another machine"),
    "MatchingFiles": "lists files", "MatchingFilesDataset": "lists files", "LoadLibrary": "loads native code",
    "PrintV2": "writes to a stream or file",
}  # fmt: skip
_TEXT_OP = re.compile(r"\bop\s*:\s*[\"'](\w+)[\"']")
_OP_NAME = re.compile(r"[A-Za-z_>][\w.>]*\Z")
_CHECKPOINT_DATA = re.compile(r"(?:variables|ckpt|model|checkpoint)[^/]*\.data-\d{5}-of-\d{5}\Z")
_TABLE_END = bytes.fromhex("57fb808b247547db")


def matches(source: Source, head: bytes) -> bool:
    """Whether the bytes are a SavedModel, a graph, or a part of TensorFlow's checkpoints."""
    if _checkpoint(source) or _keras_metadata(source):
        return True
    if head[:1] not in (b"\x08", b"\x0a"):
        return False
    return _is_saved_model(source) or _is_graph(source, 0, source.size_bytes)


def _checkpoint(source: Source) -> bool:
    if _CHECKPOINT_DATA.search(source.path):
        return True
    return source.size_bytes > 48 and source.read(source.size_bytes - 8, 8) == _TABLE_END


def _keras_metadata(source: Source) -> bool:
    """Whether this is the layers' configurations that Keras 2 puts beside a SavedModel."""
    return source.path.endswith("keras_metadata.pb") and source.read(0, 1) == b"\x0a"


def _is_saved_model(source: Source) -> bool:
    context = Context()
    context.allowance.steps = 500
    try:
        numbers = [(field.number, field.wire) for field in fields(source, 0, source.size_bytes, context)]
    except (NotProtobuf, Spent):
        return source.path.endswith("saved_model.pb")
    return bool(numbers) and set(numbers) <= {(1, 0), (2, 2)} and (2, 2) in numbers and numbers[0] in ((1, 0), (2, 2))


def _is_graph(source: Source, begin: int, end: int) -> bool:
    """Whether the first fields are nodes: a name and an operation of sane spelling."""
    context = Context()
    context.allowance.steps = 500
    nodes = 0
    try:
        for field in fields(source, begin, end, context):
            if field.number == 1 and field.wire == 2:
                inner = {each.number: text(source, each, 500) for each in fields(source, field.offset, field.offset + field.size, context) if each.number in (1, 2)}  # fmt: skip
                if not inner.get(1) or not _OP_NAME.match(inner.get(2) or ""):
                    return False
                nodes += 1
                if nodes >= 3:
                    return True
            elif (field.number, field.wire) not in ((2, 2), (3, 0), (4, 2)):
                return False
    except (NotProtobuf, Spent):
        return nodes > 0 and source.path.endswith(".pb")
    return nodes > 0


def examine_text(text_: str, source: Source, into: Examined) -> None:
    """Look for the same operations in a graph or SavedModel that is written as text (.pbtxt)."""
    into.format = "tensorflow text graph"
    for operation in dict.fromkeys(match[1] for match in _TEXT_OP.finditer(text_)):
        if does := _OPERATIONS.get(operation):
            message = f"the operation {operation}, which {does}"
            into.findings.append(found("tensorflow.operation", source.path, operation, message))


def examine(source: Source, into: Examined, context: Context) -> None:
    """Walk every node of every graph and function."""
    if _keras_metadata(source):
        into.format = "keras metadata"
        _objects(source, Field(0, 2, 0, 0, source.size_bytes), into, context)
        return
    if _checkpoint(source):
        into.format = "tensorflow checkpoint"
        return
    into.format = "saved model" if _is_saved_model(source) else "tensorflow graph"
    counts: dict[str, list[str]] = {}
    try:
        for name, operation in _nodes(source, into.format == "saved model", into, context):
            context.allowance.step()
            if does := _OPERATIONS.get(operation):
                counts.setdefault(f"{operation}, which {does}", []).append(name)
    except NotProtobuf:
        into.findings.append(found("tensorflow.damaged", source.path, "file", "the graph is cut off or damaged"))
        into.not_examined.append(NotExamined(source.path, "what lies behind the damage"))
    for what, names in counts.items():
        more = f" ({len(names)} times)" if len(names) > 1 else ""
        into.findings.append(found("tensorflow.operation", source.path, names[0], f"the operation {what}{more}"))


def _nodes(source: Source, saved: bool, into: Examined, context: Context) -> Iterator[tuple[str, str]]:
    if not saved:
        yield from _graph(source, Field(0, 2, 0, 0, source.size_bytes), context)
        return
    for meta in fields(source, 0, source.size_bytes, context):
        if meta.number != 2 or meta.wire != 2:
            continue
        for part in fields(source, meta.offset, meta.offset + meta.size, context):
            if part.number == 2 and part.wire == 2:
                yield from _graph(source, part, context)
            elif part.number == 7 and part.wire == 2:
                _objects(source, part, into, context)


def _graph(source: Source, graph: Field, context: Context) -> Iterator[tuple[str, str]]:
    for part in fields(source, graph.offset, graph.offset + graph.size, context):
        if part.wire != 2:
            continue
        if part.number == 1:
            yield _node(source, part, context)
        elif part.number == 2:
            for function in fields(source, part.offset, part.offset + part.size, context):
                if function.number == 1 and function.wire == 2:
                    for inner in fields(source, function.offset, function.offset + function.size, context):
                        if inner.number == 3 and inner.wire == 2:
                            yield _node(source, inner, context)


def _node(source: Source, node: Field, context: Context) -> tuple[str, str]:
    name = operation = ""
    for part in fields(source, node.offset, node.offset + node.size, context):
        if part.number == 1 and part.wire == 2:
            name = text(source, part) or ""
        elif part.number == 2 and part.wire == 2:
            operation = text(source, part) or ""
            break
    return name, operation


def _objects(source: Source, graph: Field, into: Examined, context: Context) -> None:
    """Keras keeps its layers' configurations as texts in the object graph: look into those that have any."""
    from weighbridge.probes.checkpoint.keras_config import examine_keras_config, read_json

    at, end = graph.offset, graph.offset + graph.size
    raw = source.read(at, min(end - at, 16 << 20))
    for hit in re.finditer(rb'\{"(?:class_name|name|module)"', raw):
        depth, stop = 0, hit.start()
        for stop in range(hit.start(), min(len(raw), hit.start() + (1 << 20))):
            depth += (raw[stop : stop + 1] == b"{") - (raw[stop : stop + 1] == b"}")
            if depth == 0:
                break
        context.allowance.step(100)
        inner = Examined(source.path)
        config = read_json(MemorySource(source.path, raw[hit.start() : stop + 1]), inner)
        if config is not None:
            examine_keras_config(config, source.path, f"byte {at + hit.start()}", into, context)
