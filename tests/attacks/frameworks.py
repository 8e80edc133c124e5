"""Keras, TensorFlow, ONNX and Flax: configurations and graphs that act when they are loaded or run. Nothing here is loaded."""

from __future__ import annotations

import base64
import io
import json
import marshal
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.attacks.archives import zipped
from tests.attacks.case import Case
from tests.attacks.pickles import RUNS, call

CODE = base64.b64encode(marshal.dumps(compile("'inert'", "x", "eval"))).decode()


def layer(
    kind: str, config: Mapping[str, Any], module: str = "keras.layers", registered: str | None = None
) -> dict[str, Any]:
    """A layer as Keras 3 writes it."""
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": kind.lower(), **config},
        "registered_name": registered,
        "build_config": {"input_shape": [None, 4]},
    }


def sequential(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """A model of these layers."""
    return layer("Sequential", {"trainable": True, "layers": list(layers)}, "keras")


DENSE = layer(
    "Dense",
    {
        "units": 2,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
    },
)
LAMBDA = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}


def hdf5(
    attributes: Mapping[str, str] | None = None, arrays: Mapping[str, np.ndarray] | None = None, **options: Any
) -> bytes:
    """An HDF5 file."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        for name, value in (attributes or {}).items():
            file.attrs[name] = value
        for name, array in (arrays or {}).items():
            file.create_dataset(name, data=array)
    return buffer.getvalue()


def keras3(config: Any, **members: bytes) -> bytes:
    """A `.keras` archive."""
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    weights = hdf5(arrays={"layers/dense/vars/0": np.random.default_rng(1).normal(size=(4, 2)).astype("f4")})
    return zipped(
        {"metadata.json": b'{"keras_version": "3.5.0"}', "config.json": raw, "model.weights.h5": weights, **members}
    )


def _keras() -> Iterator[Case]:
    yield Case("keras v3, ordinary", {"model.keras": keras3(sequential(DENSE, layer("Dropout", {"rate": 0.1})))})
    functional = layer(
        "Functional",
        {"layers": [layer("InputLayer", {"batch_shape": [None, 4]}), DENSE], "input_layers": ["in", 0, 0]},
        "keras.src.models.functional",
        "Functional",
    )
    yield Case("keras v3, functional", {"model.keras": keras3(functional)})
    vectors = layer("TextVectorization", {"vocabulary": None, "standardize": "lower_and_strip_punctuation"})
    yield Case("keras v3, a text layer", {"model.keras": keras3(sequential(vectors, DENSE))})
    lam = layer("Lambda", {"function": LAMBDA, "arguments": {}})
    yield Case("keras v3, Lambda", {"model.keras": keras3(sequential(DENSE, lam))}, ("keras.lambda",))
    yield Case(
        "keras v3, Lambda in a nested model",
        {"model.keras": keras3(sequential(sequential(sequential(lam))))},
        ("keras.lambda",),
    )
    wrapped = layer("TimeDistributed", {"layer": lam})
    yield Case("keras v3, Lambda in a wrapper", {"model.keras": keras3(sequential(wrapped))}, ("keras.lambda",))
    text = layer("Custom", {"inner": json.dumps(sequential(lam))})
    yield Case("keras v3, a configuration in a text", {"model.keras": keras3(sequential(text))}, ("keras.lambda",))
    activation = layer("Activation", {"activation": LAMBDA})
    yield Case("keras v3, a function as activation", {"model.keras": keras3(sequential(activation))}, ("keras.lambda",))
    for module, name in (
        ("os", "system"),
        ("builtins", "exec"),
        ("subprocess", "Popen"),
        ("keras.utils", "get_file"),
        ("shutil", "rmtree"),
    ):
        function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
        yield Case(
            f"keras v3, imports {module}",
            {"model.keras": keras3(sequential(layer("Activation", {"activation": function})))},
            ("keras.import",),
        )
    loss = {
        "module": "builtins",
        "class_name": "dict",
        "config": {},
        "compile_config": {
            "loss": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
        },
    }
    yield Case(
        "keras v3, in the compile settings",
        {"model.keras": keras3(sequential(DENSE) | {"compile_config": loss["compile_config"]})},
        ("keras.import",),
    )
    yield Case(
        "keras v3, TFSMLayer",
        {"model.keras": keras3(sequential(layer("TFSMLayer", {"filepath": "/tmp/inert"})))},
        ("keras.external-model",),
    )
    yield Case(
        "keras v3, reads a file",
        {"model.keras": keras3(sequential(layer("StringLookup", {"vocabulary": "/etc/passwd"})))},
        ("keras.file",),
    )
    yield Case(
        "keras v3, an own object",
        {"model.keras": keras3(sequential(layer("Mine", {}, "keras.layers", "pkg>Mine")))},
        ("keras.custom-object",),
    )
    yield Case("keras v3, JSON that is none", {"model.keras": keras3(b"{nope")}, ("keras.config",), unexamined=True)
    yield Case(
        "keras v3, deep",
        {"model.keras": keras3(b'{"config":' * 5000 + b"1" + b"}" * 5000)},
        ("keras.config",),
        unexamined=True,
    )
    yield Case(
        "keras v3 with a pickle",
        {"model.keras": keras3(sequential(DENSE), **{"assets/extra.bin": call("os", "system")})},
        RUNS,
    )
    yield Case(
        "a Lambda in config.json alone", {"config.json": json.dumps(sequential(lam)).encode()}, ("keras.lambda",)
    )
    old = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [{"class_name": "Dense", "config": {"units": 2}}]},
    }
    arrays = {"model_weights/dense/kernel:0": np.random.default_rng(1).normal(size=(3, 4)).astype("f4")}
    yield Case(
        "keras h5, ordinary", {"model.h5": hdf5({"model_config": json.dumps(old), "keras_version": "2.15"}, arrays)}
    )
    yield Case("h5 of weights", {"model.weights.h5": hdf5(arrays=arrays)})
    yield Case("h5 of another kind", {"data.hdf5": hdf5({"note": "x"}, {"a/b": np.arange(5), "t": np.array([b"abc"])})})
    evil = {
        "class_name": "Sequential",
        "config": {
            "layers": [{"class_name": "Lambda", "config": {"function": [CODE, None, None], "function_type": "lambda"}}]
        },
    }
    yield Case("keras h5, Lambda", {"model.h5": hdf5({"model_config": json.dumps(evil)}, arrays)}, ("keras.lambda",))
    yield Case(
        "keras h5, Lambda, another name",
        {"weights.bin": hdf5({"model_config": json.dumps(evil)}, arrays)},
        ("keras.lambda",),
    )
    yield Case(
        "keras h5 in the training settings",
        {"model.h5": hdf5({"training_config": json.dumps({"loss": LAMBDA})}, arrays)},
        ("keras.lambda",),
    )
    yield Case(
        "keras h5 behind a user block",
        {"model.h5": hdf5({"model_config": json.dumps(evil)}, arrays, userblock_size=512)},
        ("hdf5.user-block", "keras.lambda"),
    )
    whole = hdf5({"model_config": json.dumps(evil)}, arrays)
    yield Case("keras h5, cut", {"model.h5": whole[: len(whole) // 2]}, ("hdf5.damaged",), unexamined=True)
    yield Case("h5 that links out", {"model.h5": _linked()}, ("hdf5.external",))
    yield Case("h5 with a plugin's filter", {"model.h5": _filtered()}, ("hdf5.filter",))
    yield Case("h5 whose values are elsewhere", {"model.h5": _external()}, ("hdf5.external",))


def _filtered() -> bytes:
    """A dataset whose filter is a plugin that is not there: written with a known one, then renumbered."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("a", data=np.arange(1000), chunks=(100,), fletcher32=True)
    raw = buffer.getvalue()
    entry = b"\x03\x00\x0a\x00" if b"\x03\x00\x0a\x00" in raw else b"\x03\x00"
    at = raw.index(b"fletcher32") - 8 if b"fletcher32" in raw else raw.index(entry)
    return raw[:at] + struct.pack("<H", 32015) + raw[at + 2 :]


