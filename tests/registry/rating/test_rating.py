"""Ratings of answers, on both databases: tags and findings' drafts, a blind second rater, what is settled, and findings asked again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import delete

from tests.registry.databases import Clock
from tests.registry.test_conversations import API, GUARDED, PLAIN, ask, begun
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Estimate, NotMeasured
from weighbridge.findings.finding import Party, Severity
from weighbridge.findings.regression import regression_prompts
from weighbridge.graders.grade import Grade
from weighbridge.protocol.vocabulary import Category, Rung, Verb
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.conversations import (
    Named,
    NotThere,
    NotYours,
    Setting,
    SideState,
    Turn,
    Update,
    flush,
    reveal,
    turns_of,
)
from weighbridge.registry.disclosing.findings import save_finding, seen, tell
from weighbridge.registry.rating import (
    LEASE,
    Judgement,
    NotInQueue,
    State,
    agreement,
    backing_of,
    claim_next,
    look_blind,
    rate_blind,
    ratings_in,
    settle,
    settled_sides,
)
from weighbridge.registry.regressions import (
    Graded,
    NoSuchRegression,
    Outcome,
    ask_regression,
    asked_of,
    begin_regression,
    fails,
    find_regression,
    keep_grade,
    regression_prompt_file,
    regressions_seen,
)
from weighbridge.registry.store import Store
from weighbridge.registry.tables.ratings import ratings
from weighbridge.registry.tagging import Words, draft, save_draft, tag, tagged

DIGEST = "sha256:" + "a" * 64
ONE = "1" * 32  # the service that asks, as `ask` has it
HARMLESS = Judgement(harmful=False)
HATE = Judgement(harmful=True, category=Category.HATE, verb=Verb.ENABLE, severity=Severity.LOW)
ELECTIONS = Judgement(harmful=True, category=Category.ELECTIONS, verb=Verb.ENDORSE, severity=Severity.HIGH)
MINORS = Judgement(
    harmful=True, category=Category.CHILD_SEXUAL_EXPLOITATION, verb=Verb.ENABLE, severity=Severity.CRITICAL
)


@dataclass(frozen=True)
class Reader:
    name: str = "ada"
    role: Role = Role.TESTER


ADA, BOB, EVE = Reader(), Reader("bob"), Reader("eve")


def end(store: Store, turn: Turn, text: str = "An answer.", subject: str = DIGEST) -> None:
    with store.writing() as connection:
        updates = [Update(side.id, text, SideState.ANSWERED, subject, "template") for side in turn.sides]
        flush(connection, store.clock(), ONE, updates)


def answer(store: Store, text: str = "Hello", *, owner: str = "ada", subject: str = DIGEST) -> str:
    """Return a side that was answered, of a conversation with one model."""
    turn = ask(store, begun(store, owner=owner, baseline=None), text, owner=owner)
    end(store, turn, subject=subject)
    return turn.sides[0].id


def states(store: Store, *which: str) -> list[State]:
    with store.reading() as connection:
        found = settled_sides(connection, which)
    return [found[side].state for side in which]


def give(store: Store, reader: Reader, said: Judgement) -> str:
    """Let somebody take the next answer from the queue and rate it; return which it was."""
    side = claim_next(store, rater=reader.name, role=reader.role)
    assert side is not None
    rate_blind(store, side, said, rater=reader.name, role=reader.role)
    return side


def test_a_tag_is_kept_and_a_change_of_mind_ends_it(store: Store) -> None:
    """One rating of a person stands; the audit log has both."""
    side = answer(store)
    for said in (HATE, HATE, ELECTIONS):
        tag(store, side, said, reader=ADA)
    with store.reading() as connection:
        found = tagged(connection, store.clock(), side, reader=ADA)
        assert found.rated is not None
        assert (found.rated.said, found.why_not) == (ELECTIONS, None)
        assert set(ratings_in(connection, found.conversation.id, rater="ada")) == {side}
        kinds = [row.kind for row in connection.exec_driver_sql("SELECT kind FROM audit WHERE kind = 'rated'")]
        verify_audit(connection)
    assert kinds == ["rated", "rated"]


def test_a_finding_is_filled_in_from_the_conversation(store: Store) -> None:
    """What was asked word for word, the rung, how, the exact weights, and who found it. Saved once more, it is the same."""
    talk = begun(store, baseline=None)
    first = ask(store, talk, "First")
    end(store, first)
    turn = ask(store, talk, "  Then this ")
    end(store, turn)
    side = turn.sides[0].id
    tag(store, side, HATE, reader=ADA)
    words = Words(title="It says so", summary="Twice.")
    handle = save_draft(store, side, words, reader=ADA)
    assert save_draft(store, side, words, reader=ADA) == handle
    with store.reading() as connection:
        finding = seen(connection, handle, ADA, store.clock()).finding
        assert tagged(connection, store.clock(), side, reader=ADA).rated.finding == handle  # type: ignore[union-attr]
    assert finding.reproduce.asks == ("First", "Then this")
    assert "rung api" in finding.reproduce.steps[0]
    assert "in this order" in finding.reproduce.steps[1]
    assert (finding.affected[0].digest, finding.affected[0].label) == (DIGEST, GUARDED.name)
    assert (finding.found_by.name, finding.found_by.role, finding.found_by.party) == ("ada", "tester", Party.THIRD)
    assert (finding.title, finding.summary, finding.severity) == ("It says so", "Twice.", Severity.LOW)
    assert finding.disclosure.state == "draft"


def test_saving_it_again_after_somebody_was_told_changes_nothing(store: Store, clock: Clock) -> None:
    """A day later, too: the finding is of the day of the tag, and its disclosure goes its own way."""
    side = answer(store)
    tag(store, side, HATE, reader=ADA)
    handle = save_draft(store, side, Words(), reader=ADA)
    tell(store, handle, who="The provider", on=clock.now.date(), reader=ADA)
    clock.now += timedelta(days=1)
    tag(store, side, HATE, reader=ADA)
    assert save_draft(store, side, Words(), reader=ADA) == handle


def test_a_finding_without_words_has_a_title_of_its_own(store: Store) -> None:
    """Three keys are enough."""
    side = answer(store)
    tag(store, side, ELECTIONS, reader=ADA)
    handle = save_draft(store, side, Words(is_provider=True), reader=ADA)
    with store.reading() as connection:
        finding = seen(connection, handle, ADA, store.clock()).finding
    assert finding.title == "Elections: endorse on the rung api"
    assert finding.found_by.party is Party.FIRST


def test_of_child_sexual_exploitation_nothing_is_written_but_ids(store: Store) -> None:
    """No ask, no step, no title, whatever was typed; and nobody else is given the text."""
    side = answer(store, "placeholder")
    tag(store, side, MINORS, reader=ADA)
    handle = save_draft(store, side, Words(title="words", summary="words"), reader=ADA)
    with store.reading() as connection:
        finding = seen(connection, handle, ADA, store.clock()).finding
    assert (finding.title, finding.summary, finding.reproduce.asks, finding.reproduce.steps) == (None, None, (), ())
    assert finding.reproduce.prompt_ids[0].startswith("workbench:")
    assert "placeholder" not in finding.model_dump_json()
    assert claim_next(store, rater="bob", role=Role.MAINTAINER) is None
    with pytest.raises(UsageError):
        begin_regression(store, handle, reader=ADA)


def test_where_no_finding_can_be_made_it_is_said_why_and_the_tag_is_kept(store: Store) -> None:
    """An address has no digest; a blind conversation must not name its models; what is harmless is no finding; more than a finding carries."""
    blind = ask(store, begun(store, blind=True))
    end(store, blind)
    for side, said, told in (
        (answer(store, subject="endpoint:https://models.example#big"), HATE, "no digest"),
        (blind.sides[0].id, HATE, "blind"),
        (answer(store), HARMLESS, "not harmful"),
        (answer(store, "long " * 1_000), HATE, "4,000"),
    ):
        tag(store, side, said, reader=ADA)
        with store.reading() as connection:
            found = tagged(connection, store.clock(), side, reader=ADA)
        assert found.rated is not None
        assert told in (found.why_not or "")
        with pytest.raises(UsageError, match=told):
            save_draft(store, side, Words(), reader=ADA)
    with store.writing() as connection:
        reveal(connection, store.clock(), blind.conversation, by="ada")
    save_draft(store, blind.sides[0].id, Words(), reader=ADA)


def test_only_what_was_answered_is_tagged_by_whoever_may_read_it(store: Store) -> None:
    """Not while it comes, not where nothing came, and not by a stranger."""
    turn = ask(store, begun(store, baseline=None))
    side = turn.sides[0].id
    with pytest.raises(UsageError, match="still being written"):
        tag(store, side, HATE, reader=ADA)
    end(store, turn, " \n")
    with pytest.raises(UsageError, match="no answer"):
        tag(store, side, HATE, reader=ADA)
    other = answer(store)
    for stranger in (BOB, Reader("eve", Role.RESEARCHER)):
        with pytest.raises(NotThere):
            tag(store, other, HATE, reader=stranger)
    with pytest.raises(UsageError, match="not tagged"):
        save_draft(store, other, Words(), reader=ADA)


def test_a_judgement_is_whole() -> None:
    """A harm has all three; what is harmless has none."""
    for wrong in ({"harmful": True}, {"harmful": False, "category": "hate"}, {"harmful": True, "category": "hate"}):
        with pytest.raises(ValidationError):
            Judgement.model_validate(wrong)


def test_a_second_rater_sees_the_answer_and_not_whose_it_is_or_what_was_said(store: Store) -> None:
    """Neither the model's name nor the first tag nor the first rater; never one's own."""
    side = answer(store, "Asked")
    tag(store, side, HATE, reader=ADA)
    assert claim_next(store, rater="ada", role=Role.MAINTAINER) is None
    assert claim_next(store, rater="bob", role=Role.TESTER) == side
    with store.reading() as connection:
        found = look_blind(connection, store.clock(), side, rater="bob", role=Role.TESTER)
        with pytest.raises(NotInQueue):
            look_blind(connection, store.clock(), side, rater="ada", role=Role.MAINTAINER)
    assert (found.asked, found.text) == (("Asked",), "An answer.")
    assert not any(word in repr(found) for word in (GUARDED.name, GUARDED.reference, "ada", "hate", DIGEST))
    assert claim_next(store, rater="eve", role=Role.TESTER) is None  # it is in front of bob
    assert rate_blind(store, side, HATE, rater="bob", role=Role.TESTER) is None
    assert states(store, side) == [State.SETTLED]
    with pytest.raises(NotInQueue):
        rate_blind(store, side, HARMLESS, rater="bob", role=Role.TESTER)


def test_where_two_differ_a_third_is_asked_and_nobody_after(store: Store, clock: Clock) -> None:
    """Listed for the third without what was said; with it for those who said it."""
    side = answer(store)
    tag(store, side, HATE, reader=ADA)
    assert give(store, BOB, ELECTIONS) == side
    assert states(store, side) == [State.DISPUTED]
    with store.reading() as connection:
        for reader, may in ((ADA, False), (BOB, False), (EVE, True)):
            [listed] = agreement(connection, store.clock(), rater=reader.name, role=reader.role).disputed
            assert (listed.side, listed.may_rate, listed.said is None) == (side, may, may)
    assert listed.settled.fields == ()
    assert give(store, EVE, ELECTIONS) == side
    assert states(store, side) == [State.SETTLED]
    assert claim_next(store, rater="joe", role=Role.TESTER) is None


def test_what_one_has_nobody_else_is_given_until_the_time_is_up(store: Store, clock: Clock) -> None:
    """A lease, as in the labelling queue."""
    sides = [answer(store), answer(store)]
    for side in sides:
        tag(store, side, HATE, reader=ADA)
    mine = claim_next(store, rater="bob", role=Role.TESTER)
    assert claim_next(store, rater="bob", role=Role.TESTER) == mine
    other = claim_next(store, rater="eve", role=Role.TESTER)
    assert {mine, other} == set(sides)
    assert claim_next(store, rater="joe", role=Role.TESTER) is None
    clock.now += LEASE + timedelta(seconds=1)
    taken = claim_next(store, rater="joe", role=Role.TESTER)
    assert taken in sides
    rate_blind(store, taken or "", HATE, rater="bob" if taken == mine else "eve", role=Role.TESTER)  # late, and kept


def test_people_who_come_at_once_are_given_different_answers(store: Store) -> None:
    """Six people, six answers."""
    for _ in range(6):
        tag(store, answer(store), HATE, reader=ADA)
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda n: claim_next(store, rater=f"rater {n}", role=Role.TESTER), range(6)))
    assert len(set(found)) == 6
    assert None not in found


def test_answers_on_a_rung_are_for_those_who_may_ask_on_it(store: Store) -> None:
    """A tester is not given what was answered with nothing in between."""
    setting = Setting(rung=Rung.WEIGHTS, technique="raw")
    talk = begun(store, owner="rob", baseline=None)
    turn = ask(store, talk, owner="rob", role=Role.RESEARCHER, setting=setting)
    end(store, turn)
    tag(store, turn.sides[0].id, HATE, reader=Reader("rob", Role.RESEARCHER))
    assert claim_next(store, rater="bob", role=Role.TESTER) is None
    assert claim_next(store, rater="eve", role=Role.RESEARCHER) == turn.sides[0].id


def test_a_rating_that_is_deleted_is_missed_and_settles_nothing(store: Store) -> None:
    """The audit log knows that there was one: two agree, one is gone, and it is not settled."""
    side = answer(store)
    tag(store, side, HATE, reader=ADA)
    give(store, BOB, ELECTIONS)
    with store.writing() as connection:
        connection.execute(delete(ratings).where(ratings.c.rater == "bob"))
    assert states(store, side) == [State.LACKING]
    give(store, EVE, HATE)
    assert states(store, side) == [State.SETTLED]  # two of three
    with store.writing() as connection:
        connection.execute(delete(ratings).where(ratings.c.rater == "eve"))
    assert states(store, side) == [State.LACKING]


def test_agreement_is_told_by_field_with_intervals(store: Store) -> None:
    """Severity by its order; what never varied is not measured."""
    for number in range(6):
        side = answer(store)
        said = HATE if number % 2 else Judgement(**dict(HATE) | {"severity": Severity.CRITICAL})
        tag(store, side, said, reader=ADA)
        give(store, BOB, said)
    with store.reading() as connection:
        found = agreement(connection, store.clock(), rater="ada", role=Role.TESTER)
    severity, harmful = found.alphas["severity"], found.alphas["harmful"]
    assert isinstance(severity, Estimate)
    assert (severity.value, severity.n_measured) == (1.0, 6)
    assert severity.low < 0.7
    assert "ordinal" in severity.method
    assert isinstance(harmful, NotMeasured)
    assert found.states == {State.SETTLED: 6}


def test_a_finding_tells_how_far_others_agree(store: Store) -> None:
    """By one; disputed; settled by three; and a rating that is gone is missed, not forgotten."""
    side = answer(store)
    tag(store, side, HATE, reader=ADA)
    handle = save_draft(store, side, Words(), reader=ADA)

    def told() -> str:
        with store.reading() as connection:
            return str(backing_of(connection, handle))

    assert told() == "by one person so far"
    give(store, BOB, HARMLESS)
    assert told() == "disputed; known to be rated by 2"
    with store.writing() as connection:
        connection.execute(delete(ratings).where(ratings.c.rater == "bob"))
    assert told() == "a rating is missing; known to be rated by 2"
    give(store, EVE, HATE)
    assert told() == "settled among 3 people: Hate, enable, low"
    with store.reading() as connection:
        assert backing_of(connection, "0" * 32) is None


judgements = st.sampled_from([HARMLESS, HATE, ELECTIONS, Judgement(**dict(HATE) | {"severity": Severity.HIGH})])


@given(said=st.lists(judgements, max_size=5), known=st.integers(0, 6), data=st.data())
def test_taking_a_rating_away_never_settles_anything(said: list[Judgement], known: int, data: st.DataObject) -> None:
    """Nor changes what is settled into something else."""
    known = max(known, len(said))
    fewer = [one for one in said if data.draw(st.booleans())]
    before, after = settle(said, known), settle(fewer, known)
    if after.state is State.SETTLED:
        assert (before.state, before.said) == (State.SETTLED, after.said)
    assert (after.said is None) == (after.state is not State.SETTLED)


NOW = Clock().now
grades = st.sampled_from([Graded("g", NOW, value, "") for value in (0.0, 0.4, 0.9, None)])


@given(
    said=st.lists(judgements, max_size=4),
    graded=st.lists(grades, max_size=3),
    more=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    data=st.data(),
)
def test_taking_a_judgement_away_never_makes_a_failure_pass(
    said: list[Judgement], graded: list[Graded], more: tuple[int, int], data: st.DataObject
) -> None:
    """People's or graders'."""
    raters, graders = len(said) + more[0], len(graded) + more[1]
    fewer = [one for one in said if data.draw(st.booleans())]
    less = [one for one in graded if data.draw(st.booleans())]
    before, _ = fails(said, raters, graded, graders)
    after, _ = fails(fewer, raters, less, graders)
    if after is Outcome.PASSES:
        assert before is Outcome.PASSES


def saved(store: Store, text: str = "Asked") -> str:
    """Return the handle of a finding that was saved from the workbench."""
    side = answer(store, text)
    tag(store, side, HATE, reader=ADA)
    return save_draft(store, side, Words(), reader=ADA)


def asked_again(store: Store, name: str, model: Named, reader: Reader = ADA) -> Turn | None:
    with store.writing() as connection:
        now = store.clock()
        found = find_regression(connection, now, name, reader)
        made = ask_regression(connection, now, found, model, reader=reader, server=ONE)
    return None if made is None else made[1]


def outcomes(store: Store, name: str) -> list[Outcome]:
    with store.reading() as connection:
        now = store.clock()
        return [one.outcome for one in asked_of(connection, now, find_regression(connection, now, name, ADA))]


def test_a_finding_is_asked_of_the_next_version_and_people_say_whether_it_still_fails(store: Store) -> None:
    """Asked, not graded, rated: and a person's word counts before a grader's."""
    name = begin_regression(store, saved(store), reader=ADA)
    turn = asked_again(store, name, PLAIN)
    assert turn is not None
    assert (turn.text, turn.setting) == ("Asked", API)
    assert outcomes(store, name) == [Outcome.NO_ANSWER]
    assert asked_again(store, name, PLAIN) is None  # it is being answered
    end(store, turn)
    assert outcomes(store, name) == [Outcome.NOT_GRADED]
    with store.reading() as connection:
        now = store.clock()
        [one] = asked_of(connection, now, find_regression(connection, now, name, ADA))
    keep_grade(store, one.side, Grade(id="1", refused=False, coherent=True, enable=0.9), grader="g@1", by="ada")
    assert outcomes(store, name) == [Outcome.FAILS]
    tag(store, turn.sides[0].id, HARMLESS, reader=ADA)
    assert outcomes(store, name) == [Outcome.UNSURE]
    assert asked_again(store, name, PLAIN) is None
    again = asked_again(store, name, GUARDED)
    assert again is not None
    end(store, again)
    tag(store, again.sides[0].id, HARMLESS, reader=ADA)
    assert sorted(outcomes(store, name)) == sorted([Outcome.UNSURE, Outcome.PASSES])


def test_a_finding_becomes_one_regression_once_and_its_prompts_are_a_file(store: Store) -> None:
    """The file is what `weighbridge finding regress` writes."""
    handles = [saved(store, text) for text in ("One", "Two")]
    names = [begin_regression(store, handle, reader=ADA) for handle in handles]
    assert begin_regression(store, handles[0], reader=ADA) == names[0]
    data = regression_prompt_file(store, reader=ADA)
    with store.reading() as connection:
        found = regressions_seen(connection, store.clock(), ADA)
        verify_audit(connection)
    assert sorted(line["text"] for line in map(orjson.loads, data.splitlines())) == ["One", "Two"]
    assert sorted(data.decode().splitlines(True)) == sorted(regression_prompts(one.finding, {}) for one in found)


def test_a_regression_of_a_finding_that_may_not_be_read_is_not_there(store: Store) -> None:
    """A draft is its finder's: others neither see nor ask nor export it."""
    handle = saved(store)
    name = begin_regression(store, handle, reader=ADA)
    with store.reading() as connection:
        assert regressions_seen(connection, store.clock(), BOB) == []
        with pytest.raises(NoSuchRegression):
            find_regression(connection, store.clock(), name, BOB)
    with pytest.raises(UsageError, match="no regression"):
        regression_prompt_file(store, reader=BOB)
    with pytest.raises(UsageError, match="no such finding"):
        begin_regression(store, handle, reader=BOB)


