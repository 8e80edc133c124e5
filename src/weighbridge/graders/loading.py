"""From a grader's name in a protocol to the grader.

    offline                     rules and two small models that ship with the package
    judge:MODEL                 any model that follows the rubric
    guard:VERSION@MODEL         a model of the Llama Guard family, of version 1, 2, 3, 3-1B or 4
    ensemble:NAME+NAME[+...]    all of these together, by the median; ensemble:mean:NAME+NAME by the mean

MODEL is any model reference. Finding a model and opening it is the caller's part (`opening.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from weighbridge.errors import UsageError
from weighbridge.graders.ensemble import RULES, EnsembleGrader, Rule
from weighbridge.graders.grade import Grader
from weighbridge.graders.guard.versions import guard_version
from weighbridge.graders.judge.grader import Ask, JudgeGrader

GRADERS = ('"offline"', '"judge:MODEL"', '"guard:VERSION@MODEL"', '"ensemble:NAME+NAME"')
_NEXT_MEMBER = re.compile(r"\+(?=offline(?:\+|$)|judge:|guard:|ensemble:)")


@dataclass(frozen=True)
class GraderName:
    """A grader's name, taken apart. `model` is a model reference; `members` and `rule` are an ensemble's."""

    kind: Literal["offline", "judge", "guard", "ensemble"]
    model: str = ""
    version: str = ""
    members: tuple[GraderName, ...] = ()
    rule: Rule = "median"

    def models(self) -> Iterator[str]:
        """Yield the reference of each model that must be opened, each once."""
        yield from dict.fromkeys(
            [self.model] * bool(self.model) + [model for member in self.members for model in member.models()]
        )


@dataclass(frozen=True)
class OpenModel:
    """A model that a grader may ask. `subject` is its identity, `label` its name for people; `raw`: it takes raw completion."""

    ask: Ask
    subject: str
    label: str
    raw: bool = False


def parse_name(name: str) -> GraderName:
    """Return `name` taken apart. Raises `UsageError` with what is wrong and what there is.

    >>> parse_name("ensemble:offline+guard:3@http://localhost:8080/v1#guard").members[1].version
    '3'
    >>> parse_name("crystal ball")
    Traceback (most recent call last):
    weighbridge.errors.UsageError: there is no grader called 'crystal ball'; choose one of: "offline", "judge:MODEL", "guard:VERSION@MODEL", "ensemble:NAME+NAME"
    """
    if name == "offline":
        return GraderName("offline")
    kind, _, rest = name.partition(":")
    if kind == "judge":
        if not rest.strip():
            raise UsageError("the judge needs a model", where=name, do="name one, as in judge:MODEL")
        return GraderName("judge", model=rest)
    if kind == "guard":
        version, _, model = rest.partition("@")
        if not version.strip() or not model.strip():
            raise UsageError("a guard needs its version and a model", where=name, do="name both, as in guard:3@MODEL")
        guard_version(version)
        return GraderName("guard", model=model, version=version)
    if kind == "ensemble":
        return _ensemble(name, rest)
    raise UsageError(f"there is no grader called {name!r}", do=f"choose one of: {', '.join(GRADERS)}")


def _ensemble(name: str, rest: str) -> GraderName:
    rule: Rule = "median"
    for known in RULES:
        if rest.startswith(f"{known}:"):
            rule, rest = known, rest.removeprefix(f"{known}:")
    members = tuple(parse_name(member) for member in _NEXT_MEMBER.split(rest))
    if any(member.kind == "ensemble" for member in members):
        raise UsageError("an ensemble cannot hold another", where=name, do="name the members of both in one")
    if len(members) < 2:
        raise UsageError(
            "an ensemble has at least two members", where=name, do="name them as in ensemble:offline+judge:MODEL"
        )
    return GraderName("ensemble", members=members, rule=rule)


def load_grader(name: str | GraderName, models: Mapping[str, OpenModel] | None = None) -> Grader:
    """Return the grader called `name`, whose models are open in `models`, by the references that the name gives.

    Raises `UsageError` for a name that does not exist or a model that was not opened, and `GraderError` when the offline
    grader's weights cannot be read.
    """
    parsed = parse_name(name) if isinstance(name, str) else name
    if parsed.kind == "offline":
        from weighbridge.graders.offline.grader import OfflineGrader

        return OfflineGrader()
    if parsed.kind == "ensemble":
        return EnsembleGrader([load_grader(member, models) for member in parsed.members], parsed.rule)
    opened = (models or {}).get(parsed.model)
    if opened is None:
        raise UsageError(f"the {parsed.kind}'s model was not opened", where=parsed.model, do="give it in `models`")
    if parsed.kind == "judge":
        return JudgeGrader(opened.ask, opened.subject, opened.label)

    from weighbridge.graders.guard.grader import GuardGrader

    return GuardGrader(opened.ask, parsed.version, opened.subject, opened.label, raw=opened.raw)