def _linked() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = h5py.ExternalLink("/etc/inert.h5", "/x")
    return buffer.getvalue()


def _external() -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        space = h5py.h5s.create_simple((4,))
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_external(b"/etc/inert", 0, 32)
        h5py.h5d.create(file.id, b"a", h5py.h5t.NATIVE_DOUBLE, space, settings)
    return buffer.getvalue()


def varint(value: int) -> bytes:
    """A whole number of protobuf."""
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def message(number: int, data: bytes | str) -> bytes:
    """A field of bytes."""
    raw = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def number(field: int, value: int) -> bytes:
    """A field of a whole number."""
    return varint(field << 3) + varint(value)


def graph_def(operations: Sequence[str], function: Sequence[str] = ()) -> bytes:
    """TensorFlow's GraphDef."""
    nodes = b"".join(message(1, message(1, f"node_{i}") + message(2, op)) for i, op in enumerate(operations))
    if function:
        body = b"".join(message(3, message(1, f"inner_{i}") + message(2, op)) for i, op in enumerate(function))
        nodes += message(2, message(1, message(1, message(1, "fn")) + body))
    return nodes


def saved_model(operations: Sequence[str], function: Sequence[str] = ()) -> bytes:
    """TensorFlow's SavedModel."""
    meta = message(1, message(5, "2.15.0")) + message(2, graph_def(operations, function))
    return number(1, 1) + message(2, meta)


