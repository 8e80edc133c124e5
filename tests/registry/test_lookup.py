"""Looking up: by root, by any weight file, by a prefix, by a closed model's name; and what a notice may say."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event

from tests.dossier.statements import made
from tests.registry.databases import NOW, model, opened, put, signed, weighed
from weighbridge.digests import digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Comparison, Estimate, Measure, NotMeasured
from weighbridge.protocol.vocabulary import Contrast, Rung, Verdict
from weighbridge.registry.asked import digest_asked
from weighbridge.registry.lookup import candidates, history, notice_of
from weighbridge.registry.notices import (
    Answer,
    Compared,
    Entry,
    Facts,
    Match,
    NotCompared,
    Revoked,
    Standing,
    facts_from,
    notice,
)
from weighbridge.registry.publishing import trust
from weighbridge.registry.store import Store
from weighbridge.registry.tables import metadata, publications, weights
from weighbridge.subject.roots import root_of


def root(words: str, shards: int = 1) -> str:
    return root_of({file.path: file.digest for file in model(words, shards).components[0].files})


def test_a_model_is_found_by_its_root_and_by_each_of_its_weight_files(
    store: Store, tmp_path: Path, key: PrivateKey
) -> None:
    """A shard alone is a part of what was weighed; a whole model of one file is that file."""
    trust(store, key.public, name="Evaluator", by="test")
    several, single = model("several", 3), model("single")
    put(store, signed(tmp_path / "several", key, several))
    put(store, signed(tmp_path / "single", key, single))
    with store.reading() as connection:
        for file in several.components[0].files:
            assert [each.match for each in history(connection, file.digest)] == [Match.PART]
            said = notice_of(connection, file.digest, NOW)
            assert (said.answer, said.because) == (Answer.NOT_SHOWN, "what was weighed is more than this file")
        assert [each.match for each in history(connection, root("several", 3))] == [Match.EXACT]
        assert [each.match for each in history(connection, single.components[0].files[0].digest)] == [Match.EXACT]
        assert history(connection, digest_bytes(b"nothing")) == []
        nothing = notice_of(connection, digest_bytes(b"nothing"), NOW)
    assert (nothing.answer, nothing.entries) == (Answer.NOT_MEASURED, ())


def test_a_prefix_of_12_digits_lists_every_digest_that_begins_so(store: Store) -> None:
    """Roots and files, in order; shorter is refused, and so is what is no digest."""
    same = "sha256:" + "ab" * 6
    with store.writing() as connection:
        for number, last in enumerate(("0", "9", "a", "f")):
            row = {column.name: "x" for column in publications.columns}
            times = dict.fromkeys(("weighed_at", "made_at", "valid_until", "published_at"), NOW)
            digest = same + last * 52
            row |= {**times, "envelope": f"e{number}", "root": digest, "signer_known": False, "label": f"m{number}"}
            connection.execute(publications.insert().values(**row))
            connection.execute(weights.insert().values(digest=same + "b" * 51 + last, envelope=f"e{number}"))
    with store.reading() as connection:
        found = candidates(connection, digest_asked("ABABABABABAB"))
        assert [each.digest[19:21] for each in found] == ["00", "99", "aa", "bb", "bb", "bb", "bb", "ff"]
        assert [each.is_root for each in found] == [True] * 3 + [False] * 4 + [True]
        assert candidates(connection, digest_asked("sha256:ababababab" + "b" * 3)) == []
        assert len(candidates(connection, digest_asked("abababababab" + "f" * 40))) == 1
    for wrong in ("ababababab1", "g" * 12, "", "a" * 65, "%" * 12):
        with pytest.raises(UsageError):
            digest_asked(wrong)


def test_every_look_up_goes_through_an_index(tmp_path: Path) -> None:
    """SQLite's own plan of each question has no scan of a table."""
    asked: list[tuple[str, object]] = []
    with opened(f"sqlite:///{tmp_path / 'plan.db'}") as store:
        event.listen(
            store.engine, "before_cursor_execute", lambda _, __, said, given, *___: asked.append((said, given))
        )
        with store.reading() as connection:
            notice_of(connection, digest_bytes(b"x"), NOW)
            candidates(connection, digest_asked("ab" * 8))
        questions = [(said, given) for said, given in asked if said.startswith("SELECT")]
        assert len(questions) >= 6
        with store.reading() as connection:
            for said, given in questions:
                plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + said, given).all()
                scans = [
                    row[3]
                    for row in plan
                    if row[3].startswith("SCAN")
                    and "(subquery" not in row[3]
                    and "anon" not in row[3]
                    and "CONSTANT" not in row[3]
                ]
                assert not scans, (said, scans)


