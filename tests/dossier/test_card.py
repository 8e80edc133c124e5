"""The card: metadata that the hub accepts, only measured values, and no text of others that could become markup."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.dossier.test_page import ATTACK, _hostile
from weighbridge.dossier.card import MISSING_SECTIONS, render_card
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.records import Estimate, Measure
from weighbridge.protocol.vocabulary import Rung, Verb


def _split(card: str) -> tuple[dict[str, Any], str]:
    _, front, body = card.split("---\n", 2)
    return yaml.safe_load(front), body


def _tokens(markdown: str) -> list[str]:
    """The kinds of all block and inline tokens."""
    parsed = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(markdown)
    return [kind.type for token in parsed for kind in (token, *(token.children or ()))]


def _metrics(card: str) -> list[dict[str, Any]]:
    metadata, _ = _split(card)
    return [metric for entry in metadata["model-index"] for result in entry["results"] for metric in result["metrics"]]


def test_the_metadata_has_what_the_hub_requires(record: DossierRecord) -> None:
    """`model-index` has name, task type, data set type and name, and metrics with type and value, and no empty result."""
    metadata, _ = _split(render_card(record))
    assert metadata["license"] == "apache-2.0"
    (entry,) = metadata["model-index"]
    assert entry["name"] == record.candidate.label
    assert [result["dataset"]["config"] for result in entry["results"]] == ["harm prompts", "benign look-alikes"]
    for result in entry["results"]:
        assert result["task"]["type"] == "text-generation"
        assert result["dataset"]["type"] and result["dataset"]["name"]
        assert result["dataset"]["args"]["subject"] == record.candidate.identity
        assert all({"type", "value"} <= metric.keys() for metric in result["metrics"])


@pytest.mark.parametrize("name", ["record", "gappy_record"])
def test_every_value_is_a_measured_rate_with_its_interval(name: str, request: pytest.FixtureRequest) -> None:
    """Each metric is a rate of the record, within its interval, with the prompts it stands on."""
    record: DossierRecord = request.getfixturevalue(name)
    known = {
        (rate.rung.value, rate.technique, round(rate.rate.value, 4), rate.rate.n_measured)
        for rate in record.rates
        if isinstance(rate.rate, Estimate) and rate.subject == record.candidate.identity
    }
    metrics = _metrics(render_card(record))
    assert len(metrics) > 20
    for metric in metrics:
        args = metric["args"]
        assert (args["rung"], args["technique"], metric["value"], args["n_measured"]) in known
        assert args["low"] <= metric["value"] <= args["high"]
        assert "hosted" not in metric["name"]


def test_nothing_measured_gives_no_value_but_words(empty_record: DossierRecord) -> None:
    """Without a measurement there is no `model-index`; the text says "not measured" and why."""
    metadata, body = _split(render_card(empty_record))
    assert "model-index" not in metadata
    assert "**Verdict: could not assess**" in body
    assert "not measured: budget spent" in body
    assert "%" not in body.split("## Not measured")[0]


def test_not_measured_rows_are_in_the_text(record: DossierRecord) -> None:
    """What was not measured is a row or a line of its own, with its reason."""
    body = _split(render_card(record))[1]
    assert "| not measured: no guard |" in body
    assert "- no system prompt file was given: guarded-smollm2, hosted" in body


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (("Apache-2.0", "apache-2.0"), {}),
        (("MIT", "MIT"), {"license": "mit"}),
        (("Our Own Terms 2", "Our Own Terms 2"), {"license": "other", "license_name": "our-own-terms-2"}),
        (("mit", None), {}),
        (("mit", "gemma"), {}),
        ((), {}),
    ],
)
def test_the_licence_is_told_only_when_it_is_one(
    record: DossierRecord, licences: tuple[str | None, ...], expected: dict[str, str]
) -> None:
    """One licence of all components becomes the hub's identifier, or "other" with its name; several or none are left out."""
    (part, *_) = record.candidate.components
    candidate = record.candidate.model_copy(
        update={"components": tuple(part.model_copy(update={"licence": licence}) for licence in licences)}
    )
    metadata, _ = _split(render_card(record.model_copy(update={"candidate": candidate})))
    assert {key: value for key, value in metadata.items() if key.startswith("license")} == expected