PLAIN = (
    "Placeholder",
    "Const",
    "MatMul",
    "BiasAdd",
    "Relu",
    "Identity",
    "SaveV2",
    "RestoreV2",
    "ShardedFilename",
    "StatefulPartitionedCall",
)


def _tensorflow() -> Iterator[Case]:
    yield Case("SavedModel, ordinary", {"saved_model.pb": saved_model(PLAIN, ("MatMul", "Identity"))})
    yield Case("SavedModel with variables", {
        "m/saved_model.pb": saved_model(PLAIN),
        "m/variables/variables.data-00000-of-00001": np.random.default_rng(1).normal(size=40).astype("f4").tobytes(),
        "m/variables/variables.index": b"\0" * 60 + bytes.fromhex("57fb808b247547db"),
    })  # fmt: skip
    yield Case("a frozen graph", {"frozen.pb": graph_def(PLAIN)})
    for operation in ("ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "EagerPyFunc", "LoadLibrary"):
        yield Case(
            f"SavedModel, {operation}", {"saved_model.pb": saved_model([*PLAIN, operation])}, ("tensorflow.operation",)
        )
        yield Case(
            f"SavedModel, {operation} in a function",
            {"saved_model.pb": saved_model(PLAIN, ["Identity", operation])},
            ("tensorflow.operation",),
        )
    yield Case("a frozen graph that writes", {"frozen.pb": graph_def([*PLAIN, "WriteFile"])}, ("tensorflow.operation",))
    yield Case("SavedModel, another name", {"model.bin": saved_model([*PLAIN, "WriteFile"])}, ("tensorflow.operation",))
    yield Case(
        "SavedModel, cut",
        {"saved_model.pb": saved_model([*PLAIN, "WriteFile"])[:-10]},
        ("tensorflow.damaged",),
        unexamined=True,
    )


def onnx(
    nodes: Sequence[tuple[str, str]] = (("MatMul", ""),),
    initializers: Sequence[bytes] = (),
    opsets: Mapping[str, int] | None = None,
    functions: bytes = b"",
) -> bytes:
    """An ONNX model."""
    graph = b"".join(
        message(
            1,
            message(1, "x")
            + message(2, "y")
            + message(3, f"n{i}")
            + message(4, op)
            + (message(7, domain) if domain else b""),
        )
        for i, (op, domain) in enumerate(nodes)
    )
    graph += message(2, "g") + b"".join(message(5, each) for each in initializers)
    imports = b"".join(
        message(8, message(1, domain) + number(2, version)) for domain, version in (opsets or {"": 17}).items()
    )
    return number(1, 8) + message(2, "pytorch") + message(3, "2.3") + message(7, graph) + imports + functions


def initializer(
    name: str, dims: Sequence[int], raw: bytes | None = None, location: str | None = None, kind: int = 1
) -> bytes:
    """A tensor of ONNX: FLOAT unless told."""
    out = b"".join(number(1, dim) for dim in dims) + number(2, kind) + message(8, name)
    if raw is not None:
        out += message(9, raw)
    if location is not None:
        out += message(13, message(1, "location") + message(2, location)) + number(14, 1)
    return out


FLOATS = np.random.default_rng(2).normal(size=12).astype("f4").tobytes()


def _onnx() -> Iterator[Case]:
    yield Case(
        "ONNX, ordinary", {"model.onnx": onnx([("MatMul", ""), ("Relu", "")], [initializer("w", [3, 4], FLOATS)])}
    )
    yield Case(
        "ONNX, ML domain",
        {"model.onnx": onnx([("TreeEnsembleClassifier", "ai.onnx.ml")], opsets={"": 17, "ai.onnx.ml": 3})},
    )
    beside = onnx(initializers=[initializer("w", [3, 4], location="weights.bin")])
    yield Case("ONNX with its values beside it", {"model.onnx": beside, "weights.bin": FLOATS})
    for location in ("../outside.bin", "/etc/passwd", "..\\..\\outside", "a/../../b"):
        yield Case(
            f"ONNX with values in {location}",
            {"model.onnx": onnx(initializers=[initializer("w", [3, 4], location=location)])},
            ("onnx.external-path",),
        )
    yield Case("ONNX whose values are missing", {"model.onnx": beside}, ("index.missing-shard",), unexamined=True)
    yield Case(
        "ONNX, a custom domain",
        {"model.onnx": onnx([("Evil", "com.evil")], opsets={"": 17, "com.evil": 1})},
        ("onnx.custom-domain",),
    )
    yield Case(
        "ONNX, a custom domain that is not imported",
        {"model.onnx": onnx([("Evil", "com.evil")])},
        ("onnx.custom-domain",),
    )
    for operation, domain in (
        ("PyOp", "ai.onnx.contrib"),
        ("PythonOp", "com.microsoft"),
        ("PyFunc", "ai.onnx.contrib"),
    ):
        yield Case(
            f"ONNX, {operation}",
            {"model.onnx": onnx([(operation, domain)], opsets={"": 17, domain: 1})},
            ("onnx.python",),
        )
    yield Case(
        "ONNX, shape against size",
        {"model.onnx": onnx(initializers=[initializer("w", [3, 5], FLOATS)])},
        ("onnx.size",),
    )
    yield Case(
        "ONNX, a shape of 2^60",
        {"model.onnx": onnx(initializers=[initializer("w", [1 << 60, 4], FLOATS)])},
        ("onnx.size",),
    )
    yield Case(
        "ONNX, cut",
        {"model.onnx": onnx(initializers=[initializer("w", [3, 4], FLOATS)])[:-25]},
        ("onnx.damaged",),
        unexamined=True,
    )


def pack(value: Any) -> bytes:
    """Msgpack of maps, texts, numbers and arrays as Flax writes them."""
    if isinstance(value, dict):
        return (bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + struct.pack(">H", len(value))) + b"".join(
            pack(k) + pack(v) for k, v in value.items()
        )
    if isinstance(value, str):
        return (
            bytes([0xA0 | len(value)]) + value.encode()
            if len(value) < 32
            else b"\xd9" + bytes([len(value)]) + value.encode()
        )
    if isinstance(value, np.ndarray):
        raw, name = value.tobytes(), str(value.dtype)
        body = (
            b"\x93"
            + bytes([0x90 | value.ndim])
            + b"".join(b"\xcd" + struct.pack(">H", n) for n in value.shape)
            + pack(name)
            + b"\xc6"
            + struct.pack(">I", len(raw))
            + raw
        )
        return b"\xc9" + struct.pack(">I", len(body)) + b"\x01" + body
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    assert isinstance(value, int)
    return bytes([value])


def _flax() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    tree = {
        "params": {
            f"layer_{i}": {"kernel": rng.normal(size=(4, 4)).astype("f4"), "bias": rng.normal(size=4).astype("f4")}
            for i in range(3)
        }
    }
    yield Case("Flax, ordinary", {"flax_model.msgpack": pack(tree)})
    yield Case("Flax, one array", {"flax_model.msgpack": pack({"w": rng.normal(size=(4, 4)).astype("f4")})})
    whole = pack(tree)
    yield Case("Flax, cut", {"flax_model.msgpack": whole[:-30]}, ("flax.damaged",), unexamined=True)
    yield Case("Flax, bytes behind", {"flax_model.msgpack": whole + b"hidden"}, ("flax.hidden-bytes",))
    extension = b"\x82" + pack("a") + b"\xc7\x05\x2ainert" + pack("w") + pack(rng.normal(size=3).astype("f4"))
    yield Case("Flax, an unknown extension", {"flax_model.msgpack": extension}, ("flax.extension",))
    doubled = b"\x82" + (pack("w") + pack(rng.normal(size=3).astype("f4"))) * 2
    yield Case("Flax, a key twice", {"flax_model.msgpack": doubled}, ("flax.duplicate-key",))
    yield Case(
        "Flax, a map of 2^32",
        {"flax_model.msgpack": b"\xdf\xff\xff\xff\xff" + pack("w") + pack(rng.normal(size=3).astype("f4"))},
        unexamined=True,
    )
    deep = b"\x81" + pack("a")
    yield Case(
        "Flax, deep",
        {
            "flax_model.msgpack": b"\x82"
            + pack("w")
            + pack(rng.normal(size=3).astype("f4"))
            + pack("z")
            + deep * 5000
            + b"\x01"
        },
        ("flax.damaged",),
        unexamined=True,
    )


def cases() -> Iterator[Case]:
    """Every case."""
    for part in (_keras, _tensorflow, _onnx, _flax):
        yield from part()
