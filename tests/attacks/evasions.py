"""What an independent red team tried after the other corpora were there: files that passed unseen, or that were accused
without reason. One case a mechanism; payloads are inert and nothing is ever loaded."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct
import tarfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import numpy as np

from tests.attacks.archives import npz, tarred, torch_zip, zipped
from tests.attacks.case import Case
from tests.attacks.frameworks import (
    DENSE,
    PLAIN,
    graph_def,
    initializer,
    keras3,
    layer,
    message,
    number,
    onnx,
    pack,
    saved_model,
    sequential,
)
from tests.attacks.pickles import RUNS, call, short, stack_global

PAYLOAD = call("os", "system")
CALLS = stack_global("os", "system") + b"(S'inert'\ntR"


def _texts() -> Iterator[Case]:
    """Values that CPython reads and a strict reader stumbles over, in front of a payload."""
    odd = {
        "an octal number": b"I010\n0",
        "a number that is nothing": b"I\n0",
        "a memo index with a leading zero": b"Np010\n0",
        "a text that is not UTF-8": b"X\x02\0\0\0\xff\xfe0",
        "a float that is none": b"Fx\n0",
        "a string without quotes": b"Sx\n0",
    }
    for name, opcodes in odd.items():
        yield Case(f"{name} in front of a call", {"x.pkl": b"\x80\x04" + opcodes + CALLS + b"."}, RUNS)
    yield Case("a text that is not UTF-8 behind a call", {"x.pkl": b"\x80\x04" + CALLS + b"0\x8c\x02\xff\xfe."}, RUNS)
    for version in (6, 99, 255):
        data = bytes([0x80, version]) + CALLS + b"."
        yield Case(f"protocol {version}", {"x.pkl": data}, (*RUNS, "pickle.broken"))
    cut = b"\x80\x04" + CALLS + b"0X\xff\xff\0\0abc"
    yield Case("what lies behind a cut is said to be unread", {"x.pkl": cut}, RUNS, unexamined=True)


def _wrapper(dtype: str, shape: int, aligned: bool) -> bytes:
    """What joblib writes in front of an array's bytes."""
    state = b"}(" + short("shape") + b"K" + bytes([shape]) + b"\x85" + short("dtype")
    state += stack_global("numpy", "dtype") + b"(" + short(dtype) + b"\x89\x88tR"
    state += short("numpy_array_alignment_bytes") + (b"K\x10" if aligned else b"N") + b"u"
    return stack_global("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + b"b"


def _two_readings() -> Iterator[Case]:
    """joblib skips an array's bytes, a plain unpickler reads them as opcodes."""
    inside = b"0" + CALLS
    plain = b"\x80\x04" + _wrapper("u1", len(inside), aligned=False) + inside + b"N."
    yield Case("opcodes where joblib sees an array", {"x.pkl": plain}, RUNS)
    padding = b"\x80\x04" + _wrapper("u1", 0, aligned=True) + b"\x30" + CALLS.ljust(0x30, b"0") + b"."
    yield Case("opcodes where joblib sees padding", {"x.joblib": padding}, RUNS)
    inner = b"\x80\x04h\x00h\x01\x93."  # by itself a missing memo entry; read on, it is os.system
    outer = b"\x80\x04" + short("os") + b"\x940" + short("system") + b"\x940" + _wrapper("O8", 1, aligned=False)
    yield Case("a memo that two readers see differently", {"x.joblib": outer + inner}, RUNS)


def _nested() -> Iterator[Case]:
    """torch's own loader of bytes within a pickle, reached by other ways than a plain call."""
    load = stack_global("torch.storage", "_load_from_bytes")
    raw = b"B" + struct.pack("<I", len(PAYLOAD)) + PAYLOAD
    rebuilt = stack_global("torch._tensor", "_rebuild_from_type_v2") + b"(" + load + stack_global("torch", "Tensor")
    yield Case("nested bytes through a function's argument", {"x.pkl": b"\x80\x04" + rebuilt + raw + b"\x85}tR."}, RUNS)
    text = PAYLOAD.decode("latin-1").encode()
    written = stack_global("_codecs", "encode") + b"X" + struct.pack("<I", len(text)) + text + short("latin1")
    yield Case("nested bytes as a text", {"x.pkl": b"\x80\x04" + load + written + b"\x86R\x85R."}, RUNS)
    long = torch_zip({"w": np.zeros(4000, "u1")})[:3000] + PAYLOAD
    text = long.decode("latin-1").encode()
    written = stack_global("_codecs", "encode") + b"X" + struct.pack("<I", len(text)) + text + short("latin1")
    yield Case(
        "a long text of nested bytes", {"x.pkl": b"\x80\x04" + load + written + b"\x86R\x85R."}, ("archive.damaged",)
    )
    numbers = stack_global("builtins", "bytes") + b"](K\x80K\x04ee"[:-1] + b"\x85R"
    yield Case("nested bytes that are computed", {"x.pkl": b"\x80\x04" + load + numbers + b"\x85R."}, RUNS)
    made = stack_global("dill._dill", "_create_array") + b"(" + CALLS + b")NNtR"
    yield Case("dill's array maker with a result to call", {"x.pkl": b"\x80\x04" + made + b"."}, RUNS)
    for module, name in (
        ("numpy.core", "_ufunc_reconstruct"),
        ("scipy.stats._distn_infrastructure", "rv_continuous_frozen"),
        ("pandas", "HDFStore"),
        ("pandas", "read_pickle"),
        ("torch.fx.graph_module", "reduce_graph_module"),
        ("sklearn.metrics", "os.system"),
    ):
        yield Case(f"not allowed: {module}.{name}", {"x.pkl": call(module, name)}, RUNS)
    kind = stack_global("dill._dill", "_load_type") + short("CodeType") + b"\x85R(S'inert'\ntR."
    yield Case("dill's type of code", {"x.dill": b"\x80\x04" + kind}, RUNS)


def _made() -> Iterator[Case]:
    """Memory asked for by a few bytes."""
    large = b"\x8a\x06" + (1 << 42).to_bytes(6, "little")
    work = ("pickle.too-much-work",)
    data = b"\x80\x04" + stack_global("builtins", "bytearray") + large + b"\x85R."
    yield Case("four terabytes of zeros", {"x.pkl": data}, work)
    numbers = stack_global("builtins", "range") + large + b"\x85R"
    data = b"\x80\x04" + stack_global("builtins", "list") + numbers + b"\x85R."
    yield Case("a list of four billion numbers", {"x.pkl": data}, work)
    array = (
        stack_global("numpy._core.multiarray", "_reconstruct")
        + stack_global("numpy", "ndarray")
        + large
        + b"\x85C\x01b"
    )
    yield Case("an empty array of four terabytes", {"x.pkl": b"\x80\x04" + array + b"\x87R."}, work)


def _digits() -> Iterator[Case]:
    """Products so large that Python refuses to write them out."""
    dims = [(1 << 62) - 1] * 300
    yield Case(
        "onnx, a shape of 300 dimensions",
        {"x.onnx": onnx(initializers=[initializer("w", dims, bytes(4))])},
        ("onnx.size",),
    )
    many = b"(" + (b"\x8a\x40" + b"\xff" * 63 + b"\x7f") * 60 + b"t"
    array = stack_global("numpy._core.multiarray", "_reconstruct") + stack_global("numpy", "ndarray") + many + b"C\x01b"
    yield Case("an array of 60 dimensions", {"x.pkl": b"\x80\x04" + array + b"\x87R."}, ("pickle.too-much-work",))
    wrapper = _wrapper("u1", 0, aligned=False).replace(b"K\x00\x85", many)
    yield Case("joblib's array of 60 dimensions", {"x.joblib": b"\x80\x04" + wrapper + b"."}, ("pickle.broken",))
    header = b"{'descr': [('a', '<f8', (" + b"999999999, " * 600 + b"))], 'fortran_order': False, 'shape': (1,), }\n"
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header
    yield Case("a numpy type of 600 dimensions", {"x.npy": data}, ("numpy.header",))
    entry = tarfile.TarInfo("a")
    entry.pax_headers = {"size": "\u00b2"}
    yield Case("a pax size of a superscript", {"x.tar": _entry(entry, b"", tarfile.PAX_FORMAT) + PAYLOAD}, RUNS)


def _behind() -> Iterator[Case]:
    """Payloads in places that one format ignores."""
    archive = zipped({"archive/data.pkl": pickle.dumps({"a": 1}), "archive/version": b"3\n"})
    yield Case("a pickle behind a zip", {"x.pt": archive + PAYLOAD}, RUNS)
    comment = archive[:-2] + struct.pack("<H", len(PAYLOAD)) + PAYLOAD
    yield Case("a pickle as a zip's comment", {"x.pt": comment}, RUNS)
    yield Case("a pickle behind a png's signature", {"x.png": b"\x89PNG\r\n\x1a\n" + PAYLOAD}, RUNS)
    inner = tarred({"m/model.pkl": PAYLOAD})
    yield Case("a tar behind a tar", {"x.tar": tarred({"a": b"x"}) + inner}, RUNS)
    for kind in (b"S", b"Z", b"7"):
        entry = tarfile.TarInfo("a")
        entry.type, entry.size = kind, len(PAYLOAD)
        yield Case(f"a tar's member of type {kind.decode()}", {"x.tar": _entry(entry, PAYLOAD)}, RUNS)
    for form, where in ((tarfile.PAX_FORMAT, "a pax header"), (tarfile.GNU_FORMAT, "a GNU header")):
        entry = tarfile.TarInfo("a")
        entry.type, entry.linkname = tarfile.SYMTYPE, "../" * 60 + "inert"
        yield Case(f"a link that leads out by {where}", {"x.tar": _entry(entry, b"", form)}, ("archive.link",))
    yield Case("a pickle behind a tar", {"x.tar": tarred({"a": b"x"}) + PAYLOAD}, RUNS)
    header = inner[:150] + bytes([inner[150] ^ 1]) + inner[151:]
    yield Case("a tar header with a wrong checksum", {"x.tar": header}, ("archive.damaged", *RUNS))
    model = onnx(initializers=[initializer("w", [4], bytes(16))])
    yield Case("a pickle behind an onnx", {"x.onnx": model + PAYLOAD}, ("onnx.damaged", *RUNS))
    tree = pack({"w": np.ones(4, "f4")})
    yield Case("a pickle behind a msgpack", {"x.msgpack": tree + PAYLOAD}, ("flax.hidden-bytes", *RUNS))


def _entry(entry: tarfile.TarInfo, data: bytes, form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar of one member."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _frameworks() -> Iterator[Case]:
    module = base64.b64encode(PAYLOAD).decode()
    yield Case(
        "keras, a pickled torch module",
        {"model.keras": keras3(sequential(layer("TorchModuleWrapper", {"module": module})))},
        ("keras.pickled-module",),
    )
    lam = layer("Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4w=="}}})
    node = number(1, 1) + message(2, "root") + message(4, json.dumps(lam))
    files = {"m/saved_model.pb": saved_model(PLAIN), "m/keras_metadata.pb": message(1, node)}
    yield Case("a Lambda in keras' metadata", files, ("keras.lambda",))
    text = b'saved_model_schema_version: 1\nmeta_graphs { graph_def { node { name: "a" op: "WriteFile" } } }\n'
    yield Case("a SavedModel as text", {"saved_model.pbtxt": text}, ("tensorflow.operation",))
    twice = {"location": "../../inert"}
    values = _stored_outside(twice) + message(13, message(1, "location") + message(2, "here.bin"))
    yield Case("onnx, two locations", {"x.onnx": onnx(initializers=[values])}, ("onnx.external-path",))
    graph = message(2, "g") + message(5, _stored_outside({"location": "/etc/inert"}))
    yield Case("onnx, the training graph", {"x.onnx": onnx() + message(20, message(2, graph))}, ("onnx.external-path",))
    beyond = {"location": "w.bin", "offset": "64", "length": "16"}
    files = {"m/x.onnx": onnx(initializers=[_stored_outside(beyond)]), "m/w.bin": bytes(64)}
    yield Case("onnx, values beyond the other file", files, ("onnx.size",))
    deep = message(2, "s")
    for _ in range(40):
        deep = message(1, message(4, "If") + message(5, message(1, "b") + message(6, deep)))
    yield Case("onnx, graphs without end", {"x.onnx": number(1, 8) + message(7, deep)}, ("onnx.damaged",))
    array = b"\xc7\x0e\x01\x93\x91\x01\xa6object\xc4\x02NN"
    yield Case("flax, an array of objects", {"x.msgpack": b"\x81\xa1p" + array}, ("flax.damaged",), unexamined=True)
    yield Case("flax, lists without end", {"x.msgpack": b"\x91" * 10_000 + b"\xc0"}, ("flax.damaged",))
    yield Case("flax, a map of 2^32", {"x.msgpack": b"\xdf\xff\xff\xff\xff\xc0"}, ("flax.damaged",))
    yaml = b"model: !!python/object/apply:os.system ['inert']\n"
    yield Case("a YAML tag that calls", {"config.yaml": yaml}, ("text.object",))
    py = {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["inert"]}]}
    yield Case("jsonpickle's key", {"model.json": json.dumps(py).encode()}, ("text.object",))
    function = {"__class__": "f", "__module__": "m", "__loader__": "FunctionNode"}
    schema = {**function, "content": {"module_path": "os", "function": "system"}}
    yield Case("a skops schema", {"m.skops": zipped({"schema.json": json.dumps(schema).encode()})}, ("text.object",))
    view = (
        b"\x80\x02"
        + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + b"U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x03tQ"
    )
    view += b"K\0(J\0\0\0\x40t(K\x01t\x89ccollections\nOrderedDict\n)RtR."
    members = {"archive/data.pkl": view, "archive/data/0": bytes(12), "archive/version": b"3\n"}
    yield Case("a tensor larger than its storage", {"x.pt": zipped(members)}, ("torch.storage",))
    for name in ("model.pkl", "model.onnx", "model.safetensors"):
        yield Case(f"an empty {name}", {name: b""}, ("file.wrong-name",))


