"""What a page shows of a conversation. Of a hidden one nothing that would tell which side is which: that is decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.dossier.untrusted import visible
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.conversations import Conversation, Setting, Side, SideState, Turn
from weighbridge.web.workbench.asking import ONE_CANNOT, ONE_FAILED

SHOWN_LETTERS = 20_000
"""How much of an answer stands on a conversation's page; the rest is a link away."""
_ALIKE = (SideState.INTERRUPTED, SideState.STOPPED, SideState.CUT)
_HIDDEN = "no whole answer, and to say why would tell which model it is"
TECHNIQUES = {
    "prefill": "the reply is begun for it",
    "raw": "no chat template",
    "sampling": "the decoding is chosen",
}


@dataclass(frozen=True)
class Sample:
    """One answer as it is shown. `letters`: how long it is; `shown`: how much of it stands in `text`, before what is invisible was written out.

    `technique` and `weights` (a digest) are None where they are not to be told, or there is none. `earlier`: attempts that ended without an answer.
    """

    id: str
    trial: int
    state: str
    is_open: bool
    text: str
    letters: int
    shown: int
    prefill: str
    problem: str | None
    advice: str | None
    at_limit: bool
    technique: str | None
    weights: str | None
    can_be_asked_again: bool
    earlier: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Pane:
    """A side: its letter, its model's name where that may be told, and its samples."""

    letter: str
    name: str | None
    role: str | None
    samples: tuple[Sample, ...]

    @property
    def weights(self) -> str | None:
        """The digest of the weights that answered, where it may be told and there is one."""
        return next((sample.weights for sample in self.samples if sample.weights), None)


@dataclass(frozen=True)
class TurnView:
    """A turn as it is shown."""

    id: str
    number: int
    text: str
    how: str
    is_open: bool
    panes: tuple[Pane, ...]


def turn_view(conversation: Conversation, turn: Turn) -> TurnView:
    """Return what a page shows of a turn: of each answer the first `SHOWN_LETTERS`."""
    return TurnView(
        id=turn.id,
        number=turn.number,
        text=_whole(turn.text),
        how=in_words(turn.setting),
        is_open=turn.is_open,
        panes=tuple(_pane(conversation, turn, letter) for letter in conversation.letters),
    )


def whole_sample(conversation: Conversation, side: Side) -> Sample:
    """Return one answer with all its text."""
    return _sample(conversation, side, (), len(side.text))


def in_words(setting: Setting) -> str:
    """Return how a turn is asked.

    >>> in_words(Setting(rung=Rung.WEIGHTS, technique="sampling", temperature=1.3, top_k=40, tries=2))
    'weights: the decoding is chosen (temperature 1.3, top-k 40, 2 samples)'
    """
    if setting.rung is not Rung.WEIGHTS:
        return f"{setting.rung.value}: {setting.rung.label}"
    said = f"weights: {TECHNIQUES[setting.technique]}"
    if setting.technique == "prefill":
        return f"{said} (“{_whole(setting.opening)}”)" if setting.opening else f"{said} (a general opening)"
    if setting.technique == "sampling":
        parts = [f"temperature {setting.temperature:g}"]
        parts += [f"top-p {setting.top_p:g}"] if setting.top_p is not None else []
        parts += [f"top-k {setting.top_k}"] if setting.top_k is not None else []
        parts += [f"{setting.tries} samples"] if setting.tries > 1 else []
        return f"{said} ({', '.join(parts)})"
    return said


def shown_piece(text: str) -> str:
    """Return some of an answer as it is shown: its lines, and whatever is invisible or turns the reading round written out."""
    return text if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable() else _whole(text)


def _whole(text: str) -> str:
    return visible(text, len(text) + 1)


def _pane(conversation: Conversation, turn: Turn, letter: str) -> Pane:
    hidden, model = conversation.hidden, conversation.model(letter)
    attempts: dict[int, list[Side]] = {}
    for side in turn.sides:
        if side.letter == letter:
            attempts.setdefault(side.trial, []).append(side)
    return Pane(
        letter=letter,
        name=None if hidden else model.name,
        role=None if hidden else "candidate" if letter == conversation.candidate_is else "baseline",
        samples=tuple(_sample(conversation, sides[-1], sides[:-1]) for sides in attempts.values()),
    )


def _sample(conversation: Conversation, side: Side, earlier: Sequence[Side], most: int = SHOWN_LETTERS) -> Sample:
    hidden = conversation.hidden
    problem, advice = side.problem, side.advice
    if hidden and problem not in (None, ONE_CANNOT, ONE_FAILED) and side.state not in _ALIKE:
        problem, advice = _HIDDEN, "ask again, or reveal which is which"
    return Sample(
        id=side.id,
        trial=side.trial,
        state=side.state.value,
        is_open=side.state.is_open,
        text=shown_piece(side.text[:most]),
        letters=len(side.text),
        shown=min(len(side.text), most),
        prefill=_whole(side.prefill),
        problem=None if problem is None else _whole(problem),
        advice=None if advice is None else _whole(advice),
        at_limit=side.finish == "length",
        technique=None if hidden else side.technique,
        weights=None if hidden or not (side.subject or "").startswith("sha256:") else side.subject,
        can_be_asked_again=side.can_be_asked_again,
        earlier=tuple(_sample(conversation, each, ()) for each in earlier),
    )
