"""Threat sheets on the page and in the record: every mark and score is there, in words and not by colour alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

import weighbridge.dossier.page as page_module
from tests.dossier.test_page import ATTACK, Outline
from weighbridge.dossier.card import render_card
from weighbridge.dossier.page import render_page
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.threat_sheets import MARKS, REFUSAL, with_threats
from weighbridge.dossier.write import dossier_bytes, read_dossier
from weighbridge.evidence.provenance import Provenance
from weighbridge.threats.files import SHIPPED, load_sheet
from weighbridge.threats.sheet import ThreatSheet
from weighbridge.threats.vocabulary import Score

CSS = Path(page_module.__file__).with_name("templates") / "threat.css"


@pytest.fixture(scope="session")
def threatened(record: DossierRecord) -> DossierRecord:
    """A small record with every shipped sheet."""
    return with_threats(record, [load_sheet(name) for name in SHIPPED])


@pytest.fixture(scope="session")
def outline(threatened: DossierRecord) -> Outline:
    return Outline(render_page(threatened))


def test_the_record_carries_the_sheets_and_reads_back(threatened: DossierRecord, tmp_path: Path) -> None:
    """dossier.json holds each sheet with its six scores, and loads to the same record."""
    path = tmp_path / "dossier.json"
    path.write_bytes(dossier_bytes(threatened))
    again = read_dossier(path)
    assert again.threats == threatened.threats
    assert [found.sheet.id for found in again.threats] == list(SHIPPED)
    assert all([one.step for one in found.scores] == [1, 2, 3, 4, 5, 6] for found in again.threats)


def test_step_four_names_the_evidence_it_stands_on(threatened: DossierRecord, outline: Outline) -> None:
    """The filled part has the digests of this dossier's evidence and protocol, and the page shows them."""
    filled = threatened.threats[0].sheet.filled
    assert filled is not None
    assert (filled.evidence, filled.protocol, filled.subject) == (
        threatened.evidence,
        threatened.protocol,
        threatened.candidate.identity,
    )
    assert threatened.evidence in outline.shown


def test_figures_of_the_sheet_are_those_of_the_dossier(threatened: DossierRecord) -> None:
    """Each entry's verdict, estimate and margin are the comparison's own."""
    filled = threatened.threats[0].sheet.filled
    assert filled is not None
    assert len(filled.comparisons) == 6
    for entry in filled.comparisons:
        (own,) = [
            one
            for one in threatened.comparisons
            if (one.scope, one.contrast, one.measure.value, one.aggregate, one.baseline.subject)
            == (entry.scope, entry.contrast, "harm", "mean", entry.baseline_subject)
        ]
        assert (own.estimate, own.judged, own.margin) == (entry.estimate, entry.judged, entry.margin)
        assert entry.verdict == (own.verdict if entry.measured else None)


def test_the_page_shows_six_steps_of_each_sheet_with_word_and_shape(
    threatened: DossierRecord, outline: Outline
) -> None:
    """Each score is a word beside a shape of its own."""
    uses = [use["href"] for use in outline.of("use")]
    scores = [one.score for found in threatened.threats for one in found.scores]
    for score in Score:
        assert uses.count(f"#score-{score.value}") == scores.count(score)
        assert f'id="score-{score.value}"' in render_page(threatened)
    everything = " ".join([*outline.text, *outline.summaries])
    for found in threatened.threats:
        for one in found.scores:
            assert one.because in everything


def test_every_claim_has_its_mark_and_source_on_the_page(threatened: DossierRecord, outline: Outline) -> None:
    """As many marks as there are claims, and every source in full."""
    marks = [
        one["class"].removeprefix("provenance ") for one in outline.of("span") if "provenance " in one.get("class", "")
    ]
    for mark in Provenance:
        claims = sum(_claims(found.sheet).count(mark) for found in threatened.threats)
        assert marks.count(mark.value.replace(" ", "-")) == claims + 1  # and once in the legend
    text = re.sub(r"\s+", "", " ".join([*outline.text, *outline.folded]))
    for found in threatened.threats:
        for one in (*found.sheet.existing_risk, *found.sheet.existing_defences, *found.sheet.ease_of_defence):
            assert re.sub(r"\s+", "", one.source) in text
    assert all(words in outline.shown for words in MARKS.values())


def _claims(sheet: ThreatSheet) -> list[Provenance]:
    threat = sheet.threat
    claims = [
        *threat.execution,
        *threat.actors,
        *threat.chain,
        *threat.atlas,
        *sheet.existing_risk,
        *sheet.existing_defences,
        *sheet.ease_of_defence,
        *sheet.uncertainty.unknowns,
    ]
    study = [sheet.study.provenance] if sheet.study else []
    return [one.provenance for one in claims] + study + [Provenance.SECONDARY] * len(threat.nist_ai_800_1)


