"""One turn of a conversation on a rung of the ladder: the ladder's own steps, with what was said before put in front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from weighbridge.engine.ladder import Step, climb
from weighbridge.engine.provider import Access
from weighbridge.engine.questions import Chat, Completion, Message, Request
from weighbridge.engine.techniques import plain_prompt
from weighbridge.evidence.records import NotMeasured
from weighbridge.protocol.model import Ladder, Sampling
from weighbridge.protocol.vocabulary import Rung

RAW = "raw"


def turn_steps(
    text: str,
    said: Sequence[tuple[str, str]],
    *,
    rung: Rung,
    technique: str,
    opening: str,
    sampling: Sampling,
    max_tokens: int,
    seed: int,
    access: Access,
    chat_template: bool | None,
    guard: str | None,
) -> list[Step]:
    """Return what is asked of one model in one turn: one step, or one for each of the tries of `sampling`.

    `said`: what was said before, pairs of a person's words and the answer. `technique` counts on the rung `weights` only: `prefill` with `opening`, or a
    general one where it is empty; `sampling`; `raw`, which leaves out the template and with it what was said before. What cannot be asked says why.

    >>> [step] = turn_steps("And red?", [("Is the sky blue?", "Yes.")], rung=Rung.API, technique="chat", opening="", sampling=Sampling(),
    ...     max_tokens=64, seed=1, access=Access(chat=True, completion=False, prefill=False), chat_template=None, guard=None)
    >>> [message.content for message in step.ask.body.messages]
    ['Is the sky blue?', 'Yes.', 'And red?']
    """
    ladder = Ladder(
        techniques=(technique,) if rung is Rung.WEIGHTS else (), prefills=1, sweep=(sampling,), max_tokens=max_tokens
    )
    steps = climb(
        text,
        (opening,),
        rung=rung,
        access=access,
        chat_template=chat_template,
        guard=guard,
        ladder=ladder,
        benign=False,
        seed=seed,
    )
    return [step if step.technique == RAW else _after(step, said) for step in steps]


def _after(step: Step, said: Sequence[tuple[str, str]]) -> Step:
    if isinstance(step.ask, NotMeasured):
        return step
    return replace(step, ask=_with_history(step.ask, said))


def _with_history(request: Request, said: Sequence[tuple[str, str]]) -> Request:
    body = request.body
    if isinstance(body, Completion):
        earlier = "".join(f"{plain_prompt(words)} {answer.strip()}\n" for words, answer in said)
        return replace(request, body=Completion(earlier + body.prompt))
    *guard, last = body.messages
    messages = guard
    for words, answer in said:
        messages += (Message("user", words), Message("assistant", answer))
    return replace(request, body=Chat((*messages, last), body.prefill))
