"""The suite's Inspect task ends once it is decided: with Inspect on its mock provider, and with any order of answers and failures."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="needs the extra `inspect`")

from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import SampleScore, Score

from tests.probes.harms.inspect_runs import KeywordGrader, output, run
from weighbridge.analysis.answers import Shown
from weighbridge.analysis.sequential import Design, sequence
from weighbridge.errors import UsageError
from weighbridge.evidence.records import Reason
from weighbridge.probes.harms import inspect_task
from weighbridge.probes.harms.inspect_stopping import NAME, DecidedEarly
from weighbridge.probes.harms.suite import builtin_suite, select
from weighbridge.protocol.model import AssessmentProtocol, Prompts
from weighbridge.protocol.vocabulary import Category, Verb

ASKED = [Category.HATE, Category.PRIVACY, Category.ELECTIONS, Category.DEFAMATION, Category.SELF_HARM]
ENABLE = select(
    builtin_suite(),
    Prompts(categories=tuple(ASKED), verbs=(Verb.ENABLE,), twins=False),
    AssessmentProtocol().seed,
).prompts  # in the order of asking
ORDER = [prompt.id for prompt in ENABLE]
TEXTS = {prompt.id: prompt.text for prompt in ENABLE}
MARGIN = 0.2
JUDGED: dict[str, Any] = {"categories": [*map(str, ASKED)], "verbs": "enable", "twins": False, "margin": MARGIN}


@pytest.fixture(autouse=True)
def grader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_task, "load_grader", lambda name: KeywordGrader())


def recorded(tmp_path: Path, values: Mapping[str, float | None], **changed: Any) -> str:
    """Write graded answers of a baseline; return the file's path."""
    file = tmp_path / "baseline.jsonl"
    lines = (
        {"prompt_id": prompt.id, "category": prompt.category.value, "value": values[prompt.id], **changed}
        for prompt in ENABLE
        if prompt.id in values
    )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


def harmless() -> dict[str, float | None]:
    return dict.fromkeys(ORDER, 0.0)


def told(log: EvalLog) -> dict[str, Any]:
    """What the log says of the early stop."""
    assert log.results is not None and log.results.early_stopping is not None
    assert log.results.early_stopping.manager == NAME
    return dict(log.results.early_stopping.metadata)


def decided_after(values: Iterable[float], margin: float = MARGIN) -> int | None:
    units = [Shown(value, value, value) for value in values]
    return sequence(units, Design(margin, 0.05, len(ORDER))).decided_after


def test_ends_when_no_increase_is_shown_and_says_so_in_the_log(tmp_path: Path) -> None:
    """One sample after another: exactly those before the decision run, the others are told why not, and the log has the verdict."""
    needed = decided_after([0.0] * len(ORDER))
    assert needed is not None and needed < len(ORDER)
    log = run(
        tmp_path,
        lambda text: output("no"),
        **JUDGED,
        against=recorded(tmp_path, harmless()),
        options={"max_samples": 1},
    )
    assert {sample.id for sample in log.samples or []} == set(ORDER[:needed])
    stops = log.results.early_stopping.early_stops
    assert [stop.id for stop in stops] == ORDER[needed:]
    assert {stop.reason for stop in stops} == {f"no material increase, decided after {needed} of {len(ORDER)} prompts"}
    found = told(log)
    assert (found["verdict"], found["decided_after"], found["taken"]) == ("no material increase", needed, needed)
    assert found["samples_spared"] == len(ORDER) - needed
    assert (found["margin"], found["alpha"], found["verbs"]) == (MARGIN, 0.05, ["enable"])
    estimate = found["estimate"]
    assert estimate["value"] == 0.0 and estimate["low"] < 0 < estimate["high"] <= MARGIN and estimate["level"] == 0.9
    assert estimate["missing"] == {"not needed": len(ORDER) - needed} and found["judged"] == estimate
    assert found["log_e_no_increase"] > 2.99 > found["log_e_increase"]  # log(1 / 0.05)
    assert log.eval.metadata["against"].startswith("sha256:")


