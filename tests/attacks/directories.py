"""Directories: code that comes along, secrets, licences, links; and whole models that must stay clean."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from tests.attacks.case import Case
from tests.attacks.templates import CHATML
from tests.attacks.tensors import safetensors


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode()


MODELING = b'''"""A model of its own."""
import math
import torch
from torch import nn
from transformers import PreTrainedModel


class MineForCausalLM(PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.up = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x):
        return self.up(x) * math.sqrt(2.0)
'''


def model(layers: int = 4, seed: int = 1) -> dict[str, bytes]:
    """A small whole model, as the hub has them."""
    rng = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": rng.normal(0, 0.02, (64, 16))}
    for layer in range(layers):
        stem = f"model.layers.{layer}"
        for role, shape in (
            ("self_attn.q_proj", (16, 16)),
            ("self_attn.v_proj", (16, 16)),
            ("mlp.up_proj", (32, 16)),
            ("mlp.down_proj", (16, 32)),
        ):
            tensors[f"{stem}.{role}.weight"] = rng.normal(0, 0.02, shape)
        tensors[f"{stem}.input_layernorm.weight"] = 1 + rng.normal(0, 0.02, 16)
    weights = safetensors({name: array.astype("f4") for name, array in tensors.items()}, {"format": "pt"})
    vocabulary = {f"t{i}": i for i in range(62)}
    added = [{"id": 62, "content": "<s>", "special": True}, {"id": 63, "content": "</s>", "special": True}]
    return {
        "model.safetensors": weights,
        "config.json": _json({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": layers, "bos_token_id": 62, "eos_token_id": 63}),
        "generation_config.json": _json({"bos_token_id": 62, "eos_token_id": [63], "temperature": 0.7}),
        "tokenizer.json": _json({"version": "1.0", "added_tokens": added, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}),
        "tokenizer_config.json": _json({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "chat_template": CHATML}),
        "special_tokens_map.json": _json({"bos_token": "<s>", "eos_token": "</s>"}),
        "README.md": b"---\nlicense: mit\nlanguage: [en]\n---\n# Small\n\nRun `pip install transformers`.\n",
        "LICENSE": MIT,
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
    }  # fmt: skip


MIT = b"""MIT License

