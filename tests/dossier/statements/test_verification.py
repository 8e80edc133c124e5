"""What verifies, and that whatever does not fails by its own name."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dossier.statements import made
from weighbridge.digests import canonical_json
from weighbridge.dossier.statements import envelope
from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.folder import look_at, read_statements
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.dossier.statements.predicate import Weighing
from weighbridge.dossier.statements.strict_json import MAX_BYTES
from weighbridge.dossier.statements.verification import (
    BOUND_FILES,
    SKEW,
    WEIGHING,
    Report,
    State,
    hold,
    last_of,
    read_statement,
    root_in,
    verify_dossier,
    verify_statement,
)
from weighbridge.errors import EvidenceError
from weighbridge.subject.roots import root_of

KEY = made.ed25519_key()


def verified(
    dossier: Path, keys: Sequence[PrivateKey] = (KEY,), now: datetime = made.NOW, model_root: str | None = None
) -> Report:
    publics = [key.public for key in keys]
    held = {name: hold(data, publics) for name, data in read_statements(dossier).items()}
    return verify_dossier(held, now=now, dossier=look_at(dossier), model_root=model_root)


def failures(report: Report) -> set[Failure]:
    """Every failure that counts: those of what is not history."""
    found = {each.failure for each in report.problems}
    return found | {each.failure for one in report.statements if not one.history for each in one.problems}


def weighing_file(dossier: Path) -> Path:
    return next((dossier / "statements").glob("*-weighing-*"))


def restate(dossier: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the weighing says and sign it again with the same key."""
    file = weighing_file(dossier)
    said = json.loads(envelope.read_envelope(file.read_bytes()).payload)
    change(said)
    file.write_bytes(envelope.sign(canonical_json(said), [KEY]))


@pytest.fixture
def signed(dossier: Path) -> Path:
    made.sign(dossier, KEY)
    return dossier


@pytest.mark.parametrize("key", [KEY, made.p256_key()], ids=["ed25519", "p256"])
def test_what_was_signed_verifies(dossier: Path, key: PrivateKey) -> None:
    """A signed dossier verifies with the signer's key, which is named."""
    made.sign(dossier, key)
    report = verified(dossier, [key])
    assert report.state is State.VERIFIED and not failures(report)
    assert {one.signer for one in report.statements} == {f"{key.public.kind.value} key {key.public.keyid}"}


def test_every_file_that_is_bound_is_in_the_whole_dossier(signed: Path) -> None:
    """Statements bind every file of the closed list that there is."""
    held = envelope.read_envelope(weighing_file(signed).read_bytes())
    there = {name for name in BOUND_FILES if (signed / name).exists()}
    assert set(read_statement(held.payload).files) == there
    assert there >= {"dossier.json", "evidence.jsonl", "protocol.toml", "inspection.json", "terms.json", "card.md"}


def test_without_a_key_nothing_is_verified(signed: Path) -> None:
    """Without a key the state is "not checked", never verified, and says that nobody's signature was checked."""
    report = verified(signed, [])
    assert report.state is State.NOT_CHECKED and failures(report) == {Failure.NO_KEY}