@cache
def whole() -> DossierRecord:
    found = weighed()
    head = found.headline.model_copy(update={"verdict": Verdict.NO_MATERIAL_INCREASE})
    deciding = [
        each.model_copy(update={"verdict": Verdict.NO_MATERIAL_INCREASE})
        if (each.contrast, each.aggregate) == (head.contrast, head.aggregate) and each.scope == "all"
        else each
        for each in found.comparisons
    ]
    return found.model_copy(update={"headline": head, "comparisons": tuple(deciding)})


def facts(answer: Answer = Answer.MET) -> Facts:
    return facts_from(whole(), None, weight_files=1).model_copy(update={"answer": answer})


def entry(number: int, answer: Answer, **changes: object) -> Entry:
    name = digest_bytes(str(number).encode())
    fields = {
        "publication": name,
        "statement": name,
        "dossier": name,
        "root": root("m"),
        "provider": None,
        "name": None,
        "match": Match.EXACT,
        "signer": "s",
        "signer_known": True,
        "made_at": NOW + timedelta(minutes=number),
        "valid_until": NOW + timedelta(days=100),
        "published_at": NOW,
        "facts": facts(answer),
    }
    return Entry(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_notice_names_benchmark_grader_date_and_all_four_rungs() -> None:
    """What was not asked is "not measured", by rung and by contrast, and no number stands for it."""
    said = facts_from(whole(), None, weight_files=1)
    record = whole()
    assert said.answer is Answer.MET
    assert (said.benchmark.name, said.benchmark.version) == (record.suite.name, record.suite.version)
    assert (said.grader.name, said.weighed_at) == (record.grader.name, record.made_at)
    assert [each.rung for each in said.rungs] == list(Rung)
    assert {each.contrast for each in said.comparisons} == set(Contrast)
    assert isinstance(said.standards, NotMeasured)
    empty = facts_from(record.model_copy(update={"rates": (), "comparisons": ()}), None, weight_files=1)
    assert empty.answer is Answer.NOT_MEASURED
    assert all(isinstance(one, NotMeasured) for each in empty.rungs for one in (each.mean, each.worst))
    assert all(isinstance(each, NotCompared) for each in empty.comparisons) and len(empty.comparisons) == 2
    assert Facts.model_validate_json(said.model_dump_json()) == said


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 400)), st.sampled_from(list(Verdict)))
@settings(max_examples=60, deadline=None)
def test_taking_evidence_out_of_a_dossier_never_improves_what_it_says(
    comparisons: set[int], rates: set[int], verdict: Verdict
) -> None:
    """The second law: whatever is taken out, what is met was met before with it, and what is left has not changed."""
    head = whole().headline.model_copy(update={"verdict": verdict})
    record = whole().model_copy(update={"headline": head})
    fewer = record.model_copy(
        update={
            "comparisons": tuple(one for at, one in enumerate(record.comparisons) if at not in comparisons),
            "rates": tuple(one for at, one in enumerate(record.rates) if at not in rates),
        }
    )
    before, after = facts_from(record, None, weight_files=1), facts_from(fewer, None, weight_files=1)
    assert after.answer in (before.answer, Answer.NOT_MEASURED, Answer.NOT_SHOWN) and (
        after.answer is not Answer.MET or before.answer is Answer.MET
    )
    assert [one for one in after.comparisons if isinstance(one, Compared) and one not in before.comparisons] == []
    for was, now in zip(before.rungs, after.rungs, strict=True):
        for one, other in ((was.mean, now.mean), (was.worst, now.worst)):
            assert isinstance(other, NotMeasured) or isinstance(one, Estimate)


def test_a_contrast_is_met_only_with_every_one_of_its_comparisons() -> None:
    """The second law for one contrast: with any of them gone it is not met, and with one not met it is not."""
    every = [each.model_copy(update={"verdict": Verdict.NO_MATERIAL_INCREASE}) for each in whole().comparisons]
    assert all(said_of(every, contrast) is Answer.MET for contrast in Contrast)
    for at, each in enumerate(every):
        if (each.measure, each.scope) == (Measure.HARM, "all"):
            assert said_of(every[:at] + every[at + 1 :], each.contrast) is Answer.NOT_SHOWN
            worse = each.model_copy(update={"verdict": Verdict.MATERIAL_INCREASE})
            assert said_of([*every[:at], worse, *every[at + 1 :]], each.contrast) is Answer.NOT_MET
    assert said_of([], Contrast.OPENING) is Answer.NOT_MEASURED