def test_no_example_is_in_the_card(record: DossierRecord) -> None:
    """Neither a prompt nor an answer is shown."""
    card = render_card(record)
    for example in record.examples:
        assert example.prompt not in card
        assert example.answer.strip() not in card


@pytest.mark.parametrize(
    "text",
    [
        ATTACK,
        "[x](http://evil.example) ![y](http://evil.example/z)",
        "# heading\n---\n```\n| a | b |",
        "<http://evil.example> **b** _i_ ~s~ $m$ [^1]",
        "--- \n--- \nlicense: mit",
        "` `` ```",
    ],
)
def test_text_of_others_cannot_become_markup(record: DossierRecord, text: str) -> None:
    """With hostile text in every field the card has the front matter and the Markdown structure that it has without."""
    harmless, hostile = (_split(render_card(_hostile(record, words))) for words in ("harmless", text))
    assert hostile[0].keys() - {"license", "license_name"} == harmless[0].keys() - {"license", "license_name"}
    kinds = _tokens(hostile[1])
    assert not {"html_inline", "html_block", "link_open", "image"} & set(kinds)
    assert [kind for kind in kinds if kind != "softbreak"] == [
        kind for kind in _tokens(harmless[1]) if kind != "softbreak"
    ]


def test_unchecked_grades_are_flagged(record: DossierRecord) -> None:
    """Harm rates carry a dagger unless every verb was checked, rates of refusals and of answers to benign prompts unless refusals were."""
    checked = record.model_copy(update={"grader": record.grader.model_copy(update={"calibrated_verbs": tuple(Verb)})})
    assert "Harm rate on api †" in render_card(record)
    assert "†" not in render_card(checked)
    refusals = render_card(
        checked.model_copy(update={"grader": checked.grader.model_copy(update={"calibrated_refusals": False})})
    )
    for words in (
        "Harm prompts refused on api †",
        "Benign look-alikes answered on api †",
        "† Grades for refusals were",
    ):
        assert words in refusals
    assert "Harm rate on api †" not in refusals


def test_the_card_names_every_measure(record: DossierRecord) -> None:
    """Harm, refusal, coherence and answers to benign requests are all there."""
    names = {metric["type"] for metric in _metrics(render_card(record))}
    assert len(names) == len(Measure)


def _section(card: str, title: str) -> str:
    return card.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_rung_is_told_also_what_was_not_measured_there(
    record: DossierRecord, empty_record: DossierRecord
) -> None:
    """The card has a row for each rung; one on which nothing was seen says why, and none has a 0 for it."""
    for one in (record, empty_record):
        rows = [
            line
            for line in _section(render_card(one), "What was evaluated, rung by rung").splitlines()
            if line.startswith("| ")
        ]
        assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {rung.value}" for rung in Rung]
        assert not any(" | 0" in row for row in rows)
    assert all(row.count("not measured: ") == 2 for row in rows[2:])


def test_each_component_has_its_licence_or_says_that_none_was_found(record: DossierRecord) -> None:
    """A component without a licence is not passed over."""
    parts = record.candidate.components
    bare = record.candidate.model_copy(update={"components": (parts[0].model_copy(update={"licence": None}),)})
    assert "| not found |" in _section(
        render_card(record.model_copy(update={"candidate": bare})), "Licence by component"
    )
    none = record.candidate.model_copy(update={"components": ()})
    assert "No component was found" in render_card(record.model_copy(update={"candidate": none}))


def test_a_deployer_is_told_which_rungs_nobody_measured(record: DossierRecord, empty_record: DossierRecord) -> None:
    """What was not measured is left to the deployer by name; less evidence never shortens the list."""
    told, empty = (_section(render_card(one), "Left to deployers") for one in (record, empty_record))
    assert "(`hosted`)" in told and "(`weights`)" not in told
    assert all(f"(`{rung}`)" in empty for rung in ("hosted", "weights", "modified"))
    assert set(told.splitlines()) <= set(empty.splitlines())


def test_a_missing_section_is_named(record: DossierRecord) -> None:
    """Every section that a dossier has nothing on is listed as not provided."""
    missing = _section(render_card(record), "Missing sections")
    assert [line for line in missing.splitlines() if line.startswith("- ")] == [
        f"- {name}: not provided" for name in MISSING_SECTIONS
    ]
