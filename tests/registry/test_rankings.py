"""Rankings: what is promised of intervals and ranks, the laws, and who stands where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sqlalchemy import delete, select, text

from tests.dossier.statements import made
from tests.registry.databases import NOW, Clock, opened, put, weighed
from tests.registry.ranked import estimate, in_time, record, row
from weighbridge.digests import digest_bytes
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Measure, NotMeasured, Reason
from weighbridge.protocol.files import dump_protocol
from weighbridge.protocol.model import AssessmentProtocol, Judgement
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry import upgrading
from weighbridge.registry.asked import Published
from weighbridge.registry.audit import note
from weighbridge.registry.publishing import revoke, trust
from weighbridge.registry.rankings.bounds import mean_bounds, possible_ranks
from weighbridge.registry.rankings.comparing import compare_two
from weighbridge.registry.rankings.reading import Rankings, lacking
from weighbridge.registry.rankings.records import Asked, By, Of, RankingPage
from weighbridge.registry.rankings.rows import asking_of, rated
from weighbridge.registry.rankings.table import ResultRow, Table, changed, lacks, table_of
from weighbridge.registry.store import Store
from weighbridge.registry.tables import REVISION, metadata, publications
from weighbridge.registry.tables.rates import rankings, rates
from weighbridge.registry.upload import read_folder

Ranks = dict[str, tuple[int, int]]


def ranks(
    rows: Sequence[ResultRow], by: By = "model", at: datetime = NOW, lacking: dict[str, int] | None = None
) -> Ranks:
    """The range of ranks of each model."""
    table = table_of(rows, "rate", lacking or {})
    view = table.view(by, at)
    named = [table.subjects[table.subject[place]] for place in view.row]
    return dict(zip(named, zip(view.best.tolist(), view.worst.tolist(), strict=True), strict=True))


# what is promised


def test_an_interval_is_wider_than_the_exact_one_of_scipy_and_holds_it() -> None:
    """The price of holding for graded values and at any stop is width: never is it narrower than Clopper and Pearson's."""
    for n in (5, 39, 104, 1000):
        for k in {0, 1, n // 3, n // 2, n}:
            exact = stats.binomtest(k, n).proportion_ci(0.95)
            low, high = mean_bounds(np.array([float(k)]), np.array([float(n)]), np.zeros(1), among=1)
            assert low[0] <= exact.low
            assert high[0] >= exact.high
            assert high[0] - low[0] < 2 * (exact.high - exact.low) + 0.01


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("stops_early", [False, True])
def test_of_all_that_a_table_says_anything_is_wrong_no_oftener_than_promised(graded: bool, stops_early: bool) -> None:
    """Seeded: twelve models, some alike, on the same prompts of unlike difficulty; each stops when it looks best, or not at all."""
    drawn = np.random.default_rng(20261126)
    truth = np.array([0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.2, 0.3, 0.5, 0.5, 0.8, 0.95])
    wrong, runs, prompts = 0, 400, 60
    told_apart = 0
    for _ in range(runs):
        luck = np.sqrt(0.5) * drawn.normal(size=prompts)[:, None] + np.sqrt(0.5) * drawn.normal(size=(prompts, 12))
        values = (stats.norm.cdf(luck) < truth).astype(float)
        if graded:  # a mean-preserving mixture of yes or no and of the mean itself
            values = np.where(drawn.random((prompts, 12)) < 0.5, values, truth)
        total = values.cumsum(axis=0)
        asked = np.arange(1, prompts + 1)[:, None]
        stop = (
            (np.abs(total / asked - truth) * np.sqrt(asked))[9:].argmax(axis=0) + 9
            if stops_early
            else np.full(12, prompts - 1)
        )
        n = stop + 1.0
        low, high = mean_bounds(total[stop, np.arange(12)], n, np.zeros(12), among=12)
        best, worst = possible_ranks(low, high)
        better, not_worse = (truth < truth[:, None]).sum(axis=1), (truth <= truth[:, None]).sum(axis=1)
        wrong_pair = (high[:, None] < low) & (truth[:, None] >= truth)
        wrong += bool(wrong_pair.any() or (best > not_worse).any() or (worst < 1 + better).any())
        told_apart += int((high[:, None] < low).sum())
    assert stats.binomtest(wrong, runs, 0.05, alternative="greater").pvalue > 0.01
    assert (
        told_apart / runs > 10
    )  # of the 58 pairs that differ, some by two points: it does not keep its promise by saying nothing


rows_of_one = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60), st.integers(0, 20)), min_size=1, max_size=3)


