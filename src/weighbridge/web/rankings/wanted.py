"""What an address asks for: which ranking, and which part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

from fastapi import Path
from pydantic import Field, field_validator

from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.reading import Rankings
from weighbridge.registry.rankings.records import Aggregate, Asked, Listed, Of
from weighbridge.web.problems import Problem
from weighbridge.web.site import Site

Hex64 = Annotated[str, Path(description="64 hexadecimal digits of a SHA-256", pattern="^[0-9a-f]{64}$")]

_PART = "rankings"


class Wanted(Asked):
    """The query of a table's address. `of`, `aggregate`: of the rankings at this place, which. `table`: the one whose digest begins so."""

    of: Of = "rate"
    aggregate: Aggregate = "mean"
    table: str | None = Field(default=None, pattern="^[0-9a-f]{12,64}$")

    @field_validator("evaluator", "table", "after", mode="before")
    @classmethod
    def _nothing(cls, given: Any) -> Any:
        """A form that leaves a field empty does not ask for it."""
        return None if given == "" else given

    @field_validator("after", mode="before")
    @classmethod
    def _whole(cls, given: Any) -> Any:
        """Addresses have digests without their prefix."""
        return f"sha256:{given}" if isinstance(given, str) and given and not given.startswith("sha256:") else given

    def asked(self) -> Asked:
        """Return which part of the table."""
        return Asked.model_validate({name: getattr(self, name) for name in Asked.model_fields})


def rankings_of(site: Site) -> Rankings:
    """Return the service's rankings, which keep what they read."""
    if _PART not in site.parts:
        site.parts.setdefault(_PART, Rankings(site.store))
    return cast(Rankings, site.parts[_PART])


def chosen(site: Site, benchmark: str, grader: str, rung: Rung, wanted: Wanted) -> tuple[Listed, tuple[Listed, ...]]:
    """Return the ranking that is asked for, and all at its place. Raises `Problem` 404.

    Where `table` is not given, it is the one with most results.
    """
    there = rankings_of(site).at_place(f"sha256:{benchmark}", f"sha256:{grader}", rung)
    fitting = _fitting(there, wanted)
    if not fitting:
        told = (
            "no signer that is known here has measured this" if there else "nobody whom this registry knows ranked this"
        )
        raise Problem(404, told, do="choose a ranking from the list at /rankings")
    return fitting[0], there


def _fitting(there: Sequence[Listed], wanted: Wanted) -> list[Listed]:
    if wanted.table is not None:
        return [each for each in there if each.digest.removeprefix("sha256:").startswith(wanted.table)]
    return [each for each in there if (each.ranking.of, each.ranking.aggregate) == (wanted.of, wanted.aggregate)]


def subject_asked(text: str) -> str:
    """Return a model as the registry names it: a digest, or `closed:PROVIDER/NAME`. Raises `Problem` 422.

    >>> subject_asked("AB" * 32)[:11]
    'sha256:abab'
    """
    found = text.strip()
    if found.startswith("closed:") and "/" in found and found.isprintable():
        return "closed:" + " ".join(found.removeprefix("closed:").casefold().split())
    digits = found.lower().removeprefix("sha256:")
    if len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits):
        return f"sha256:{digits}"
    raise Problem(422, "not a model", where="a, b", do="give the 64 digits of a root digest, or closed:PROVIDER/NAME")
