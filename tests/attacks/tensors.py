"""Safetensors, GGUF and what stands beside them: strict formats, broken one rule at a time."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tests.attacks.case import Case
from tests.attacks.pickles import RUNS, call


def safetensors_of(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    return struct.pack("<Q", len(header)) + header + data


def safetensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """A well-formed safetensors file."""
    names = {
        "float32": "F32",
        "float16": "F16",
        "float64": "F64",
        "int64": "I64",
        "uint8": "U8",
        "bool": "BOOL",
        "int32": "I32",
    }
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    data = b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": names[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return safetensors_of(text + b" " * (-len(text) % 8), data)


def entry(name: str, begin: int, end: int, shape: Sequence[object] = (2,), dtype: str = "F32") -> str:
    """One tensor of a header."""
    return f'"{name}":{{"dtype":"{dtype}","shape":{json.dumps(list(shape))},"data_offsets":[{begin},{end}]}}'


def _st(name: str, entries: Sequence[str], data: bytes, *rules: str, unexamined: bool | None = None) -> Case:
    header = ("{" + ",".join(entries) + "}").encode()
    return Case(f"safetensors: {name}", {"model.safetensors": safetensors_of(header, data)}, rules, unexamined)


FLOATS = np.random.default_rng(3).normal(size=64).astype(np.float32)


def _safetensors() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    yield Case(
        "safetensors, ordinary",
        {
            "model.safetensors": safetensors(
                {"a": rng.normal(size=(8, 8)).astype("f4"), "b": rng.normal(size=7).astype("f2")}, {"format": "pt"}
            )
        },
    )
    yield Case(
        "safetensors, a scalar and an empty one",
        {"model.safetensors": safetensors({"s": np.array(1.5, "f4"), "e": np.zeros((0, 4), "f4"), "w": FLOATS})},
    )
    yield Case("safetensors, no tensors", {"model.safetensors": safetensors_of(b"{}      ")})
    yield Case("safetensors, only metadata", {"model.safetensors": safetensors_of(b'{"__metadata__":{"a":"b"}}')})
    eight = struct.pack("<2f", 1, 2)
    yield _st("header not padded", [entry("a", 0, 8)], eight)
    yield Case("header of 2^60", {"model.safetensors": struct.pack("<Q", 1 << 60) + b'{"a":1}'}, ("safetensors.*",))
    yield Case(
        "header longer than the file", {"model.safetensors": struct.pack("<Q", 5000) + b'{"a":{}}'}, ("safetensors.*",)
    )
    yield Case(
        "header of more than 100 MB",
        {"model.safetensors": struct.pack("<Q", 120_000_000) + b"{" + b" " * 120_000_000},
        ("safetensors.impossible",),
    )
    yield Case(
        "header that is no JSON", {"model.safetensors": safetensors_of(b'{"a": oops}     ')}, ("safetensors.header",)
    )
    yield Case("header that is a list", {"model.safetensors": safetensors_of(b"{]      ")}, ("safetensors.header",))
    yield Case(
        "header of invalid UTF-8",
        {"model.safetensors": safetensors_of(b'{"\xff\xfe":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight)},
        ("safetensors.header",),
    )
    yield Case(
        "deep header",
        {"model.safetensors": safetensors_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")},
        ("safetensors.header",),
    )
    yield _st("a tensor twice", [entry("a", 0, 8), entry("a", 8, 16)], eight * 2, "safetensors.duplicate-key")
    doubled = '"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}'
    yield _st("dtype twice", [doubled], eight, "safetensors.duplicate-key")
    yield _st(
        "metadata twice",
        ['"__metadata__":{"a":"b"}', '"__metadata__":{"a":"c"}', entry("a", 0, 8)],
        eight,
        "safetensors.duplicate-key",
    )
    yield _st("overlap", [entry("a", 0, 8), entry("b", 4, 12)], eight * 2, "safetensors.overlap")
    yield _st("the same bytes twice", [entry("a", 0, 8), entry("b", 0, 8)], eight, "safetensors.overlap")
    yield _st("a hole", [entry("a", 0, 8), entry("b", 16, 24)], eight * 3, "safetensors.hidden-bytes")
    yield _st("a hole in front", [entry("a", 8, 16)], eight * 2, "safetensors.hidden-bytes")
    yield _st("bytes behind", [entry("a", 0, 8)], eight + b"hidden", "safetensors.hidden-bytes")
    yield _st("a pickle behind", [entry("a", 0, 8)], eight + call("os", "system"), "safetensors.hidden-bytes")
    yield _st(
        "a pickle in a hole",
        [entry("a", 0, 8), entry("b", 8 + len(call("os", "system")), 16 + len(call("os", "system")))],
        eight + call("os", "system") + eight,
        "safetensors.hidden-bytes",
    )
    yield _st("shape against size", [entry("a", 0, 8, [3])], eight, "safetensors.size")
    yield _st("shape that overflows", [entry("a", 0, 8, [1 << 32, 1 << 32])], eight, "safetensors.*")
    yield _st("shape that overflows to fit", [entry("a", 0, 8, [(1 << 62) + 2])], eight, "safetensors.*")
    yield _st("negative shape", [entry("a", 0, 8, [-2])], eight, "safetensors.*")
    yield _st("shape of floats", [entry("a", 0, 8, [2.5])], eight, "safetensors.*")
    yield _st("negative offset", [entry("a", -8, 0)], eight, "safetensors.*")
    yield _st("offsets reversed", [entry("a", 8, 0)], eight, "safetensors.*")
    yield _st("offsets past the end", [entry("a", 0, 800, [200])], eight, "safetensors.truncated")
    yield _st("offset of 2^63", [entry("a", 1 << 63, (1 << 63) + 8)], eight, "safetensors.*")
    yield _st("unknown dtype", [entry("a", 0, 8, [2], "F33")], eight, "safetensors.*")
    yield _st("dtype missing", ['"a":{"shape":[2],"data_offsets":[0,8]}'], eight, "safetensors.header")
    yield _st(
        "an extra key", ['"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"code":"x"}'], eight, "safetensors.header"
    )
    yield _st(
        "metadata that is no map of texts",
        ['"__metadata__":{"a":{"b":1}}', entry("a", 0, 8)],
        eight,
        "safetensors.header",
    )
    yield _st("metadata of a number", ['"__metadata__":5', entry("a", 0, 8)], eight, "safetensors.header")
    yield _st("a name with what does not show", [entry("a\u202eb", 0, 8)], eight, "safetensors.name")
    packed = base64.b64encode(call("os", "system") * 8).decode()
    yield _st("a pickle in the metadata", [f'"__metadata__":{{"x":"{packed}"}}', entry("a", 0, 8)], eight, "safetensors.hidden-bytes")  # fmt: skip
    plain = base64.b64encode(b"some plain text, nothing else. " * 8).decode()
    yield _st("a text in the metadata", [f'"__metadata__":{{"x":"{plain}"}}', entry("a", 0, 8)], eight)
    yield _st("an empty name", [entry("", 0, 8)], eight, "safetensors.name")
    whole = safetensors({"a": FLOATS})
    yield Case("cut in the data", {"model.safetensors": whole[:-40]}, ("safetensors.truncated",))
    yield Case("cut in the header", {"model.safetensors": whole[:30]}, ("safetensors.*",))
    yield Case(
        "header padded with a zero",
        {"model.safetensors": safetensors_of(b"{" + entry("a", 0, 8).encode() + b"}\0\0\0", eight)},
        ("safetensors.*",),
    )
    yield Case(
        "something hidden in the padding",
        {"model.safetensors": safetensors_of(b" {" + entry("a", 0, 8).encode() + b"}", eight)},
        ("safetensors.header",),
    )


def text(value: str) -> bytes:
    """A string of GGUF."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def key(name: str, kind: int, value: bytes) -> bytes:
    """A key of GGUF with its value."""
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    """A tensor's entry of GGUF."""
    return (
        text(name)
        + struct.pack("<I", len(shape))
        + b"".join(struct.pack("<Q", n) for n in shape)
        + struct.pack("<IQ", kind, offset)
    )


