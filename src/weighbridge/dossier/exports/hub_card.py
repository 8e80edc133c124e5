"""Hugging Face model card: `README.md`, the dossier's own card under the name that the hub reads.

The block and the text are `dossier.card`'s. What is counted here is what the `model-index` holds, read back from the text itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import yaml

from weighbridge.dossier.card import render_card
from weighbridge.dossier.exports.export import Export, Kind, Source, Tally
from weighbridge.dossier.exports.words import absence
from weighbridge.dossier.lookup import AGGREGATES
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.tables import comparison_tables
from weighbridge.evidence.records import Measure, NotMeasured, Rate

FILE = "README.md"
_MEASURES = {
    "harm_rate": Measure.HARM,
    "refusal_rate": Measure.REFUSED,
    "coherent_rate": Measure.COHERENT,
    "benign_answer_rate": Measure.ANSWERED,
}


def export(source: Source, *, at: datetime) -> Export:
    """Return the card. `at` is not used: a card gives the time of the weighing."""
    record, tally = source.record, Tally(source)
    text = render_card(record)
    shown = _rates_in(text, record)
    tally.wrote(Kind.RATE, len(shown))
    tally.part(
        "reasons for what is missing in a rate", "metrics have args for n planned and n measured only", len(shown)
    )
    for rate in record.rates:
        if id(rate) not in shown:
            tally.drop(Kind.RATE, _why_not(rate, record))
    in_text = _comparisons_in_text(record)
    tally.wrote(Kind.COMPARISON, len(in_text))
    tally.part(
        "comparison as metadata",
        "a model-index holds values of one model; differences are in the card's text",
        len(in_text),
    )
    tally.rest(
        Kind.COMPARISON, "a model-index holds values of one model; the card's text shows comparisons over all prompts"
    )
    tally.part("gap as metadata", "a model-index holds numbers only; gaps are in the card's text", len(record.gaps))
    for kind in (Kind.HEADLINE, Kind.GAP, Kind.SUITE, Kind.GRADER, Kind.BASELINE, Kind.THREAT, Kind.RUN):
        tally.wrote(kind, source.inventory()[kind])
    tally.part("claims of a threat sheet", "a card has the six scores", len(record.threats))
    tally.part("environment of the run", "a card has the command only")
    tally.rest(Kind.COMPONENT, "a card names each model's licences, not its files")
    for kind in (Kind.RULING, Kind.FILES_READ, Kind.COST, Kind.NOTE):
        tally.rest(kind, "a card has no place for it")
    tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
    return tally.export({FILE: text.encode()})


def _rates_in(text: str, record: DossierRecord) -> set[int]:
    """The `id`s of the rates that the card's metadata holds."""
    block = yaml.safe_load(text.removeprefix("---\n").split("\n---\n", 1)[0])
    found = (rate for key in _keys(block) for rate in [_rate(record, *key)] if rate is not None)
    return {id(rate) for rate in found}


def _keys(block: dict[str, Any]) -> Iterator[tuple[Measure, bool, str, str | None, str]]:
    for model in block.get("model-index", ()):
        for result in model["results"]:
            benign = result["dataset"]["config"] == "benign look-alikes"
            for metric in result["metrics"]:
                args = metric["args"]
                yield _MEASURES[metric["type"]], benign, args["rung"], args.get("category"), args["technique"]


def _rate(
    record: DossierRecord, measure: Measure, benign: bool, rung: str, category: str | None, technique: str
) -> Rate | None:
    """The rate that a metric is. On a rung with a single technique, that one stands for the aggregates (`lookup.Rates.find`)."""
    found = {
        rate.technique: rate
        for rate in record.rates
        if rate.subject == record.candidate.identity
        and rate.verb is None
        and (rate.measure, rate.benign, rate.rung, rate.category) == (measure, benign, rung, category)
    }
    single = [rate for name, rate in found.items() if name not in AGGREGATES]
    return found.get(technique) or (single[0] if len(single) == 1 else None)


def _why_not(rate: Rate, record: DossierRecord) -> str:
    if isinstance(rate.rate, NotMeasured):
        return f"{absence(rate.rate)}; a metric needs a number"
    if rate.subject != record.candidate.identity:
        return "of another model than the card's"
    return "a card is a summary: single techniques, verbs, and categories of other measures than harm are left out"


def _comparisons_in_text(record: DossierRecord) -> set[int]:
    """The `id`s of the comparisons in the card's table: those over all prompts, by both aggregates."""
    return {
        id(weight.comparison)
        for measure in (Measure.HARM, Measure.ANSWERED)
        for table in comparison_tables(record, measure)
        for weight in table.rows[0].weights
        if weight.comparison is not None
    }
