"""Keys: which are taken, and that each that is not has its own error and tells what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from weighbridge.dossier.statements.keys import (
    KeyKind,
    KeyProblem,
    KeyRefused,
    new_key,
    read_private_key,
    read_public_key,
)


def problem_of(path: Path, *, private: bool = True, password: str | None = None) -> KeyProblem:
    with pytest.raises(KeyRefused) as refused:
        if private:
            read_private_key(path, lambda: password)
        else:
            read_public_key(path)
    assert refused.value.do and refused.value.where == str(path)
    return refused.value.problem


def public_of(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


@pytest.mark.parametrize("kind", KeyKind)
def test_a_new_pair_signs_and_verifies(tmp_path: Path, kind: KeyKind) -> None:
    """A new pair belongs together; the private file is its owner's alone."""
    path = tmp_path / "key"
    made = new_key(path, kind)
    private, public = read_private_key(path), read_public_key(public_of(path))
    assert made.keyid == private.public.keyid == public.keyid and public.kind is kind
    assert path.stat().st_mode & 0o777 == 0o600
    assert public.is_signed(b"data", private.sign(b"data"))
    assert not public.is_signed(b"other", private.sign(b"data"))


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Neither half of a pair is ever replaced, and no half is left."""
    path = tmp_path / "key"
    new_key(path, KeyKind.P256)
    before = path.read_bytes()
    with pytest.raises(KeyRefused, match="never overwritten"):
        new_key(path, KeyKind.P256)
    path.unlink()
    with pytest.raises(KeyRefused, match="never overwritten"):
        new_key(path, KeyKind.P256)
    assert not path.exists() and before


def test_an_encrypted_key(tmp_path: Path) -> None:
    """An encrypted key needs its password; none and a wrong one are two errors."""
    path = tmp_path / "key"
    new_key(path, KeyKind.ED25519, "correct")
    assert read_private_key(path, lambda: "correct").public.kind is KeyKind.ED25519
    assert problem_of(path) is KeyProblem.NEEDS_PASSWORD
    assert problem_of(path, password="wrong") is KeyProblem.WRONG_PASSWORD


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o777])
def test_a_private_key_that_others_can_use(tmp_path: Path, mode: int) -> None:
    """A private key that others may read or write is refused, with the command that mends it."""
    path = tmp_path / "key"
    new_key(path, KeyKind.ED25519)
    path.chmod(mode)
    with pytest.raises(KeyRefused, match="chmod 600") as refused:
        read_private_key(path)
    assert refused.value.problem is KeyProblem.OPEN_TO_OTHERS


def test_a_folder_in_which_anybody_can_put_another_key(tmp_path: Path) -> None:
    """A private key in a folder that all may write is refused; with the sticky bit (as /tmp has) it is taken."""
    folder = tmp_path / "open"
    folder.mkdir()
    new_key(folder / "key", KeyKind.ED25519)
    folder.chmod(0o777)
    assert problem_of(folder / "key") is KeyProblem.OPEN_FOLDER
    folder.chmod(0o1777)
    assert read_private_key(folder / "key")


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    """A link to a good key is taken, one to a key that others can read is not, one to nowhere is not there."""
    new_key(tmp_path / "key", KeyKind.ED25519)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "key")
    assert read_private_key(link)
    (tmp_path / "key").chmod(0o644)
    assert problem_of(link) is KeyProblem.OPEN_TO_OTHERS
    (tmp_path / "key").unlink()
    assert problem_of(link) is KeyProblem.UNREADABLE


def test_what_is_no_key_for_this(tmp_path: Path) -> None:
    """RSA, another curve, a public key for a private one and the reverse, garbage, a folder, a pipe: each its own error."""
    new_key(tmp_path / "good", KeyKind.P256)
    others = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "curve": ec.generate_private_key(ec.SECP256K1()),
    }
    for name, key in others.items():
        path = tmp_path / name
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
        assert problem_of(path) is KeyProblem.WRONG_KIND
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")
    garbage.chmod(0o600)
    assert problem_of(garbage) is KeyProblem.NOT_A_KEY
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert problem_of(tmp_path / "pipe") is KeyProblem.NOT_A_FILE
    assert problem_of(tmp_path / "none") is KeyProblem.UNREADABLE
    public = public_of(tmp_path / "good")
    public.chmod(0o600)
    assert problem_of(public) is KeyProblem.PUBLIC_KEY
    assert problem_of(tmp_path / "good", private=False) is KeyProblem.PRIVATE_KEY
    assert problem_of(garbage, private=False) is KeyProblem.PRIVATE_KEY
    public.write_bytes(b"x" * 100)
    assert problem_of(public, private=False) is KeyProblem.NOT_A_KEY
    public.write_bytes(b"x" * 100_000)
    assert problem_of(public, private=False) is KeyProblem.NOT_A_KEY


def test_a_key_made_by_another_tool(tmp_path: Path) -> None:
    """A P-256 key in the older EC form (SEC1), as OpenSSL writes it, is taken."""
    new_key(tmp_path / "key", KeyKind.P256)
    key = load_pem_private_key((tmp_path / "key").read_bytes(), None)
    other = tmp_path / "sec1"
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    other.chmod(0o600)
    assert read_private_key(other).public.keyid == read_private_key(tmp_path / "key").public.keyid
