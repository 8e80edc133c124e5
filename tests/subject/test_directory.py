"""Hugging Face model directories: what is found, what is refused, and what the digest stands for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.subject.gguf_writer import gguf
from tests.subject.hub_directory import CONFIG, make_directory, write_json
from weighbridge.errors import SubjectError, UsageError
from weighbridge.subject.directory import describe_directory
from weighbridge.subject.model import Subject, SubjectKind

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def describe(root: Path) -> Subject:
    return describe_directory(root, reference=str(root))


def root_digest(root: Path, names: list[str]) -> str:
    raw = b"".join(hashlib.sha256((root / name).read_bytes()).digest() for name in sorted(names))
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def test_whole_directory(tmp_path: Path) -> None:
    """A whole directory gives its architecture, parameters, storage type, template, components and licence."""
    root = make_directory(tmp_path / "tiny")
    subject = describe(root)
    assert subject.kind is SubjectKind.HF_DIRECTORY and subject.label == "tiny"
    assert (subject.architecture, subject.parameters, subject.quantisation) == ("llama", 12, "F32")
    assert subject.chat_template is True
    assert {component.name: [file.path for file in component.files] for component in subject.components} == {
        "model parameters": ["model.safetensors"],
        "tokenizer": ["tokenizer.json", "tokenizer_config.json"],
        "configuration": ["config.json", "generation_config.json"],
        "licence": ["LICENSE"],
        "documents": ["README.md"],
    }
    assert subject.components[0].licence == "apache-2.0"
    assert subject.notes == ("made from org/parent, as its card says",)
    assert subject.digest == root_digest(root, [path.name for path in root.iterdir()])


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    """The digest does not depend on where the directory lies, on version control's own at the top or a signature, but on every file."""
    first, second = make_directory(tmp_path / "a"), make_directory(tmp_path / "b" / "c")
    for folder in (".git", ".github"):
        (second / folder).mkdir(parents=True)
        (second / folder / "state").write_text("x")
    for name in (".gitattributes", ".gitignore", "model.sig"):
        (second / name).write_text("x")
    assert describe(first).digest == describe(second).digest
    (second / "sub").mkdir()
    (second / "sub" / "notes.txt").write_text("new")
    assert describe(first).digest != describe(second).digest


def test_sharded_weights(tmp_path: Path) -> None:
    """Weights in several files are counted together."""
    assert describe(make_directory(tmp_path, shards=2)).parameters == 12


def test_missing_shard(tmp_path: Path) -> None:
    """A file that the index names and that is not there is named."""
    root = make_directory(tmp_path, shards=2)
    (root / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(SubjectError, match="1 of 2 weight files missing: model-00002-of-00002"):
        describe(root)


def test_lost_tensor(tmp_path: Path) -> None:
    """A tensor that the index promises and no file holds is named."""
    root = make_directory(tmp_path, shards=2)
    held = {"layer.0": "model-00001-of-00002.safetensors", "lost": "model-00002-of-00002.safetensors"}
    write_json(root / "model.safetensors.index.json", {"weight_map": held})
    with pytest.raises(SubjectError, match="1 tensors that no file holds, first lost"):
        describe(root)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd"])
def test_index_that_leads_out(tmp_path: Path, name: str) -> None:
    """An index cannot name files outside the directory."""
    root = make_directory(tmp_path, shards=2)
    write_json(root / "model.safetensors.index.json", {"weight_map": {"layer.0": name}})
    with pytest.raises(SubjectError, match="outside the directory"):
        describe(root)


@pytest.mark.parametrize("name", ["chat_template.jinja", "chat_template.json", "additional_chat_templates/rag.jinja"])
def test_chat_template_elsewhere(tmp_path: Path, name: str) -> None:
    """A chat template is found wherever Transformers looks for one."""
    root = make_directory(tmp_path, template=False)
    without = describe(root)
    assert without.chat_template is False
    assert "no chat template: a base model, or one that lost it" in without.notes
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("{{ messages }}")
    assert describe(root).chat_template is True


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (None, None),
        ("# No front matter", None),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit"),
        ("---\nlicense: other\nlicense_name: gemma\n---\n", "gemma"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense: &a [*a]\n---\n", None),
        ("---\n{[\n---\n", None),
        ("---\nlicense: 3\n---\n", None),
        ("---\n" + "[" * 1000 + "\n---\n", None),
    ],
)
def test_licence_of_the_card(tmp_path: Path, card: str | None, licence: str | None) -> None:
    """The card's licence is taken as written; a card that cannot be read gives none, and no error."""
    assert describe(make_directory(tmp_path, card=card)).components[0].licence == licence


def test_quantised_by_configuration(tmp_path: Path) -> None:
    """A quantisation that the configuration declares is the subject's."""
    root = make_directory(tmp_path)
    write_json(root / "config.json", CONFIG | {"quantization_config": {"quant_method": "gptq", "bits": 4}})
    assert describe(root).quantisation == "gptq 4 bit"


def test_pickled_weights(tmp_path: Path) -> None:
    """PyTorch's pickles are accepted unread: no parameter count, and a note that says why."""
    root = make_directory(tmp_path)
    (root / "model.safetensors").unlink()
    (root / "pytorch_model.bin").write_bytes(b"\x80\x02never loaded")
    subject = describe(root)
    assert subject.parameters is None and subject.quantisation == "float32"
    assert any("pickles" in note for note in subject.notes)