Copyright (c) 2024 The Authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def _code() -> Iterator[Case]:
    config = {"model_type": "mine", "auto_map": {"AutoModelForCausalLM": "modeling_mine.MineForCausalLM"}}
    yield Case("auto_map", {"config.json": _json(config), "modeling_mine.py": MODELING}, ("code.remote-code",))
    elsewhere = config | {"auto_map": {"AutoModel": "someone/else--modeling_mine.Mine"}}
    yield Case("auto_map to another repository", {"config.json": _json(elsewhere)}, ("code.remote-code",))
    yield Case(
        "auto_map of a tokenizer",
        {"tokenizer_config.json": _json({"auto_map": {"AutoTokenizer": ["tok.T", None]}})},
        ("code.remote-code",),
    )
    yield Case(
        "custom_generate", {"generation_config.json": _json({"custom_generate": "org/repo"})}, ("code.remote-code",)
    )
    yield Case(
        "custom_generate as a folder",
        {"custom_generate/generate.py": b"def generate(model, **k):\n    return model\n", "config.json": b"{}"},
        ("code.remote-code",),
    )
    yield Case("asks to be trusted", {"config.json": _json({"trust_remote_code": True})}, ("code.trust",))
    yield Case(
        "diffusers' own part",
        {"model_index.json": _json({"_class_name": "P", "unet": ["unet", "Mine"]})},
        ("code.remote-code",),
    )
    yield Case(
        "modules of its own",
        {"modules.json": _json([{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}])},
        ("code.remote-code",),
    )
    yield Case(
        "an adapter's library",
        {
            "adapter_config.json": _json(
                {
                    "base_model_name_or_path": "o/b",
                    "auto_mapping": {"base_model_class": "X", "parent_library": "evil.models"},
                }
            )
        },
        ("code.remote-code",),
    )
    for name, line in {
        "a program": "import subprocess\nsubprocess.run(['true'])\n",
        "a program under another name": "import os as o\no.system('true')\n",
        "from an import": "from os import system as s\ns('true')\n",
        "text that is run": "exec('pass')\n",
        "hidden text that is run": "import base64\nexec(base64.b64decode('cGFzcw=='))\n",
        "a connection": "import requests\nrequests.get('http://example.org')\n",
        "a pickle": "import pickle\npickle.load(open('x', 'rb'))\n",
        "torch.load": "import torch\ntorch.load('x')\n",
        "native code": "import ctypes\nctypes.CDLL('x')\n",
        "by name": "import importlib\nimportlib.import_module('o' + 's')\n",
        "a part by a computed name": "import os\ngetattr(os, 'sys' + 'tem')('true')\n",
        "the inside of built-ins": "globals()['__builtins__']['eval']('1')\n",
        "a program in place of itself": "import os\nos.execvp('true', ['true'])\n",
        "posix": "import posix\nposix.system('true')\n",
        "another client": "import urllib3\nurllib3.PoolManager()\n",
        "all subclasses": "x = ().__class__.__base__.__subclasses__()\n",
        "a decorator": "@exec\n@input\nclass X: pass\n",
        "a module by its name": "import sys\nsys.modules['os'].system('x')\n",
        "a function handed on": "import os\nlist(map(os.system, ['true']))\n",
        "a function renamed": "import os\nf = os.system\nf('true')\n",
        "an unpickler": "import pickle\npickle.Unpickler(open('x', 'rb')).load()\n",
        "Python that begins as a pickle": "().__class__.__base__.__subclasses__()\n",
        "letters that turn": "x = 1  # \u202e\u2066 y\n",
        "an installation": "import pip\npip.main(['install', 'x'])\n",
    }.items():
        yield Case(f"code with {name}", {"modeling_x.py": line.encode()}, ("code.acts",))
    yield Case("code that cannot be read", {"modeling_x.py": b"def (:\n"}, ("code.unreadable",), unexamined=True)
    yield Case("setup.py", {"setup.py": b"from setuptools import setup\nsetup()\n"}, ("code.starts",))
    yield Case("sitecustomize", {"sitecustomize.py": b"x = 1\n"}, ("code.starts",))
    yield Case("a .pth file", {"evil.pth": b"import os; x = 1\n"}, ("code.starts",))
    yield Case(
        "an npm package",
        {"package.json": _json({"name": "x", "scripts": {"postinstall": "node x.js"}})},
        ("code.starts",),
    )
    yield Case(
        "a build step",
        {"pyproject.toml": b'[build-system]\nbuild-backend = "mine"\nbackend-path = ["."]\n'},
        ("code.starts",),
    )
    yield Case(
        "requirements from an address",
        {"requirements.txt": b"torch\ngit+https://example.org/x.git\n"},
        ("code.requirement",),
    )
    yield Case(
        "requirements from another index",
        {"requirements.txt": b"--extra-index-url https://example.org\nx\n"},
        ("code.requirement",),
    )
    for name, line in {
        "another index trusted": b"--trusted-host example.org\nx\n",
        "a list elsewhere": b"-r https://example.org/r.txt\n",
    }.items():
        yield Case(f"requirements: {name}", {"requirements.txt": line}, ("code.requirement",))
    elsewhere_too = b"dependencies:\n  - pip:\n      - git+https://example.org/a\n"
    yield Case("an environment from an address", {"environment.yml": elsewhere_too}, ("code.requirement",))
    project = b"[project]\nname='x'\nversion='1'\ndependencies=['a @ https://example.org/a.whl']\n"
    yield Case("a project's requirement from an address", {"pyproject.toml": project}, ("code.requirement",))
    yield Case("auto_map of one class", {"config.json": _json({"auto_map": "modeling_x.M"})}, ("code.remote-code",))
    yield Case(
        "auto_map of an image processor",
        {"image_processor.json": _json({"auto_map": {"AutoImageProcessor": "p.P"}})},
        ("code.remote-code",),
    )
    yield Case(
        "diffusers' own pipeline",
        {"model_index.json": _json({"_class_name": ["pipeline", "P"], "unet": ["diffusers", "U"]}), "pipeline.py": b"class P: pass\n"},
        ("code.remote-code",),
    )  # fmt: skip
    yield Case(
        "diffusers' part in a file",
        {"model_index.json": _json({"_class_name": "X", "unet": ["mine", "U"]}), "unet/mine.py": b"class U: pass\n"},
        ("code.remote-code",),
    )
    yield Case("hubconf.py", {"hubconf.py": b"dependencies = ['torch']\n"}, ("code.starts",))
    yield Case("requirements with comments", {"requirements.txt": b"# see https://example.org/docs\ntorch\n"})
    yield Case("ordinary requirements", {"requirements.txt": b"torch>=2.0\ntransformers==4.40 # newer fails\n"})
    yield Case("ordinary code", {"modeling_mine.py": MODELING})
    yield Case(
        "ordinary code that evaluates",
        {
            "modeling_mine.py": b"class M:\n    def f(self):\n        self.model.eval()\n        return re.compile('x')\n"
        },
    )


