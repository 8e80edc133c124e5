"""Rules: a standard over what is known, at one time, under what was declared. Pure; the same input gives the same ruling.

The second law rests on three things: conditions are monotone (`cel.evaluation`), a name without evidence has no value, and one attestation
alone speaks to a requirement. So less evidence can make "met" or "not met" into "not shown", and never the reverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial

from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.cel.evaluation import Known, Value, evaluate, truth
from weighbridge.standards.cel.explaining import deciding
from weighbridge.standards.cel.syntax import Expression, Name, children, dotted, parse
from weighbridge.standards.cel.values import Between, Unknown
from weighbridge.standards.facts import Fact, Facts, Path, Said, Testimony, in_future, unknown_of
from weighbridge.standards.names import named
from weighbridge.standards.rulings import (
    Lacking,
    LevelRuling,
    RequirementRuling,
    Ruling,
    StandardRuling,
    Strength,
    Used,
    over_all,
)
from weighbridge.standards.standard import Attested, Requirement, Standard

Declared = Mapping[str, str | bool | float]
"""What the caller declares, by name without `context.`."""

_Ruled = partial[RequirementRuling]
_REMARKS = {
    Provenance.SECONDARY: "read in a secondary source, not in the source itself",
    Provenance.UNVERIFIED: "not checked against the source",
    Provenance.NOBODY_LOOKED: "nobody has looked this up in the source",
}
_UNCHECKED_CELL = "how much the source asks for this here was not checked"


def rule(
    standard: Standard, facts: Facts, context: Declared, *, at: datetime, superseded_by: str | None = None
) -> StandardRuling:
    """Return what `standard` says of the subject of `facts` as of `at` under `context`.

    Requirements that are recommended or optional are ruled on and do not count for the whole; of those that are asked for to an extent
    that nobody checked, a "not met" counts as "not shown". A standard with levels is met when the level that was declared is (`level_asked`),
    else when its lowest is.
    """
    scope = _Scope(facts, context, at, timedelta(days=standard.max_age_days) if standard.max_age_days else None)
    whole = _applies(standard.when, scope)
    rulings = tuple(_rule_one(standard, one, scope, whole) for one in standard.requirements)
    counted = {one.requirement: _counted(one) for one in rulings}
    levels, reached = _levels(standard, counted, whole) if whole is not False else ((), None)
    asked = _asked(standard, levels, context) if levels else None
    found = asked.ruling if asked else Ruling.NOT_SHOWN if levels else over_all(counted.values())
    in_force = standard.in_force.on(at.date())
    return StandardRuling(
        standard=standard.id,
        title=standard.title,
        publisher=standard.publisher,
        version=standard.version,
        standard_digest=standard.digest,
        in_force=in_force,
        superseded_by=superseded_by,
        subject=facts.subject,
        dossier=facts.dossier,
        at=at,
        context={name: _shown(value) for name, value in sorted(context.items())},
        ruling=found,
        because=_because_of_all(standard, rulings, whole, asked),
        requirements=rulings,
        levels=levels,
        reached=reached,
        notes=(*_notes(standard, in_force, superseded_by), *standard.notes),
    )


@dataclass(frozen=True)
class _Scope:
    """What one ruling is made over."""

    facts: Facts
    context: Declared
    at: datetime
    max_age: timedelta | None

    def known(self, max_age: timedelta | None = None) -> Known:
        """Return what a condition may read, with evidence no older than `max_age`."""

        def find(path: Path) -> Value:
            if path[0] == "context":
                value = self.context.get(path[1]) if len(path) == 2 else None
                return unknown_of(path) if value is None else value
            fact = self.facts.find(path, at=self.at, max_age=max_age or self.max_age)
            return fact.value if isinstance(fact, Fact) else unknown_of(path)

        return find


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> Expression:
    return parse(text)


def _applies(condition: str | None, scope: _Scope) -> bool | Unknown:
    return True if condition is None else truth(evaluate(_parsed(condition), scope.known()))


def _rule_one(standard: Standard, one: Requirement, scope: _Scope, whole: bool | Unknown) -> RequirementRuling:
    strength, remarks = _strength(one, scope)
    ruled = partial(
        RequirementRuling,
        requirement=one.id,
        title=one.title,
        says=one.says,
        topic=one.topic.value,
        strength=strength,
        cited=f"{one.cites.document or standard.source.document}, {one.cites.section}",
        provenance=one.provenance,
        remarks=(*([one.remark] if one.remark else []), *_warnings(one, scope), *remarks),
    )
    applies = whole if whole is not True else _applies(one.when, scope)
    if applies is False:
        when = one.when if whole is True else standard.when
        return ruled(ruling=Ruling.NOT_APPLICABLE, because=f"does not apply: asked where {when}")
    if isinstance(applies, Unknown):
        lacking = _lacking(applies, scope, None)
        wanted = " and ".join(name.removeprefix("context.") for name in sorted(applies.absent)) or "what it depends on"
        return ruled(
            ruling=Ruling.NOT_SHOWN,
            because=f"whether it applies depends on what was not declared: {wanted}",
            would_change=tuple(missing.why for missing in lacking),
            lacking=lacking,
        )
    if one.attested is not None:
        return _by_testimony(standard, one, one.attested, scope, ruled)
    return _by_condition(one, scope, ruled)


def _strength(one: Requirement, scope: _Scope) -> tuple[Strength, list[str]]:
    """Return how much is asked here, and what a reader must see of it. A cell that may hold or not is unknown."""
    remarks = [_REMARKS[one.provenance]] if one.provenance in _REMARKS else []
    strength, provenance = one.strength, one.provenance
    for cell in one.cells:
        holds = _applies(cell.when, scope)
        if holds is not False:
            strength = cell.strength if holds is True else Strength.UNKNOWN
            provenance = cell.provenance if holds is True else Provenance.NOBODY_LOOKED
            break
    if strength is Strength.UNKNOWN or (one.cells and provenance in (Provenance.UNVERIFIED, Provenance.NOBODY_LOOKED)):
        remarks.append(_UNCHECKED_CELL)
    return strength, remarks


def _warnings(one: Requirement, scope: _Scope) -> tuple[str, ...]:
    """Return what the evidence shows that a reader must see beside the ruling, whatever the ruling is."""
    if one.warns is None:
        return ()
    known = scope.known(timedelta(days=one.max_age_days) if one.max_age_days else None)
    return (one.warns.says,) if truth(evaluate(_parsed(one.warns.when), known)) is True else ()


def _by_condition(one: Requirement, scope: _Scope, ruled: _Ruled) -> RequirementRuling:
    assert one.condition is not None
    expression = _parsed(one.condition)
    known = scope.known(timedelta(days=one.max_age_days) if one.max_age_days else None)
    found = truth(evaluate(expression, known))
    ruling = Ruling.NOT_SHOWN if isinstance(found, Unknown) else Ruling.MET if found else Ruling.NOT_MET
    lesser = ruling is Ruling.NOT_MET and one.partly is not None and truth(evaluate(_parsed(one.partly), known)) is True
    parts = deciding(expression, known)
    lacking = _lacking(found, scope, one.max_age_days) if isinstance(found, Unknown) else ()
    return ruled(
        ruling=ruling,
        partial=lesser,
        because=_because(found, parts, lacking, scope),
        would_change=_would_change(one, found, parts, lacking),
        used=_used(expression, scope, one.max_age_days),
        lacking=lacking,
    )


def _because(
    found: bool | Unknown, parts: Sequence[tuple[str, bool | Unknown]], lacking: Sequence[Lacking], scope: _Scope
) -> str:
    if isinstance(found, Unknown):
        said = []
        if found.absent:
            names = [missing.name for missing in lacking if missing.name in found.absent]
            said.append(f"no evidence of {_listed(names)}")
        if found.undecided:
            shown = [f"{name} is {_shown_of(name, scope)}" for name in sorted(found.undecided)]
            said.append(
                f"the evidence does not decide: {_listed(shown)}, asked: {_listed([text for text, _ in parts])}"
            )
        said.extend(f"cannot be computed ({fault})" for fault in sorted(found.faults))
        return "; ".join(said)
    texts = _listed([text for text, _ in parts])
    return f"the evidence shows {texts}" if found else f"the evidence is against {texts}"


def _would_change(
    one: Requirement,
    found: bool | Unknown,
    parts: Sequence[tuple[str, bool | Unknown]],
    lacking: Sequence[Lacking],
) -> tuple[str, ...]:
    if isinstance(found, Unknown):
        return tuple(dict.fromkeys([*([one.lacking] if one.lacking else []), *(missing.why for missing in lacking)]))
    if found:
        age = (f"no new weighing within {one.max_age_days} days",) if one.max_age_days else ()
        return (*(f"{text} no longer holds" for text, _ in parts), *age)
    return tuple(f"{text} would have to hold" for text, _ in parts)


def _lacking(found: Unknown, scope: _Scope, max_age_days: int | None) -> tuple[Lacking, ...]:
    max_age = timedelta(days=max_age_days) if max_age_days else scope.max_age
    lacking = []
    for name in sorted(found.absent):
        path = parse(name).root
        assert isinstance(path, Name)
        if path.path[0] == "context":
            declared = named(path.path)
            lacking.append(Lacking(name=name, why=declared.how if declared else "declare it"))
            continue
        fact = scope.facts.find(path.path, at=scope.at, max_age=max_age)
        lacking.append(Lacking(name=name, why=fact if isinstance(fact, str) else fact.shown))
    lacking.extend(Lacking(name=name, why="measure more: its bounds do not decide") for name in sorted(found.undecided))
    return tuple(lacking)


def _used(expression: Expression, scope: _Scope, max_age_days: int | None) -> tuple[Used, ...]:
    max_age = timedelta(days=max_age_days) if max_age_days else scope.max_age
    used = []
    for path in _paths(expression):
        if path[0] == "context":
            if len(path) == 2 and path[1] in scope.context:
                used.append(Used(name=dotted(path), shown=_shown(scope.context[path[1]]), source="declared"))
            continue
        fact = scope.facts.find(path, at=scope.at, max_age=max_age)
        if isinstance(fact, Fact):
            used.append(
                Used(
                    name=dotted(path),
                    shown=fact.shown,
                    source=fact.source,
                    made_at=fact.made_at,
                    made_elsewhere=fact.made_elsewhere,
                )
            )
    return tuple(used)


def _paths(expression: Expression) -> list[Path]:
    found: dict[Path, None] = {}
    level = [expression.root]
    while level:
        found.update((one.path, None) for one in level if isinstance(one, Name))
        level = [child for one in level for child in children(one)]
    return [path for path in found if named(path) is not None]


def _by_testimony(
    standard: Standard, one: Requirement, asked: Attested, scope: _Scope, ruled: _Ruled
) -> RequirementRuling:
    name = f"{standard.id}/{one.id}"
    found = next(
        (said for said in scope.facts.attested if said.document == asked.document and said.requirement in (None, name)),
        None,
    )
    ask = f"attest {asked.document}" + (f" by {asked.role}" if asked.role else "")
    ask += ", by somebody who was not involved" if asked.independent else ""
    if found is None:
        return ruled(
            ruling=Ruling.NOT_SHOWN,
            because=f"nobody has attested {asked.document}",
            would_change=(one.lacking or f"{ask} (attestations.yaml)",),
            lacking=(Lacking(name=f"attested {asked.document}", why="no attestation"),),
        )
    used = (Used(name=f"attested {found.document}", shown=_told(found), source=found.source),)
    no_evidence = _not_evidence(asked, found, one, scope)
    if no_evidence is not None:
        return ruled(
            ruling=Ruling.NOT_SHOWN,
            because=no_evidence,
            would_change=(one.lacking or ask,),
            used=used,
            lacking=(Lacking(name=f"attested {found.document}", why=no_evidence),),
        )
    ruling = {
        Said.DONE: Ruling.MET,
        Said.IN_PROGRESS: Ruling.NOT_SHOWN,
        Said.NOT_DONE: Ruling.NOT_MET,
        Said.WAIVED: Ruling.NOT_MET,
        Said.NOT_APPLICABLE: Ruling.NOT_APPLICABLE,
    }[found.said]
    changes = (f"it is valid until {found.valid_until}",) if found.valid_until else ()
    return ruled(
        ruling=ruling,
        because=_told(found),
        would_change=changes if ruling is Ruling.MET else (one.lacking or f"{ask} as done",),
        used=used,
    )


def _not_evidence(asked: Attested, found: Testimony, one: Requirement, scope: _Scope) -> str | None:
    """Return why an attestation does not speak to the requirement, or None when it does. What counts against it needs no role."""
    if found.refused is not None:
        return found.refused
    today = scope.at.date()
    if in_future(found.made_on, scope.at):
        return f"it is dated {found.made_on}, after the date of the ruling"
    if found.valid_until is not None and found.valid_until < today:
        return f"it expired on {found.valid_until}"
    days = asked.max_age_days or one.max_age_days
    if days is not None and (today - found.made_on).days > days:
        return f"it is of {found.made_on}, older than the {days} days that this requirement allows"
    if found.said is Said.DONE and asked.independent and not found.independent:
        return f"it was signed by {found.who}, who is not said to be independent"
    if found.said is Said.DONE and asked.role and found.role.casefold() != asked.role.casefold():
        return f"it was signed as {found.role}; asked is {asked.role}"
    return None


def _told(found: Testimony) -> str:
    until = f", valid until {found.valid_until}" if found.valid_until else ""
    why = f" ({found.why})" if found.why else ""
    return f"{found.document}: {found.said.value}{why}, says {found.who}, {found.role}, on {found.made_on}{until}"


def _counted(one: RequirementRuling) -> Ruling:
    """Return what a requirement's ruling is for the whole."""
    if one.strength in (Strength.RECOMMENDED, Strength.OPTIONAL):
        return Ruling.NOT_APPLICABLE
    return Ruling.NOT_SHOWN if one.strength is Strength.UNKNOWN and one.ruling is Ruling.NOT_MET else one.ruling


