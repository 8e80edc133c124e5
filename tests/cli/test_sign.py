"""`weighbridge sign`: what is written, and that model_signing verifies what we sign as a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.dossier.statements import made
from weighbridge.cli.digest import command as digest_command
from weighbridge.cli.sign import command
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.envelope import read_envelope
from weighbridge.dossier.statements.keys import KeyKind, KeyRefused, new_key
from weighbridge.dossier.statements.verification import read_statement
from weighbridge.errors import SubjectError, UsageError
from weighbridge.subject.model import Subject, SubjectKind


def run(*arguments: object, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False, env=env)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


@pytest.fixture(scope="session")
def weighed() -> DossierRecord:
    return made.record()


@pytest.fixture
def dossier(tmp_path: Path, weighed: DossierRecord) -> Path:
    return made.write(tmp_path / "dossier", weighed, terms=True, inspected=True)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "key", KeyKind.P256)
    return tmp_path / "key"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    for name in ("config.json", "onnx/model.onnx", "onnx.md", "é.txt", ".gitignore"):
        (folder / name).write_text(name)
    return folder


def test_a_dossier_is_signed(dossier: Path, key: Path) -> None:
    """Signing a dossier writes its statements, says where, by whom and until when, and ends with 0."""
    code, out = run(dossier, "--key", key)
    files = sorted((dossier / "statements").iterdir())
    assert code == 0 and len(files) == 4 and all(str(file) in out for file in files)
    assert "p256 key sha256:" in out and "valid until" in out


def test_the_dossier_json_names_its_dossier(dossier: Path, key: Path) -> None:
    """`sign DOSSIER/dossier.json` signs the dossier, never that file as if it were a model."""
    assert run(dossier / "dossier.json", "--key", key)[0] == 0
    assert not list(dossier.glob("*.sig"))


def test_the_term(dossier: Path, key: Path) -> None:
    """--valid-for says how long statements hold."""
    run(dossier, "--key", key, "--valid-for", 2)
    for file in (dossier / "statements").iterdir():
        stated = read_statement(read_envelope(file.read_bytes()).payload)
        assert (stated.valid_until - stated.made_at).days == 2
    with pytest.raises(UsageError, match="valid-for"):
        run(dossier, "--key", key, "--valid-for", 0)


def test_what_is_superseded_is_named(dossier: Path, key: Path, tmp_path: Path) -> None:
    """Statements in the folder are superseded by themselves, one elsewhere when it is named; the old files stay."""
    elsewhere = made.write(tmp_path / "elsewhere", made.record())
    old = made.sign(elsewhere, made.ed25519_key())[-1]
    first = made.sign(dossier, made.ed25519_key())
    run(dossier, "--key", key, "--supersedes", old)
    new = [file for file in (dossier / "statements").iterdir() if file not in first]
    assert all(file.exists() for file in first) and len(new) == len(first)
    expected = {read_envelope(file.read_bytes()).digest for file in (*first, old)}
    assert all(set(read_statement(read_envelope(each.read_bytes()).payload).supersedes) == expected for each in new)
    with pytest.raises(UsageError, match="name a statement"):
        run(dossier, "--key", key, "--supersedes", dossier / "terms.json")


def test_an_endpoint_cannot_be_signed(tmp_path: Path, key: Path, weighed: DossierRecord) -> None:
    """A dossier of an endpoint yields no statement, and the error says what to weigh."""
    endpoint = Subject(kind=SubjectKind.ENDPOINT, reference="http://127.0.0.1/v1#m", label="m", digest=None)
    dossier = made.write(tmp_path / "dossier", weighed.model_copy(update={"candidate": endpoint}))
    with pytest.raises(UsageError, match="weigh the model's files"):
        run(dossier, "--key", key)
    assert not (dossier / "statements").exists()


def test_a_new_key(tmp_path: Path) -> None:
    """--new-key makes a pair, encrypted with the password in the environment, and never replaces one."""
    path = tmp_path / "new"
    code, out = run("--new-key", path, "--kind", "p384", env={"WEIGHBRIDGE_KEY_PASSWORD": "secret"})
    assert code == 0 and "encrypted" in out and "secret" not in out
    assert b"ENCRYPTED" in path.read_bytes() and path.with_name("new.pub").exists()
    with pytest.raises(KeyRefused, match="never overwritten"):
        run("--new-key", path)


def test_an_encrypted_key_opens_with_the_password_in_the_environment(tmp_path: Path, dossier: Path) -> None:
    """The password is taken from the environment; without it and without a terminal the error says so."""
    new_key(tmp_path / "locked", KeyKind.ED25519, "secret")
    with pytest.raises(KeyRefused, match="WEIGHBRIDGE_KEY_PASSWORD"):
        run(dossier, "--key", tmp_path / "locked")
    assert run(dossier, "--key", tmp_path / "locked", env={"WEIGHBRIDGE_KEY_PASSWORD": "secret"})[0] == 0


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["--new-key", "a", "b"]])
def test_what_cannot_be_done(arguments: list[str]) -> None:
    """Nothing to sign, a path that is not there, two things at once: a usage error."""
    with pytest.raises(UsageError):
        run(*arguments)


def test_who_signs(dossier: Path, model: Path, key: Path) -> None:
    """Either a key or sigstore signs; models are not signed by sigstore here."""
    for arguments in ([dossier], [dossier, "--key", key, "--sigstore"], [model, "--sigstore"]):
        with pytest.raises(UsageError):
            run(*arguments)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384])
def test_model_signing_verifies_a_folder_that_we_signed(model: Path, tmp_path: Path, kind: KeyKind) -> None:
    """What we sign as a model verifies with model_signing, and no longer once a file changed."""
    verifying = pytest.importorskip("model_signing.verifying")
    new_key(tmp_path / "k", kind)
    assert run(model, "--key", tmp_path / "k")[0] == 0
    config = verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / "k.pub")
    config.verify(model, model / "model.sig")
    (model / "config.json").write_text("changed")
    with pytest.raises(ValueError, match=r"config\.json"):
        verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / "k.pub").verify(model, model / "model.sig")


def test_model_signing_verifies_a_file_that_we_signed(model: Path, key: Path) -> None:
    """A model that is one file is signed beside it, and model_signing verifies it."""
    verifying = pytest.importorskip("model_signing.verifying")
    file = model / "config.json"
    assert run(file, "--key", key)[0] == 0
    public = key.with_name("key.pub")
    verifying.Config().use_elliptic_key_verifier(public_key=public).verify(file, model / "config.json.sig")


def test_model_signing_verifies_a_folder_with_links(model: Path, key: Path) -> None:
    """A model with links within it is signed as what they lead to; model_signing verifies it when told to follow them."""
    verifying = pytest.importorskip("model_signing.verifying")
    hashing = pytest.importorskip("model_signing.hashing")
    (model / "link.json").symlink_to("config.json")
    run(model, "--key", key)
    config = verifying.Config().use_elliptic_key_verifier(public_key=key.with_name("key.pub"))
    config.set_hashing_config(hashing.Config().set_allow_symlinks(True)).verify(model, model / "model.sig")


def test_the_signed_model_verifies_here(model: Path, key: Path) -> None:
    """`weighbridge digest` verifies what `sign` wrote."""
    run(model, "--key", key)
    result = CliRunner().invoke(
        digest_command, [str(model), "--public-key", str(key.with_name("key.pub"))], standalone_mode=False
    )
    assert result.return_value == 0 and "VERIFIED" in result.stdout


def test_a_signature_is_not_replaced(model: Path, key: Path) -> None:
    """A model's signature that is there may be another's: it is not replaced."""
    run(model, "--key", key)
    before = (model / "model.sig").read_bytes()
    with pytest.raises(UsageError, match="there is a signature already"):
        run(model, "--key", key)
    assert (model / "model.sig").read_bytes() == before


def test_models_are_not_signed_with_ed25519(model: Path, tmp_path: Path) -> None:
    """Ed25519 is no key of OpenSSF Model Signing; the error says which to make."""
    new_key(tmp_path / "ed", KeyKind.ED25519)
    with pytest.raises(UsageError, match="--kind p256"):
        run(model, "--key", tmp_path / "ed")


def test_a_model_that_cannot_be_counted_whole(model: Path, key: Path) -> None:
    """A link out of the model, or nothing in it: no signature is written."""
    (model / "out").symlink_to(key)
    with pytest.raises(SubjectError):
        run(model, "--key", key)
    shutil.rmtree(model)
    model.mkdir()
    with pytest.raises(UsageError, match="no files"):
        run(model, "--key", key)
    assert not list(model.iterdir())
