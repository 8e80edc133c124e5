"""`weighbridge verify`: its exit codes, what it prints, and that it needs no engine."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.dossier.statements import made
from weighbridge.cli.verify import command
from weighbridge.digests import digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.keys import KeyKind, KeyRefused, new_key, read_private_key
from weighbridge.errors import UsageError

SUBJECT_DATA = Path(__file__).parents[1] / "subject" / "data"
FORBIDDEN = ("aiohttp", "numpy", "xllamacpp", "torch", "transformers", "pydantic", "sigstore", "requests")
FORBIDDEN_OURS = ("engine", "probes", "graders", "assessment", "analysis")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


@pytest.fixture(scope="module")
def record() -> DossierRecord:
    """A weighing of a model whose file is at hand."""
    part = made.candidate().components[0]
    file = part.files[0].model_copy(update={"digest": digest_bytes(made.MODEL)})
    weighed = made.record()
    candidate = made.candidate(digest=file.digest, components=(part.model_copy(update={"files": (file,)}),))
    return weighed.model_copy(update={"candidate": candidate})


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    new_key(path, KeyKind.ED25519)
    return path


@pytest.fixture
def signed(tmp_path: Path, record: DossierRecord, key: Path) -> Path:
    dossier = made.write(tmp_path / "dossier", record, terms=True, inspected=True)
    made.sign(dossier, read_private_key(key), datetime.now(UTC))
    return dossier


def public(key: Path) -> Path:
    return key.with_name("key.pub")


def weighing_file(dossier: Path) -> Path:
    return next((dossier / "statements").glob("*-weighing-*"))


def test_verified(signed: Path, key: Path) -> None:
    """A signed dossier verifies with 0: the whole, from its dossier.json, and one statement."""
    for path in (signed, signed / "dossier.json", weighing_file(signed)):
        code, out = run(path, "--key", public(key))
        assert code == 0 and out.startswith("VERIFIED") and "ed25519 key sha256:" in out


def test_without_a_key(signed: Path) -> None:
    """Without a key it ends with 4 and says plainly that nobody's signature was checked."""
    code, out = run(signed)
    assert code == 4 and out.startswith("NOT CHECKED") and "nobody's signature was checked" in out


def test_a_flipped_byte(signed: Path, key: Path) -> None:
    """A flipped byte ends with 1, with the failure's name and what to do; with and without a key."""
    data = bytearray((signed / "dossier.json").read_bytes())
    data[100] ^= 1
    (signed / "dossier.json").write_bytes(data)
    for arguments in ([], ["--key", public(key)]):
        code, out = run(signed, *arguments)
        assert code == 1 and "changed-file: dossier.json" in out and "have it signed again" in out


def test_a_problem_that_all_share_is_told_once(signed: Path, key: Path) -> None:
    """What all statements have in common is said once; a problem of one names that one."""
    (signed / "card.md").write_text("changed")
    assert run(signed, "--key", public(key))[1].count("changed-file") == 1
    broken = weighing_file(signed)
    broken.write_bytes(b"{}")
    assert f"[{broken.name}]" in run(signed, "--key", public(key))[1]


def test_json(signed: Path, key: Path) -> None:
    """--json tells state, time, statements, and each problem with its slug and what to do."""
    code, out = run(signed, "--key", public(key), "--json", "--at", "2040-01-01")
    told = json.loads(out)
    assert code == 1 and told["state"] == "failed" and told["at"] == "2040-01-01T00:00:00+00:00"
    assert {each["failure"] for one in told["statements"] for each in one["problems"]} == {"expired"}
    assert all(one["subject"].startswith("sha256:") and one["files"] for one in told["statements"])


def test_the_model_itself(signed: Path, key: Path, tmp_path: Path) -> None:
    """--model holds a model's bytes against the statement, as a file and as a folder of one file."""
    folder = tmp_path / "model"
    folder.mkdir()
    file = folder / "model.gguf"
    file.write_bytes(made.MODEL)
    for model in (file, folder):
        assert run(signed, "--key", public(key), "--model", model)[0] == 0
    file.write_bytes(made.MODEL + b".")
    code, out = run(signed, "--key", public(key), "--model", file)
    assert code == 1 and "other-model" in out


