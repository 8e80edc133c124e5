"""`weighbridge recourse` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from weighbridge.cli.recourse import command
from weighbridge.errors import EvidenceError, UsageError


def _run(*arguments: object, text: str | None = None) -> str:
    return CliRunner().invoke(command, [str(one) for one in arguments], input=text, catch_exceptions=False).output


OPEN = ("--decision", "benefit-denied", "--decided-on", "2026-03-01", "--received-on", "2026-03-03")


def test_from_open_to_verified(tmp_path: Path) -> None:
    """A contest is opened, answered, shown, listed, exported and verified."""
    log = tmp_path / "log.jsonl"
    said = _run("open", "case-17", "--log", log, *OPEN, "--facts", "Counted twice.")
    assert said.startswith("a log begins; case-17 is open, received on 2026-03-03\nhead sha256:")
    anchor = said.split()[-1]
    _run("open", "case-18", "--log", log, *OPEN, "--facts-file", "-", text="From standard input.")
    listed = _run("list", "--log", log)
    assert "time taken and human review: not measured, since none was decided" in listed
    said = _run(
        "respond", "case-17", "--log", log, "--outcome", "changed", "--reviewer", "judge", "--reasons", "So it was."
    )
    assert said.startswith("case-17: changed\nhead sha256:")
    shown = _run("show", "case-17", "--log", log)
    assert "outcome: changed" in shown
    assert "facts: Counted twice." in shown
    assert json.loads(_run("show", "case-18", "--log", log, "--json"))["facts"] == "From standard input."
    assert "a person reviewed 1 of 1 decided" in _run("list", "--log", log)
    assert "case-17" not in _run("list", "--log", log, "--pending").splitlines()[0]
    assert json.loads(_run("export", "--log", log, "--format", "summary"))["contested"] == 2
    _run("export", "--log", log, "--format", "csv", "--out", tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text().startswith("case,decision,")
    said = _run("verify", "--log", log, "--head", anchor)
    assert said.startswith(
        "whole: 4 entries, each follows from the one before\nholds the entry of --head; 2 entries since"
    )


def test_verify_says_what_it_cannot_see(tmp_path: Path) -> None:
    """Without an anchor, or without the head file, the limit is said."""
    log = tmp_path / "log.jsonl"
    _run("open", "case-17", "--log", log, *OPEN, "--facts", "f")
    said = _run("verify", "--log", log)
    assert "somebody who changed both is found only with --head" in said
    (tmp_path / "log.jsonl.head.json").unlink()
    assert "whether entries are missing at the end is not known" in _run("verify", "--log", log)
    _run("verify", "--log", log, "--head", said.split()[-1], "--renew")
    assert (tmp_path / "log.jsonl.head.json").exists()
    with pytest.raises(UsageError, match="needs an anchor"):
        _run("verify", "--log", log, "--renew")
    log.write_bytes(log.read_bytes().replace(b"benefit", b"Benefit"))
    with pytest.raises(EvidenceError):
        _run("verify", "--log", log)


def test_personal_data_goes_in_encrypted_and_can_be_erased(tmp_path: Path) -> None:
    """What is refused in the clear is taken encrypted, shown with the key, and gone after erasing."""
    key, private, public = X25519PrivateKey.generate(), tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    log, facts = tmp_path / "log.jsonl", "Mr Smith, 078-05-1120."
    with pytest.raises(UsageError, match=r"a name at character 1.*--encrypt-for"):
        _run("open", "case-17", "--log", log, *OPEN, "--facts", facts)
    _run("open", "case-17", "--log", log, *OPEN, "--facts", facts, "--encrypt-for", public)
    assert "facts: (encrypted)" in _run("show", "case-17", "--log", log)
    assert f"facts: {facts}" in _run("show", "case-17", "--log", log, "--key", private)
    assert _run("erase", "case-17", "--log", log).startswith("case-17: 1 text erased")
    assert "facts: (erased)" in _run("show", "case-17", "--log", log, "--key", private)


def test_whether_a_person_reviewed_it_must_be_said(tmp_path: Path) -> None:
    """No default stands for a person's review."""
    log = tmp_path / "log.jsonl"
    _run("open", "case-17", "--log", log, *OPEN, "--facts", "f")
    for options in ([], ["--reviewer", "judge", "--no-person"]):
        with pytest.raises(UsageError, match="who reviewed it"):
            _run("respond", "case-17", "--log", log, "--outcome", "upheld", "--reasons", "r", *options)
    with pytest.raises(UsageError, match="are needed once"):
        _run("respond", "case-17", "--log", log, "--outcome", "upheld", "--no-person")


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.head.json", "log.jsonl.keys.json"])
def test_an_export_never_takes_the_logs_place(tmp_path: Path, name: str) -> None:
    """The log's own files are not written over by what is exported from it."""
    log = tmp_path / "log.jsonl"
    _run("open", "case-17", "--log", log, *OPEN, "--facts", "f")
    before = log.read_bytes()
    with pytest.raises(UsageError, match="own file"):
        _run("export", "--log", log, "--out", tmp_path / "x" / ".." / name)
    assert log.read_bytes() == before


def test_what_is_shown_cannot_move_the_cursor(tmp_path: Path) -> None:
    """Control characters that somebody wrote are shown, not obeyed."""
    log = tmp_path / "log.jsonl"
    _run("open", "case-17", "--log", log, *OPEN, "--facts", "a\x1b[2Jb")
    assert "a⟨U+001B⟩[2Jb" in _run("show", "case-17", "--log", log)