def said_of(comparisons: list[Comparison], contrast: Contrast) -> Answer:
    record = whole().model_copy(update={"comparisons": tuple(comparisons)})
    return facts_from(record, None, weight_files=1).of(contrast)


entries = st.lists(
    st.tuples(
        st.sampled_from(list(Answer)),
        st.booleans(),
        st.sampled_from([Match.EXACT, Match.EXACT, Match.PART]),
        st.sampled_from([-1, 100]),
        st.sampled_from(["", "", "superseded", "revoked"]),
    ),
    max_size=6,
)


@given(entries, st.data())
@settings(max_examples=300, deadline=None)
def test_taking_a_dossier_away_never_improves_a_notice(
    drawn: list[tuple[Answer, bool, Match, int, str]], data: st.DataObject
) -> None:
    """The second law over publications: with any of them gone a notice that was not "met" is not "met", nor "not measured" as if nobody had looked."""
    found = []
    for number, (answer, known, match, days, became) in enumerate(drawn):
        changes: dict[str, object] = {"signer_known": known, "match": match, "valid_until": NOW + timedelta(days=days)}
        if became == "superseded":
            changes["superseded_by"] = (digest_bytes(b"newer"),)
        if became == "revoked":
            changes["revoked"] = Revoked(by="m", reason="r", at=NOW)
        found.append(entry(number, answer, **changes))
    known_of = sum(each.signer_known and each.match is not Match.PART for each in found)
    left = data.draw(st.lists(st.sampled_from(found), unique_by=id) if found else st.just([]))
    before, after = notice("x", found, known_of, NOW), notice("x", left, known_of, NOW)
    assert after.answer is not Answer.MET or before.answer is Answer.MET
    if len(left) < len(found):
        gone = known_of - sum(each.signer_known and each.match is not Match.PART for each in left)
        assert after.lacking == gone
        assert not gone or after.answer in (Answer.NOT_SHOWN, Answer.NOT_MET)
    if after.answer is Answer.MET:
        counted = [each for each in after.entries if each.signer_known and each.match is not Match.PART]
        assert all(each.facts.answer is Answer.MET for each in counted if each.stands is Standing.CURRENT)
    if not found:
        assert before.answer is Answer.NOT_MEASURED


def test_who_counts_in_a_notice() -> None:
    """Unknown signers neither make nor break it; an adverse result counts on when it has expired; a good one does not."""
    met, bad = entry(1, Answer.MET), entry(2, Answer.NOT_MET)
    stranger = entry(3, Answer.NOT_MET, signer_known=False)
    old = {"valid_until": NOW}
    cases = [
        ([met], 1, Answer.MET),
        ([met, stranger], 1, Answer.MET),
        ([stranger], 0, Answer.NOT_SHOWN),
        ([met, bad], 2, Answer.NOT_MET),
        ([met, entry(2, Answer.NOT_MET, **old)], 2, Answer.NOT_MET),
        ([entry(1, Answer.MET, **old)], 1, Answer.NOT_SHOWN),
        ([met, entry(2, Answer.NOT_MEASURED)], 2, Answer.NOT_SHOWN),
        ([entry(2, Answer.NOT_MEASURED)], 1, Answer.NOT_MEASURED),
        ([met], 2, Answer.NOT_SHOWN),
        ([entry(1, Answer.MET, match=Match.PART)], 0, Answer.NOT_SHOWN),
        ([], 0, Answer.NOT_MEASURED),
        ([], 1, Answer.NOT_SHOWN),
    ]
    for found, known, expected in cases:
        assert notice("x", found, known, NOW).answer is expected, (found, expected)


def test_a_row_that_vanished_from_the_database_is_missed(store: Store, tmp_path: Path, key: PrivateKey) -> None:
    """Whoever deletes an adverse result behind the registry's back does not make the notice better: the log knows of it."""
    trust(store, key.public, name="Evaluator", by="test")
    put(store, signed(tmp_path / "one", key, model("m")))
    other = made.p256_key()
    trust(store, other.public, name="Other", by="test")
    second = put(store, signed(tmp_path / "two", other, model("m")))
    with store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            if "envelope" in table.c:
                connection.execute(delete(table).where(table.c.envelope == second.publication))
    with store.reading() as connection:
        said = notice_of(connection, root("m"), NOW)
    assert (said.lacking, said.answer) == (1, Answer.NOT_SHOWN)
