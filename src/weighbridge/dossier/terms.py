"""`terms.html` and `terms.json`: what standards say of a dossier, for people and for machines.

Like the dossier's page: one file, no script, no network; everything that came out of a file is made visible and escaped. The same terms
give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup
from pydantic import Field

from weighbridge.digests import Digest, canonical_json
from weighbridge.dossier.exports.files import TERMS_FILE
from weighbridge.dossier.templating import page_template
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.write import write_together
from weighbridge.evidence.openness import UNDECLARED
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Record
from weighbridge.standards.comparison import Higher, Placed, Row
from weighbridge.standards.rulings import LevelRuling, RequirementRuling, Ruling, StandardRuling, Strength

PAGE_FILE = "terms.html"
MARKS = {
    Provenance.CHECKED: "checked against the source",
    Provenance.SECONDARY: "read in a secondary source",
    Provenance.UNVERIFIED: "not checked against the source",
    Provenance.NOBODY_LOOKED: "nobody has looked this up",
}
_KINDS = {
    Ruling.MET: "met",
    Ruling.NOT_MET: "not-met",
    Ruling.NOT_SHOWN: "not-shown",
    Ruling.NOT_APPLICABLE: "not-applicable",
}
_ORDER = (Ruling.NOT_MET, Ruling.NOT_SHOWN, Ruling.MET, Ruling.NOT_APPLICABLE)
_HIGHER = {Higher.LEFT: "{left} is asked more", Higher.RIGHT: "{right} is asked more", Higher.ONLY_LEFT: "only {left} is asked",
           Higher.ONLY_RIGHT: "only {right} is asked", Higher.SAME: "both are asked as much"}  # fmt: skip


class OpennessLine(Record):
    """One component: what was found and decided, and the rulings of each definition that asks for it, by the definition's title."""

    component: str
    kind: str
    found: str
    decision: str
    why: str
    risk: str
    licence: str
    licence_verdict: str
    where: str
    remarks: tuple[str, ...] = ()
    rulings: dict[str, tuple[Ruling, ...]] = Field(default_factory=dict)

    @property
    def decided(self) -> bool:
        """Whether the provider decided on it at all."""
        return self.decision != UNDECLARED


class Sides(Record):
    """The same model and use under two deployers, topic by topic."""

    title: str
    left: str
    right: str
    rows: tuple[Row, ...]