def _stored_outside(place: Mapping[str, str]) -> bytes:
    """A tensor whose values are in another file."""
    entries = b"".join(message(13, message(1, key) + message(2, value)) for key, value in place.items())
    return number(1, 4) + number(2, 1) + message(8, "w") + entries + number(14, 1)


def _ordinary() -> Iterator[Case]:
    """Files that were accused without reason."""
    import torch
    from sklearn.feature_selection import SelectKBest
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, SplineTransformer

    for protocol in (0, 2, 4):
        whole = pickle.dumps({"w": torch.arange(600.0)}, protocol)
        yield Case(f"ordinary: a tensor by pickle, protocol {protocol}", {"x.pkl": whole})
    values = np.arange(60.0).reshape(20, 3)
    steps = make_pipeline(FunctionTransformer(np.log1p), SplineTransformer(), SelectKBest(k=2))
    fitted = steps.fit(values, np.arange(20) % 2)
    yield Case("ordinary: a pipeline that keeps functions", {"x.pkl": pickle.dumps(fitted)})
    attention = torch.nn.TransformerEncoderLayer(8, 2)
    buffer = io.BytesIO()
    torch.save(attention, buffer)
    yield Case("ordinary: a module that keeps its activation", {"x.pt": buffer.getvalue()})
    yield Case("ordinary: masked arrays", {"x.pkl": pickle.dumps(np.ma.array([1, 2], mask=[0, 1]))})
    yield Case("ordinary: None in protocol 0", {"x.pkl": pickle.dumps(None, 0)})
    objects = np.empty(2, dtype=object)
    objects[:] = [{"a": 1}, "x"]
    yield Case("ordinary: an npz of objects", {"x.npz": npz(a=np.ones(3), o=objects)})
    frame = stack_global("pandas", "DataFrame") + b")\x81}" + short("_typ") + short("dataframe") + b"sb"
    frame += stack_global("pandas.arrays", "StringArray") + b"0"
    frame += stack_global("pandas._libs.tslibs.timestamps", "_unpickle_timestamp") + b"(K\x00NNK\x0atR0"
    yield Case("ordinary: a data frame", {"x.pkl": b"\x80\x04" + frame + b"."})
    array = stack_global("dill._dill", "_create_array") + b"(" + stack_global("numpy.core.multiarray", "_reconstruct")
    array += stack_global("numpy", "ndarray") + b"K\x00\x85C\x01b\x87NNtR"
    slices = stack_global("dill._dill", "_load_type") + short("slice") + b"\x85RNNN\x87R"
    yield Case("ordinary: dill's arrays and slices", {"x.dill": b"\x80\x04](" + array + slices + b"e."})
    body = message(1, "F") + message(7, message(4, "Relu")) + message(10, "my")
    model = onnx([("F", "my")], opsets={"": 17, "my": 1}, functions=message(25, body))
    yield Case("ordinary: onnx with its own function", {"x.onnx": model})
    operations = (*PLAIN, "MergeV2Checkpoints", "InitializeTableFromTextFileV2", "StringJoin")
    yield Case("ordinary: a SavedModel that saves itself", {"saved_model.pb": saved_model(operations)})
    yield Case("ordinary: a graph of names", {"frozen.pb": graph_def(operations)})
    archive = {"code/__torch__/m.py": b"class M(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return x\n"}
    archive |= {"data.pkl": pickle.dumps(OrderedDict(a=1), 2), ".data/version": b"3\n", "extra/config.json": b"{}"}
    yield Case(
        "ordinary: TorchScript with a version of its own", {"x.pt": zipped({f"a/{k}": v for k, v in archive.items()})}
    )
    weights = {"config": {"w": {"path_name": "weight_0", "is_param": True, "use_pickle": False}}}
    exported = {"archive_format": b"pt2", "archive_version": b"0", "models/model.json": b"{}"}
    exported |= {"data/weights/model_weights_config.json": json.dumps(weights).encode()}
    exported |= {"data/weights/weight_0": np.ones(16, "f4").tobytes()}
    yield Case("ordinary: an exported program", {"x.pt2": zipped({f"a/{k}": v for k, v in exported.items()})})
    exported["data/weights/weight_1"] = PAYLOAD
    yield Case("a pickle in an exported program", {"x.pt2": zipped({f"a/{k}": v for k, v in exported.items()})}, RUNS)
    yield Case("ordinary: plain YAML", {"config.yaml": b"model: x\ntags: [a, b]\n"})
    skops = {"__class__": "OrderedDict", "__module__": "collections", "__loader__": "DictNode", "content": {}}
    yield Case("ordinary: a skops schema", {"m.skops": zipped({"schema.json": json.dumps(skops).encode()})})
    yield Case("ordinary: keras of plain layers", {"model.keras": keras3(sequential(DENSE, DENSE))})
    entry = tarfile.TarInfo("a.txt")
    entry.size = 2
    yield Case("ordinary: a tar packed twice", {"x.tar.z": zlib.compress(_entry(entry, b"hi"))})
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1L,), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + struct.pack("<d", 1.5)
    yield Case("ordinary: an array that Python 2 wrote", {"x.npy": array})


def cases() -> Iterator[Case]:
    """Every case of this corpus."""
    yield from _texts()
    yield from _two_readings()
    yield from _nested()
    yield from _made()
    yield from _digits()
    yield from _behind()
    yield from _frameworks()
    yield from _ordinary()
