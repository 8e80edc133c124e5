"""What may be known of a subject and what may be declared, drawn at random or written down: for tests of the library of standards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from weighbridge.protocol.vocabulary import Verdict
from weighbridge.standards.cel.checking import Kind
from weighbridge.standards.cel.evaluation import names_of
from weighbridge.standards.cel.syntax import parse
from weighbridge.standards.cel.values import Between
from weighbridge.standards.facts import Fact, Facts, Path, Said, Testimony
from weighbridge.standards.names import context_names, named
from weighbridge.standards.ruling import Declared, rule
from weighbridge.standards.rulings import RequirementRuling, StandardRuling
from weighbridge.standards.standard import Standard
from weighbridge.standards.uses import declared_by, find_use, load_uses

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64


def facts(known: Mapping[str, bool | int | float | str | Between] = {}, attested: Iterable[Testimony] = ()) -> Facts:
    """Return facts by their dotted names, all of today."""
    found = {tuple(name.split(".")): Fact(value, str(value), "a test", AT) for name, value in known.items()}
    return Facts(DIGEST, DIGEST, found, {}, tuple(attested))


def attestation(document: str, said: Said = Said.DONE, *, independent: bool = False, requirement: str | None = None, why: str = "") -> Testimony:  # fmt: skip
    """Return an attestation of today."""
    return Testimony(document, requirement, said, "A. Person", "reviewer", independent, AT.date(), None, "a test", why)


def of_use(use: str, sector: str, **more: str | bool | float) -> Declared:
    """Return what choosing a use of the library and a sector declares."""
    return {"use": use, "sector": sector, **declared_by(find_use(use)), **more}


def ruled(standard: Standard, context: Declared, known: Facts | None = None) -> StandardRuling:
    """Return the ruling as of the tests' day."""
    return rule(standard, known or facts(), context, at=AT)


def by_id(found: StandardRuling) -> dict[str, RequirementRuling]:
    """Return the rulings of requirements by their ids."""
    return {one.requirement: one for one in found.requirements}


def read_by(standard: Standard) -> list[Path]:
    """Return the evidence that the conditions of a standard read, in order."""
    found = set()
    for _, text, _ in standard.conditions():
        found |= {parse(name).root.path for name in names_of(parse(text).root)}  # type: ignore[union-attr]
    return sorted(path for path in found if path[0] != "context" and named(path) is not None)


_counts = st.integers(0, 60)
_numbers = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 20.0, 60.0]),
    st.tuples(_counts, _counts).map(lambda two: Between(min(two), max(two))),
    _counts.map(Between.at_least),
)
_times = st.sampled_from([None, AT, AT - timedelta(days=200), AT - timedelta(days=400), AT + timedelta(days=3)])


def _values(path: Path) -> st.SearchStrategy[bool | int | float | str | datetime | Between]:
    found = named(path)
    assert found is not None
    if found.kind is Kind.TRUTH:
        return st.booleans()
    if found.kind is Kind.WHOLE:
        return _counts
    if found.kind is Kind.NUMBER:
        return _numbers
    return st.sampled_from(sorted(found.values) or ["", "x"])


def drawn_facts(standard: Standard) -> st.SearchStrategy[Facts]:
    """Return a strategy for evidence of what a standard reads and asks to be attested; each piece is there or not."""
    facts_by_path = st.fixed_dictionaries(
        {},
        optional={
            path: st.builds(Fact, _values(path), st.just("shown"), st.just("a test"), _times)
            for path in read_by(standard)
        },
    )
    documents = sorted({one.attested.document for one in standard.requirements if one.attested})
    said = st.fixed_dictionaries({}, optional={document: _testimonies(document) for document in documents})
    return st.builds(lambda known, told: Facts(DIGEST, DIGEST, known, {}, tuple(told.values())), facts_by_path, said)


def _testimonies(document: str) -> st.SearchStrategy[Testimony]:
    return st.builds(
        Testimony,
        document=st.just(document),
        requirement=st.none(),
        said=st.sampled_from(Said),
        who=st.just("A. Person"),
        role=st.just("reviewer"),
        independent=st.booleans(),
        made_on=st.sampled_from([AT.date(), date(2025, 1, 1), date(2027, 1, 1)]),
        valid_until=st.sampled_from([None, date(2026, 1, 1), date(2030, 1, 1)]),
        source=st.just("a test"),
        refused=st.sampled_from([None, None, "its document was changed"]),
    )


def _contexts() -> st.SearchStrategy[Declared]:
    values: dict[str, st.SearchStrategy[str | bool | float]] = {}
    for one in context_names():
        if one.path[1] in ("use", "m_25_21", "annex_iii", "national_security", "high_impact"):
            continue  # the use declares these
        if one.kind is Kind.TRUTH:
            values[one.path[1]] = st.booleans()
        elif one.kind is Kind.NUMBER:
            values[one.path[1]] = st.sampled_from([1e22, 2e25])
        else:
            values[one.path[1]] = st.sampled_from(sorted(one.values))
    uses = st.one_of(st.just({}), st.sampled_from(load_uses()).map(lambda use: {"use": use.id, **declared_by(use)}))
    return st.builds(lambda some, use: {**some, **use}, st.fixed_dictionaries({}, optional=values), uses)


contexts = _contexts()
VERDICTS = [Verdict.NO_MATERIAL_INCREASE.value, Verdict.MATERIAL_INCREASE.value]
