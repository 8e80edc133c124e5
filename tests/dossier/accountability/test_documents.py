"""The documents say what the dossier says, mark every blank, and guess nothing."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from markdown_it import MarkdownIt

from weighbridge.dossier.accountability.asked import ASKED, DOCUMENTS, Sector, UseFacts
from weighbridge.dossier.accountability.documents import TEMPLATES, Attested, new_attestations, render_documents
from weighbridge.dossier.accountability.facts import rate_words
from weighbridge.dossier.lookup import Rates
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.attestations import Attestation, Standing, Status, parse_attestations
from weighbridge.evidence.records import Measure
from weighbridge.protocol.vocabulary import Rung

USE = UseFacts("benefits-eligibility", "Whether a person gets a benefit", ("An Act, point 5(a)",))
TODAY = date(2026, 11, 26)
DIGEST = "sha256:" + "d" * 64
BLANK = "TO BE COMPLETED BY:"


def _texts(record: DossierRecord, sector: Sector = Sector.GOVERNMENT, **attested: Attested) -> dict[str, str]:
    named = {name.replace("_", "-"): one for name, one in attested.items()}
    return render_documents(record, DIGEST, USE, sector, today=TODAY, attested=named)


def _all(record: DossierRecord, **attested: Attested) -> str:
    return "\n".join(_texts(record, **attested).values())


def _plain(markdown: str) -> str:
    """Return what a reader sees."""
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    return (
        re.sub(r"<[^>]+>", "", html)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", '"')
        .replace("&amp;", "&")
    )


def _attested(standing: Standing = Standing.SAME, against: str | None = None, **more: object) -> Attested:
    told = {
        "document": "appeals-process", "status": Status.DONE, "file": "appeals.pdf", "digest": DIGEST, "who": "Ada Person",
        "role": "head of appeals", "at": TODAY - timedelta(days=9),
    } | more  # fmt: skip
    return Attested(Attestation.model_validate(told), standing, against)


def test_what_was_measured_is_there_with_interval_and_number(record: DossierRecord) -> None:
    """Each rung's rate stands in the assessment and in the public notice as it stands in the dossier."""
    texts = _texts(record)
    for rung, measure in ((Rung.API, Measure.HARM), (Rung.WEIGHTS, Measure.HARM), (Rung.WEIGHTS, Measure.REFUSED)):
        said = rate_words(Rates(record.rates).find(record.candidate.identity, rung, measure)).replace("\u202f", " ")
        assert said in _plain(texts["impact-assessment.md"])
        if measure is Measure.HARM:
            assert said in _plain(texts["transparency-notice.md"])


def test_what_was_not_measured_is_no_number(empty_record: DossierRecord) -> None:
    """With nothing measured every rate says so and why, and there is no percentage of anything."""
    for name, text in _texts(empty_record).items():
        seen = _plain(text)
        assert not re.search(r"\d\s?% \(|\bNone\b|\bnan\b|\b0 %(?!: not at all)", seen), name
        if name != "recourse-notice.md":
            assert "could not assess" in seen
    assert "not measured: the budget of calls was spent" in _plain(_texts(empty_record)["impact-assessment.md"])


def test_what_no_dossier_measures_is_said(record: DossierRecord) -> None:
    """Differences between groups, memory of personal data and mitigations are named as not measured or not recorded."""
    seen = _plain(_texts(record)["impact-assessment.md"])
    for said in (
        "no part of this dossier compares groups",
        "no part of this dossier looks",
        "none is recorded in this dossier",
    ):
        assert said in seen
    assert "Training data not found among the model's components" in seen.replace("\n", " ")