def test_superseded(signed: Path, key: Path, tmp_path: Path) -> None:
    """An older statement fails by the newer one in its folder, or by one given with --against; the dossier verifies."""
    old = weighing_file(signed)
    alone = Path(shutil.copy(old, tmp_path / "alone.json"))
    new = made.sign(signed, read_private_key(key), datetime.now(UTC) + timedelta(seconds=2))[-1]
    assert run(signed, "--key", public(key))[0] == 0
    code, out = run(old, "--key", public(key))
    assert code == 1 and "superseded" in out and new.name in out
    assert run(alone, "--key", public(key))[0] == 0
    assert run(alone, "--key", public(key), "--against", new)[0] == 1


def test_unsigned(signed: Path, key: Path) -> None:
    """A dossier without statements ends with 1, as unsigned, with and without a key."""
    shutil.rmtree(signed / "statements")
    for arguments in ([], ["--key", public(key)]):
        code, out = run(signed, *arguments)
        assert code == 1 and "unsigned" in out


def test_usage(signed: Path, key: Path, tmp_path: Path) -> None:
    """A private key for the public one, a time that is none, a path that is not there: usage."""
    with pytest.raises(KeyRefused, match="keep this to yourself"):
        run(signed, "--key", key)
    for arguments in ([signed, "--at", "soon"], [tmp_path / "none"]):
        with pytest.raises(UsageError):
            run(*arguments)


def test_a_name_with_a_terminals_commands_in_it(signed: Path, key: Path) -> None:
    """What a stranger wrote reaches no terminal as a command."""
    (signed / "statements" / "a\x1b[31m.json").write_text('{"\x1b": 1}')
    code, out = run(signed, "--key", public(key))
    assert code == 1 and "\x1b" not in out


def test_signatures_made_by_model_signing(tmp_path: Path) -> None:
    """A model that model_signing signed verifies: 0; 4 without its key, 1 when a file changed or there is no signature."""
    signing = pytest.importorskip("model_signing.signing")
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.bin").write_bytes(b"weights")
    new_key(tmp_path / "key", KeyKind.P384)
    signing.Config().use_elliptic_key_signer(private_key=tmp_path / "key").sign(model, model / "model.sig")
    assert run(model, "--key", tmp_path / "key.pub")[0] == 0
    assert run(model)[0] == 4
    assert json.loads(run(model, "--json")[1])["state"] == "not verified"
    (model / "weights.bin").write_bytes(b"changed")
    assert run(model, "--key", tmp_path / "key.pub")[0] == 1
    (model / "model.sig").unlink()
    code, out = run(model, "--key", tmp_path / "key.pub")
    assert code == 1 and "unsigned" in out


def test_a_file_that_model_signing_signed(tmp_path: Path) -> None:
    """A model of one file with its signature beside it verifies as well."""
    signing = pytest.importorskip("model_signing.signing")
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    new_key(tmp_path / "key", KeyKind.P256)
    config = signing.Config().use_elliptic_key_signer(private_key=tmp_path / "key")
    config.set_hashing_config(pytest.importorskip("model_signing.hashing").Config())
    config.sign(file, tmp_path / "model.gguf.sig")
    assert run(file, "--key", tmp_path / "key.pub")[0] == 0


@pytest.mark.parametrize(
    ("bundle", "code"),
    [
        ("valid-key", 0),
        ("invalid-empty", 4),
        ("invalid-missing-envelope", 1),
        ("invalid-missing-verification-material", 1),
        ("invalid-wrong-predicate", 1),
    ],
)
def test_published_vectors(tmp_path: Path, bundle: str, code: int) -> None:
    """The published vectors of OpenSSF Model Signing end as they must."""
    data = SUBJECT_DATA / "oms-v1.0"
    model = Path(shutil.copytree(data / "model", tmp_path / "model"))
    shutil.copy(data / f"{bundle}.bundle.json", model / "model.sig")
    assert run(model, "--key", data / "signing-key-pub.pem")[0] == code


def test_no_engine_is_imported(signed: Path, key: Path) -> None:
    """Verifying a dossier imports no engine, no numbers and no records, and is quick to start."""
    script = (
        "import sys\nfrom weighbridge.cli.verify import command\n"
        f"code = command.main([{str(signed)!r}, '--key', {str(public(key))!r}], standalone_mode=False)\n"
        f"heavy = [name for name in {FORBIDDEN!r} if name in sys.modules]\n"
        f"heavy += [n for n in sys.modules for p in {FORBIDDEN_OURS!r} if n.startswith('weighbridge.' + p)]\n"
        "sys.exit(f'imported: {heavy}' if heavy else code)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime - before.ru_utime < 1.0  # 0.15 s where it was measured; the rest is room for a busy machine
