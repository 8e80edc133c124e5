"""Encrypted texts: closed without the key, gone once it is deleted, and the chain whole in every case."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.recourse.logs import Clock
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.recourse.cases import cases_of
from weighbridge.recourse.contests import erase, open_contest, reading_with, respond
from weighbridge.recourse.entries import Outcome, Sealed
from weighbridge.recourse.export import ENCRYPTED, ERASED, csv_table, row_of
from weighbridge.recourse.log import beside, read_log
from weighbridge.recourse.sealing import load_private_key, load_public_key, seal

SECRET = "Mrs Jones of 12 High Street, jo@example.org, was counted twice."
KEY = X25519PrivateKey.generate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with a contest whose texts are sealed, and one whose texts are not."""
    path = tmp_path / "log.jsonl"
    clock = Clock()
    for case, key in (("case-1", KEY.public_key()), ("case-2", None)):
        facts = SECRET if key else "Counted twice."
        open_contest(
            path, case=case, decision="d", decided_on=date(2026, 3, 1), facts=facts, encrypt_for=key, clock=clock
        )
    respond(
        path,
        case="case-1",
        outcome=Outcome.CHANGED,
        reviewer="judge",
        reasons=SECRET,
        remedy=SECRET,
        encrypt_for=KEY.public_key(),
        clock=clock,
    )
    return path


def test_nothing_of_a_sealed_text_is_in_any_file(path: Path) -> None:
    """No file beside the log holds a word of it."""
    for file in path.parent.iterdir():
        assert b"Jones" not in file.read_bytes()
    assert beside(path, "keys.json").stat().st_mode & 0o077 == 0


def test_only_the_private_key_opens_it(path: Path) -> None:
    """The key that it was sealed for shows it; another does not, and without one it says that it is encrypted."""
    log = read_log(path)
    case = cases_of(log.entries)[0]
    assert row_of(case)["facts"] == ENCRYPTED
    row = row_of(case, reading_with(log, KEY))
    assert [row["facts"], row["reasons"], row["remedy"]] == [SECRET] * 3
    with pytest.raises(UsageError, match="encrypted for another key"):
        row_of(case, reading_with(log, X25519PrivateKey.generate()))


def test_an_erased_text_is_gone_and_the_chain_whole(path: Path) -> None:
    """After erasing, not even the private key opens it, the log is whole, and an entry says what was done."""
    before = path.read_bytes()
    assert erase(path, case="case-1").keys == 3
    log = read_log(path)
    assert path.read_bytes().startswith(before)
    row = row_of(cases_of(log.entries)[0], reading_with(log, KEY))
    assert [row["facts"], row["reasons"], row["remedy"]] == [ERASED] * 3
    assert ERASED in csv_table(cases_of(log.entries))
    with pytest.raises(UsageError, match="erased already"):
        erase(path, case="case-1")
    with pytest.raises(UsageError, match="nothing of case-2 is encrypted"):
        erase(path, case="case-2")
    with pytest.raises(UsageError, match="no contest"):
        erase(path, case="case-3")


def test_an_erasure_that_was_broken_off_can_be_done_again(path: Path) -> None:
    """The keys go before the entry is written; when only they went, erasing again writes the entry."""
    beside(path, "keys.json").unlink()
    assert erase(path, case="case-1").keys == 3


def test_one_contests_erasure_leaves_the_others(path: Path) -> None:
    """A key is one text's alone."""
    open_contest(
        path, case="case-9", decision="d", decided_on=date(2026, 3, 1), facts=SECRET, encrypt_for=KEY.public_key()
    )
    erase(path, case="case-1")
    log = read_log(path)
    assert row_of(cases_of(log.entries)[2], reading_with(log, KEY))["facts"] == SECRET


def test_a_text_cannot_be_moved_to_another_contest(path: Path) -> None:
    """A sealed text is bound to its log and its contest."""
    log = read_log(path)
    read = reading_with(log, KEY)
    first, second = cases_of(log.entries)
    assert isinstance(first.opened.facts, Sealed)
    with pytest.raises(EvidenceError, match="not the one that was encrypted"):
        read(first.opened.facts, second)


def test_keys_of_another_log_are_refused(path: Path, tmp_path: Path) -> None:
    """A keys file belongs to one log."""
    other = tmp_path / "other.jsonl"
    open_contest(other, case="a", decision="d", decided_on=date(2026, 3, 1), facts="f", encrypt_for=KEY.public_key())
    beside(path, "keys.json").write_bytes(beside(other, "keys.json").read_bytes())
    with pytest.raises(EvidenceError, match="of another log"):
        reading_with(read_log(path), KEY)
    beside(path, "keys.json").write_bytes(b"{}")
    with pytest.raises(EvidenceError, match="not a keys file"):
        erase(path, case="case-1")


def test_key_files_are_read_with_care(tmp_path: Path) -> None:
    """A private key that others may read, a key of another kind and nonsense are refused, each in its own words."""
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    private.chmod(0o640)
    with pytest.raises(UsageError, match="others may read"):
        load_private_key(private)
    private.chmod(0o600)
    assert load_private_key(private).public_key() == load_public_key(public)
    private.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match="not an X25519 private key"):
        load_private_key(private)
    with pytest.raises(UsageError, match="not a public key in PEM"):
        load_public_key(private)
    with pytest.raises(UsageError, match="cannot be read"):
        load_public_key(tmp_path / "none")
    with pytest.raises(UsageError, match="cannot be used"):
        seal("text", X25519PublicKey.from_public_bytes(bytes(32)), log="0" * 32, case="a")