ARCHITECTURE = key("general.architecture", 8, text("llama"))


def gguf(keys: Sequence[bytes] = (ARCHITECTURE,), tensors: Sequence[bytes] = (), data: bytes = b"", *, version: int = 3,
         counts: tuple[int, int] | None = None, padding: bytes | None = None) -> bytes:  # fmt: skip
    """A GGUF file."""
    tensor_count, key_count = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, key_count) + b"".join(keys) + b"".join(tensors)
    return head + (padding if padding is not None else bytes(-len(head) % 32)) + data


def array_of(kind: int, items: Sequence[bytes], count: int | None = None) -> bytes:
    """An array value of GGUF."""
    return struct.pack("<IQ", kind, len(items) if count is None else count) + b"".join(items)


VOCABULARY = [
    key("tokenizer.ggml.model", 8, text("gpt2")),
    key("tokenizer.ggml.tokens", 9, array_of(8, [text(t) for t in ("<unk>", "<s>", "</s>", "a", "b")])),
]
DATA = FLOATS.tobytes()  # 256 bytes
A, B = tensor("blk.0.attn_q.weight", [32], 0, 0), tensor("blk.0.attn_k.weight", [32], 0, 128)


def _gg(name: str, data: bytes, *rules: str, unexamined: bool | None = None) -> Case:
    return Case(f"GGUF: {name}", {"model.gguf": data}, rules, unexamined)


