"""Which standards are asked, and all of their rulings on one dossier: what `check`, `gate` and the terms page share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from weighbridge.dossier.facts import aged
from weighbridge.dossier.gathering import Gathered
from weighbridge.dossier.terms import OpennessLine, Sides, Terms
from weighbridge.evidence.openness import openness_rows
from weighbridge.standards.comparison import side_by_side
from weighbridge.standards.facts import Facts
from weighbridge.standards.files import load_standard, shipped
from weighbridge.standards.ruling import Declared, rule
from weighbridge.standards.rulings import Ruling, StandardRuling
from weighbridge.standards.standard import Standard, Subject
from weighbridge.standards.supersession import successors
from weighbridge.standards.uses import find_use

_ORDER = tuple(Subject)


def chosen(names: Iterable[str]) -> list[Standard]:
    """Return the standards of these names or files, each once. Raises as `load_standard` does."""
    return [load_standard(name) for name in dict.fromkeys(names)]


def bearing(contexts: Sequence[Declared]) -> list[Standard]:
    """Return the standards that ship and bear on what is declared: those of uses only where a use or a sector is, none that was superseded.

    In the order: openness, release, use, notice, process.
    """
    library = [load_standard(name) for name in shipped()]
    replaced = successors(library)
    use = any("use" in context or "sector" in context for context in contexts)
    found = [one for one in library if one.id not in replaced and (use or one.about is not Subject.USE)]
    return sorted(found, key=lambda one: (_ORDER.index(one.about), one.id))


DEFINITIONS = ("mof-1.0", "osaid-1.0", "eosai")
"""The three published definitions of openness."""


def by_component(rulings: Iterable[StandardRuling]) -> dict[str, dict[str, tuple[Ruling, ...]]]:
    """Return, by component and then by standard, the rulings of the requirements that read the component."""
    found: dict[str, dict[str, dict[str, Ruling]]] = {}
    for standard in rulings:
        for one in standard.requirements:
            names = [used.name for used in one.used] + [lacking.name for lacking in one.lacking]
            for component in {name.split(".")[1] for name in names if name.startswith("component.")}:
                found.setdefault(component, {}).setdefault(standard.standard, {})[one.requirement] = one.ruling
    return {
        component: {standard: tuple(each.values()) for standard, each in standards.items()}
        for component, standards in found.items()
    }


def rulings_of(standards: Iterable[Standard], facts: Facts, context: Declared, *, at: datetime) -> list[StandardRuling]:
    """Return the ruling of each standard, in their order. What was superseded says by what, also by a standard that ships."""
    asked = list(standards)
    replaced = _replaced(asked)
    known = aged(facts, at)
    return [rule(one, known, context, at=at, superseded_by=replaced.get(one.id)) for one in asked]


def _replaced(asked: Iterable[Standard]) -> Mapping[str, str]:
    """Return the successors among the standards asked and those that ship; a file of a shipped id stands in its place."""
    everything = {one.id: one for one in map(load_standard, shipped())} | {one.id: one for one in asked}
    return successors(everything.values())


def terms_of(gathered: Gathered, standards: Sequence[Standard], contexts: Sequence[Declared], *, at: datetime) -> Terms:
    """Return all that the terms page shows: each standard ruled on under each context, the inventory, and two deployers side by side.

    With two contexts, what does not apply to one side is shown of the other only.
    """
    rulings = [rulings_of(standards, gathered.facts, context, at=at) for context in contexts]
    about = {one.id: one.about for one in standards}
    shown: list[StandardRuling] = []
    for number, found in enumerate(rulings):
        for one in found:
            use = about[one.standard] is Subject.USE
            if (number == 0 and not (use and len(contexts) > 1 and one.ruling is Ruling.NOT_APPLICABLE)) or (
                number > 0 and use and one.ruling is not Ruling.NOT_APPLICABLE
            ):
                shown.append(one)
    definitions = chosen(DEFINITIONS)
    components = by_component(rulings_of(definitions, gathered.facts, {}, at=at))
    titles = {one.id: one.title for one in definitions}
    record, inventory = gathered.record, gathered.inventory
    return Terms(
        subject=record.candidate.label,
        identity=record.candidate.identity,
        dossier=gathered.digest,
        at=at,
        rulings=tuple(shown),
        definitions=tuple(titles.values()),
        openness=tuple(
            OpennessLine(
                **{name: getattr(row, name) for name in OpennessLine.model_fields if name != "rulings"},
                rulings={titles[name]: found for name, found in components.get(component.value, {}).items()},
            )
            for component, row in zip(inventory.items, openness_rows(inventory), strict=True)
        ),
        sides=tuple(_sides(contexts, rulings, about)),
        notes=(inventory.refused,) if inventory.refused else (),
    )


def _sides(
    contexts: Sequence[Declared], rulings: Sequence[Sequence[StandardRuling]], about: Mapping[str, Subject]
) -> Iterator[Sides]:
    if len(contexts) != 2:
        return
    left, right = ([one for one in found if about[one.standard] is Subject.USE] for found in rulings)
    labels = ["a public deployer" if one.get("sector") == "government" else "a private deployer" for one in contexts]
    use = contexts[0].get("use")
    title = find_use(str(use)).title if use else "Uses"
    yield Sides(title=title, left=labels[0], right=labels[1], rows=side_by_side(left, right))
