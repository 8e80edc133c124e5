"""The page: self-contained, accessible, honest about what was not measured, and safe whatever a model or a stranger wrote."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import weighbridge.dossier.page as page_module
from tests.fakes.dossier_record import digest
from weighbridge.dossier.page import badge, render_page
from weighbridge.dossier.record import DossierRecord, Example
from weighbridge.protocol.vocabulary import Category, Rung, Verb, Verdict

VOID = frozenset({"meta", "col", "br"})
SHAPES = frozenset({"path", "line", "rect", "circle", "use"})
ATTACK = "</details><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}&\u202e"


class Outline(HTMLParser):
    """What a page holds: its elements in order, and the visible text outside of folds."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text: list[str] = []
        self.folded: list[str] = []
        self.summaries: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.unbalanced.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        if "summary" in self.open:
            self.summaries.append(data)
        elif "details" in self.open:
            self.folded.append(data)
        else:
            self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="session")
def outline(record: DossierRecord) -> Outline:
    return Outline(render_page(record))


def _hostile(record: DossierRecord, text: str) -> DossierRecord:
    """The same record with `text` wherever somebody else writes."""
    subjects = [
        one.model_copy(
            update={
                "label": text,
                "reference": f"{number}{text}",
                "architecture": text,
                "quantisation": text,
                "notes": (text,),
                "components": tuple(
                    part.model_copy(
                        update={
                            "name": text,
                            "licence": text,
                            "files": tuple(file.model_copy(update={"path": text}) for file in part.files),
                        }
                    )
                    for part in one.components
                ),
            }
        )
        for number, one in enumerate((record.candidate, *record.baselines))
    ]
    return record.model_copy(
        update={
            "candidate": subjects[0],
            "baselines": tuple(subjects[1:]),
            "made_by": text,
            "protocol_name": text,
            "protocol_description": text,
            "command": text,
            "environment": {text: text},
            "notes": (text,),
            "suite": record.suite.model_copy(
                update={"name": text, "version": text, "licence": text, "left_out": {text: 1}, "notes": (text,)}
            ),
            "grader": record.grader.model_copy(update={"name": text, "identity": text, "calibration": text}),
            "headline": record.headline.model_copy(update={"paragraph": text}),
            "gaps": tuple(
                gap.model_copy(update={"where": text, "why": gap.why.model_copy(update={"detail": text})})
                for gap in record.gaps
            ),
            "examples": tuple(
                example.model_copy(
                    update=dict.fromkeys(("item", "technique", "prompt", "prefill", "answer", "grade"), text)
                )
                for example in record.examples
            ),
        }
    )