def _secrets() -> Iterator[Case]:
    letters = "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"
    secrets = {
        "Hugging Face": "hf_" + letters,
        "GitHub": "ghp_" + "a1B2c3D4e5F6" * 3,
        "AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
        "OpenAI": "sk-proj-" + "a1B2c3D4e5" * 5,
        "Anthropic": "sk-ant-api03-" + "a1B2c3D4e5" * 5,
        "Google": "AIza" + "a1B2c3D4e5" * 3 + "a1B2c",
        "Slack": "xoxb-123456789012-1234567890123-" + "a1B2c3D4e5F6g7H8i9J0k1L2",
        "Stripe": "sk_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
        "a private key": "-----BEGIN RSA PRIVATE KEY-----",
        "an address": "https://someone:s3cretpassw0rd@host.internal/x",
    }
    for name, secret in secrets.items():
        yield Case(f"secret: {name}", {"train.sh": f"#!/bin/sh\nexport KEY={secret}\n".encode()}, ("secret.found",))
    yield Case("secret in the settings", {"config.json": _json({"token": secrets["Hugging Face"]})}, ("secret.found",))
    ordinary = (
        "export HF_TOKEN=hf_your_token_here\nsha256 "
        + "ab12" * 16
        + "\nhttps://user:password@example.com/\nsk-xxxxxxxx\n"
    )
    page = f"<!DOCTYPE html><html><script>key = '{secrets['Google']}'</script></html>"
    yield Case("a browser's key in a saved page", {"TERMS.html": page.encode()})
    yield Case(
        "no secrets",
        {"README.md": ordinary.encode(), "config.json": _json({"sha": "a1" * 20, "id": "0123456789abcdef" * 2})},
    )


def _licences() -> Iterator[Case]:
    yield Case("a licence that fits", {"README.md": b"---\nlicense: mit\n---\n", "LICENSE": MIT})
    yield Case(
        "another licence's text",
        {"README.md": b"---\nlicense: apache-2.0\n---\n", "LICENSE": MIT},
        ("licence.conflict",),
    )
    yield Case(
        "several licences",
        {"README.md": b"---\nlicense: apache-2.0\n---\n", "config.json": _json({"license": "cc-by-nc-4.0"})},
        ("licence.several",),
    )

    yield Case("a choice of licences", {"README.md": b"---\nlicense: [apache-2.0, mit]\n---\n", "LICENSE": MIT})
    other = b"---\nlicense: other\nlicense_name: own-license\nlicense_link: LICENSE-MODEL\n---\n"
    yield Case(
        "a licence of the code's own", {"README.md": other, "LICENSE-CODE": MIT, "LICENSE-MODEL": b"OWN LICENCE\n"}
    )
    yield Case("a licence that is not stated", {"README.md": b"---\nlicense: unknown\n---\n", "LICENSE": MIT})