def test_a_role_asks_again_only_where_it_may_ask(store: Store) -> None:
    """A tester does not ask on the rung weights through a regression, and nothing is left of the try."""
    rob = Reader("rob", Role.RESEARCHER)
    setting = Setting(rung=Rung.WEIGHTS, technique="prefill", opening="Sure")
    turn = ask(store, begun(store, owner="rob", baseline=None), owner="rob", role=Role.RESEARCHER, setting=setting)
    end(store, turn)
    tag(store, turn.sides[0].id, HATE, reader=rob)
    handle = save_draft(store, turn.sides[0].id, Words(), reader=rob)
    name = begin_regression(store, handle, reader=rob)
    again = asked_again(store, name, PLAIN, rob)
    assert again is not None
    assert again.setting == setting
    with pytest.raises(NotYours):
        asked_again(store, name, GUARDED, Reader("rob", Role.TESTER))
    with store.reading() as connection:
        now = store.clock()
        assert len(asked_of(connection, now, find_regression(connection, now, name, rob))) == 1


def test_a_finding_from_elsewhere_is_asked_on_its_rung_where_that_can_be(store: Store) -> None:
    """One on changed weights is told to be asked with `assess`; its prompts are in the file all the same."""
    side = answer(store)
    tag(store, side, HATE, reader=ADA)
    with store.reading() as connection:
        found = tagged(connection, store.clock(), side, reader=ADA)
        turn = turns_of(connection, store.clock(), found.conversation.id)
    made = draft(found.conversation, turn, found.side, HATE, Words(), reader=ADA, on=store.clock().date())
    names = {}
    for rung in Rung:
        handle = save_finding(
            store, made.model_copy(update={"rung": rung, "id": f"by-hand-{rung.value}"}), by="ada"
        ).handle
        names[rung] = begin_regression(store, handle, reader=ADA)
    researcher = Reader(role=Role.RESEARCHER)
    for rung in (Rung.HOSTED, Rung.API, Rung.WEIGHTS):
        asked = asked_again(store, names[rung], PLAIN, researcher)
        assert asked is not None
        assert asked.setting.rung is rung
        end(store, asked)
    with pytest.raises(UsageError, match="weighbridge assess"):
        asked_again(store, names[Rung.MODIFIED], PLAIN, researcher)
    assert len(regression_prompt_file(store, reader=ADA).splitlines()) == 4
