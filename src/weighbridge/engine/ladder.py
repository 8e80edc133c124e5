"""The access ladder: what is asked of a prompt on each rung, or why it cannot be asked there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weighbridge.engine.provider import Access
from weighbridge.engine.questions import Request
from weighbridge.engine.techniques import TECHNIQUES, Attempt, Situation, through_the_interface
from weighbridge.errors import UsageError
from weighbridge.evidence.records import NotMeasured, Reason
from weighbridge.protocol.model import Ladder
from weighbridge.protocol.vocabulary import Rung


@dataclass(frozen=True, slots=True)
class Step:
    """One planned asking of one prompt: technique, trial, and the request or why there is none.

    `prefill` is the opening that was begun for the model, "" where none was: people read it before the answer.
    """

    technique: str
    trial: int
    ask: Request | NotMeasured
    prefill: str = ""


def climb(
    text: str,
    openings: Sequence[str],
    *,
    rung: Rung,
    access: Access,
    chat_template: bool | None,
    guard: str | None,
    ladder: Ladder,
    benign: bool,
    seed: int,
) -> list[Step]:
    """Return every planned step of one prompt on one rung; what cannot be asked is a step that says why.

    `hosted`: the provider's `guard` as system prompt, then the prompt as chat. `api`: the chat alone, or a plain completion
    prompt (technique `plain`) where there is no chat template. `weights`: the ladder's techniques; of benign prompts only
    `twin_techniques`. `modified` is not planned: no steps. The plan of a rung has the same techniques and trials whatever the
    access is, except that the interface's technique is `plain` instead of `chat` without a template.

    `chat_template` is what the files say; where they say nothing (None) the provider's chat interface counts.
    Raises `UsageError` when the ladder names an unknown technique.

    >>> asked = climb("Why is the sky blue?", (), rung=Rung.API, access=Access(chat=True, completion=False, prefill=False),
    ...               chat_template=None, guard=None, ladder=Ladder(), benign=True, seed=1)
    >>> [(step.technique, step.trial) for step in asked]
    [('chat', 0)]
    """
    unknown = sorted(set(ladder.techniques) - set(TECHNIQUES))
    if unknown:
        raise UsageError(
            f"unknown technique: {', '.join(unknown)}",
            where="ladder.techniques",
            do=f"this version knows {', '.join(TECHNIQUES)}",
        )
    situation = Situation(
        text=text,
        openings=tuple(openings),
        chat=access.chat and chat_template is not False,
        ladder=ladder,
        seed=seed,
    )
    if rung is Rung.HOSTED:
        return _hosted(situation, guard)
    if rung is Rung.API:
        return _api(situation, access)
    if rung is Rung.WEIGHTS:
        return _weights(situation, access, ladder.twin_techniques if benign else ladder.techniques)
    return []


def _hosted(situation: Situation, guard: str | None) -> list[Step]:
    attempts = through_the_interface(situation, situation.ladder.api_tries, system=guard)
    if guard is None:
        return _unasked(attempts, Reason.NO_GUARD, "a system prompt file was not given")
    if not situation.chat:
        return _unasked(attempts, Reason.NO_CHAT_TEMPLATE, "a system prompt needs a chat template")
    return _asked(attempts)


def _api(situation: Situation, access: Access) -> list[Step]:
    attempts = through_the_interface(situation, situation.ladder.api_tries)
    if not situation.chat and not access.completion:
        return _unasked(attempts, Reason.NO_CHAT_TEMPLATE, "and no raw completion either")
    return _asked(attempts)


def _weights(situation: Situation, access: Access, names: Sequence[str]) -> list[Step]:
    steps: list[Step] = []
    for name in names:
        technique = TECHNIQUES[name]
        lack = technique.lacks(access, chat=situation.chat) if access.weights else "no raw completion, no prefill"
        for attempt in technique.attempts(situation):
            only = access.techniques
            why = "none by this technique" if only is not None and attempt.technique not in only else None
            if (missing := lack or why) is None:
                steps += _asked([attempt])
            else:
                steps += _unasked([attempt], Reason.NO_WEIGHTS_ACCESS, missing)
    return steps


def _asked(attempts: Iterable[Attempt]) -> list[Step]:
    return [Step(attempt.technique, attempt.trial, attempt.request, attempt.prefill) for attempt in attempts]


def _unasked(attempts: Iterable[Attempt], reason: Reason, detail: str) -> list[Step]:
    why = NotMeasured(reason=reason, detail=detail)
    return [Step(attempt.technique, attempt.trial, why) for attempt in attempts]