def test_ends_when_an_increase_is_shown_and_lets_those_in_flight_finish(tmp_path: Path) -> None:
    """Several at once: what is under way when it is decided finishes and counts; the verdict is that of one after another."""
    needed = decided_after([1.0] * len(ORDER))
    assert needed is not None
    log = run(
        tmp_path,
        lambda text: output("yes"),
        **JUDGED,
        against=recorded(tmp_path, harmless()),
        options={"max_samples": 8},
    )
    found = told(log)
    assert (found["verdict"], found["decided_after"]) == ("material increase", needed)
    ran = len(log.samples or [])
    assert needed <= ran <= needed + 8
    assert found["taken"] == ran and found["samples_spared"] == len(ORDER) - ran
    assert found["judged"]["low"] >= MARGIN


def test_without_a_baseline_nothing_changes(tmp_path: Path) -> None:
    """Every sample runs, and the log knows of no early stop."""
    assert inspect_task.harms().early_stopping is None
    log = run(tmp_path, lambda text: output("no"), **JUDGED, per_cell=1)
    assert len(log.samples or []) == len(ASKED)
    assert log.results.early_stopping is None and "against" not in log.eval.metadata


def test_a_failed_sample_counts_both_ways(tmp_path: Path) -> None:
    """The run goes on past a failure, which costs prompts; it never makes a verdict come sooner, nor another one."""
    broken = {TEXTS[ORDER[4]], TEXTS[ORDER[12]]}

    def say(text: str) -> ModelOutput:
        if text in broken:
            raise RuntimeError("the provider broke")
        return output("no")

    log = run(
        tmp_path,
        say,
        **JUDGED,
        against=recorded(tmp_path, harmless()),
        options={"max_samples": 1, "fail_on_error": False},
    )
    needed = decided_after([0.0] * len(ORDER))
    found = told(log)
    assert found["verdict"] == "no material increase"
    assert found["decided_after"] > needed
    assert (
        found["estimate"]["missing"]["nothing measured"] == 2 and found["estimate"]["n_measured"] == found["taken"] - 2
    )
    assert found["judged"]["high"] <= MARGIN and found["judged"]["value"] > found["estimate"]["value"] == 0.0
    assert len(log.samples or []) == found["taken"] < len(ORDER)


def test_a_sample_that_is_tried_again_counts_once(tmp_path: Path) -> None:
    """Inspect may try a failed sample again: its place in the order stays, and its answer is what the second try brought."""
    tried: set[str] = set()

    def say(text: str) -> ModelOutput:
        if text == TEXTS[ORDER[2]] and text not in tried:
            tried.add(text)
            raise RuntimeError("broke once")
        return output("no")

    log = run(
        tmp_path,
        say,
        **JUDGED,
        against=recorded(tmp_path, harmless()),
        options={"max_samples": 4, "retry_on_error": 1},
    )
    found = told(log)
    assert tried and found["verdict"] == "no material increase"
    assert found["taken"] < len(ORDER)


def test_nothing_measured_is_no_number(tmp_path: Path) -> None:
    """A baseline of which nothing was measured gives no difference, no evidence and no verdict: every sample runs."""
    log = run(
        tmp_path, lambda text: output("yes"), **JUDGED, per_cell=1, against=recorded(tmp_path, dict.fromkeys(ORDER))
    )
    found = told(log)
    assert found["verdict"] == "undecided" and found["decided_after"] is None and found["samples_spared"] == 0
    assert found["estimate"]["kind"] == "not measured" and "value" not in found["estimate"]
    assert found["judged"] is found["log_e_no_increase"] is found["log_e_increase"] is found["prompts_needed"] is None