def test_every_value_of_the_dossier_names_its_place(record: DossierRecord) -> None:
    """Each row of a table of values has a source, and each place that is named is in the record."""
    assessment = _texts(record)["impact-assessment.md"].replace("\\", "")
    tables = re.findall(r"\| what \| as the dossier says \| source \|\n.*?\n((?:\|.*\n)+)", assessment)
    sources = {line.rsplit("|", 2)[1].strip() for table in tables for line in table.splitlines()}
    assert len(tables) == 4
    assert {"candidate.digest", "headline.verdict", "grader.identity", "gaps"} <= sources
    published = record.model_dump(by_alias=True)
    for source in sources - {"dossier.json"}:
        for place in source.split(", "):
            assert re.split(r"[.\[]", place)[0] in published, place


@pytest.mark.parametrize("sector", Sector)
def test_every_blank_names_who_completes_it(record: DossierRecord, sector: Sector) -> None:
    """No field is left empty in silence: each blank has a role, and each document that is asked for has one."""
    texts = _texts(record, sector)
    assert set(texts) == set(TEMPLATES)
    for text in texts.values():
        assert len(re.findall(rf"\*\*{BLANK} [a-z ]+\.\*\*", text)) == text.count(f"{BLANK} ") >= 5
        assert "{{" not in text
    for document in DOCUMENTS:
        assert f"Attest it as {document}" in texts["roles.md"]


def test_every_mark_travels(record: DossierRecord) -> None:
    """Whatever asks for a section stands there with how far it was checked."""
    whole = _all(record)
    for section, asked in ASKED.items():
        for one in asked:
            mark = {"checked": "", "secondary": " [secondary]", "unverified": " [unverified]"}[one.provenance.value]
            assert f"{one.by}{mark}" in whole.replace("\\", ""), section


def test_what_binds_only_government_says_so_to_others(record: DossierRecord) -> None:
    """A private deployer sees the same sections, and that the memorandum does not bind it."""
    said = "binds federal agencies, not a private deployer"
    assert said in _texts(record, Sector.PRIVATE)["impact-assessment.md"]
    assert said not in _texts(record)["impact-assessment.md"]


def test_what_is_attested_fills_its_blank(record: DossierRecord) -> None:
    """An attestation that counts takes the place of the blank, with who, when and which document."""
    before, after = _texts(record), _texts(record, appeals_process=_attested())
    assert after["roles.md"].count(BLANK) == before["roles.md"].count(BLANK) - 1
    assert (
        f"**attested as done**, by Ada Person, head of appeals, on 2026-11-17; document appeals.pdf, `{DIGEST}`"
        in after["roles.md"]
    )


def test_the_public_reads_roles_and_no_names(record: DossierRecord) -> None:
    """What goes to the public names nobody and no file."""
    waived = _attested(
        document="fairness-evaluation", status=Status.WAIVED, why="pilot", waived_by="Bob Person", waived_until=TODAY
    )
    texts = _texts(record, appeals_process=_attested(note="Ada's own"), fairness_evaluation=waived)
    for name in ("transparency-notice.md", "recourse-notice.md"):
        assert "attested as done" in texts[name]
        assert "Person" not in texts[name]
        assert "Ada" not in texts[name]
        assert "appeals.pdf" not in texts[name]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (_attested(Standing.DIFFERS), "its digest differs"),
        (_attested(Standing.NOT_HERE), "is not here, so it cannot be checked"),
        (_attested(valid_until=TODAY - timedelta(days=1)), "it expired on 2026-11-25"),
        (_attested(at=TODAY + timedelta(days=1)), "which is to come"),
        (_attested(against="the attestations are of another subject"), "of another subject"),
    ],
)
def test_an_attestation_that_does_not_count_leaves_the_blank(record: DossierRecord, found: Attested, said: str) -> None:
    """A changed, missing, expired, future or foreign attestation is told and fills nothing."""
    before, after = _texts(record)["roles.md"], _texts(record, appeals_process=found)["roles.md"]
    assert after.count(BLANK) == before.count(BLANK)
    assert said in after
    assert "attested as done" not in after