@pytest.fixture(scope="module")
def flippable(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(written, tmp_path_factory.mktemp("flip") / "dossier"))
    made.sign(folder, KEY)
    assert verified(folder).state is State.VERIFIED
    return folder


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_flipped_byte_is_never_verified(flippable: Path, data: st.DataObject) -> None:
    """Whichever byte of a bound file or an envelope changes, and to whatever, the dossier does not verify, with or without a key."""
    files = sorted(path for path in flippable.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    flip = data.draw(st.integers(1, 255))
    try:
        path.write_bytes(before[:place] + bytes([before[place] ^ flip]) + before[place + 1 :])
        assert verified(flippable).state is State.FAILED
        assert verified(flippable, []).state is not State.VERIFIED
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("key", [KEY, made.p256_key()], ids=["ed25519", "p256"])
def test_no_byte_of_an_envelope_is_free(dossier: Path, key: PrivateKey) -> None:
    """Every byte of an envelope counts: one bit of each in turn is flipped, and none of the results verifies."""
    made.sign(dossier, key)
    data = next((dossier / "statements").glob("*-svr-*")).read_bytes()
    for place in range(len(data)):
        flipped = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        report = verify_statement("it", hold(flipped, [key.public]), now=made.NOW, dossier=None)
        assert report.state is State.FAILED, place


@pytest.mark.parametrize("kept", [0, 1, 100])
def test_a_shortened_envelope_fails(signed: Path, kept: int) -> None:
    """An envelope that is cut off fails."""
    file = weighing_file(signed)
    file.write_bytes(file.read_bytes()[:kept])
    assert Failure.NOT_JSON in failures(verified(signed))


def test_a_changed_file_is_named(signed: Path) -> None:
    """A file that changed since is named."""
    (signed / "evidence.jsonl").write_bytes(b"other evidence\n")
    report = verified(signed)
    assert failures(report) == {Failure.CHANGED_FILE}
    assert "evidence.jsonl" in report.statements[0].problems[0].told


def test_a_missing_file_fails(signed: Path) -> None:
    """A file that was signed and is gone fails: taking evidence away never helps."""
    (signed / "inspection.json").unlink()
    assert failures(verified(signed)) == {Failure.MISSING_FILE}


def test_a_file_put_beside_later_fails(dossier: Path) -> None:
    """Terms that nobody signed do not ride along on the signature of the rest."""
    terms = (dossier / "terms.json").read_bytes()
    (dossier / "terms.json").unlink()
    made.sign(dossier, KEY)
    (dossier / "terms.json").write_bytes(terms)
    assert failures(verified(dossier)) == {Failure.UNSIGNED_FILE}


def test_a_missing_companion_fails(signed: Path) -> None:
    """A statement that was signed together with the weighing cannot be dropped unseen."""
    next((signed / "statements").glob("*-vulns-*")).unlink()
    assert failures(verified(signed)) == {Failure.MISSING_STATEMENT}


def test_nothing_can_be_taken_away_unseen(signed: Path) -> None:
    """Whichever one file is taken from a signed dossier, bound or a statement that holds, it no longer verifies."""
    past = set((signed / "statements").iterdir())  # history may be archived
    made.sign(signed, KEY, made.NOW + timedelta(hours=1))
    later = made.NOW + timedelta(hours=2)
    for path in [each for each in signed.rglob("*") if each.is_file() and each not in past]:
        data = path.read_bytes()
        path.unlink()
        assert verified(signed, now=later).state is State.FAILED, path.name
        path.write_bytes(data)
    assert verified(signed, now=later).state is State.VERIFIED


def test_too_many_statements(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with more statements than anybody makes, or larger ones, is not read whole."""
    for limit in ("MAX_STATEMENTS", "MAX_FOLDER_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(f"weighbridge.dossier.statements.folder.{limit}", 3)
            with pytest.raises(EvidenceError, match="archive the oldest"):
                read_statements(signed)


def test_the_documents_list_is_the_codes() -> None:
    """Every failure is documented by its slug, and every field of the predicate by its name."""
    text = (Path(__file__).parents[3] / "docs" / "formats" / "statements.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1] for line in text.partition("### Failures")[2].splitlines() if line.startswith("| `")}
    assert listed == {failure.value for failure in Failure}
    assert not [name for name in Weighing.model_fields if f"`{name}`" not in text]
    assert not [name for name in BOUND_FILES if f"`{name}`" not in text]


def test_no_statement_at_all(dossier: Path) -> None:
    """An unsigned dossier fails as unsigned, and so does one whose weighing was taken away."""
    assert failures(verified(dossier)) == {Failure.UNSIGNED}
    made.sign(dossier, KEY)
    weighing_file(dossier).unlink()
    assert Failure.UNSIGNED in failures(verified(dossier))


def test_an_envelope_without_signatures(signed: Path) -> None:
    """An envelope whose signatures were removed is unsigned."""
    file = weighing_file(signed)
    file.write_bytes(canonical_json({**json.loads(file.read_bytes()), "signatures": []}))
    assert Failure.UNSIGNED in failures(verified(signed))


def test_another_key(signed: Path) -> None:
    """Another key than the signer's verifies nothing."""
    assert failures(verified(signed, [made.ed25519_key()])) == {Failure.WRONG_KEY}


def test_one_good_signature_of_several_is_enough_and_is_named(signed: Path) -> None:
    """With several signatures the one by a key of the caller's counts, and is named."""
    other = made.p256_key()
    for file in (signed / "statements").iterdir():
        file.write_bytes(envelope.sign(envelope.read_envelope(file.read_bytes()).payload, [other, KEY]))
    for key in (other, KEY):
        report = verified(signed, [key])
        assert report.state is State.VERIFIED
        assert key.public.keyid in (report.statements[0].signer or "")


def test_a_borrowed_keyid(signed: Path) -> None:
    """A signature by one key under another's name is bad."""
    other = made.ed25519_key()
    for file in (signed / "statements").iterdir():
        held = json.loads(envelope.sign(envelope.read_envelope(file.read_bytes()).payload, [other]))
        held["signatures"][0]["keyid"] = KEY.public.keyid
        file.write_bytes(canonical_json(held))
    assert failures(verified(signed)) == {Failure.BAD_SIGNATURE}


def test_expired_and_not_yet_valid(signed: Path) -> None:
    """A statement holds from when it was made, five minutes of clock skew allowed, to the second before it ends."""
    second = timedelta(seconds=1)
    assert failures(verified(signed, now=made.NOW + made.TERM)) == {Failure.EXPIRED}
    assert verified(signed, now=made.NOW + made.TERM - second).state is State.VERIFIED
    assert verified(signed, now=made.NOW - SKEW).state is State.VERIFIED
    assert failures(verified(signed, now=made.NOW - SKEW - second)) == {Failure.NOT_YET_VALID}


def test_another_subject(signed: Path, tmp_path: Path, weighed: Any) -> None:
    """A statement about another subject, put beside this dossier, fails as that."""
    digest = "sha256:" + "5" * 64
    part = made.candidate().components[0]
    file = part.files[0].model_copy(update={"digest": digest})
    other = weighed.candidate.model_copy(
        update={"digest": digest, "components": (part.model_copy(update={"files": (file,)}),)}
    )
    elsewhere = made.write(tmp_path / "other", weighed.model_copy(update={"candidate": other}))
    made.sign(elsewhere, KEY)
    shutil.rmtree(signed / "statements")
    shutil.copytree(elsewhere / "statements", signed / "statements")
    assert Failure.OTHER_SUBJECT in failures(verified(signed))


def test_another_model(signed: Path, weighed: Any) -> None:
    """The model that is given must be the one that the statements are about."""
    right = root_of({"model.gguf": weighed.candidate.digest})
    assert verified(signed, model_root=right).state is State.VERIFIED
    assert failures(verified(signed, model_root="sha256:" + "0" * 64)) == {Failure.OTHER_MODEL}


def test_a_newer_statement_takes_the_place_of_the_older(signed: Path) -> None:
    """Signing again keeps the old statements as history; the dossier verifies, and each old one by itself is superseded, by name."""
    old = weighing_file(signed)
    new = made.sign(signed, KEY, made.NOW + timedelta(days=1))[-1]
    later = made.NOW + timedelta(days=2)
    report = verified(signed, now=later)
    assert report.state is State.VERIFIED
    assert sum(one.history for one in report.statements) == len(report.statements) // 2 == 4
    held = {name: hold(data, [KEY.public]) for name, data in read_statements(signed).items()}
    alone = verify_statement(old.name, held.pop(old.name), now=later, dossier=look_at(signed), others=held)
    assert failures(alone) == {Failure.SUPERSEDED}
    assert new.name in alone.statements[0].problems[0].told


def test_history_may_be_old_but_not_false(signed: Path) -> None:
    """Statements of the past may be expired and of files that changed since, but their signatures must hold."""
    old = weighing_file(signed)
    (signed / "card.md").write_text("a card written anew")
    made.sign(signed, KEY, made.NOW + made.TERM)
    later = made.NOW + made.TERM + timedelta(days=1)
    assert verified(signed, now=later).state is State.VERIFIED
    held = json.loads(old.read_bytes())
    held["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    old.write_bytes(canonical_json(held))
    assert Failure.BAD_SIGNATURE in failures(verified(signed, now=later))


def test_nobody_elses_statement_supersedes(signed: Path) -> None:
    """A newer statement by a key that the caller does not trust takes no statement's place."""
    old = weighing_file(signed)
    made.sign(signed, made.ed25519_key(), made.NOW + timedelta(days=1))
    later = made.NOW + timedelta(days=2)
    held = {name: hold(data, [KEY.public]) for name, data in read_statements(signed).items()}
    alone = verify_statement(old.name, held.pop(old.name), now=later, dossier=look_at(signed), others=held)
    assert alone.state is State.VERIFIED


def test_a_statement_that_is_not_made_yet_supersedes_nothing(signed: Path) -> None:
    """As of a time before the newer statement, the older one held."""
    old = weighing_file(signed)
    made.sign(signed, KEY, made.NOW + timedelta(days=1))
    held = {name: hold(data, [KEY.public]) for name, data in read_statements(signed).items()}
    alone = verify_statement(old.name, held.pop(old.name), now=made.NOW, dossier=look_at(signed), others=held)
    assert alone.state is State.VERIFIED


def test_a_statement_given_against_it_supersedes(signed: Path, tmp_path: Path) -> None:
    """A newer statement kept elsewhere, given by the caller, supersedes the dossier's whole."""
    elsewhere = Path(shutil.copytree(signed, tmp_path / "elsewhere"))
    newer = made.sign(elsewhere, KEY, made.NOW + timedelta(days=1))[-1]
    held = {name: hold(data, [KEY.public]) for name, data in read_statements(signed).items()}
    against = {"newer": hold(newer.read_bytes(), [KEY.public])}
    report = verify_dossier(held, now=made.NOW + timedelta(days=2), dossier=look_at(signed), against=against)
    assert report.state is State.FAILED and failures(report) == {Failure.SUPERSEDED}


def test_cyclic_supersession_ends_with_its_own_failure() -> None:
    """A circle of statements, each newer than the next, is told, not followed for ever."""
    with pytest.raises(Refused) as refused:
        last_of("a", {"a": ["b"], "b": ["c"], "c": ["a"]})
    assert refused.value.problem.failure is Failure.CYCLIC_SUPERSESSION
    with pytest.raises(Refused):
        last_of("start", {"start": ["a"], "a": ["b"], "b": ["a"]})


def test_away_from_its_dossier_a_statement_says_that_no_files_were_compared(signed: Path) -> None:
    """A statement by itself verifies, with a note that the dossier's files were not held against it."""
    held = hold(weighing_file(signed).read_bytes(), [KEY.public])
    report = verify_statement("it", held, now=made.NOW, dossier=None)
    assert report.state is State.VERIFIED and "not held against it" in report.notes[0]


BROKEN: dict[Failure, Callable[[dict[str, Any]], object]] = {
    Failure.NOT_A_STATEMENT: lambda said: said.update(_type="https://in-toto.io/Statement/v0.1"),
    Failure.UNKNOWN_PREDICATE: lambda said: said.update(predicateType="https://example.com/other/v1"),
    Failure.BROKEN_PREDICATE: lambda said: said["predicate"].update(made_at="yesterday"),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_a_signed_text_that_is_no_statement_of_ours(signed: Path, failure: Failure) -> None:
    """What is well signed and is not a statement that this program can judge fails by its own name."""
    restate(signed, BROKEN[failure])
    assert failure in failures(verified(signed))


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["predicate"].update(files={"../../etc/passwd": "sha256:" + "0" * 64}),
        lambda said: said["predicate"].update(files={}),
        lambda said: said["predicate"].update(valid_until=said["predicate"]["made_at"]),
        lambda said: said["predicate"].update(supersedes="all"),
        lambda said: said["predicate"].update(made_at="2026-11-26T25:00:00Z"),
        lambda said: said.update(predicate=[]),
    ],
)
def test_a_predicate_that_breaks_its_format(signed: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Names outside the closed list, no files, an end before the beginning: a broken predicate."""
    restate(signed, change)
    assert Failure.BROKEN_PREDICATE in failures(verified(signed))


@pytest.mark.parametrize("subject", [[], [{}], [{"digest": {"sha512": "00"}}], [{}, {}], "model"])
def test_a_statement_without_one_subject(signed: Path, subject: Any) -> None:
    """A statement is about exactly one subject with a SHA-256."""
    restate(signed, lambda said: said.update(subject=subject))
    assert Failure.NOT_A_STATEMENT in failures(verified(signed))


def sealed(payload: bytes) -> Problem | None:
    """What verifying says of a payload, well signed."""
    report = verify_statement("it", hold(envelope.sign(payload, [KEY]), [KEY.public]), now=made.NOW, dossier=None)
    return report.statements[0].problems[0]


def test_payloads_that_two_readers_could_read_in_two_ways() -> None:
    """Keys said twice, other spellings, depth: each well-signed payload fails by its own name."""
    for payload, failure in {
        b'{"a":1,"a":2}': Failure.DUPLICATE_KEYS,
        b'{"a": 1}': Failure.NOT_CANONICAL,
        b'{"b":1,"a":2}': Failure.NOT_CANONICAL,
        b'{"a":1e400}': Failure.NOT_CANONICAL,
        b'{"a":"\\ud800"}': Failure.NOT_CANONICAL,
        b'{"a":NaN}': Failure.NOT_JSON,
        b"\xff": Failure.NOT_JSON,
        b"[" * 60 + b"]" * 60: Failure.TOO_DEEP,
        b"[" * 100_000 + b"]" * 100_000: Failure.TOO_DEEP,
        b"[" + b"0," * 1_000_001 + b"0]": Failure.TOO_LARGE,
        b"[]": Failure.NOT_A_STATEMENT,
    }.items():
        problem = sealed(payload)
        assert problem is not None and problem.failure is failure, payload[:30]


def test_a_giant_file() -> None:
    """A file larger than any statement is refused unread."""
    held = hold(b" " * (MAX_BYTES + 1), [KEY.public])
    assert isinstance(held, Problem) and held.failure is Failure.TOO_LARGE


def test_every_failure_says_what_to_do() -> None:
    """Every failure has a sentence of its own on what to do, and a slug."""
    assert all(failure.do and failure.value == failure.name.lower().replace("_", "-") for failure in Failure)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"candidate":{"components":[{"files":[{"path":1,"digest":2}]}]}}', b"[" * 100_000]
)
def test_a_root_that_cannot_be_told(data: bytes) -> None:
    """Of what is no dossier no root is told, and nothing is raised."""
    assert root_in(data) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENVELOPES = st.fixed_dictionaries(
    {
        "payload": st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()) | JSON,
        "payloadType": st.just(envelope.PAYLOAD_TYPE) | JSON,
        "signatures": st.lists(st.fixed_dictionaries({"keyid": st.just(KEY.public.keyid), "sig": st.text()}) | JSON)
        | JSON,
    }
)


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=300)
    | JSON.map(lambda each: json.dumps(each).encode())
    | ENVELOPES.map(lambda each: json.dumps(each, sort_keys=True, separators=(",", ":")).encode())
)
def test_whatever_a_file_holds_is_told_not_raised(data: bytes) -> None:
    """The reader of envelopes raises nothing for what strangers write, and never takes it for signed."""
    report = verify_statement("it", hold(data, [KEY.public]), now=made.NOW, dossier=None)
    assert report.state is State.FAILED


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "_type": st.just("https://in-toto.io/Statement/v1") | JSON,
            "predicateType": st.just(WEIGHING) | JSON,
            "subject": JSON | st.just([{"digest": {"sha256": "0" * 64}}]),
            "predicate": JSON
            | st.fixed_dictionaries({"made_at": st.just("2026-01-01T00:00:00Z") | JSON, "files": JSON, "beside": JSON}),
        },
    )
)
def test_whatever_is_signed_is_told_not_raised(said: dict[str, Any]) -> None:
    """A well-signed payload of any content is judged without an exception, and does not verify."""
    payload = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    assert sealed(payload) is not None