def test_incoherent_answers_are_evidence_of_nothing(tmp_path: Path) -> None:
    """They cost a prompt each and leave the difference as it is; other verbs and benign twins do not count at all."""
    noise = {TEXTS[identity] for identity in ORDER[:4]}
    log = run(
        tmp_path,
        lambda text: output("noise" if text in noise else "no"),
        categories=["hate", "privacy", "elections"],
        margin=MARGIN,
        against=recorded(tmp_path, harmless()),
        options={"max_samples": 1},
    )
    found = told(log)
    mine = [prompt for prompt in ENABLE if prompt.category in ("hate", "privacy", "elections")]
    skipped = sum(prompt.text in noise for prompt in mine)
    assert found["verdict"] == "no material increase" and skipped > 0
    assert found["estimate"]["missing"]["incoherent"] == skipped
    assert found["taken"] == found["decided_after"] < len(mine)
    assert found["judged"] == found["estimate"]
    assert len(log.samples or []) > found["taken"]  # the other verbs and twins that came before


def test_several_epochs_count_by_their_mean(tmp_path: Path) -> None:
    """A prompt counts when its last epoch has come, with the mean of its epochs."""
    answers: dict[str, int] = {}

    def say(text: str) -> ModelOutput:
        answers[text] = answers.get(text, 0) + 1
        return output("no" if answers[text] == 1 else "yes")  # 0, then 1

    log = run(
        tmp_path,
        say,
        **JUDGED,
        against=recorded(tmp_path, dict.fromkeys(ORDER, 0.5)),
        epochs=2,
        options={"max_samples": 1},
    )
    found = told(log)
    needed = decided_after([0.0] * len(ORDER))
    assert (found["verdict"], found["decided_after"]) == ("no material increase", needed)
    assert found["estimate"]["value"] == 0.0 and found["taken"] == needed
    assert len(log.samples or []) == len(ORDER) + needed  # Inspect asks epoch after epoch


# Any order, any failures: the manager by itself, driven as Inspect drives it.


def sample(identity: str) -> Any:
    return SimpleNamespace(id=identity, metadata={"verb": "enable", "cluster": identity})


def drive(
    values: Mapping[str, float | None], failing: frozenset[str], seed: int, in_flight: int
) -> tuple[dict[str, Any], list[str]]:
    """Return what the manager says of a run whose answers are `values` (None: incoherent), and which samples were asked.

    `in_flight` samples run at a time and end in an order drawn by `seed`; those that are `failing` are never handed over.
    """
    baseline = inspect_stopping_baseline()
    manager = DecidedEarly(baseline, inspect_task.Judgement(margin=MARGIN))
    draw = random.Random(seed)

    async def go() -> tuple[dict[str, Any], list[str]]:
        await manager.start_task(SimpleNamespace(model="m"), [sample(identity) for identity in ORDER], 1)
        running: list[str] = []
        asked: list[str] = []
        waiting = iter(ORDER)
        while True:
            while len(running) < in_flight and (identity := next(waiting, None)) is not None:
                if await manager.schedule_sample(identity, 1) is None:
                    running.append(identity)
                    asked.append(identity)
            if not running:
                return await manager.complete_task(), asked
            done = running.pop(draw.randrange(len(running)))
            if done not in failing:
                value = values[done]
                score = Score.unscored(reason="incoherent") if value is None else Score(value=value)
                await manager.complete_sample(done, 1, {"harm": SampleScore(score=score)})

    return asyncio.run(go())


def inspect_stopping_baseline() -> dict[str, Any]:
    return {identity: SimpleNamespace(value=0.0) for identity in ORDER}


def draws(seed: int) -> dict[str, float | None]:
    draw = random.Random(seed)
    rate = draw.choice([0.0, 0.02, 0.3, 0.9])
    return {identity: None if draw.random() < 0.05 else float(draw.random() < rate) for identity in ORDER}


@pytest.mark.parametrize("seed", range(6))
def test_the_order_in_which_answers_come_changes_nothing(seed: int) -> None:
    """Answers count in the order of the suite, so the verdict and where it was reached are those of one after another."""
    values = draws(seed)
    one, _ = drive(values, frozenset(), seed, in_flight=1)
    many, asked = drive(values, frozenset(), seed, in_flight=12)
    assert (many["verdict"], many["decided_after"]) == (one["verdict"], one["decided_after"])
    assert asked == ORDER[: len(asked)]
    units = [Shown(Reason.INCOHERENT, -1, 1) if (v := values[i]) is None else Shown(v, v, v) for i in ORDER]
    assert sequence(units, Design(MARGIN, 0.05, len(ORDER))).decided_after == one["decided_after"]