def test_code_and_adapter_are_noted(tmp_path: Path) -> None:
    """Code in the directory, and an adapter beside the model, are said."""
    root = make_directory(tmp_path)
    (root / "modeling_tiny.py").write_text("raise SystemExit")
    write_json(root / "adapter_config.json", {})
    notes = describe(root).notes
    assert "holds code of its own, which weighbridge does not run" in notes
    assert "holds an adapter as well, which the loader may apply to the model" in notes


def _only(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(gguf() if name.endswith(".gguf") else b"{}")

    return make


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (_only(), UsageError, "no model in this directory; a model directory holds config.json, a tokenizer"),
        (_only("notes.txt"), UsageError, "no model in this directory"),
        (_only("b.gguf", "a.gguf"), UsageError, "a directory of GGUF files; name one of them: a.gguf, b.gguf"),
        (_only("a.gguf", "config.json"), UsageError, "a directory of GGUF files"),
        (_only("adapter_config.json", "adapter_model.safetensors"), SubjectError, "an adapter without its base model"),
        (_only("snapshots/abc/config.json"), UsageError, "a hub cache, not a model; name .*snapshots/abc"),
        (_only("model_index.json"), UsageError, "an image pipeline"),
        (_only("config.json"), SubjectError, "config.json without weights"),
        (_only("config.json", "tf_model.h5"), SubjectError, "that can be loaded: only tf_model.h5"),
        (_only("model.safetensors"), SubjectError, "weights without config.json"),
        (_only("config.json", "model.safetensors"), SubjectError, "a model without a tokenizer"),
        (_only("config.json/x", "model.safetensors"), SubjectError, "weights without config.json"),
    ],
)
def test_directories_that_are_no_models(
    tmp_path: Path, make: Callable[[Path], None], kind: type[Exception], expected: str
) -> None:
    """A directory that holds no whole model is refused, saying what it is or what it lacks."""
    make(tmp_path)
    with pytest.raises(kind, match=expected) as caught:
        describe(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_lfs_pointer(tmp_path: Path, name: str) -> None:
    """A file that Git LFS has not fetched is named, with the command that fetches it."""
    root = make_directory(tmp_path)
    (root / name).write_text(POINTER)
    with pytest.raises(SubjectError, match=rf"{name}: a Git LFS pointer.*git lfs pull"):
        describe(root)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"short", "too short"),
        (b"<html>no</html>", "a web page"),
        (b"\xff" * 64, "too large"),
        (b"\x40" + bytes(7) + b"{", "ends within its header"),
        (b"\x02" + bytes(7) + b"[]", "invalid JSON in header"),
    ],
)
def test_damaged_weights(tmp_path: Path, content: bytes, expected: str) -> None:
    """Damaged safetensors are refused in words that a person understands."""
    root = make_directory(tmp_path)
    (root / "model.safetensors").write_bytes(content)
    with pytest.raises(SubjectError, match=expected):
        describe(root)


def test_truncated_weights(tmp_path: Path) -> None:
    """Weights that end early are called truncated."""
    path = make_directory(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SubjectError, match="truncated"):
        describe(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "at line 1, column 2: not valid JSON"),
        (b"[1]", "not an object"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_damaged_configuration(tmp_path: Path, content: bytes, expected: str) -> None:
    """A configuration that is no JSON object is refused, with its place where there is one."""
    root = make_directory(tmp_path)
    (root / "config.json").write_bytes(content)
    with pytest.raises(SubjectError, match=expected):
        describe(root)


def test_huge_configuration(tmp_path: Path) -> None:
    """A configuration beyond any bound is refused unread."""
    root = make_directory(tmp_path)
    with (root / "config.json").open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(SubjectError, match="1,073,741,824 bytes of JSON"):
        describe(root)


def test_hub_cache(tmp_path: Path) -> None:
    """The links of the hub's own cache are followed, the model has its own name, and its digest is that of plain files."""
    plain = make_directory(tmp_path / "plain")
    repository = tmp_path / "models--org--tiny"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, path in enumerate(sorted(plain.iterdir())):
        (repository / "blobs" / str(number)).write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    subject = describe(snapshot)
    assert subject.label == "org/tiny"
    assert subject.digest == describe(plain).digest


def test_links(tmp_path: Path) -> None:
    """A link within the directory is followed; one that leads out, nowhere, or to a folder is refused."""
    root = make_directory(tmp_path / "tiny")
    (root / "COPYING").symlink_to("LICENSE")
    describe(root)
    (tmp_path / "secret").write_text("x")
    (root / "sub").mkdir()
    for target, expected in (
        ("../secret", "out of the model's directory"),
        ("gone", "nowhere"),
        ("sub", "to a folder"),
    ):
        (root / "link").symlink_to(target)
        with pytest.raises(SubjectError, match=expected):
            describe(root)
        (root / "link").unlink()


def test_special_files(tmp_path: Path) -> None:
    """A pipe in the directory is refused, not waited for."""
    root = make_directory(tmp_path)
    os.mkfifo(root / "pipe")
    with pytest.raises(SubjectError, match="neither a file nor a folder"):
        describe(root)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A file name that is not UTF-8 has no canonical form and is refused."""
    root = make_directory(tmp_path)
    with open(os.fsencode(root) + b"/\xff", "wb"):
        pass
    with pytest.raises(SubjectError, match="not UTF-8"):
        describe(root)
