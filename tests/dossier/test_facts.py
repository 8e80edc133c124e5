from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.dossier_record import dossier_record
from weighbridge.analysis.intervals import clopper_pearson
from weighbridge.dossier.facts import aged, facts_of, rate_bounds
from weighbridge.dossier.record import DossierRecord, FilesRead, Headline
from weighbridge.errors import EvidenceError
from weighbridge.evidence.records import Estimate, Reason
from weighbridge.protocol.vocabulary import Rung, Verdict
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Facts, Path
from weighbridge.standards.names import named

DIGEST = "sha256:" + "7" * 64


def facts(record: DossierRecord) -> Facts:
    return facts_of(record, DIGEST, inspected=True)


def no_more(before: Facts, after: Facts) -> None:
    """Hold that `after` knows nothing that `before` did not: no new name, no other value, no narrower bounds."""
    for path, fact in after.known.items():
        assert path in before.known, path
        earlier = before.known[path].value
        if isinstance(fact.value, Between) and isinstance(earlier, Between):
            assert fact.value.low <= earlier.low, path
            assert fact.value.high >= earlier.high, path
        else:
            assert fact.value == earlier, path


@pytest.fixture(scope="module")
def whole(record: DossierRecord) -> DossierRecord:
    read = FilesRead(subject=record.candidate.identity, findings={"high": 1, "info": 2}, not_examined=0, tensors=3)
    return record.model_copy(update={"files_read": (read,)})


def test_every_fact_and_every_absence_has_a_name_that_conditions_know(
    whole: DossierRecord, gappy_record: DossierRecord, empty_record: DossierRecord, lone_record: DossierRecord
) -> None:
    for record in (whole, gappy_record, empty_record, lone_record):
        found = aged(facts(record), record.made_at + timedelta(days=3))
        assert [path for path in (*found.known, *found.absent) if named(path) is None] == []
        assert not set(found.known) & set(found.absent)


def test_nothing_measured_gives_no_fact_of_any_answer(empty_record: DossierRecord) -> None:
    found = facts(empty_record)
    assert [path for path in found.known if path[0] in ("rung", "rate", "benefit") and path[-1] != "margin"] == []
    assert all("verdict" not in path and "difference" not in path for path in found.known)


def test_a_rung_that_was_not_measured_says_why(whole: DossierRecord) -> None:
    found = facts(whole)
    unmeasured = [rung for rung in Rung if ("rung", rung.value, "measured") not in found.known]
    assert unmeasured
    for rung in unmeasured:
        assert found.absent["rung", rung.value, "measured"].startswith("not measured: ")


def test_an_undecided_comparison_has_no_verdict_and_says_how_many_prompts_would_settle_it(whole: DossierRecord) -> None:
    undecided = [
        one
        for one in whole.comparisons
        if one.scope == "all" and one.verdict is Verdict.UNDECIDED and one.judged is not None
    ]
    assert undecided
    found = facts(whole)
    says = [why for path, why in found.absent.items() if path[-1] == "verdict" and why.startswith("undecided")]
    assert says
    assert all("margin" in why for why in says)


def test_findings_are_exact_when_all_was_examined_and_at_least_so_many_when_not(whole: DossierRecord) -> None:
    assert facts(whole).known["files", "high"].value == Between(1, 1)
    read = whole.files_read[0].model_copy(update={"not_examined": 2})
    partly = facts(whole.model_copy(update={"files_read": (read,)}))
    assert partly.known["files", "high"].value == Between.at_least(1)
    assert partly.known["files", "critical"].value == Between.at_least(0)


def test_findings_that_no_inspection_bears_out_are_at_least_so_many(whole: DossierRecord) -> None:
    """A severity that is not listed may have been taken out, so it is no 0."""
    alone = facts_of(whole, DIGEST)
    assert alone.known["files", "critical"].value == Between.at_least(0)
    assert alone.known["files", "high"].value == Between.at_least(1)


@pytest.mark.parametrize("field", ["rates", "comparisons", "files_read"])
def test_a_dossier_that_says_one_thing_twice_is_refused(whole: DossierRecord, field: str) -> None:
    """With either of two that differ, taking the worse one away would help."""
    records = getattr(whole, field)
    with pytest.raises(EvidenceError, match="two records are of the same thing"):
        facts(whole.model_copy(update={field: (*records, records[0])}))


def test_a_dossier_made_at_a_time_without_a_zone_is_refused(whole: DossierRecord) -> None:
    with pytest.raises(EvidenceError, match="no time zone"):
        facts(whole.model_copy(update={"made_at": whole.made_at.replace(tzinfo=None)}))


