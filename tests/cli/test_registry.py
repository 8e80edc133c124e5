"""`weighbridge publish`, `lookup`, `backup` and `restore`: exit codes, what they print, and that the way from a dossier to a notice is whole."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.dossier.statements import made
from tests.registry.databases import endpoint, weighed
from weighbridge.cli import backup, lookup, publish, restore
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import KeyKind, new_key, read_private_key
from weighbridge.errors import MissingExtra, UsageError
from weighbridge.registry.problems import RegistryError


def run(command: click.Command, *arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    new_key(path, KeyKind.ED25519)
    return path


@pytest.fixture(scope="module")
def dossier(key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed dossier of a model whose file is at hand."""
    part = made.candidate().components[0]
    file = part.files[0].model_copy(update={"digest": digest_bytes(made.MODEL)})
    candidate = made.candidate(digest=file.digest, components=(part.model_copy(update={"files": (file,)}),))
    folder = tmp_path_factory.mktemp("signed") / "dossier"
    made.write(folder, weighed().model_copy(update={"candidate": candidate}))
    made.sign(folder, read_private_key(key), datetime.now(UTC).replace(microsecond=0))
    return folder


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'registry.db'}"


def test_from_a_signed_dossier_to_a_notice_and_through_a_backup(
    dossier: Path, key: Path, db: str, tmp_path: Path
) -> None:
    """Publish, look up by the model itself, by its file's digest and by 12 digits, back up, restore, look up there."""
    trusted = ("--trust", f"{key}.pub", "--trust-as", "Evaluator")
    code, said = run(publish.command, dossier, "--db", db, *trusted, "--json")
    published = json.loads(said)
    assert (code, published["new"], published["signer_known"]) == (0, True, True)
    code, said = run(publish.command, dossier / "dossier.json", "--db", db)
    assert (code, said.splitlines()[0]) == (0, f"HERE ALREADY: {published['publication']}")
    model = tmp_path / "model.gguf"
    model.write_bytes(made.MODEL)
    digest = digest_bytes(made.MODEL)
    for asked in (model, digest, digest.removeprefix("sha256:")[:12], published["subject"]):
        code, said = run(lookup.command, asked, "--db", db, "--json")
        notice = json.loads(said)
        assert (code, notice["schema"], notice["entries"][0]["match"]) == (
            0,
            "weighbridge.notice/1",
            "these exact weights",
        )
    assert run(backup.command, tmp_path / "backup", "--db", db)[0] == 0
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert run(restore.command, tmp_path / "backup", "--db", other)[0] == 0
    code, text = run(lookup.command, digest, "--db", other)
    assert code == 0 and "benchmark" in text and "SIGNER NOT KNOWN" not in text


def test_an_unknown_signer_is_said_in_capitals(dossier: Path, db: str) -> None:
    """In what publishing prints and in what looking up prints."""
    assert "SIGNER NOT KNOWN HERE" in run(publish.command, dossier, "--db", db)[1]
    code, said = run(lookup.command, digest_bytes(made.MODEL), "--db", db)
    assert code == 0 and "SIGNER NOT KNOWN HERE" in said and said.startswith("NOT SHOWN")


def test_what_does_not_verify_ends_with_1_and_its_reasons(dossier: Path, db: str, tmp_path: Path) -> None:
    """Each reason by its name, and what to do."""
    changed = Path(shutil.copytree(dossier, tmp_path / "changed"))
    (changed / "card.md").write_text("better")
    code, said = run(publish.command, changed, "--db", db)
    assert code == 1 and "changed-file" in said and "no-key" not in said
    assert run(lookup.command, digest_bytes(made.MODEL), "--db", db)[0] == 4


def test_nothing_published_is_not_measured(db: str, dossier: Path) -> None:
    """Exit code 4, and the words, for a digest and for a prefix; a place without a registry is another thing."""
    with pytest.raises(UsageError, match="no registry"):
        run(lookup.command, "ab" * 32, "--db", db)
    run(publish.command, dossier, "--db", db)
    for asked in ("ab" * 32, "ab" * 6):
        code, said = run(lookup.command, asked, "--db", db)
        assert code == 4 and said.startswith("NOT MEASURED")


def test_a_closed_model_is_stated_published_and_found(key: Path, db: str, tmp_path: Path) -> None:
    """By its provider and name; and it says that there is no digest."""
    folder = made.write(tmp_path / "closed", weighed().model_copy(update={"candidate": endpoint()}))
    named: tuple[Any, ...] = ("--closed", "Some Lab/Big Model", "--key", key)
    assert run(publish.command, folder, "--db", db, *named)[0] == 0
    code, said = run(lookup.command, "--closed", "some lab/big model", "--db", db)
    assert code == 0 and "no digest: Some Lab Big Model" in said
    assert run(lookup.command, "--closed", "some lab/other", "--db", db)[0] == 4
    with pytest.raises(UsageError, match="statements already"):
        run(publish.command, folder, "--db", db, *named)


def test_without_the_extra_the_error_says_what_to_install(
    db: str, dossier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four commands, before they touch anything."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for command, asked in (
        (publish.command, dossier),
        (lookup.command, "ab" * 32),
        (backup.command, tmp_path / "b"),
        (restore.command, dossier / "card.md"),
    ):
        with pytest.raises(MissingExtra, match=r"weighbridge\[serve\]"):
            run(command, asked, "--db", db)
    assert not (tmp_path / "registry.db").exists()


def test_wrong_usage_makes_no_database(db: str, dossier: Path, tmp_path: Path, key: Path) -> None:
    """What cannot be done as asked is told before anything is made."""
    wrong: list[tuple[Any, ...]] = [
        (publish.command, tmp_path, "--db", db),
        (publish.command, dossier, "--db", db, "--closed", "a/b"),
        (publish.command, dossier, "--db", db, "--trust", f"{key}.pub"),
        (lookup.command, "--db", db),
        (lookup.command, "xyz", "--db", db),
        (backup.command, tmp_path / "backup", "--db", db),
        (restore.command, tmp_path / "none", "--db", db),
    ]
    for command, *arguments in wrong:
        with pytest.raises(UsageError):
            run(command, *arguments)
    assert not (tmp_path / "registry.db").exists()
    with pytest.raises(RegistryError, match="cannot be reached"):
        run(publish.command, dossier, "--db", "postgresql://nobody@127.0.0.1:9/none")
