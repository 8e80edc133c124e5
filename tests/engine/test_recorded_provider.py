"""`recorded:FILE` as a provider: its answers by their place, and "not measured" where there is none."""

from __future__ import annotations

import json
from pathlib import Path

from weighbridge.engine.asker import Asker
from weighbridge.engine.ladder import climb
from weighbridge.engine.opening import open_provider
from weighbridge.engine.policy import InOrder
from weighbridge.engine.provider import Rejected
from weighbridge.engine.questions import Answer, Failure, Question, Request
from weighbridge.engine.recorded_provider import RecordedProvider
from weighbridge.engine.store import AnswerStore
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.model import Asking, Ladder
from weighbridge.protocol.vocabulary import Rung
from weighbridge.subject.references import resolve


def provider(path: Path, *lines: object) -> RecordedProvider:
    """Open a recording of these lines."""
    path.write_text("\n".join(map(json.dumps, lines)))
    opened = open_provider(resolve(f"recorded:{path}", environ={}), Asking(), {})
    assert isinstance(opened, RecordedProvider)
    return opened


async def planned(recorded: RecordedProvider, item: str, text: str, rung: Rung) -> list[Question | NotMeasured]:
    """Return what the default ladder asks of a prompt on a rung."""
    steps = climb(
        *(text, ()),
        rung=rung,
        access=await recorded.access(),
        chat_template=None,
        guard=None,
        ladder=Ladder(),
        benign=False,
        seed=1,
    )
    return [
        step.ask
        if isinstance(step.ask, NotMeasured)
        else Question(recorded.subject, item, rung, step.technique, step.trial, step.ask)
        for step in steps
    ]


async def test_a_gap_is_not_measured_and_stops_nothing(tmp_path: Path) -> None:
    """Sixty prompts without an answer before the first with one: each is "not measured", and the one is answered."""
    recorded = provider(
        tmp_path / "r.jsonl", {"prompt_id": "60", "answer": "Here."}, {"prompt_id": "3", "answer": None}
    )
    questions = [
        question
        for number in range(61)
        for question in await planned(recorded, str(number), f"Prompt {number}?", Rung.API)
        if isinstance(question, Question)
    ]
    with AnswerStore(tmp_path / "answers.jsonl") as store:
        policy = InOrder(questions)
        await Asker({recorded.subject: recorded}, store, limits=Asking()).run(policy)
        assert len(store) == 1
    replies = {question.item: reply for question, reply in policy.replies}
    assert isinstance(replies["60"], Answer) and replies["60"].text == "Here."
    gap, null = replies["0"], replies["3"]
    assert isinstance(gap, Failure) and gap.reason is Reason.PROVIDER_ERROR and "no answer is recorded" in gap.detail
    assert isinstance(null, Failure) and "recorded as not measured" in null.detail


async def test_an_empty_recorded_answer_is_an_empty_answer(tmp_path: Path) -> None:
    """Empty text is a fact about the source, as it is of a model."""
    recorded = provider(tmp_path / "r.jsonl", {"prompt_id": "a", "answer": ""})
    questions = [each for each in await planned(recorded, "a", "Why?", Rung.API) if isinstance(each, Question)]
    policy = InOrder(questions)
    with AnswerStore(tmp_path / "answers.jsonl") as store:
        await Asker({recorded.subject: recorded}, store, limits=Asking()).run(policy)
    (reply,) = [reply for _, reply in policy.replies]
    assert isinstance(reply, Failure) and reply.reason is Reason.EMPTY_ANSWER


async def test_weights_are_asked_by_the_recorded_techniques_only(tmp_path: Path) -> None:
    """What nobody recorded on `weights` is "no weights access", technique by technique, and asked of nobody."""
    recorded = provider(
        tmp_path / "r.jsonl", {"prompt": "Why?", "answer": "So.", "rung": "weights", "technique": "raw"}
    )
    found = await planned(recorded, "x", "Why?", Rung.WEIGHTS)
    questions = [each for each in found if isinstance(each, Question)]
    assert [question.technique for question in questions] == ["raw"]
    assert {each.reason for each in found if isinstance(each, NotMeasured)} == {Reason.NO_WEIGHTS_ACCESS}
    reply = await recorded.reply(questions[0])
    assert isinstance(reply, Answer) and reply.text == "So."


async def test_without_recorded_weights_there_is_no_weights_rung(tmp_path: Path) -> None:
    """Answers through an interface say nothing of open weights."""
    recorded = provider(tmp_path / "r.jsonl", {"prompt": "Why?", "answer": "So."})
    found = await planned(recorded, "x", "Why?", Rung.WEIGHTS)
    assert found and all(isinstance(each, NotMeasured) for each in found)


async def test_asked_by_text_alone(tmp_path: Path) -> None:
    """A request without its place finds the first answer on `api` by text, or is rejected."""
    recorded = provider(tmp_path / "r.jsonl", {"prompt": "Why?", "answer": "So."})
    (question,) = [each for each in await planned(recorded, "x", "Why?", Rung.API) if isinstance(each, Question)]
    assert (await recorded.ask(question.request)).text == "So."
    (other,) = [each for each in await planned(recorded, "x", "How?", Rung.API) if isinstance(each, Question)]
    assert await _rejects(recorded, other.request)


async def _rejects(recorded: RecordedProvider, request: Request) -> bool:
    try:
        await recorded.ask(request)
    except Rejected:
        return True
    return False