def _weights() -> Iterator[Case]:
    whole = model(8)
    yield Case("a whole model", whole)

    def changed(name: str, change: object) -> dict[str, bytes]:
        raw = whole["model.safetensors"]
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        begin, end = header[name]["data_offsets"]
        array = np.frombuffer(raw[8 + length + begin : 8 + length + end], "f4").copy()
        change(array)  # type: ignore[operator]
        data = raw[: 8 + length + begin] + array.tobytes() + raw[8 + length + end :]
        return whole | {"model.safetensors": data}

    def fill(value: float, where: slice = slice(None)) -> object:
        def change(array: np.ndarray) -> None:
            array[where] = value

        return change

    up = "model.layers.3.mlp.up_proj.weight"
    yield Case("NaN", changed(up, fill(float("nan"), slice(3, 4))), ("weights.nan",))
    yield Case("Inf", changed(up, fill(float("inf"), slice(3, 4))), ("weights.inf",))
    yield Case("all zero", changed(up, fill(0.0)), ("weights.constant",))
    yield Case("constant", changed(up, fill(0.5)), ("weights.constant",))
    norm = "model.layers.2.input_layernorm.weight"
    yield Case("a dead norm", changed(norm, fill(0.0)), ("weights.constant",))
    yield Case("an absurd value", changed(up, fill(1e30, slice(5, 6))), ("weights.absurd",))

    def scale(array: np.ndarray) -> None:
        array *= 50

    yield Case("a layer out of scale", changed(up, scale), ("weights.outlier",))


def _settings() -> Iterator[Case]:
    """Settings longer than other texts that are kept are read all the same."""
    many = {
        str(i): {"content": f"<unused{i}>", "lstrip": False, "normalized": False, "special": False}
        for i in range(16_000)
    }
    acting = {"chat_template": "{{ cycler.__init__.__globals__ }}", "added_tokens_decoder": many}
    yield Case("a long tokenizer_config.json", {"tokenizer_config.json": _json(acting)}, ("template.escape",))
    names = {
        f"model.layers.{i}.mlp.experts.{j}.up_proj.weight": "../x.safetensors" for i in range(60) for j in range(300)
    }
    yield Case("a long index", {"model.safetensors.index.json": _json({"weight_map": names}), "config.json": b"{}"}, ("index.path",))  # fmt: skip
    more = {**model(), "config.json": _json({"model_type": "llama", "vocab_size": 32_000})}
    yield Case("fewer embeddings than tokens", more, ("tokens.embedding",))
    own = {
        "config.json": _json({"eos_token_id": 5}),
        "tokenizer.json": _json({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}}),
    }
    yield Case("an end outside of tokenizer.json", own, ("tokens.special",))


def _tokenizers() -> Iterator[Case]:
    """Steps of a tokenizer that rewrite text."""

    def tokenizer(step: dict[str, object], where: str = "normalizer", tokens: int = 4) -> dict[str, bytes]:
        vocabulary = {f"a_long_token_{i}": i for i in range(tokens)}
        return {"tokenizer.json": _json({"version": "1.0", "added_tokens": [], "normalizer": None, "decoder": None} | {where: step} | {"model": {"type": "BPE", "vocab": vocabulary, "merges": []}})}  # fmt: skip

    rewriting = {"type": "Replace", "pattern": {"String": "not"}, "content": ""}
    spacing = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Replace", "pattern": {"Regex": "\\p{Zs}"}, "content": " "},
    ]}  # fmt: skip
    yield Case("a tokenizer that leaves a word out", tokenizer(rewriting), ("tokens.rewrites",))
    yield Case("a tokenizer that changes answers", tokenizer({"type": "Sequence", "decoders": [rewriting | {"content": "indeed"}]}, "decoder"), ("tokens.rewrites",))  # fmt: skip
    yield Case("a long tokenizer that leaves a word out", tokenizer(rewriting, tokens=60_000), ("tokens.rewrites",))
    yield Case("a tokenizer that marks spaces", tokenizer(spacing))
    yield Case("a long tokenizer that marks spaces", tokenizer(spacing, tokens=60_000))


def _files() -> Iterator[Case]:
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    png += struct.pack(">I", zlib.crc32(png[12:])) + b"\x00\x00\x00\x00IEND\xaeB`\x82"
    yield Case("a picture", {"logo.png": png})
    yield Case("bytes behind a picture", {"logo.png": png + b"hidden bytes" * 5}, ("file.hidden-bytes",))
    yield Case("a shell script", {"run.sh": b"#!/bin/sh\necho hello\n"})
    yield Case(
        "a table and a notebook",
        {"data.csv": b"a,b\n1,2\n", "n.ipynb": _json({"cells": [], "nbformat": 4, "metadata": {}})},
    )


def cases() -> Iterator[Case]:
    """Every case."""
    for part in (_code, _secrets, _licences, _weights, _settings, _tokenizers, _files):
        yield from part()
