"""`weighbridge digest`: what is printed and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from weighbridge.cli.digest import command
from weighbridge.errors import SubjectError, UsageError

SIGNED = Path(__file__).parents[1] / "subject" / "data" / "signed"
ROOT = "sha256:7a35e095a2d1f7d59c2229c0d3d5928a9e86af3aeed567b1f1edb257b1bbb7a6"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SIGNED / "model", tmp_path / "model"))


def test_verified(model: Path) -> None:
    """A verified model ends with 0 and shows digest, files, size and signer."""
    code, out = run(model, "--public-key", SIGNED / "public-key.pem")
    assert code == 0
    assert ROOT in out and "3, 43 bytes" in out and "VERIFIED" in out and "P-256 key" in out


def test_without_a_signature(model: Path) -> None:
    """Without a signature the digest is printed and the code is 0; 4 when a key was given to verify one with."""
    (model / "model.sig").unlink()
    assert run(model)[0] == 0
    code, out = run(model, "--public-key", SIGNED / "public-key.pem")
    assert code == 4 and ROOT in out and "nothing to verify" in out


def test_not_verified(model: Path) -> None:
    """A signature without its key ends with 4 and says what to give."""
    code, out = run(model)
    assert code == 4 and "NOT VERIFIED" in out and "give --public-key" in out


def test_changed_files(model: Path) -> None:
    """Files that are not as signed end with 1 and are named, in text and in JSON."""
    (model / "config.json").write_text("{}")
    (model / "onnx.md").unlink()
    (model / "extra\x1b.py").write_text("")
    code, out = run(model, "--public-key", SIGNED / "public-key.pem")
    assert code == 1
    for line in ("changed      config.json", "missing      onnx.md", "extra        extra\\x1b.py"):
        assert line in out
    code, out = run(model, "--public-key", SIGNED / "public-key.pem", "--json")
    signature = json.loads(out)["signature"]
    assert code == 1 and signature["state"] == "failed"
    assert (signature["changed"], signature["missing"]) == (["config.json"], ["onnx.md"])


def test_json(model: Path) -> None:
    """`--json` prints one object with the digest, the counts and all that is known of the signature."""
    code, out = run(
        model, "--json", "--trusted-certificates", SIGNED / "root.pem", "--signature", SIGNED / "certificate.sig"
    )
    record = json.loads(out)
    assert code == 0
    assert (record["digest"], record["files"], record["bytes"]) == (ROOT, 3, 43)
    assert (record["signature"]["state"], record["signature"]["method"]) == ("verified", "certificate")
    assert record["signature"]["signed_digest"] == ROOT


def test_agrees_with_inspect(model: Path) -> None:
    """`digest` and `inspect` say the same of a directory, and a signature is no finding."""
    from weighbridge.probes.checkpoint.inspection import inspect_path

    report = inspect_path(model)
    assert report.subject["digest"] == ROOT == json.loads(run(model, "--json")[1])["digest"]
    assert [each for each in report.not_examined if each["path"] == "model.sig"] == []
    assert [each for each in report.findings if each["path"] == "model.sig"] == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("/nowhere/at/all",), UsageError),
        ((SIGNED / "model", "--signature", "/nowhere.sig"), UsageError),
        ((SIGNED / "model", "--public-key", SIGNED / "model"), UsageError),
    ],
)
def test_mistakes_of_the_caller(arguments: tuple[object, ...], error: type[Exception]) -> None:
    """Paths that are not there are the caller's to mend."""
    with pytest.raises(error):
        run(*arguments)


def test_an_empty_directory(tmp_path: Path) -> None:
    """A directory without files has no digest."""
    with pytest.raises(SubjectError, match="holds no files"):
        run(tmp_path)
