"""Publishing: whole or not at all, once, only what verifies; and nothing that an author does closes a result."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text, update

from tests.dossier.statements import made
from tests.registry.databases import Clock, endpoint, model, opened, put, signed, weighed
from weighbridge.digests import canonical_json, digest_bytes
from weighbridge.dossier.statements.envelope import sign
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.dossier.statements.verification import root_in
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.registry.audit import Head, verify_audit
from weighbridge.registry.backup import check
from weighbridge.registry.closed import state_closed
from weighbridge.registry.lookup import closed_notice_of, files_of, history, read_blob
from weighbridge.registry.notices import Entry, Match, Standing
from weighbridge.registry.problems import NotAdmitted, RegistryError
from weighbridge.registry.publishing import answer, revoke, trust
from weighbridge.registry.store import Store, open_store
from weighbridge.registry.tables import audit, metadata
from weighbridge.registry.upload import Upload, read_folder


def rows(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar() or 0
            for table in metadata.sorted_tables
        }


def root(upload: Upload) -> str:
    found = root_in(upload.files["dossier.json"])
    assert found is not None
    return found


def test_a_published_dossier_comes_back_byte_for_byte(store: Store, upload: Upload, key: PrivateKey) -> None:
    """Every file that was handed in is there, under its own name, with its own bytes."""
    trust(store, key.public, name="Evaluator", by="test")
    found = put(store, upload)
    assert found.is_new and found.signer_known
    with store.reading() as connection:
        files = files_of(connection, found.publication)
        assert {name: read_blob(connection, blob) for name, blob in files.items()} == dict(upload.files)
        check(connection)


def test_the_same_dossier_again_changes_nothing(store: Store, upload: Upload) -> None:
    """Publishing is idempotent, down to the audit log."""
    first, before = put(store, upload), rows(store)
    again = put(store, upload)
    assert (again.publication, again.is_new, rows(store)) == (first.publication, False, before)


def test_many_publishers_of_one_dossier_end_in_one(url: str, upload: Upload) -> None:
    """Eight at once, each with connections of its own: one is the first, and nobody fails."""
    with opened(url):
        pass
    found, failed = [], []

    def work() -> None:
        try:
            with opened(url) as own:
                found.append(put(own, upload))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
    assert sorted(each.is_new for each in found) == [False] * 7 + [True]
    with opened(url) as own:
        assert rows(own)["publications"] == 1
        with own.reading() as connection:
            assert verify_audit(connection).entries == 2


def test_an_unknown_signer_is_marked_and_known_once_trusted_and_published_again(
    store: Store, upload: Upload, key: PrivateKey
) -> None:
    """The mark goes only when the signature was checked with a trusted key."""
    assert not put(store, upload).signer_known
    assert trust(store, key.public, name="Evaluator", by="test")
    assert not trust(store, key.public, name="Evaluator", by="test")
    assert not history_of(store, upload)[0].signer_known
    again = put(store, upload)
    assert again.signer_known and not again.is_new and history_of(store, upload)[0].signer_known


def history_of(store: Store, upload: Upload) -> list[Entry]:
    with store.reading() as connection:
        return history(connection, root(upload))


def test_what_does_not_verify_is_refused_whole(store: Store, upload: Upload, key: PrivateKey) -> None:
    """A changed file, a file that was not signed, no statement, a statement for another subject, an expired one: nothing is stored."""
    trust(store, key.public, name="Evaluator", by="test")
    before = rows(store)
    name = next(name for name in upload.files if "weighing" in name)
    forged = sign(b'{"_type":"x"}', [made.ed25519_key()])
    other = made.ed25519_key()
    envelope = upload.files[name].replace(key.public.keyid.encode(), other.public.keyid.encode())
    broken = [
        {**upload.files, "card.md": b"better"},
        {**upload.files, "terms.html": b"more"},
        {name: data for name, data in upload.files.items() if "/" not in name},
        {each: data for each, data in upload.files.items() if each != "protocol.toml"},
        {**upload.files, name: forged},
        {**upload.files, "dossier.json": upload.files["dossier.json"].replace(b"GGUF", b"gguf") + b" "},
        {**upload.files, name: upload.files[name][:-5] + b"AAA=}"},
    ]
    for files in broken:
        with pytest.raises(NotAdmitted) as refused:
            put(store, replace(upload, files=files))
        assert refused.value.reasons
    assert envelope != upload.files[name]  # an unknown signer: marked, not refused
    assert not put(store, replace(upload, files={**upload.files, name: envelope})).signer_known
    assert rows(store)["publications"] == before["publications"] + 1


def test_a_trusted_keys_bad_signature_is_refused_not_unknown(store: Store, upload: Upload, key: PrivateKey) -> None:
    """Nobody publishes under a known name without its key."""
    trust(store, key.public, name="Evaluator", by="test")
    name = next(name for name in upload.files if "weighing" in name)
    other = made.ed25519_key()
    payload = base64.b64decode(json.loads(upload.files[name])["payload"])
    forged = sign(payload, [other]).replace(other.public.keyid.encode(), key.public.keyid.encode())
    with pytest.raises(NotAdmitted, match="bad-signature"):
        put(store, replace(upload, files={**upload.files, name: forged}))


def test_a_statement_that_says_more_than_its_dossier_is_refused(store: Store, upload: Upload, key: PrivateKey) -> None:
    """Well signed, and bound to an adverse dossier: a rosier verdict, rate or grader in it, or a gap left out, is not published."""
    trust(store, key.public, name="Evaluator", by="test")
    name = next(name for name in upload.files if "weighing" in name)
    said = json.loads(base64.b64decode(json.loads(upload.files[name])["payload"]))
    whole = said["predicate"]
    rosier = [
        {"headline": {**whole["headline"], "paragraph": "All is well."}},
        {"rates": whole["rates"][1:]},
        {"grader": {**whole["grader"], "calibration": "perfect"}},
        {"not_measured": []},
        {"dossier": digest_bytes(b"another")},
        {"rulings": [{**whole["rulings"][0], "dossier": digest_bytes(b"another")}]},
        {"made_by": None},
        {"more": 1},
    ]
    for change in rosier:
        payload = canonical_json({**said, "predicate": {**whole, **change}})
        with pytest.raises(NotAdmitted):
            put(store, replace(upload, files={**upload.files, name: sign(payload, [key])}))
    same = sign(canonical_json(said), [key])
    assert put(store, replace(upload, files={**upload.files, name: same})).is_new


def test_an_expired_dossier_is_not_published(store: Store, clock: Clock, upload: Upload) -> None:
    """What no longer holds when it is handed in is refused."""
    clock.now += timedelta(days=184)
    with pytest.raises(NotAdmitted, match="expired"):
        put(store, upload)


def test_an_expired_publication_stays_and_says_so(store: Store, clock: Clock, upload: Upload) -> None:
    """Time takes nothing out of the history."""
    put(store, upload)
    [entry] = history_of(store, upload)
    assert entry.standing(clock.now) is Standing.CURRENT
    assert entry.standing(clock.now + timedelta(days=183)) is Standing.EXPIRED


def test_a_signers_newer_statement_supersedes_only_that_signers(
    store: Store, clock: Clock, tmp_path: Path, key: PrivateKey
) -> None:
    """Whoever signs a dossier again names all earlier statements in it; those of other signers stand all the same."""
    other = made.ed25519_key()
    trust(store, key.public, name="Evaluator", by="test")
    trust(store, other.public, name="Author", by="test")
    folder = tmp_path / "dossier"
    first = put(store, signed(folder, key))
    clock.now += timedelta(hours=1)
    made.sign(folder, other, clock.now)
    by_author = put(store, read_folder(folder))
    stands = {each.publication: each.standing(clock.now) for each in history_of(store, read_folder(folder))}
    assert stands == {first.publication: Standing.CURRENT, by_author.publication: Standing.CURRENT}
    clock.now += timedelta(hours=1)
    made.sign(folder, key, clock.now)
    second = put(store, read_folder(folder))
    entries = history_of(store, read_folder(folder))
    assert [each.publication for each in entries] == [second.publication, by_author.publication, first.publication]
    assert [each.standing(clock.now) for each in entries] == [Standing.CURRENT, Standing.CURRENT, Standing.SUPERSEDED]


def test_an_unknown_signer_supersedes_nothing(store: Store, clock: Clock, tmp_path: Path) -> None:
    """A name in an envelope that nobody checked closes no result, not even one under the same name."""
    unknown = made.ed25519_key()
    folder = tmp_path / "dossier"
    put(store, signed(folder, unknown))
    clock.now += timedelta(hours=1)
    made.sign(folder, unknown, clock.now)
    put(store, read_folder(folder))
    assert [each.standing(clock.now) for each in history_of(store, read_folder(folder))] == [Standing.CURRENT] * 2


def test_revoking_marks_with_a_reason_and_deletes_nothing(store: Store, clock: Clock, upload: Upload) -> None:
    """The revoked result is listed, with who said so and why; a second word is refused."""
    found = put(store, upload)
    revoke(store, found.publication, by="maintainer", reason="the key was stolen")
    with pytest.raises(UsageError, match="revoked already"):
        revoke(store, found.publication, by="maintainer", reason="again")
    [entry] = history_of(store, upload)
    assert entry.standing(clock.now) is Standing.REVOKED
    assert entry.revoked.reason == "the key was stolen"
    with store.reading() as connection:
        assert files_of(connection, found.publication)


def test_an_answer_stands_beside_a_result_and_changes_nothing_else(store: Store, clock: Clock, upload: Upload) -> None:
    """An author may speak; the result, its standing and the other rows stay as they were."""
    found = put(store, upload)
    [before] = history_of(store, upload)
    answer(store, found.publication, by="author", text="We mended this in version 2.")
    answer(store, found.publication, by="author", text="We mended this in version 2.")
    [after] = history_of(store, upload)
    assert [each.text for each in after.answers] == ["We mended this in version 2."]
    assert after.model_copy(update={"answers": ()}) == before
    with pytest.raises(UsageError, match="no such publication"):
        answer(store, digest_bytes(b"none"), by="author", text="text")


def test_a_closed_model_is_published_by_provider_name_and_date(
    store: Store, tmp_path: Path, key: PrivateKey, clock: Clock
) -> None:
    """It is marked "no digest", is found whatever the case of its name, and by no digest."""
    trust(store, key.public, name="Evaluator", by="test")
    folder = tmp_path / "closed"
    record = weighed().model_copy(update={"candidate": endpoint()})
    made.write(folder, record)
    unsigned = read_folder(folder)
    with pytest.raises(NotAdmitted, match="unsigned"):
        put(store, unsigned)
    payload = state_closed(
        {name: digest_bytes(data) for name, data in unsigned.bound.items()},
        provider="Some Lab",
        name="Big Model 2",
        weighed_at=record.made_at.replace(microsecond=0),
        made_by="test",
        now=clock.now,
        valid_for=timedelta(days=90),
    )
    files = {**unsigned.files, "statements/closed.dsse.json": sign(payload, [key])}
    found = put(store, Upload(files, "here"))
    assert found.subject == "closed:some lab/big model 2" and found.signer_known
    with pytest.raises(NotAdmitted, match="changed-file"):
        put(store, Upload({**files, "card.md": b"better"}, "here"))
    with store.reading() as connection:
        [entry] = closed_notice_of(connection, "SOME lab", "big  model 2", clock.now).entries
    assert (entry.root, entry.match, entry.facts.weighed_at) == ("no digest", Match.NAME, record.made_at)


def test_the_audit_log_has_every_change_and_shows_tampering(store: Store, upload: Upload, key: PrivateKey) -> None:
    """Chained: a changed entry, one taken out, and an end that is gone (against a head kept elsewhere) are found."""
    found = put(store, upload)
    trust(store, key.public, name="Evaluator", by="test")
    answer(store, found.publication, by="author", text="text")
    revoke(store, found.publication, by="maintainer", reason="reason")
    with store.reading() as connection:
        head = verify_audit(connection)
        kinds = list(connection.execute(select(audit.c.kind).order_by(audit.c.number)).scalars())
    assert kinds == ["begun", "published unverified", "trusted", "answered", "revoked"]
    harms = [
        audit.delete().where(audit.c.number == 2),
        audit.delete().where(audit.c.number == 4),
        update(audit).where(audit.c.number == 3).values(line=func.replace(audit.c.line, "author", "nobody")),
        update(audit).where(audit.c.number == 3).values(kind="published"),
        audit.delete(),
    ]
    for harm in harms:
        with store.engine.connect() as connection:
            connection.execute(harm)
            with pytest.raises(EvidenceError):
                verify_audit(connection, head)
            connection.rollback()
    with store.reading() as connection, pytest.raises(EvidenceError):
        verify_audit(connection, Head(head.entries, digest_bytes(b"another")))


KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
from weighbridge.registry import store, upgrading
what, url, folder, now = sys.argv[1:]
clock = lambda: datetime.fromisoformat(now)
def die(*_, **__): os.kill(os.getpid(), 9)
if what == "publish":
    from weighbridge.registry import publishing, upload
    publishing.note = die
    publishing.publish(store.open_store(url, clock=clock), upload.read_folder(Path(folder)), by="test")
else:
    upgrading.begin_audit = die
    store.open_store(url, clock=clock)
"""