@given(st.dictionaries(st.sampled_from("abcdefgh"), rows_of_one, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_two_that_cannot_be_told_apart_have_a_rank_in_common(found: dict[str, list[tuple[float, int, int]]]) -> None:
    table = table_of(made_rows(found), "rate", {})
    view = table.view("model", NOW)
    for one in range(len(view.row)):
        for other in range(len(view.row)):
            apart = view.high[one] < view.low[other] or view.high[other] < view.low[one]
            shared = max(view.best[one], view.best[other]) <= min(view.worst[one], view.worst[other])
            assert apart or shared


def made_rows(found: dict[str, list[tuple[float, int, int]]]) -> list[ResultRow]:
    return [
        row(name, value, measured, lost, signer=f"signer {place}")
        for name, results in found.items()
        for place, (value, measured, lost) in enumerate(results)
    ]


# the second law


@given(
    st.dictionaries(st.sampled_from("abcdef"), rows_of_one, min_size=2, max_size=6),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_losing_evidence_of_a_model_never_moves_it_up(
    found: dict[str, list[tuple[float, int, int]]], data: st.DataObject
) -> None:
    """A publication, a value, some measured prompts, or time: afterwards the model is no higher, or has no rank."""
    rows = made_rows(found)
    place = data.draw(st.integers(0, len(rows) - 1))
    gone = rows[place]
    how = data.draw(st.sampled_from(["publication", "value", "prompts", "expiry"]))
    lacking: dict[str, int] = {}
    at = NOW
    if how == "publication":
        less, lacking = rows[:place] + rows[place + 1 :], {gone.subject: 1}
    elif how == "value":
        less = [*rows]
        less[place] = row(gone.subject, None, signer=gone.signer)
    elif how == "expiry":
        less = [*rows]
        less[place] = gone._replace(until=in_time(NOW))
    else:
        # Of the prompts that were measured some are lost, with whatever they showed.
        assert gone.value is not None and gone.measured is not None and gone.lost is not None
        fewer = data.draw(st.integers(1, gone.measured))
        total = gone.value * gone.measured
        left = data.draw(st.floats(max(0.0, total - (gone.measured - fewer)), min(total, float(fewer))))
        less = [*rows]
        less[place] = gone._replace(
            value=min(1.0, left / fewer), measured=fewer, lost=gone.lost + gone.measured - fewer
        )
    before, after = ranks(rows, at=at), ranks(less, at=at, lacking=lacking)
    if gone.subject in after:
        assert after[gone.subject][1] >= before[gone.subject][1]
        assert after[gone.subject][0] <= before[gone.subject][0]  # and it is known less well at the other end, too
    alone_before, alone_after = (ranks(each, by="result", at=at, lacking=lacking) for each in (rows, less))
    if len(found[gone.subject]) == 1 and gone.subject in alone_after:
        assert alone_after[gone.subject][1] >= alone_before[gone.subject][1]


def test_a_model_of_which_something_is_lacking_is_not_ranked_and_says_so() -> None:
    rows = [row("good", 0.1), row("bad", 0.9)]
    assert ranks(rows, lacking={"good": 1}) == {"bad": (1, 1)}
    table = table_of(rows, "rate", {"good": 1})
    assert [why for _, why in table.set_aside(NOW)] == ["1 of its published results is not at hand"]


def test_an_evaluator_who_never_promised_to_look_takes_no_rank_away_and_one_who_did_does() -> None:
    never = row("m", None, signer="b", reason=Reason.NOT_IN_PROTOCOL.value)
    failed = row("m", None, signer="b", reason=Reason.BUDGET_SPENT.value)
    assert ranks([row("m", 0.1), never]) == {"m": (1, 1)}
    assert ranks([row("m", 0.1), failed]) == {}


rows_of_a_registry = st.dictionaries(st.sampled_from("abcdef"), rows_of_one, max_size=6)


@given(rows_of_a_registry, rows_of_a_registry, st.sets(st.sampled_from("abcdef")), st.sampled_from(["rate", "opening"]))
@settings(max_examples=60, deadline=None)
def test_a_table_that_caught_up_says_what_one_made_anew_says(
    before: dict[str, list[tuple[float, int, int]]],
    after: dict[str, list[tuple[float, int, int]]],
    about: set[str],
    of: Of,
) -> None:
    rest = {name: results for name, results in before.items() if name not in about}
    now = {name: results for name, results in after.items() if name in about}
    lacking = dict.fromkeys(about & {"a"}, 2)
    kept = table_of(made_rows(before), of, {})
    kept.view("model", NOW)
    caught_up = changed(kept, about, made_rows(now), lacking)
    anew = table_of(made_rows({**rest, **now}), of, lacking)
    for by in ("model", "result"):
        assert told(caught_up, by) == told(anew, by)
    assert sorted(why for _, why in caught_up.set_aside(NOW)) == sorted(why for _, why in anew.set_aside(NOW))
    assert (caught_up.among, caught_up.protocols) == (anew.among, anew.protocols)


def told(table: Table, by: By) -> list[tuple[object, ...]]:
    view = table.view(by, NOW)
    columns = (view.best, view.worst, view.low, view.high, view.value, view.results)
    return sorted(
        (table.envelopes[row], *values)
        for row, *values in zip(view.row, *(each.tolist() for each in columns), strict=True)
    )


# who stands where


def test_ranks_are_ranges_and_overlap_is_not_passed_on() -> None:
    """b cannot be told from a, nor from c; a and c can be told apart."""
    rows = [row("a", 0.05, 300), row("b", 0.2, 60), row("c", 0.4, 300)]
    assert ranks(rows) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_the_worst_that_a_known_signer_found_places_a_model_and_each_result_stands_alone_beside() -> None:
    rows = [row("a", 0.02, 500), row("a", 0.6, 500, signer="b"), row("c", 0.3, 500)]
    assert ranks(rows) == {"c": (1, 1), "a": (2, 2)}
    view = table_of(rows, "rate", {}).view("result", NOW)
    assert sorted(zip(view.best.tolist(), view.worst.tolist(), strict=True)) == [(1, 1), (2, 2), (3, 3)]


def test_an_expired_result_counts_against_its_model_and_gives_it_no_rank() -> None:
    past = in_time(NOW - timedelta(days=1))
    rows = [
        row("a", 0.02, 500),
        row("a", 0.6, 500, signer="b", until=past),
        row("c", 0.3, 500),
        row("d", 0.01, until=past),
    ]
    assert ranks(rows) == {"c": (1, 1), "a": (2, 2)}
    table = table_of(rows, "rate", {})
    assert table.view("model", NOW).by_expired.tolist() == [True, False]
    told = {table.subjects[table.subject[place]]: why for place, why in table.set_aside(NOW)}
    assert told["d"] == "expired"
    assert told["a"].startswith("expired; it still counts against its model")


def test_a_result_expires_at_its_time_and_not_before() -> None:
    until = row("a", 0.1, until=in_time(NOW + timedelta(days=2)))
    table = table_of([until, row("b", 0.2)], "rate", {})
    assert [len(table.view("model", NOW + timedelta(days=days)).row) for days in (0, 1, 2, 3)] == [2, 2, 1, 1]


def test_sorting_and_choosing_rows_changes_no_rank() -> None:
    rows = [row("closed:lab/x", 0.5, label="X by Lab"), row("b", 0.1, 20, signer="b"), row("c", 0.3, 200)]
    table = table_of(rows, "rate", {})
    view = table.view("model", NOW)

    def shown(**asked: Any) -> list[str]:
        return [table.labels[view.row[place]] for place in table.chosen(Asked(**asked), NOW)]

    assert shown() == ["C", "B", "X by Lab"]  # by the worse end of the interval: of B little is known
    assert shown(descending=True) == ["X by Lab", "B", "C"]
    assert shown(sort="rate") == ["B", "C", "X by Lab"]
    assert shown(sort="prompts") == ["B", "X by Lab", "C"]
    assert shown(sort="label", descending=True) == ["X by Lab", "C", "B"]
    assert shown(sort="evaluator", descending=True)[0] == "B"
    assert shown(find="LAB") == ["X by Lab"]
    assert shown(kind="open") == ["C", "B"]
    assert shown(kind="closed") == ["X by Lab"]
    assert shown(evaluator="b") == ["B"]
    assert shown(evaluator="nobody") == []


def test_nothing_has_no_rank() -> None:
    assert ranks([]) == {}
    assert ranks([row("a", None)]) == {}


def test_a_contrast_is_never_narrower_than_what_was_signed() -> None:
    """What was signed knows of answers that were lost within a prompt."""
    signed_wide = row("a", 0.1, 1000, low=-0.5, high=0.7)
    table = table_of([signed_wide], "opening", {})
    assert (table.low[0], table.high[0]) == (-0.5, 0.7)
    table = table_of([signed_wide._replace(low=0.1, high=0.1)], "opening", {})
    assert -0.1 < table.low[0] < 0.1 < table.high[0] < 0.3


# from a registry


def publish(store: Store, folder: Path, key: PrivateKey, of: DossierRecord, **more: Any) -> Published:
    """Sign and publish a dossier as it is."""
    made.write(folder, of)
    made.sign(folder, key, NOW, **more)
    return put(store, read_folder(folder))


@pytest.fixture
def trusting(store: Store, key: PrivateKey) -> Store:
    trust(store, key.public, name="Evaluator", by="test")
    return store


def page(
    store: Store, rung: Rung = Rung.API, aggregate: str = "mean", at: object = NOW, **asked: object
) -> RankingPage:
    kept = Rankings(store)
    [listed] = [
        each
        for each in kept.listed()
        if (each.ranking.rung, each.ranking.aggregate, each.ranking.of) == (rung, aggregate, "rate")
    ]
    return kept.page(listed, Asked(**asked), at)


def test_published_dossiers_are_ranked_and_what_was_not_measured_is_listed_by_name(
    trusting: Store, key: PrivateKey, tmp_path: Path
) -> None:
    lost = NotMeasured(reason=Reason.TIMED_OUT, detail="after an hour")
    publish(trusting, tmp_path / "a", key, record("mild", {Rung.API: estimate(0.05)}))
    publish(trusting, tmp_path / "b", key, record("harsh", {Rung.API: estimate(0.6, 90, lost=10), Rung.WEIGHTS: lost}))
    publish(trusting, tmp_path / "c", key, record("elsewhere", {Rung.WEIGHTS: estimate(0.5)}))
    found = page(trusting)
    assert [(each.model.label, each.best, each.worst) for each in found.rows] == [("mild", 1, 1), ("harsh", 2, 2)]
    harsh = found.rows[1]
    assert (harsh.result.n_measured, harsh.result.n_planned, harsh.result.n_lost) == (90, 100, 10)
    assert harsh.result.evaluator == "Evaluator"
    assert harsh.low < 0.54 < 0.64 < harsh.high
    assert [(each.model.label, each.why) for each in found.unmeasured] == [("elsewhere", "not in protocol")]
    found = page(trusting, Rung.WEIGHTS)
    assert [each.model.label for each in found.rows] == ["elsewhere"]
    assert {each.model.label: each.why for each in found.unmeasured} == {
        "harsh": "timed out: after an hour",
        "mild": "not in protocol",
    }


def test_what_was_published_before_the_tables_were_made_is_filled_in(
    url: str, clock: Clock, key: PrivateKey, tmp_path: Path
) -> None:
    """Both ways lead to the same rows: published into the tables, or read from the stored dossier when they are made."""
    with opened(url, clock) as store:
        trust(store, key.public, name="Evaluator", by="test")
        publish(store, tmp_path / "a", key, record("mild", {Rung.API: estimate(0.05)}))
        before = whole(store)
        with store.writing() as connection:
            for table in (rates, rankings):
                connection.execute(text(f"DROP TABLE {table.name}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
            script = Operations(MigrationContext.configure(connection))
            with script.context(script.migration_context):
                module("0004_rates").upgrade()
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{REVISION}'"))
        assert whole(store) == before != []


def module(name: str) -> Any:
    spec = spec_from_file_location(name, Path(upgrading.__file__).with_name("migrations") / "versions" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def whole(store: Store) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        return [
            tuple(row)
            for table in (rankings, rates)
            for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]


def test_each_change_of_a_registry_is_seen_at_once(
    trusting: Store, key: PrivateKey, clock: Clock, tmp_path: Path
) -> None:
    """Published, superseded, published by somebody unknown who is trusted later, revoked, expired, and taken out of the database."""
    kept = Rankings(trusting)
    other = made.ed25519_key()

    def shown(at: datetime = NOW) -> dict[str, tuple[int, int]]:
        [listed] = [each for each in kept.listed() if (each.ranking.rung, each.ranking.aggregate) == (Rung.API, "mean")]
        found, anew = (each.page(listed, Asked(), at) for each in (kept, Rankings(trusting)))
        assert found == anew
        return {each.model.label: (each.best, each.worst) for each in found.rows}

    first = publish(trusting, tmp_path / "a", key, record("a", {Rung.API: estimate(0.05, 300)}))
    assert shown() == {"a": (1, 1)}
    publish(trusting, tmp_path / "b", key, record("b", {Rung.API: estimate(0.6, 300)}))
    assert shown() == {"a": (1, 1), "b": (2, 2)}
    by_other = publish(trusting, tmp_path / "a2", other, record("a", {Rung.API: estimate(0.95, 300)}))
    assert shown() == {"a": (1, 1), "b": (2, 2)}
    trust(trusting, other.public, name="Other", by="test")
    assert put(trusting, read_folder(tmp_path / "a2")).signer_known
    assert shown() == {"b": (1, 1), "a": (2, 2)}
    expired = NOW + timedelta(days=400)
    assert shown(expired) == {}
    revoke(trusting, by_other.publication, by="test", reason="wrong prompts")
    assert shown() == {"a": (1, 1), "b": (2, 2)}
    with trusting.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            for column in table.columns:
                if column is publications.c.envelope or column.references(publications.c.envelope):
                    connection.execute(delete(table).where(column == first.publication))
        note(connection, NOW, "trusted", "test", None, {})
        assert lacking(connection) == {first.subject: 1}
    listed = next(each for each in Rankings(trusting).at_place(*where(trusting)) if each.ranking.aggregate == "mean")
    found = Rankings(trusting).page(listed, Asked(), NOW)
    assert [each.model.label for each in found.rows] == ["b"]


def where(store: Store) -> tuple[str, str, Rung]:
    [listed] = [
        each for each in Rankings(store).listed() if (each.ranking.rung, each.ranking.aggregate) == (Rung.API, "mean")
    ]
    return listed.ranking.benchmark.digest, listed.grader_digest, Rung.API


# two models side by side


def test_two_models_are_compared_on_every_rung_and_what_one_lacks_is_said(
    trusting: Store, key: PrivateKey, tmp_path: Path
) -> None:
    lost = NotMeasured(reason=Reason.TIMED_OUT)
    a = publish(
        trusting, tmp_path / "a", key, record("a", {Rung.API: estimate(0.05, 300), Rung.WEIGHTS: estimate(0.5)})
    )
    b = publish(trusting, tmp_path / "b", key, record("b", {Rung.API: estimate(0.6, 300), Rung.WEIGHTS: lost}))
    with trusting.reading() as connection:
        two = compare_two(connection, a.subject, b.subject, NOW)
        turned = compare_two(connection, b.subject, a.subject, NOW)
        says = {(each.ranking.rung, each.ranking.aggregate): (each.says, each.b.kind) for each in two.rows}
        assert says == {
            (Rung.API, "mean"): ("a is lower", "measured"),
            (Rung.API, "worst"): ("a is lower", "measured"),
            (Rung.WEIGHTS, "mean"): ("not measured", "not measured"),
            (Rung.WEIGHTS, "worst"): ("not measured", "not measured"),
        }
        assert [each.says for each in turned.rows if each.ranking.rung is Rung.API] == ["b is lower"] * 2
        later = compare_two(connection, a.subject, b.subject, NOW + timedelta(days=400))
        assert {each.says for each in later.rows if each.ranking.rung is Rung.API} == {"not shown"}
        for subjects in ((a.subject, a.subject), (a.subject, "sha256:" + "0" * 64)):
            with pytest.raises(UsageError):
                compare_two(connection, *subjects, NOW)


# what results must have in common


def test_only_what_decides_how_prompts_are_asked_on_a_rung_keeps_results_apart() -> None:
    usual = AssessmentProtocol()
    longer = usual.model_copy(update={"ladder": usual.ladder.model_copy(update={"max_tokens": 999})})
    prefills = usual.model_copy(update={"ladder": usual.ladder.model_copy(update={"prefills": 5})})
    elsewhere = usual.model_copy(update={"seed": 1, "judgement": Judgement(margin=0.2)})
    for rung in Rung:
        assert asking_of(longer, "", rung) != asking_of(usual, "", rung)
        assert asking_of(elsewhere, "", rung) == asking_of(usual, "", rung)
    assert asking_of(prefills, "", Rung.API) == asking_of(usual, "", Rung.API)
    assert asking_of(prefills, "", Rung.WEIGHTS) != asking_of(usual, "", Rung.WEIGHTS)


def test_prompts_graders_names_and_baselines_are_never_mixed() -> None:
    """Whatever differs of these makes another table."""
    usual = weighed()
    tables = {each.ranking.digest for each in rated(usual, None)}
    assert len(tables) == 8 + len(
        [one for one in usual.comparisons if (one.measure, one.scope) == (Measure.HARM, "all")]
    )
    for changes in (
        {"suite": usual.suite.model_copy(update={"digest": digest_bytes(b"other prompts")})},
        {"suite": usual.suite.model_copy(update={"version": "another"})},
        {"grader": usual.grader.model_copy(update={"identity": "offline@another"})},
        {"protocol": digest_bytes(b"another protocol")},  # of which no more is known than that it is another
    ):
        assert not tables & {each.ranking.digest for each in rated(usual.model_copy(update=changes), None)}


def test_the_protocol_counts_when_it_is_the_one_that_was_signed_and_no_other() -> None:
    of = AssessmentProtocol(name="mine")
    named = weighed().model_copy(update={"protocol": of.digest})
    asked = {
        str(each.ranking.asking) for each in rated(named, dump_protocol(of).encode()) if each.ranking.rung is Rung.API
    }
    assert asked == {"{'tries': 1, 'max_tokens': 128}"}
    for other in (dump_protocol(AssessmentProtocol(name="other")).encode(), b"\xff", b"[", None):
        assert {str(each.ranking.asking) for each in rated(named, other) if each.ranking.of == "rate"} == {
            str({"protocol": of.digest})
        }


def test_a_rate_taken_out_of_a_dossier_is_lacking_and_not_unpromised() -> None:
    whole_one = record("a", {Rung.API: estimate(0.1)})
    gone = whole_one.model_copy(update={"rates": ()})
    reasons = {each.ranking.rung: each.rate.reason for each in rated(gone, None) if isinstance(each.rate, NotMeasured)}
    assert lacks(reasons[Rung.API].value)
    assert not lacks(reasons[Rung.WEIGHTS].value)


def test_numbers_that_no_prompts_could_give_and_names_without_end_are_kept_out(
    trusting: Store, key: PrivateKey, tmp_path: Path
) -> None:
    """A dossier is checked for its form alone; what it says of itself must not stop the database, nor fill it."""
    many = estimate(0.5).model_copy(update={"n_planned": 10**15, "n_measured": 10**15})
    outside = estimate(0.5).model_copy(update={"value": 7.0, "high": 7.0})
    why = NotMeasured(reason=Reason.TIMED_OUT, detail="\x00\u202e" + "x" * 10_000)
    suite = weighed().suite.model_copy(update={"name": "long " * 200})
    found = {Rung.HOSTED: many, Rung.API: estimate(0.5), Rung.WEIGHTS: outside, Rung.MODIFIED: why}
    of = record("odd", found, suite=suite)
    assert publish(trusting, tmp_path / "odd", key, of).is_new
    with trusting.reading() as connection:
        rows = connection.execute(select(rates)).all()
        said = connection.execute(select(rankings.c.said)).scalars().all()
    assert sum(each.value is not None for each in rows) == 2
    assert max(len(each.detail or "") for each in rows) < 400
    assert max(map(len, said)) < 2_000
    with trusting.reading() as connection, pytest.raises(UsageError):
        compare_two(connection, "closed:a/b", rows[0].subject, NOW)