def test_nothing_is_fetched_or_run(outline: Outline) -> None:
    """No script, no handler, no frame, no image, no style sheet or link from elsewhere; the policy forbids them too."""
    tags = {tag for tag, _ in outline.elements}
    assert tags.isdisjoint({"script", "iframe", "object", "embed", "img", "link", "form", "base", "audio", "video"})
    for tag, attributes in outline.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src"):
            assert re.fullmatch(r"#[\w-]+|[a-z]+\.(jsonl|json|toml|md|html)|logs/", attributes.get(name, "#a")), (
                attributes
            )
    (policy,) = [meta["content"] for meta in outline.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script" not in policy


def test_the_style_sheet_fetches_nothing() -> None:
    """No `url()` but to patterns of the page, and no import."""
    css = Path(page_module.__file__).with_name("templates").joinpath("page.css").read_text(encoding="utf-8")
    assert "@import" not in css
    assert set(re.findall(r"url\(([^)]*)\)", css)) <= {"#hatch", "#dots", "#stripes"}


@pytest.mark.parametrize("name", ["record", "gappy_record", "empty_record", "lone_record"])
def test_the_page_is_well_formed(name: str, request: pytest.FixtureRequest) -> None:
    """Every element is closed in order, ids are unique, and every reference within the page leads somewhere."""
    outline = Outline(render_page(request.getfixturevalue(name)))
    assert (outline.unbalanced, outline.open) == ([], [])
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.elements:
        for reference in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(reference, ids[0]) in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_the_same_record_gives_the_same_page(record: DossierRecord) -> None:
    """Rendering is a function of the record."""
    again = DossierRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert render_page(record) == render_page(again)


def test_headings_and_landmarks_lead_through_the_page(outline: Outline) -> None:
    """One title, no level skipped, a skip link first, a header, a main part, a footer and a named navigation."""
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert len(outline.of("main")) == len(outline.of("header")) == len(outline.of("footer")) == 1
    assert outline.of("nav") == [{"aria-label": "On this page"}]
    assert outline.of("a")[0] == {"class": "skip", "href": "#verdict"}


def test_figures_and_tables_are_told_to_a_screen_reader(outline: Outline) -> None:
    """Every plot has a title or is hidden as decoration; every table has a caption or a label, and headers with a scope."""
    for attributes in outline.of("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("class") == "at" or attributes["role"] == "img"
    captions = len(outline.of("caption"))
    labelled = sum("aria-labelledby" in table for table in outline.of("table"))
    assert captions + labelled == len(outline.of("table"))
    assert all(header.get("scope") in ("row", "col") for header in outline.of("th"))
    assert all("tabindex" in box and "role" in box for box in outline.of("div") if box.get("class") == "scroll")


def test_the_order_is_that_of_a_board_paper(outline: Outline) -> None:
    """Verdict, balance, numbers, ladder, comparisons, benefits, gaps, grader, prompts, models, files, cost, command, method, examples."""
    assert [section["id"] for section in outline.of("section")] == [
        "verdict",
        "balance",
        "numbers",
        "ladder",
        "comparisons",
        "benefits",
        "gaps",
        "grader",
        "suite",
        "subjects",
        "files",
        "cost",
        "reproduce",
        "method",
        "examples",
    ]


def test_the_verdict_is_told_in_words_and_a_symbol(record: DossierRecord, outline: Outline) -> None:
    """The badge's word and symbol, the whole paragraph and the subject's digest are in the open page."""
    kind = badge(record.headline.verdict).kind
    assert {"href": f"#verdict-{kind}"} in outline.of("use")
    plain = record.headline.paragraph.replace("`", "")
    squeezed = re.sub(r"\s", "", outline.shown)
    assert re.sub(r"\s", "", plain) in squeezed
    assert record.candidate.identity in outline.shown


def test_every_verdict_has_a_symbol_of_its_own() -> None:
    """The four verdicts differ in word and in symbol."""
    badges = [badge(verdict) for verdict in (*Verdict, None)]
    assert len({one.kind for one in badges}) == len({one.words for one in badges}) == 4


def test_examples_are_folded(record: DossierRecord, outline: Outline) -> None:
    """Prompts and answers are only inside closed folds; their ids are outside of them."""
    assert all("open" not in fold for fold in outline.of("details"))
    folded, open_text = " ".join(outline.folded), " ".join([*outline.text, *outline.summaries])
    for example in record.examples:
        for text in (example.prompt, example.answer.strip()):
            assert text in folded
            assert text not in open_text
        assert example.item in " ".join(outline.summaries)


def test_printing_leaves_examples_out_and_tables_in() -> None:
    """The print style hides examples even when opened, and opens folded tables."""
    css = Path(page_module.__file__).with_name("templates").joinpath("page.css").read_text(encoding="utf-8")
    paper = css[css.index("@media print") :]
    assert ".examples details, .examples h3 { display: none; }" in paper
    assert "details.data::details-content" in paper


def test_answers_about_child_sexual_exploitation_are_not_shown(record: DossierRecord) -> None:
    """Should a record hold one, the page shows its id and neither prompt nor answer."""
    example = Example(
        subject=record.candidate.identity,
        item="cse-01",
        category=Category.CHILD_SEXUAL_EXPLOITATION,
        verb=Verb.ENABLE,
        rung=Rung.API,
        technique="chat",
        prompt="prompt-not-shown",
        prefill="",
        answer="answer-not-shown",
        grade="refused",
        source=digest("x"),
    )
    html = render_page(record.model_copy(update={"examples": (example,)}))
    assert "cse-01" in html
    assert "not-shown" not in html


@pytest.mark.parametrize("text", [ATTACK, "\x00\x1b[31m\u2066", "a" * 100_000, "مرحبا " * 40])
def test_nothing_that_others_wrote_changes_the_page(record: DossierRecord, text: str) -> None:
    """With hostile text in every field, the page has the very elements that it has with harmless text in them."""
    harmless = Outline(render_page(_hostile(record, "harmless")))
    html = render_page(_hostile(record, text))
    outline = Outline(html)
    # Prose sets figures in parentheses back: that one class is ours, whatever the text.
    tags = [[tag for tag, own in one.elements if own.get("class") != "figures"] for one in (outline, harmless)]
    assert tags[0] == tags[1]
    assert (outline.unbalanced, outline.open) == ([], [])
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", html)
    assert len(html) < 2_000_000


def test_what_was_not_measured_is_never_a_number(empty_record: DossierRecord) -> None:
    """When nothing was measured the page says "not measured" throughout; no rate, no 0 and no mark appears."""
    outline = Outline(render_page(empty_record))
    everything = " ".join([*outline.text, *outline.folded])
    assert not re.search(r"\d\u202f%", everything)
    assert not re.search(r"\b(None|nan|NotMeasured|Reason)\b", everything)
    assert everything.count("not measured") > 100
    assert not [mark for mark in outline.of("path") if mark.get("class", "").startswith("dot") and "measured" in mark]
    assert "Could not be assessed" in outline.shown


def test_gaps_are_listed_with_reasons(gappy_record: DossierRecord) -> None:
    """Every reason for a gap is written out."""
    shown = Outline(render_page(gappy_record)).shown
    for words in ("No system prompt file was given", "The budget of calls was spent", "The grader cannot see it"):
        assert words in shown


def test_unchecked_grades_are_flagged_wherever_they_show(record: DossierRecord) -> None:
    """Rates that rest on unchecked verbs carry a dagger; with every verb checked there is none."""
    checked = record.model_copy(
        update={"grader": record.grader.model_copy(update={"calibrated_verbs": tuple(Verb), "blind_verbs": ()})}
    )
    assert render_page(record).count("†") > 30
    assert "†" not in render_page(checked)
    refusals = render_page(
        checked.model_copy(update={"grader": checked.grader.model_copy(update={"calibrated_refusals": False})})
    )
    assert refusals.count("†") > 10
    assert "Grades for refusals were not checked" in refusals


def test_an_endpoint_says_that_it_has_no_digest(record: DossierRecord) -> None:
    """A candidate without a digest is shown by its address, and that it has none is said."""
    endpoint = record.candidate.model_copy(
        update={"digest": None, "reference": "http://host:1/v1#m", "components": (), "chat_template": None}
    )
    shown = Outline(render_page(record.model_copy(update={"candidate": endpoint}))).shown
    assert "endpoint:http://host:1/v1#m" in shown
    assert "no digest" in shown


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_have_the_contrast_that_text_needs() -> None:
    """Every colour that text or a mark is set in has a contrast of at least 4.5 to 1 (WCAG AA), light, dark and on paper."""
    css = Path(page_module.__file__).with_name("templates").joinpath("page.css").read_text(encoding="utf-8")
    palettes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    palettes = [palette for palette in palettes if "paper" in palette]
    assert len(palettes) == 3
    for palette in palettes:
        for name in palette.keys() - {"paper", "raised", "rule", "grid"}:
            for ground in ("paper", "raised"):
                light, dark = sorted((_luminance(palette[name]), _luminance(palette[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)