def kill(what: str, url: str, folder: Path) -> None:
    """Run it in a process that dies by kill -9 when everything is written and nothing is committed."""
    arguments = [sys.executable, "-c", KILLED, what, url, str(folder), made.NOW.isoformat()]
    done = subprocess.run(arguments, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL


def test_kill_9_in_the_middle_of_publishing_leaves_nothing(url: str, tmp_path: Path, key: PrivateKey) -> None:
    """After the kill there is no half of it, and the same publishing goes through."""
    upload = signed(tmp_path / "dossier", key)
    with opened(url) as store:
        before = rows(store)
    kill("publish", url, tmp_path / "dossier")
    with opened(url) as store:
        assert rows(store) == before
        assert put(store, upload).is_new
        with store.reading() as connection:
            check(connection)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, upload: Upload) -> None:
    """SQLite: when there is no room for another page, the error says so, and all that was there is there."""
    with opened(f"sqlite:///{tmp_path / 'full.db'}") as store:
        with store.reading() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar()
        store.engine.dispose()
        event.listen(store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages + 3}"))
        before = rows(store)
        with pytest.raises(RegistryError, match=r"disk is full, and nothing was stored; make room"):
            put(store, upload)
        assert rows(store) == before


def test_a_database_that_is_gone_is_told_without_its_password(tmp_path: Path) -> None:
    """The error names the database and what to do, and never its password."""
    with pytest.raises(RegistryError, match="cannot be reached") as told:
        open_store("postgresql://somebody:hunter2@127.0.0.1:9/registry")
    assert "hunter2" not in str(told.value)
    with pytest.raises(UsageError, match="the folder is not there"):
        open_store(f"sqlite:///{tmp_path / 'none' / 'registry.db'}")
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(RegistryError, match="not a whole SQLite database"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}")
    for wrong in ("mysql://host/name", "sqlite+aiosqlite:///x", "://"):
        with pytest.raises(UsageError):
            open_store(wrong)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_database_that_went_away_and_came_back_is_used_again(store: Store, upload: Upload) -> None:
    """PostgreSQL drops every connection in the middle of a write: nothing is stored, and the next publishing goes through."""
    before = rows(store)
    with pytest.raises(RegistryError, match="cannot be reached"), store.writing() as connection:
        connection.execute(audit.delete())
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        with store.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        connection.execute(text("SELECT 1"))
    assert rows(store) == before
    assert put(store, upload).is_new


def test_evaluators_of_one_model_stand_side_by_side(store: Store, tmp_path: Path, key: PrivateKey) -> None:
    """Two signers' dossiers about the same weights are both there."""
    put(store, signed(tmp_path / "one", key, model("m")))
    upload = signed(tmp_path / "two", made.p256_key(), model("m"), made.NOW + timedelta(minutes=1))
    put(store, upload)
    assert len(history_of(store, upload)) == 2