def _gguf() -> Iterator[Case]:
    yield _gg(
        "ordinary",
        gguf([ARCHITECTURE, *VOCABULARY, key("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 1))], [A, B], DATA),
    )
    yield _gg("version 2", gguf([ARCHITECTURE, *VOCABULARY], [A, B], DATA, version=2))
    yield _gg("only a vocabulary", gguf([ARCHITECTURE, *VOCABULARY]))
    yield _gg("other alignment", gguf([ARCHITECTURE, key("general.alignment", 4, struct.pack("<I", 64))], [A, B], DATA,
              padding=bytes(-(24 + len(ARCHITECTURE) + len(key("general.alignment", 4, bytes(4))) + len(A) + len(B)) % 64)))  # fmt: skip
    q8 = np.random.default_rng(5).integers(-127, 127, (4, 32)).astype(np.int8)
    blocks = b"".join(struct.pack("<e", 0.01) + row.tobytes() for row in q8)
    yield _gg(
        "Q8_0",
        gguf(tensors=[tensor("blk.0.ffn_up.weight", [32, 4], 8, 0)], data=blocks + bytes(-len(blocks) % 32)),
    )
    yield _gg("keys of 2^60", gguf(counts=(0, 1 << 60)), "gguf.impossible")
    yield _gg("tensors of 2^60", gguf(counts=(1 << 60, 1)), "gguf.impossible")
    yield _gg("tensors of 2^63", gguf(counts=((1 << 64) - 1, 1)), "gguf.impossible")
    long = text("general.name")[:8] + b"general.name" + struct.pack("<I", 8) + struct.pack("<Q", 1 << 61) + b"x"
    yield _gg("a string of 2^61", gguf([ARCHITECTURE, long]), "gguf.impossible")
    yield _gg("an array of 2^60", gguf([ARCHITECTURE, key("x.y", 9, array_of(4, [], 1 << 60))]), "gguf.impossible")
    yield _gg(
        "an array of 2^62 texts", gguf([ARCHITECTURE, key("x.y", 9, array_of(8, [], 1 << 62))]), "gguf.impossible"
    )
    nested = array_of(4, [])
    for _ in range(2000):
        nested = array_of(9, [nested])
    yield _gg("deep arrays", gguf([ARCHITECTURE, key("x.y", 9, nested)]), "gguf.*")
    yield _gg("a key's type of 99", gguf([ARCHITECTURE, key("x.y", 99, b"")]), "gguf.damaged")
    yield _gg("an array's type of 77", gguf([ARCHITECTURE, key("x.y", 9, array_of(77, [b"x"]))]), "gguf.damaged")
    yield _gg("version 1", gguf(version=1), "gguf.version")
    yield _gg("version 99", gguf(version=99), "gguf.version")
    yield _gg("a tensor's type that is not known", gguf(tensors=[tensor("a", [32], 200, 0)], data=DATA), "gguf.type")
    yield _gg("a type that was removed", gguf(tensors=[tensor("a", [32], 4, 0)], data=DATA), "gguf.type")
    yield _gg("offset past the end", gguf(tensors=[A, tensor("b", [32], 0, 1 << 40)], data=DATA), "gguf.*")
    yield _gg("offset of 2^63", gguf(tensors=[A, tensor("b", [32], 0, 1 << 63)], data=DATA), "gguf.*")
    yield _gg("offset that is not aligned", gguf(tensors=[tensor("a", [32], 0, 5)], data=DATA), "gguf.offset")
    yield _gg("cut in the data", gguf(tensors=[A, B], data=DATA[:200]), "gguf.truncated")
    yield _gg("overlap", gguf(tensors=[A, tensor("b", [32], 0, 64)], data=DATA), "gguf.overlap")
    yield _gg("the same bytes twice", gguf(tensors=[A, tensor("b", [32], 0, 0)], data=DATA[:128]), "gguf.overlap")
    yield _gg("a hole", gguf(tensors=[A, tensor("b", [32], 0, 256)], data=DATA * 2), "gguf.hidden-bytes")
    yield _gg("bytes behind", gguf(tensors=[A, B], data=DATA + b"hidden" * 20), "gguf.hidden-bytes")
    yield _gg(
        "a pickle behind", gguf(tensors=[A, B], data=DATA + bytes(32) + call("os", "system")), "gguf.hidden-bytes"
    )
    head = len(gguf(tensors=[A, B], padding=b""))
    yield _gg("something in the padding", gguf(tensors=[A, B], data=DATA, padding=b"h" * (-head % 32)), "gguf.padding")
    yield _gg("a shape of 2^60", gguf(tensors=[tensor("a", [1 << 30, 1 << 30], 0, 0)], data=DATA), "gguf.*")
    yield _gg("a shape that overflows", gguf(tensors=[tensor("a", [1 << 40, 1 << 40], 0, 0)], data=DATA), "gguf.*")
    yield _gg("nine dimensions", gguf(tensors=[tensor("a", [1] * 9, 0, 0)], data=DATA), "gguf.damaged")
    yield _gg("a row that is no whole block", gguf(tensors=[tensor("a", [33], 8, 0)], data=DATA), "gguf.shape")
    yield _gg(
        "a key twice", gguf([ARCHITECTURE, key("x.y", 4, bytes(4)), key("x.y", 4, b"\1\0\0\0")]), "gguf.duplicate-key"
    )
    yield _gg(
        "a tensor twice",
        gguf(tensors=[A, tensor("blk.0.attn_q.weight", [32], 0, 128)], data=DATA),
        "gguf.duplicate-tensor",
    )
    yield _gg("no architecture", gguf([key("x.y", 4, bytes(4))], [A], DATA[:128]), "gguf.architecture")
    odd = key("general.alignment", 4, struct.pack("<I", 33))
    yield _gg("alignment of 33", gguf([ARCHITECTURE, odd], [A], DATA[:128]), "gguf.alignment")
    none = key("general.alignment", 4, struct.pack("<I", 0))
    yield _gg("alignment of 0", gguf([ARCHITECTURE, none], [A], DATA[:128]), "gguf.alignment")
    yield _gg("a name of 100 bytes", gguf(tensors=[tensor("a" * 100, [32], 0, 0)], data=DATA[:128]), "gguf.name")
    invalid = struct.pack("<Q", 3) + b"\xff\xfea" + struct.pack("<I", 4) + bytes(4)
    yield _gg("a key of invalid UTF-8", gguf([ARCHITECTURE, invalid]), "gguf.text")
    yield _gg("a bool of 7", gguf([ARCHITECTURE, key("x.y", 7, b"\7")]), "gguf.value")
    for which in ("bos", "eos", "unknown", "padding", "eot"):
        bad = key(f"tokenizer.ggml.{which}_token_id", 4, struct.pack("<I", 99_999))
        yield _gg(f"{which} outside the vocabulary", gguf([ARCHITECTURE, *VOCABULARY, bad]), "gguf.special-token")
    scores = key("tokenizer.ggml.scores", 9, array_of(6, [bytes(4)] * 3))
    yield _gg("fewer scores than tokens", gguf([ARCHITECTURE, *VOCABULARY, scores]), "gguf.tokens")
    types = key("tokenizer.ggml.token_type", 9, array_of(5, [bytes(4)] * 9))
    yield _gg("more types than tokens", gguf([ARCHITECTURE, *VOCABULARY, types]), "gguf.tokens")
    several = key("tokenizer.ggml.eos_token_ids", 9, array_of(4, [struct.pack("<I", 777)]))
    yield _gg("one of several ends outside the vocabulary", gguf([ARCHITECTURE, *VOCABULARY, several]), "gguf.special-token")  # fmt: skip
    hidden = key("x.data", 9, array_of(0, [bytes([byte]) for byte in call("os", "system") * 4]))
    yield _gg("a pickle in a list of bytes", gguf([ARCHITECTURE, hidden]), "gguf.hidden-bytes")
    split = [key("split.count", 2, struct.pack("<H", 3)), key("split.no", 2, struct.pack("<H", 0))]
    yield _gg(
        "one part of three", gguf([ARCHITECTURE, *split], [A], DATA[:128]), "index.missing-shard", unexamined=True
    )
    later = [key("split.no", 2, struct.pack("<H", 1)), key("split.count", 2, struct.pack("<H", 2))]
    first = [key("split.no", 2, struct.pack("<H", 0)), key("split.count", 2, struct.pack("<H", 2))]
    parts = {"m-00001-of-00002.gguf": gguf([ARCHITECTURE, *first], [A], DATA[:128]), "m-00002-of-00002.gguf": gguf(later, [tensor("blk.1.attn_q.weight", [32], 0, 0)], DATA[:128])}  # fmt: skip
    yield Case("GGUF: both parts of two", parts)
    yield _gg("cut in the keys", gguf([ARCHITECTURE, *VOCABULARY])[:60], "gguf.*")
    yield _gg("cut in the header", b"GGUF\3\0\0\0", "gguf.damaged")
    yield _gg("only the magic", b"GGUF", "gguf.damaged")
    yield Case(
        "GGUF under safetensors' name", {"model.safetensors": gguf([ARCHITECTURE], [A, B], DATA)}, ("file.wrong-name",)
    )
    yield Case("GGUF under another name", {"model.bin": gguf([ARCHITECTURE, *VOCABULARY], [A, B], DATA)})
    big = (
        b"GGUF"
        + struct.pack(">IQQ", 3, 0, 1)
        + struct.pack(">Q", 20)
        + b"general.architecture"
        + struct.pack(">IQ", 8, 5)
        + b"llama"
    )
    yield Case("GGUF, big-endian", {"model.gguf": big}, ("gguf.version",), unexamined=True)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 269060552\n"


def _beside() -> Iterator[Case]:
    yield Case("a pointer instead of weights", {"model.safetensors": POINTER}, ("lfs.pointer",))
    yield Case("a pointer under another name", {"weights.pt": POINTER}, ("lfs.pointer",))
    one, two = safetensors({"a": FLOATS}), safetensors({"b": FLOATS[:32]})
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    index = {"metadata": {"total_size": 384}, "weight_map": {"a": names[0], "b": names[1]}}

    def directory(index: object, **files: bytes) -> dict[str, bytes]:
        return {"model.safetensors.index.json": json.dumps(index).encode(), names[0]: one, names[1]: two, **files}

    yield Case("shards", directory(index))
    lacking = directory(index)
    del lacking[names[1]]
    yield Case("a shard that is missing", lacking, ("index.missing-shard",))
    yield Case(
        "a tensor that is missing",
        directory({"weight_map": {"a": names[0], "b": names[1], "c": names[1]}}),
        ("index.missing-tensor",),
    )
    yield Case(
        "a tensor that is not listed",
        directory({"weight_map": {"c": names[0], "b": names[1]}}),
        ("index.unlisted-tensor",),
    )
    for path in ("../outside.safetensors", "/etc/passwd", "..\\outside.safetensors", "a/../../b.safetensors"):
        yield Case(
            f"an index that points to {path}", directory({"weight_map": {"a": path, "b": names[1]}}), ("index.path",)
        )
    yield Case("an index that is a list", directory([1]), ("index.damaged",))
    yield Case("an index without a map", directory({"metadata": {}}), ("index.damaged",))
    yield Case("an index whose names are numbers", directory({"weight_map": {"a": 5}}), ("index.damaged",))
    from tests.attacks.archives import torch_zip

    pickled = {
        "pytorch_model.bin.index.json": json.dumps({"weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}).encode()
    }
    pickled["pytorch_model-00001-of-00001.bin"] = torch_zip({})
    yield Case("an index of torch's", pickled)
    rng = np.random.default_rng(1)
    pair = {
        "base_model.model.q_proj.lora_A.weight": rng.normal(size=(4, 8)).astype("f4"),
        "base_model.model.q_proj.lora_B.weight": rng.normal(size=(8, 4)).astype("f4"),
    }
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": "org/base",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj"],
    }
    adapter = {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": safetensors(pair)}
    yield Case("a LoRA adapter", adapter)
    half = {name: array for name, array in pair.items() if "lora_A" in name}
    yield Case("half an adapter", adapter | {"adapter_model.safetensors": safetensors(half)}, ("index.half-adapter",))
    base_less = {name: value for name, value in config.items() if not name.startswith("base")}
    yield Case(
        "an adapter without its base",
        adapter | {"adapter_config.json": json.dumps(base_less).encode()},
        ("index.no-base",),
    )
    tokenizer = {
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
        "added_tokens": [{"id": 2, "content": "<s>", "special": True}],
    }
    config = {"model_type": "llama", "vocab_size": 3, "bos_token_id": 2, "eos_token_id": [2], "hidden_size": 8}
    model = {"config.json": json.dumps(config).encode(), "tokenizer.json": json.dumps(tokenizer).encode()}
    yield Case("a configuration", model)
    outside = model | {"config.json": json.dumps(config | {"bos_token_id": 128_000}).encode()}
    yield Case("a special token outside", outside, ("tokens.special",))
    yield Case(
        "a generation's token outside",
        model | {"generation_config.json": b'{"eos_token_id": [2, 70000]}'},
        ("tokens.special",),
    )
    yield Case("JSON that is none", model | {"config.json": b"{not json"}, ("text.json",))
    yield Case("deep JSON", model | {"config.json": b"[" * 100_000 + b"]" * 100_000}, ("text.json",))
    yield Case(
        "JSON with a key twice",
        model | {"config.json": b'{"model_type": "a", "model_type": "b"}'},
        ("text.duplicate-key",),
    )
    yield Case("a text that becomes binary", {"notes.txt": b"text\n" * 2000 + bytes(100)}, ("text.binary",))
    yield Case("a name with no such format", {"weights.xyz": b"\x00\x01\x02" * 50}, unexamined=True)
    yield Case("a pickle among the files", model | {"training_args.bin": call("os", "system")}, RUNS)
    yield Case(
        "texts",
        {
            "README.md": b"# Model\n",
            "vocab.txt": b"a\nb\n",
            "merges.txt": b"#version: 0.2\na b\n",
            ".gitattributes": b"*.bin filter=lfs\n",
        },
    )


def cases() -> Iterator[Case]:
    """Every case."""
    for part in (_safetensors, _gguf, _beside):
        yield from part()
