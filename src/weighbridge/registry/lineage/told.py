"""A model's kin as JSON and in words: `weighbridge.lineage/1`. Needs no database. Field by field: docs/methods/lineage.md."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field

from weighbridge.digests import Digest
from weighbridge.evidence.records import Record
from weighbridge.registry.lineage.declared import Standing
from weighbridge.registry.lineage.marks import NotMeasured
from weighbridge.registry.lineage.naming import Name
from weighbridge.registry.lineage.orienting import Because, Direction

if TYPE_CHECKING:
    from weighbridge.registry.kin import Lineage

SCHEMA = "weighbridge.lineage/1"

_Number = TypeVar("_Number", int, float)
Share = Annotated[float, Field(ge=0, le=1)]


class Lack(Record):
    """What was not measured, and why."""

    kind: Literal["not measured"] = "not measured"
    reason: str


class KinTold(Record):
    """One model beside the one that was asked about. `probability` of kinship; `differing`: share of the fingerprint's bits that differ."""

    digest: Digest
    label: str
    published_at: datetime | None
    relation: Name
    probability: Share | Lack
    in_words: str
    differing: Share | Lack
    is_kin: bool
    direction: Direction
    because: Because
    declared: Standing
    declared_reason: str
    same_file: bool


class DeclaredTold(Record):
    """What became of one name that the model says it was made from. `digest` null: no model of that name is published here."""

    name: str
    standing: Standing
    reason: str
    digest: Digest | None


class EdgeTold(Record):
    """From a parent to what was made from it."""

    parent: str
    child: str
    because: Because


class LineageTold(Record):
    """What is known of a model's kin. `digest` null: it is not published here. `compared`: with how many models its fingerprint was compared."""

    schema_: Literal["weighbridge.lineage/1"] = Field("weighbridge.lineage/1", alias="schema")
    digest: Digest | None
    label: str
    at: datetime
    compared: int | Lack
    left_out: int
    is_cut: bool
    signer_known: bool
    declared: tuple[DeclaredTold, ...]
    kin: tuple[KinTold, ...]
    edges: tuple[EdgeTold, ...]

    model_config = Record.model_config | {"populate_by_name": True}


def tell(found: Lineage) -> LineageTold:
    """Return a model's kin as a record."""
    return LineageTold(
        digest=found.digest,
        label=found.label,
        at=found.at,
        compared=_or_lack(found.measured),
        left_out=found.left_out,
        is_cut=found.is_cut,
        signer_known=found.signer_known,
        declared=tuple(
            DeclaredTold(name=each.name, standing=each.standing, reason=each.reason, digest=each.digest)
            for each in found.declared
        ),
        kin=tuple(
            KinTold(
                digest=each.digest,
                label=each.label,
                published_at=each.published_at,
                relation=each.relation,
                probability=_or_lack(each.probability),
                in_words=in_words(_or_lack(each.probability)),
                differing=_or_lack(each.differing),
                is_kin=each.is_kin,
                direction=each.direction,
                because=each.because,
                declared=each.declared,
                declared_reason=each.declared_reason,
                same_file=each.same_file,
            )
            for each in found.kin
        ),
        edges=tuple(EdgeTold(parent=each.parent, child=each.child, because=each.because) for each in found.edges),
    )


def in_words(probability: float | Lack) -> str:
    """Return a probability of kinship in words and as a number. Nothing is said beyond 99 %, nor below 1 %.

    >>> in_words(0.99), in_words(0.42), in_words(Lack(reason="there is no fingerprint"))
    ('almost certain (99 % or more)', 'possible (42 %)', 'not measured: there is no fingerprint')
    """
    if isinstance(probability, Lack):
        return f"not measured: {probability.reason}"
    bounds = ((0.99, "almost certain"), (0.9, "very likely"), (0.66, "likely"), (0.33, "possible"), (0.05, "unlikely"))
    word = next((word for bound, word in bounds if probability >= bound), "very unlikely")
    return f"{word} ({percent(probability)})"


def percent(probability: float) -> str:
    """Return a probability in percent, never as 0 or 100.

    >>> percent(0.987), percent(1.0), percent(0.0)
    ('98 %', '99 % or more', '1 % or less')
    """
    whole = min(max(int(probability * 100), 1), 99)
    return f"{whole} %" + {1: " or less", 99: " or more"}.get(whole, "")


def _or_lack(found: _Number | NotMeasured) -> _Number | Lack:
    return Lack(reason=found.reason) if isinstance(found, NotMeasured) else found