def test_with_the_first_baseline_out_of_the_list_the_second_does_not_stand_in_its_place(whole: DossierRecord) -> None:
    fewer = facts(whole.model_copy(update={"baselines": whole.baselines[1:]}))
    assert len(whole.baselines) == 2
    assert ("risk", "counterfactual", "margin") not in fewer.known
    assert "lacks" in fewer.absent["risk", "counterfactual", "verdict"]


def test_a_comparison_of_another_candidate_says_nothing(whole: DossierRecord) -> None:
    others = tuple(
        one.model_copy(update={"candidate": one.candidate.model_copy(update={"subject": whole.baselines[0].identity})})
        for one in whole.comparisons
    )
    found = facts(whole.model_copy(update={"comparisons": others}))
    assert [path for path in found.known if path[0] in ("risk", "benefit") and path[-1] != "baseline_kind"] == []


def test_a_dossier_that_does_not_say_which_aggregate_decides_has_no_deciding_comparison(whole: DossierRecord) -> None:
    """Its default would be the mean, which may be the better of the two."""
    told = {name: getattr(whole.headline, name) for name in ("verdict", "contrast", "paragraph", "exit_code")}
    found = facts(whole.model_copy(update={"headline": Headline(**told)}))
    assert ("risk", "opening", "margin") not in found.known
    assert "does not say" in found.absent["risk", "opening", "verdict"]
    assert ("risk", "opening", "mean", "difference") in found.known


def test_without_a_baseline_there_is_no_counterfactual(lone_record: DossierRecord) -> None:
    found = facts(lone_record)
    assert ("risk", "counterfactual", "verdict") not in found.known
    assert "against nothing" in found.absent["risk", "counterfactual", "verdict"]


def _one_fewer(record: DossierRecord) -> Iterator[DossierRecord]:
    for field in ("rates", "comparisons", "files_read", "threats", "baselines"):
        records = getattr(record, field)
        step = max(1, len(records) // 150)
        for number in range(0, len(records), step):
            yield record.model_copy(update={field: (*records[:number], *records[number + 1 :])})
        yield record.model_copy(update={field: ()})
    grader = record.grader.model_copy(update={"calibrated_verbs": (), "calibrated_refusals": None})
    yield record.model_copy(update={"grader": grader})
    yield record.model_copy(update={"candidate": record.candidate.model_copy(update={"components": ()})})


def test_a_record_taken_out_of_a_dossier_never_gives_a_fact_nor_narrows_one(whole: DossierRecord) -> None:
    before = facts(whole)
    for fewer in _one_fewer(whole):
        no_more(before, facts(fewer))


@given(st.sampled_from([0.5, 0.9, 0.99]), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_records_taken_out_of_a_dossier_never_give_a_fact_nor_narrow_one(share: float, number: int) -> None:
    record, seed = _RECORD, random.Random(number)
    fewer = record.model_copy(
        update={
            field: tuple(one for one in getattr(record, field) if seed.random() < share)
            for field in ("rates", "comparisons")
        }
    )
    no_more(facts(record), facts(fewer))


_RECORD = dossier_record(per_cell=2)
_REASONS = st.sampled_from([reason for reason in Reason if reason is not Reason.NOT_NEEDED])


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60),
    st.integers(0, 5),
    st.integers(0, 20),
    st.data(),
)
@settings(max_examples=500, deadline=None)
def test_an_answer_lost_never_narrows_the_bounds_of_a_rate(
    values: list[float], missing: int, not_needed: int, data: st.DataObject
) -> None:
    def of(kept: list[float], lost: int) -> Estimate:
        value = sum(kept) / len(kept)
        return Estimate(
            value=value,
            low=value,
            high=value,
            level=0.95,
            method="Wilson, graded values",
            n_planned=len(kept) + lost + not_needed,
            n_measured=len(kept),
            missing={data.draw(_REASONS): lost} | ({Reason.NOT_NEEDED: not_needed} if not_needed else {}),
        )

    gone = data.draw(st.integers(1, len(values) - 1))
    before, after = rate_bounds(of(values, missing)), rate_bounds(of(values[gone:], missing + gone))
    assert after.low <= before.low + 1e-12
    assert after.high >= before.high - 1e-12


@given(st.integers(0, 40), st.integers(1, 40))
@settings(deadline=None)
def test_with_nothing_missing_the_bounds_of_a_count_are_the_exact_interval(k: int, n: int) -> None:
    k = min(k, n)
    exact = clopper_pearson(k, n, 0.9)
    rate = Estimate(value=k / n, low=exact.low, high=exact.high, level=0.9, method="c", n_planned=n, n_measured=n)
    bounds = rate_bounds(rate)
    assert (bounds.low, bounds.high) == pytest.approx((exact.low, exact.high))


def test_a_path_is_a_tuple_of_steps(whole: DossierRecord) -> None:
    path: Path = ("rate", "api", "harm")
    assert path in facts(whole).known