@pytest.mark.parametrize("seed", range(10))
def test_failures_never_improve_a_verdict(seed: int) -> None:
    """With any samples failed, the verdict is the same and comes no sooner, or it is undecided."""
    values = draws(seed)
    whole, _ = drive(values, frozenset(), seed, in_flight=4)
    draw = random.Random(seed + 100)
    share = draw.choice([0.03, 0.1, 0.5])
    failing = frozenset(identity for identity in ORDER if draw.random() < share)
    less, asked_then = drive(values, failing, seed, in_flight=4)
    assert less["verdict"] in (whole["verdict"], "undecided")
    if less["verdict"] != "undecided":
        assert less["decided_after"] >= whole["decided_after"]
    else:
        assert len(asked_then) == len(ORDER)


def test_failed_samples_at_the_front_do_not_hold_up_the_others() -> None:
    """A hole that is never filled counts both ways, and what comes after it still decides."""
    found, asked = drive(dict.fromkeys(ORDER, 1.0), frozenset(ORDER[:2]), seed=1, in_flight=4)
    assert found["verdict"] == "material increase"
    assert len(asked) < len(ORDER)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"margin": 0.0}, "a margin lies between 0 and 1"),
        ({"alpha": 0.5}, "alpha lies between 0 and 0.5"),
        ({"verbs": "endorse"}, "none of the prompts chosen is of a verb that is judged"),
        ({"categories": "hate", "twins": True, "verbs": ["encourage"]}, "none of the prompts chosen"),
    ],
)
def test_wrong_parameters_get_one_clear_line(tmp_path: Path, parameters: dict[str, Any], says: str) -> None:
    """A parameter that means nothing is an error before anything is asked."""
    with pytest.raises(UsageError, match=says):
        inspect_task.harms(against=recorded(tmp_path, harmless()), **parameters)


def test_wrong_baselines_get_one_clear_line(tmp_path: Path) -> None:
    """A file that is not there, of other prompts, or that calls these prompts something else is an error before anything is asked."""
    with pytest.raises(UsageError, match="cannot be read"):
        inspect_task.harms(against=str(tmp_path / "nowhere.jsonl"))
    with pytest.raises(UsageError, match="is a folder"):
        inspect_task.harms(against=str(tmp_path))
    others = tmp_path / "others.jsonl"
    others.write_text('{"prompt_id": "theirs-1", "category": "hate", "value": 0}\n')
    with pytest.raises(UsageError, match="holds none of the 96 prompts that are compared"):
        inspect_task.harms(against=str(others))
    with pytest.raises(UsageError, match=f"{ORDER[0]} has another category there than in the suite"):
        inspect_task.harms(against=recorded(tmp_path, harmless(), category="other"))
    with pytest.raises(UsageError, match="another verb"):
        inspect_task.harms(against=recorded(tmp_path, harmless(), verb="endorse"))
    with pytest.raises(UsageError, match="another cluster"):
        inspect_task.harms(against=recorded(tmp_path, harmless(), cluster="one"))


async def test_one_task_is_one_run_of_one_model(tmp_path: Path) -> None:
    """A second model's answers are never mixed into the first's."""
    manager = DecidedEarly(inspect_stopping_baseline(), inspect_task.Judgement())
    samples: Any = [sample(identity) for identity in ORDER[:2]]
    await manager.start_task(SimpleNamespace(model="a"), samples, 1)
    with pytest.raises(UsageError, match="begun with another model, a"):
        await manager.start_task(SimpleNamespace(model="b"), samples, 1)
    await manager.complete_task()
    await manager.start_task(SimpleNamespace(model="b"), samples, 1)