def test_the_page_says_what_the_cells_do_not_measure(threatened: DossierRecord, outline: Outline) -> None:
    """The caveat stands in the open part, beside the figures, for each sheet that has cells."""
    with_cells = [found for found in threatened.threats if found.sheet.evidence.cells]
    assert outline.shown.count(REFUSAL) == len(with_cells) == 4
    assert outline.shown.count("out of this instrument's reach") >= 3


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_the_page_with_sheets_is_well_formed(name: str, request: pytest.FixtureRequest) -> None:
    """Every element is closed in order, ids are unique, references lead somewhere, no heading level is skipped."""
    record = with_threats(request.getfixturevalue(name), [load_sheet(one) for one in SHIPPED])
    outline = Outline(render_page(record))
    assert (outline.unbalanced, outline.open) == ([], [])
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(one["href"][1:] in ids for one in outline.of("use"))
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert {"href": "#threats"} in outline.of("a")
    for attributes in outline.of("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("class") == "at" or attributes["role"] == "img"


def test_what_was_not_measured_is_never_a_number(empty_record: DossierRecord, lone_record: DossierRecord) -> None:
    """With nothing measured, and with no baseline, step 4 says so and shows no figure."""
    sheet = load_sheet("spear-phishing")
    for record, words in ((empty_record, "not measured: "), (lone_record, "not measured: no baseline was named")):
        found = with_threats(record, [sheet])
        assert found.threats[0].scores[3].score is Score.ABSENT
        assert found.threats[0].scores[3].because.startswith(words)
    html = render_page(with_threats(empty_record, [sheet]))
    section = html[html.index('<section id="threats"') :]
    section = section[: section.index("</section>")]
    assert "points</b>" not in section
    assert not re.search(r"\b(None|nan)\b", section)


def test_without_sheets_nothing_is_added(record: DossierRecord) -> None:
    """No section, no style, no link."""
    html = render_page(record)
    assert "threat" not in html.lower()


def test_hostile_text_in_a_sheet_changes_nothing(record: DossierRecord, tmp_path: Path) -> None:
    """A sheet is a file that somebody wrote: its text is escaped and made visible."""
    harmless, hostile = (Outline(render_page(with_threats(record, [_written(text)]))) for text in ("harmless", ATTACK))
    tags = [[tag for tag, own in one.elements if own.get("class") != "figures"] for one in (harmless, hostile)]
    assert tags[0] == tags[1]
    assert not re.search("[\u202a-\u202e\x00\x1b]", " ".join([*hostile.text, *hostile.folded]))


def _written(text: str) -> ThreatSheet:
    sheet = load_sheet("spear-phishing")

    def named(items: tuple, **fields: str) -> tuple:
        return tuple(one.model_copy(update={"source": text} | fields) for one in items)

    return sheet.model_copy(
        update={
            "title": text,
            "reach_note": text,
            "assessor": sheet.assessor.model_copy(update={"name": text}),
            "existing_risk": named(sheet.existing_risk, says=text),
            "existing_defences": named(sheet.existing_defences, what=text, effect=text),
            "threat": sheet.threat.model_copy(update={"actors": named(sheet.threat.actors, who=text, resources=text)}),
            "evidence": sheet.evidence.model_copy(update={"measures": text, "does_not_measure": (text,)}),
        }
    )


def test_the_style_fetches_nothing_and_prints_the_folds() -> None:
    """No import, no url; the steps are folds of the kind that the print style opens."""
    css = CSS.read_text(encoding="utf-8")
    assert "@import" not in css
    assert "url(" not in css
    template = CSS.with_name("threat.html").read_text(encoding="utf-8")
    assert template.count("<details ") == template.count('<details class="step data">') == 1


def test_the_card_tells_the_scores_and_their_reasons(threatened: DossierRecord, record: DossierRecord) -> None:
    """Six rows, a column for each sheet, the caveat above; nothing without sheets."""
    card = render_card(threatened)
    part = card[card.index("## Threat sheets") : card.index("## Grader")]
    rows = [line for line in part.splitlines() if re.match(r"\| [1-6] ", line)]
    assert len(rows) == 6
    assert all(line.count("|") == len(SHIPPED) + 2 for line in rows)
    assert REFUSAL in part
    for found in threatened.threats:
        assert found.scores[3].score.value in rows[3]
    assert "not measured: out of this instrument" in rows[3]
    assert "Threat sheets" not in render_card(record)


def test_an_expired_sheet_says_so(record: DossierRecord) -> None:
    """A sheet past its date is shown with a warning, and its scores stay what they are."""
    sheet = load_sheet("spear-phishing")
    old = sheet.model_copy(
        update={
            "valid_until": record.made_at.date().replace(year=2025),
            "made_on": record.made_at.date().replace(year=2024),
        }
    )
    assert "no longer valid" in render_page(with_threats(record, [old]))
    assert "no longer valid" not in render_page(with_threats(record, [sheet]))