def test_a_review_by_somebody_involved_is_no_independent_review(record: DossierRecord) -> None:
    """The reviewer's independence must be attested."""
    assert "not said to be independent" in _all(record, independent_review=_attested(document="independent-review"))
    there = _attested(document="independent-review", independent=True)
    assert "who took no part in the work" in _all(record, independent_review=there)


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.NOT_DONE, Status.WAIVED])
def test_what_is_not_done_is_told_beside_the_blank(record: DossierRecord, status: Status) -> None:
    """What is under way, not done or waived leaves the blank open, with what is attested so far."""
    more = {"waived_by": "B", "waived_until": TODAY} if status is Status.WAIVED else {}
    text = _texts(record, appeals_process=_attested(status=status, why="w", **more))["roles.md"]
    assert re.search(rf"{BLANK} head of appeals\.\*\* [^|]*<br>So far: \*\*attested as {status.value}\*\*", text)


def test_what_does_not_apply_is_told_with_its_reason(record: DossierRecord) -> None:
    """ "Not applicable" leaves nothing to complete, and says why."""
    found = _attested(document="fail-safe", status=Status.NOT_APPLICABLE, why="nothing moves", file=None, digest=None)
    text = _texts(record, fail_safe=found)["roles.md"]
    assert "| **attested as not applicable** because nothing moves, by Ada Person" in text


def test_what_others_wrote_opens_nothing(record: DossierRecord) -> None:
    """Markup in a model's name, a licence or an attestation reads as it is, and makes no link, tag, heading or cell."""
    evil = "x](http://evil.example)<script>alert(1)</script>|\n# head\n<!-- {{ 1337*3 }} **b**"
    candidate = record.candidate.model_copy(update={"label": evil, "architecture": evil, "notes": (evil,)})
    hostile = record.model_copy(update={"candidate": candidate, "made_by": evil, "protocol_name": evil})
    found = _attested(who=evil, role=evil, note=evil, why=evil, status=Status.IN_PROGRESS)
    for text in _texts(hostile, appeals_process=found).values():
        html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
        assert "<script" not in html
        assert 'href="http' not in html
        assert "<strong>b</strong>" not in html
        assert ">head<" not in html
        assert "4011" not in html


def test_the_notice_of_recourse_is_easy_to_read(record: DossierRecord) -> None:
    """Its sentences are short and its words plain: a reading ease (Flesch 1948) of at least 70, "fairly easy"."""
    text = _texts(record)["recourse-notice.md"].split("*Asked for by")[0]
    prose = re.sub(r"TO BE COMPLETED BY: [a-z ]+\.|[*#>\[\]()]|recourse-notice.md|transparency-notice.md", " ", text)
    sentences = [part for part in re.split(r"[.:;!?\n]+", prose) if re.search(r"[a-z]{2}", part)]
    words = re.findall(r"[A-Za-z']+", prose)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e$", "", word.lower())))) for word in words)
    ease = 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)
    assert ease >= 70
    assert max(len(part.split()) for part in sentences) <= 30


def test_promises_are_the_deployers_to_make(record: DossierRecord) -> None:
    """What only the deployer can promise stands as a suggestion in a blank, never as a fact."""
    text = _texts(record)["recourse-notice.md"]
    for promise in ("It costs you nothing", "We write your case down in a log", "Only those who handle your case"):
        (line,) = (line for line in text.splitlines() if promise in line)
        assert BLANK in line
        assert "Confirm or change" in line


def test_the_same_input_gives_the_same_text(record: DossierRecord) -> None:
    """Nothing depends on the clock or on chance."""
    assert _texts(record) == _texts(record)


def test_attestations_to_begin_with_are_of_this_model_and_use(record: DossierRecord) -> None:
    """The file attests nothing, is bound, and names what is asked for."""
    text = new_attestations(record, USE, TODAY)
    found = parse_attestations(text, "attestations.yaml")
    assert (found.subject, found.use, found.attestations) == (record.candidate.identity, USE.id, ())
    assert all(f"# to be attested: {document} (" in text for document in DOCUMENTS)
