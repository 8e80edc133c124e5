from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from weighbridge.dossier.gathering import gather
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.ruled import bearing, chosen, terms_of
from weighbridge.dossier.statements.signing import read_terms
from weighbridge.dossier.terms import PAGE_FILE, TERMS_FILE, Terms, plain_words, render_terms, write_terms
from weighbridge.dossier.write import write_dossier
from weighbridge.standards.context import declare
from weighbridge.standards.rulings import Ruling

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SIDES = [declare(use="benefits-eligibility", sector=sector) for sector in ("gov", "private")]
HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[31m " + "x" * 10_000


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory, record: DossierRecord) -> Path:
    folder = tmp_path_factory.mktemp("terms")
    write_dossier(folder, record, "")
    return folder


@pytest.fixture(scope="module")
def terms(dossier: Path) -> Terms:
    return terms_of(gather(dossier, NOW), [*bearing(SIDES), *chosen(["us-m-24-10"])], SIDES, at=NOW)


@pytest.fixture(scope="module")
def page(terms: Terms) -> str:
    return render_terms(terms)


class Outline(HTMLParser):
    """Headings in order, ids, references to ids, and tags that load or run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        href = given.get("href") or ""
        if href.startswith("#"):
            self.refers.append(href[1:])
        self.refers += (given.get("aria-labelledby") or "").split()
        if (
            tag in ("script", "img", "iframe", "object", "link")
            or given.get("src")
            or any(k.startswith("on") for k in given)
        ):
            self.loads.append(tag)


def test_the_page_is_whole(page: str) -> None:
    """Every reference leads somewhere, no id is there twice, headings skip no level, and nothing is loaded or run."""
    found = Outline(page)
    assert set(found.refers) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert all(later - earlier <= 1 for earlier, later in zip(found.headings, found.headings[1:], strict=False))
    assert found.loads == []


def test_every_requirement_is_there_with_its_ruling_what_would_change_it_and_its_mark(terms: Terms, page: str) -> None:
    text = re.sub(r"\s+", " ", page)
    for standard in terms.rulings:
        for one in standard.requirements:
            assert one.ruling in Ruling
            row = text.split(f'<span class="req">{_escaped(one.title)}</span>')
            assert len(row) > 1, one.title
    unchecked = [
        one for standard in terms.rulings for one in standard.requirements if one.provenance.value != "checked"
    ]
    assert unchecked
    assert page.count('class="mark"') == len(unchecked)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("'", "&#39;").replace('"', "&#34;")


def test_a_ruling_is_never_told_by_colour_alone(page: str) -> None:
    for kind, word in (("met", "met"), ("not-shown", "not shown")):
        for match in re.finditer(rf'<span class="ruling {kind}">(.*?)</span></span>', page):
            assert f"#ruling-{kind}" in match[1]
            assert word in match[1]


def test_evidence_is_one_click_away_with_its_source(terms: Terms, page: str) -> None:
    used = [each for standard in terms.rulings for one in standard.requirements for each in one.used]
    assert used
    assert page.count("<details>") >= len({each.name for each in used})
    assert 'href="index.html#ladder"' in page


def test_the_three_definitions_stand_side_by_side(terms: Terms, page: str) -> None:
    assert terms.definitions == (
        "Model Openness Framework",
        "Open Source AI Definition",
        "European Open Source AI Index",
    )
    table = page.split('id="openness-caption"')[1].split("</table>")[0]
    assert all(f'<th scope="col">{name}</th>' in table for name in terms.definitions)
    assert "Training code" in table
    assert "not found here" in table


def test_both_deployers_stand_side_by_side_and_the_higher_standard_is_told(page: str) -> None:
    table = page.split('id="sides1-caption"')[1].split("</table>")[0]
    assert "a public deployer is asked more" in table
    assert "only a public deployer is asked" in table
    assert "a private deployer is asked more" not in table


def test_a_superseded_standard_says_so_first_and_is_folded(page: str) -> None:
    section = page.split("rights- and safety-impacting uses (rescinded)</h2>")[1].split("</section>")[0]
    assert section.index("Superseded by us-m-25-21") < section.index("Show it all the same")


def test_the_same_terms_give_the_same_page(terms: Terms, page: str) -> None:
    assert render_terms(terms) == page


def test_hostile_text_is_inert(terms: Terms) -> None:
    one = (
        terms.rulings[0]
        .requirements[0]
        .model_copy(update={"title": HOSTILE, "says": HOSTILE, "because": HOSTILE, "remarks": (HOSTILE,)})
    )
    rulings = (terms.rulings[0].model_copy(update={"requirements": (one,), "title": HOSTILE, "notes": (HOSTILE,)}),)
    page = render_terms(terms.model_copy(update={"rulings": rulings, "subject": HOSTILE}))
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert Outline(page).loads == []


def test_what_is_written_is_what_is_signed_and_exported(dossier: Path, terms: Terms) -> None:
    page = write_terms(dossier, terms)
    assert page == dossier / PAGE_FILE
    assert read_terms(dossier / TERMS_FILE) == terms.rulings
    assert {one["ruling"] for one in json.loads((dossier / TERMS_FILE).read_bytes())} <= {each.value for each in Ruling}


def test_the_words_say_which_level_is_reached_and_what_is_between(terms: Terms) -> None:
    (stages,) = [one for one in terms.rulings if one.standard == "release-stages"]
    assert re.search(
        r"reached: .*; .* is not (met|shown), \d+ requirements? short", plain_words(stages, "Release stages")
    )
