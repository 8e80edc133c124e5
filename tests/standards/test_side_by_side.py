"""The same model and task under two deployers: what the one is asked in addition, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings

from tests.standards.known import AT, DIGEST, contexts, facts, of_use, ruled
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.comparison import Higher, Placed, Row, side_by_side
from weighbridge.standards.files import load_standard
from weighbridge.standards.rulings import RequirementRuling, Ruling, StandardRuling, Strength
from weighbridge.standards.standard import Topic

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods" / "uses.md"
BOTH = ("us-m-25-21", "private-baseline")
USES = ("us-m-25-21", "private-baseline", "eu-ai-act", "national-security")
_MIRROR = {
    Higher.LEFT: Higher.RIGHT,
    Higher.RIGHT: Higher.LEFT,
    Higher.ONLY_LEFT: Higher.ONLY_RIGHT,
    Higher.ONLY_RIGHT: Higher.ONLY_LEFT,
    Higher.SAME: Higher.SAME,
}


def _sides(use: str, standards: Sequence[str] = USES, **more: bool) -> tuple[Row, ...]:
    """Return the use under a public and a private deployer of the same model, ruled by the same standards."""
    known = facts({"rung.api.measured": True, "rung.api.prompts": 104, "subject.has_digest": True})
    public, private = (
        [ruled(load_standard(name), of_use(use, sector, **more), known) for name in standards]
        for sector in ("government", "private")
    )
    return side_by_side(public, private)


def test_benefits_eligibility_asks_more_of_a_public_deployer_on_every_line() -> None:
    """Line by line: no topic on which the private deployer is asked as much."""
    rows = {row.topic: row.higher for row in _sides("benefits-eligibility", BOTH)}
    assert rows == {
        Topic.SCOPE: Higher.SAME,  # only the determination, which is optional
        Topic.TESTING: Higher.LEFT,
        Topic.IMPACT_ASSESSMENT: Higher.LEFT,
        Topic.INDEPENDENT_REVIEW: Higher.ONLY_LEFT,
        Topic.FAIRNESS: Higher.LEFT,
        Topic.PRIVACY: Higher.LEFT,
        Topic.SECURITY: Higher.LEFT,
        Topic.TRANSPARENCY: Higher.LEFT,
        Topic.CONSULTATION: Higher.ONLY_LEFT,
        Topic.HUMAN_OVERSIGHT: Higher.LEFT,
        Topic.TRAINING: Higher.LEFT,
        Topic.MONITORING: Higher.LEFT,
        Topic.ACCOUNTABILITY: Higher.LEFT,
        Topic.RECOURSE: Higher.LEFT,
        Topic.IDENTITY: Higher.ONLY_LEFT,
    }


def test_the_same_evidence_goes_further_under_the_private_deployer() -> None:
    """A benchmark alone meets what the private deployer is asked of testing, and one of three things of the public one."""
    row = next(row for row in _sides("benefits-eligibility", BOTH) if row.topic is Topic.TESTING)
    public, private = ([one.ruling.ruling for one in side if one.asked] for side in (row.left, row.right))
    assert private == [Ruling.MET]
    assert sorted(public) == [Ruling.MET, Ruling.NOT_SHOWN, Ruling.NOT_SHOWN]


def test_what_does_not_apply_stays_visible_on_its_side_and_counts_for_nothing() -> None:
    """The private column shows the federal requirements as not applicable."""
    row = next(row for row in _sides("benefits-eligibility", BOTH) if row.topic is Topic.INDEPENDENT_REVIEW)
    assert [(one.standard, one.ruling.ruling, one.asked) for one in row.right] == [("us-m-25-21", Ruling.NOT_APPLICABLE, False)]  # fmt: skip


def test_an_ordinary_use_asks_a_public_deployer_nothing_of_m_25_21() -> None:
    """Internal search: no line is higher on the public side."""
    assert not any(row.higher in (Higher.LEFT, Higher.ONLY_LEFT) for row in _sides("internal-search", eu_market=False))


def test_a_suspects_face_asks_more_of_the_police_than_of_a_private_deployer() -> None:
    """Letter j, Annex III 6 and the bans of Article 5: the bans bind both, everything else weighs more on the public side."""
    rows = {row.topic: row.higher for row in _sides("law-enforcement-face-match", eu_market=True)}
    assert rows[Topic.PROHIBITED] is Higher.SAME
    assert rows[Topic.TESTING] is Higher.LEFT
    assert rows[Topic.RECOURSE] is Higher.LEFT
    assert Higher.RIGHT not in rows.values() and Higher.ONLY_RIGHT not in rows.values()


def test_a_targeting_aid_lies_outside_both_and_under_the_national_security_instruments() -> None:
    """M-25-21 and the AI Act do not apply, whoever deploys; the framework rules, and weapons have their own directive."""
    for sector in ("government", "private"):
        context = of_use("targeting-aid", sector, eu_market=True, general_purpose=True)
        for name in ("us-m-25-21", "us-m-24-10", "eu-ai-act", "private-baseline"):
            assert ruled(load_standard(name), context).ruling is Ruling.NOT_APPLICABLE, name
        found = ruled(load_standard("national-security"), context)
        assert found.ruling is Ruling.NOT_SHOWN
        assert not any(one.ruling is Ruling.NOT_APPLICABLE for one in found.requirements)
        assert any("3000.09" in one.cited for one in found.requirements)
    assert {row.higher for row in _sides("targeting-aid", eu_market=True)} == {Higher.SAME}


def test_a_military_use_that_is_no_weapon_is_not_asked_for_the_review_of_weapons() -> None:
    """The directive is about weapons."""
    found = ruled(load_standard("national-security"), of_use("finished-intelligence", "government"))
    assert {one.requirement for one in found.requirements if one.ruling is Ruling.NOT_APPLICABLE} == {"weapons", "collateral"}  # fmt: skip


def _cell(side: Sequence[Placed]) -> str:
    """Return what one side is asked, as the page has it."""
    found = [
        one.ruling.title + ("" if one.ruling.strength is Strength.REQUIRED else f" ({one.ruling.strength.value})")
        for one in side
        if one.ruling.ruling is not Ruling.NOT_APPLICABLE
    ]
    return "; ".join(found) or "nothing"


def test_the_page_shows_the_lines_that_the_program_gives() -> None:
    """docs/methods/uses.md, "Social security benefits", and its counts."""
    page = PAGE.read_text(encoding="utf-8")
    more = {
        "left": "public",
        "right": "private",
        "same": "same",
        "only left": "only public",
        "only right": "only private",
    }
    rows = _sides("benefits-eligibility", BOTH)
    for row in rows:
        assert f"| {row.topic.value} | {_cell(row.left)} | {_cell(row.right)} | {more[row.higher.value]} |" in page
    asked = [
        [one.ruling.strength for row in rows for one in side(row) if one.asked]
        for side in (lambda row: row.left, lambda row: row.right)
    ]
    assert [side.count(Strength.REQUIRED) for side in asked] == [28, 8]
    assert [side.count(Strength.RECOMMENDED) for side in asked] == [0, 3]


# ---- what "higher" means


def _ruling(standard: str, *asked: tuple[Topic, Strength, Ruling]) -> StandardRuling:
    requirements = [
        RequirementRuling(
            requirement=f"r{number}",
            title="T",
            says="S",
            topic=topic.value,
            strength=strength,
            ruling=ruling,
            because="B",
            cited="C",
            provenance=Provenance.CHECKED,
        )
        for number, (topic, strength, ruling) in enumerate(asked)
    ]
    return StandardRuling(standard=standard, title="T", publisher="P", version="1", standard_digest=DIGEST, in_force=True, subject=DIGEST, dossier=DIGEST, at=AT, context={}, ruling=Ruling.NOT_SHOWN, because="B", requirements=tuple(requirements))  # fmt: skip


def _higher(left: Sequence[tuple[Strength, Ruling]], right: Sequence[tuple[Strength, Ruling]]) -> Higher:
    sides = [[_ruling("s", *((Topic.TESTING, *one) for one in side))] for side in (left, right)]
    (row,) = side_by_side(*sides)
    return row.higher


def test_more_is_asked_where_more_is_required_then_where_more_is_recommended() -> None:
    """A requirement outweighs any number of recommendations; what is optional, or does not apply, weighs nothing."""
    met, out = Ruling.MET, Ruling.NOT_APPLICABLE
    required, recommended, optional, unknown = (
        Strength.REQUIRED,
        Strength.RECOMMENDED,
        Strength.OPTIONAL,
        Strength.UNKNOWN,
    )
    assert _higher([(required, met)], [(recommended, met), (recommended, met)]) is Higher.LEFT
    assert _higher([(required, met)], [(required, met), (recommended, met)]) is Higher.RIGHT
    assert _higher([(unknown, met)], [(required, met)]) is Higher.SAME
    assert _higher([(required, met)], [(optional, met), (required, out)]) is Higher.ONLY_LEFT
    assert _higher([(optional, met)], [(required, out)]) is Higher.SAME


def test_whether_it_is_met_does_not_decide_how_much_is_asked() -> None:
    """The table compares what is asked, not how well it is met."""
    assert _higher([(Strength.REQUIRED, Ruling.NOT_MET)], [(Strength.REQUIRED, Ruling.MET)]) is Higher.SAME


def test_rows_come_in_the_order_of_topics_and_hold_every_requirement() -> None:
    """Nothing is dropped, whatever applies."""
    rows = _sides("benefits-eligibility", eu_market=True)
    assert [row.topic for row in rows] == [topic for topic in Topic if topic in {row.topic for row in rows}]
    asked = sum(len(load_standard(name).requirements) for name in USES)
    assert [sum(len(side) for side in sides) for sides in ([row.left for row in rows], [row.right for row in rows])] == [asked, asked]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(left=contexts, right=contexts)
def test_the_sides_can_be_swapped(left: dict[str, str], right: dict[str, str]) -> None:
    """Higher on the left is higher on the right the other way round."""
    one, other = ([ruled(load_standard(name), context) for name in USES] for context in (left, right))
    there, back = side_by_side(one, other), side_by_side(other, one)
    assert [(row.topic, row.left, row.right, _MIRROR[row.higher]) for row in there] == [(row.topic, row.right, row.left, row.higher) for row in back]  # fmt: skip