def _asked(standard: Standard, levels: Sequence[LevelRuling], context: Declared) -> LevelRuling | None:
    """Return the level that the whole is judged by; None when which is asked for was not declared. What is no level asks for the lowest."""
    if standard.level_asked is None:
        return levels[0]
    declared = context.get(standard.level_asked)
    return None if declared is None else next((one for one in levels if one.level == declared), levels[0])


def _levels(
    standard: Standard, counted: Mapping[str, Ruling], whole: bool | Unknown
) -> tuple[tuple[LevelRuling, ...], str | None]:
    found: list[LevelRuling] = []
    reached, below = None, Ruling.MET if whole is True else Ruling.NOT_SHOWN  # a level that asks nothing is met
    lacks: list[str] = []
    for level in standard.levels:
        lacks += [name for name in level.requires if counted[name] in (Ruling.NOT_MET, Ruling.NOT_SHOWN)]
        below = over_all([below, *(counted[name] for name in level.requires)])
        found.append(LevelRuling(level=level.id, title=level.title, ruling=below, lacks=tuple(lacks)))
        if below is Ruling.MET:
            reached = level.id
    return tuple(found), reached


def _because_of_all(
    standard: Standard, rulings: Sequence[RequirementRuling], whole: bool | Unknown, asked: LevelRuling | None
) -> str:
    if whole is False:
        return "the standard does not apply to what was declared"
    if isinstance(whole, Unknown):
        wanted = [name.removeprefix("context.") for name in sorted(whole.absent)]
        return f"whether the standard applies depends on what was not declared: {_listed(wanted)}"
    if standard.levels and asked is None:
        return f"which level is asked for was not declared: {standard.level_asked}"
    counting = _up_to(standard, asked.level) if asked else {one.requirement for one in rulings}
    required = [
        one.ruling
        for one in rulings
        if one.requirement in counting and one.strength in (Strength.REQUIRED, Strength.UNKNOWN)
    ]
    counts = [f"{required.count(each)} {each.value}" for each in Ruling if each in required]
    level = f"{asked.title}: " if asked else ""
    return level + (f"of {len(required)} requirements: {', '.join(counts)}" if required else "it requires nothing here")


def _up_to(standard: Standard, last: str) -> frozenset[str]:
    """Return what a level and all below it require."""
    levels = [one.id for one in standard.levels]
    return frozenset(name for one in standard.levels[: levels.index(last) + 1] for name in one.requires)


def _notes(standard: Standard, in_force: bool, superseded_by: str | None) -> Iterable[str]:
    if superseded_by is not None:
        yield f"superseded by {superseded_by}: kept for comparison, not for decisions"
    if not in_force:
        yield "not in force on the date of the ruling"
    if standard.source.provenance in _REMARKS:
        yield f"the source: {_REMARKS[standard.source.provenance]}"


def _shown_of(name: str, scope: _Scope) -> str:
    root = parse(name).root
    fact = scope.facts.find(root.path, at=scope.at) if isinstance(root, Name) else "not known"
    return fact.shown if isinstance(fact, Fact) else fact


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Between):
        return f"{value.low:g} to {value.high:g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(texts: Sequence[str]) -> str:
    shown = [*dict.fromkeys(texts)]
    return "; ".join(shown[:6]) + (f"; and {len(shown) - 6} more" if len(shown) > 6 else "")
