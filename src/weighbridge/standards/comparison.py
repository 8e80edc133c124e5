"""Two sides of rulings, topic by topic: the same model and use under two deployers, and which of them is asked more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from weighbridge.evidence.records import Record
from weighbridge.standards.rulings import RequirementRuling, Ruling, StandardRuling, Strength
from weighbridge.standards.standard import Topic


class Higher(StrEnum):
    """Which side is asked more on a topic. It counts what is asked; how hard each thing is, nobody can count."""

    LEFT = "left"
    RIGHT = "right"
    SAME = "same"
    ONLY_LEFT = "only left"
    ONLY_RIGHT = "only right"


class Placed(Record):
    """One requirement's ruling, and the id of the standard that it is of."""

    standard: str
    ruling: RequirementRuling

    @property
    def asked(self) -> bool:
        """Whether something is asked here: not where it does not apply, nor where it is optional."""
        return self.ruling.ruling is not Ruling.NOT_APPLICABLE and self.ruling.strength is not Strength.OPTIONAL


class Row(Record):
    """One topic. Requirements that do not apply are on their side, too, so that a reader sees which were left out."""

    topic: Topic
    left: tuple[Placed, ...]
    right: tuple[Placed, ...]
    higher: Higher


def side_by_side(left: Sequence[StandardRuling], right: Sequence[StandardRuling]) -> tuple[Row, ...]:
    """Return what both sides are asked, a row for each topic that any of their requirements is about, in the order of `Topic`.

    More is asked where more requirements apply that are required, or may be (their strength was not checked, or whether they apply was not
    declared); where these are as many, where more are recommended. "only left": the right is asked nothing. "same" also where neither is.
    """
    rows = []
    for topic in Topic:
        on_left, on_right = tuple(_placed(left, topic)), tuple(_placed(right, topic))
        if on_left or on_right:
            rows.append(Row(topic=topic, left=on_left, right=on_right, higher=_higher(on_left, on_right)))
    return tuple(rows)


def _placed(rulings: Sequence[StandardRuling], topic: Topic) -> Iterable[Placed]:
    for standard in rulings:
        for one in standard.requirements:
            if one.topic == topic.value:
                yield Placed(standard=standard.standard, ruling=one)


def _higher(left: Sequence[Placed], right: Sequence[Placed]) -> Higher:
    asked_left, asked_right = _asked(left), _asked(right)
    if asked_left == asked_right:
        return Higher.SAME
    if asked_left > asked_right:
        return Higher.LEFT if any(asked_right) else Higher.ONLY_LEFT
    return Higher.RIGHT if any(asked_left) else Higher.ONLY_RIGHT


def _asked(placed: Sequence[Placed]) -> tuple[int, int]:
    """Return how many requirements are asked, and how many of what is only recommended: compared in this order."""
    strengths = [one.ruling.strength for one in placed if one.asked]
    recommended = strengths.count(Strength.RECOMMENDED)
    return len(strengths) - recommended, recommended