class Terms(Record):
    """All that the page shows. `identity`: the subject's digest, or what it is known by."""

    subject: str
    identity: str
    dossier: Digest
    at: datetime
    rulings: tuple[StandardRuling, ...]
    definitions: tuple[str, ...] = ()
    openness: tuple[OpennessLine, ...] = ()
    sides: tuple[Sides, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One level as the ladder draws it. `here`: the highest that is reached."""

    level: LevelRuling
    here: bool
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """One standard as the page shows it."""

    id: str
    title: str
    ruling: StandardRuling
    plain: str
    counts: tuple[tuple[Ruling, int], ...]
    counting: tuple[RequirementRuling, ...]
    beside: tuple[RequirementRuling, ...]
    stages: tuple[Stage, ...]

    @property
    def folded(self) -> bool:
        """Whether it is kept for comparison only, or does not apply."""
        return (
            self.ruling.superseded_by is not None
            or not self.ruling.in_force
            or self.ruling.ruling is Ruling.NOT_APPLICABLE
        )


def render_terms(terms: Terms) -> str:
    """Return the page. The same terms give the same text, byte for byte."""
    standards = [one.standard for one in terms.rulings]
    views = [_view(number, one, standards.count(one.standard) > 1) for number, one in enumerate(terms.rulings, start=1)]
    return _template().render(
        terms=terms,
        views=views,
        totals=_totals(views),
        marks=MARKS,
        higher=_higher,
        asked=_asked,
        Strength=Strength,
    )


def _totals(views: Sequence[View]) -> str:
    """Return in one sentence how many rulings came out how."""
    found = [view.ruling.ruling for view in views if not view.folded]
    parts = [f"{found.count(each)} {each.value}" for each in _ORDER if each in found]
    return (
        f"Of {_number(len(found), 'ruling')}: {', '.join(parts)}."
        if found
        else "No standard was asked that applies here."
    )


def terms_bytes(rulings: Iterable[StandardRuling]) -> bytes:
    """Return `terms.json`: the rulings by their published names, as canonical JSON."""
    return canonical_json([one.model_dump(mode="json", by_alias=True) for one in rulings])


def write_terms(directory: Path, terms: Terms) -> Path:
    """Write `terms.html` and `terms.json` into `directory`, both or none; return the page's path. Raises `UsageError`."""
    write_together(directory, {TERMS_FILE: terms_bytes(terms.rulings), PAGE_FILE: render_terms(terms).encode()})
    return directory / PAGE_FILE


def plain_words(found: StandardRuling, title: str) -> str:
    """Return what came out, as a sentence for whoever reads only that; `title` names the standard.

    A standard with levels says which is reached, and how much lies between it and the next.
    """
    if found.ruling is Ruling.NOT_APPLICABLE:
        return f"{title}: does not apply here."
    if found.levels:
        reached = next((one for one in found.levels if one.level == found.reached), None)
        above = next((one for one in found.levels if one.ruling is not Ruling.MET), None)
        first = f"reached: {one_line(reached.title)}" if reached else "no level is reached"
        then = (
            f"; {one_line(above.title)} is {above.ruling.value}, {_number(len(above.lacks), 'requirement')} short"
            if above
            else ""
        )
        return f"{title}: {first}{then}."
    counting = [one.ruling for one in found.requirements if one.strength in (Strength.REQUIRED, Strength.UNKNOWN)]
    parts = [f"{counting.count(each)} {each.value}" for each in _ORDER[:3] if each in counting]
    return f"{title}: {found.ruling.value} (of what is required: {', '.join(parts) or 'nothing here'})."


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _view(number: int, found: StandardRuling, again: bool) -> View:
    """Return the view of one ruling. `again`: the standard is ruled on for another deployer too, so the title says for whom."""
    whom = {"government": " (a public deployer)", "private": " (a private deployer)"}.get(
        found.context.get("sector", ""), ""
    )
    title = one_line(found.title) + (whom if again else "")
    ordered = sorted(found.requirements, key=lambda one: _ORDER.index(one.ruling))
    counts = [one.strength in (Strength.REQUIRED, Strength.UNKNOWN) for one in ordered]
    titles = {one.requirement: one.title for one in found.requirements}
    rulings = [one.ruling for one, counted in zip(ordered, counts, strict=True) if counted]
    return View(
        id=f"standard{number}",
        title=title,
        ruling=found,
        plain=plain_words(found, title),
        counts=tuple((each, rulings.count(each)) for each in _ORDER if each in rulings),
        counting=tuple(one for one, counted in zip(ordered, counts, strict=True) if counted),
        beside=tuple(one for one, counted in zip(ordered, counts, strict=True) if not counted),
        stages=tuple(
            Stage(one, one.level == found.reached, tuple(titles.get(name, name) for name in one.lacks))
            for one in found.levels
        ),
    )


def _higher(row: Row, sides: Sides) -> str:
    return _HIGHER[row.higher].format(left=sides.left, right=sides.right)


def _asked(placed: Sequence[Placed]) -> list[Placed]:
    return [one for one in placed if one.asked]


def _counted(rulings: Sequence[Ruling]) -> list[tuple[Ruling, int]]:
    return [(each, rulings.count(each)) for each in _ORDER if each in rulings]


def _link(source: str) -> Markup:
    """Return where evidence lies, as a link where it is a page or a file beside this one."""
    shown = one_line(source, 200)
    page = {
        "rates": "index.html#ladder", "comparisons": "index.html#comparisons", "threats": "index.html", "files_read": "datasheet.html",
        "grader": "index.html#grader", "suite": "index.html#suite", "attestations.yaml": "attestations.yaml", "openness.yaml": "openness.yaml",
        "recourse.jsonl": "recourse.jsonl", "imported": "imported/index.json",
    }  # fmt: skip
    target = next((place for start, place in page.items() if shown.startswith(start)), "dossier.json")
    return Markup('<a href="{}">{}</a>').format(target, shown)


@cache
def _template() -> Template:
    filters = {"one_line": one_line, "kind": _KINDS.__getitem__, "link": _link, "counted": _counted}
    return page_template("terms.html", filters)
