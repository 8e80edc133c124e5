"""`card.md`: a model card with the hub's metadata block, then the same in brief for people.

The block follows the hub's `model-index` (`huggingface/hub-docs`, `modelcard.md`): each result needs `task.type`, `dataset.type`,
`dataset.name`, and metrics with `type` and `value`. The format has no place for "not measured", so only what was measured becomes a
value, with its interval and number of prompts in `args`; the text below says what was not. No prompt and no answer is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from weighbridge.dossier.figures.balance import AGGREGATE_WORDS, Weight
from weighbridge.dossier.lookup import AGGREGATES, Rates, labels
from weighbridge.dossier.printing import print_rate
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.tables import (
    RateCell,
    comparison_tables,
    gap_groups,
    key_numbers,
    subjects_of,
    twin_table,
)
from weighbridge.dossier.threat_sheets import BOOKKEEPING, REFUSAL
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import REASONS, uncalibrated, unchecked_grades, verdict_words
from weighbridge.evidence.records import Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Category, Rung

# The hub's identifiers (huggingface/hub-docs, docs/hub/repositories-licenses.md, read in an early 2024 version); a licence that
# came later is "other" with its name, which the hub accepts as well.
_HUB_LICENCES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0
postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma
"""
HUB_LICENCES = frozenset(_HUB_LICENCES.split())
_METRICS = {
    Measure.HARM: ("harm_rate", "Harm rate"),
    Measure.REFUSED: ("refusal_rate", "Refusal rate"),
    Measure.COHERENT: ("coherent_rate", "Coherent rate"),
    Measure.ANSWERED: ("benign_answer_rate", "Benign requests answered"),
}
MISSING_SECTIONS = (
    "Intended uses",
    "Out-of-scope uses",
    "Who made the model, and how",
    "Training data",
    "Training procedure",
    "Ethical considerations",
    "Environmental impact",
    "Contact",
    "How to report a flaw",
)
"""What readers expect of a model card and no dossier has a place for."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@^=]|:(?=//))")  # ":" only where it would make a link


def render_card(record: DossierRecord) -> str:
    """Return the card: YAML front matter and Markdown. The same record gives the same text."""
    metadata = yaml.safe_dump(
        _metadata(record), sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return f"---\n{metadata}---\n\n" + "\n".join(_body(record)) + "\n"


def escaped(text: str, limit: int = 200) -> str:
    """Return text of others for one line of Markdown: it reads as it is and can open no link, image, tag, table or heading.

    >>> print(escaped("[x](http://e.com) <b>*hi*|"))
    \\[x\\]\\(http\\://e.com\\) \\<b\\>\\*hi\\*\\|
    """
    return _SPECIAL.sub(r"\\\1", one_line(text, limit)).replace("www.", "www\\.")


def code(text: str, limit: int = 300) -> str:
    """Return text of others as a code span, whatever backticks it holds (CommonMark 0.31, section 6.1).

    >>> code("a `b` c")
    '`` a `b` c ``'
    """
    line = one_line(text, limit)
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"{fence}{line}{fence}"


def _metadata(record: DossierRecord) -> dict[str, Any]:
    tags = ["weighbridge", "safety-evaluation", *(["open-weights"] if record.candidate.digest else [])]
    metadata: dict[str, Any] = {"tags": tags} | _licence(record)
    results = list(_results(record))
    if results:
        metadata["model-index"] = [{"name": one_line(record.candidate.label), "results": results}]
    return metadata


def _licence(record: DossierRecord) -> dict[str, str]:
    """The licence when every component names one and the same; else none, and the text says what was found."""
    found = {component.licence for component in record.candidate.components}
    if len(found) != 1 or None in found:
        return {}
    name = one_line(str(found.pop()), 80)
    if name.lower() in HUB_LICENCES:
        return {"license": name.lower()}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") or "unnamed"}


def _results(record: DossierRecord) -> Iterator[dict[str, Any]]:
    for benign, config in ((False, "harm prompts"), (True, "benign look-alikes")):
        metrics = list(_metrics(record, benign=benign))
        if metrics:
            yield {
                "task": {"type": "text-generation", "name": "Answering " + config},
                "dataset": {
                    "type": re.sub(r"[^a-z0-9]+", "-", one_line(record.suite.name).lower()).strip("-") or "prompts",
                    "name": f"{one_line(record.suite.name)} {one_line(record.suite.version)}",
                    "config": config,
                    "args": {
                        "digest": record.suite.digest,
                        "protocol": record.protocol,
                        "grader": one_line(record.grader.identity, 300),
                        "subject": record.candidate.identity,
                    },
                },
                "metrics": metrics,
            }


def _metrics(record: DossierRecord, *, benign: bool) -> Iterator[dict[str, Any]]:
    """Every measured rate of the candidate over all prompts, by rung, and its harm rate by category."""
    rates, identity = Rates(record.rates), record.candidate.identity
    measures = (Measure.ANSWERED,) if benign else (Measure.HARM, Measure.REFUSED, Measure.COHERENT)
    for rung in rates.rungs(identity):
        for measure in measures:
            for technique in AGGREGATES if measure is Measure.HARM else AGGREGATES[:1]:
                found = rates.find(identity, rung, measure, benign=benign, technique=technique)
                if isinstance(found, Estimate):
                    yield _metric(found, measure, rung, technique, None)
        for category in () if benign else Category:
            found = rates.find(identity, rung, Measure.HARM, category=category, technique=record.headline.aggregate)
            if isinstance(found, Estimate):
                yield _metric(found, Measure.HARM, rung, record.headline.aggregate, category)


def _metric(rate: Estimate, measure: Measure, rung: Rung, technique: str, category: Category | None) -> dict[str, Any]:
    kind, name = _METRICS[measure]
    printed = print_rate(rate)
    where = f" ({category.label})" if category else ""
    how = AGGREGATE_WORDS["worst" if technique == "worst" else "mean"]
    return {
        "type": kind,
        "value": round(rate.value, 4),
        "name": f"{name}{where} on {rung.value}, {how} ({printed.with_unit}, {printed.interval}, n {printed.n})",
        "args": {
            "rung": rung.value,
            "technique": technique,
            **({"category": category.value} if category else {}),
            "unit": "share",
            "low": round(rate.low, 4),
            "high": round(rate.high, 4),
            "level": rate.level,
            "method": one_line(rate.method),
            "n_measured": rate.n_measured,
            "n_planned": rate.n_planned,
        },
    }


def _body(record: DossierRecord) -> Iterator[str]:
    names = {identity: escaped(name) for identity, name in labels(subjects_of(record)).items()}
    candidate = record.candidate
    yield f"# {names[candidate.identity]}\n"
    yield f"**Verdict: {verdict_words(record.headline.verdict)}** ({record.headline.contrast.value})\n"
    yield f"{_paragraph(record.headline.paragraph)}\n"
    yield f"Weighed by {escaped(record.made_by)} on {record.made_at:%Y-%m-%d}. This card is a summary; `index.html` beside it is the"
    yield "dossier, `dossier.json` the same for machines.\n"
    yield from _models(record, names)
    yield "\n## Key numbers\n"
    yield f"Of {names[candidate.identity]}, over all categories.\n"
    yield "| measure | value | interval | prompts |\n| --- | ---: | ---: | ---: |"
    for number in key_numbers(record):
        yield f"| {number.label}{' †' if number.flagged else ''} | {_cells(number.cell)} |"
    yield "\n## Comparisons\n"
    yield "Paired differences on the same prompts, in percentage points.\n"
    refusals = record.grader.calibrated_refusals is False
    unchecked = {Measure.HARM: bool(uncalibrated(record.grader)), Measure.ANSWERED: refusals}
    yield "| comparison | counted | points | interval | prompts | verdict |\n| --- | --- | ---: | ---: | ---: | --- |"
    for measure in (Measure.HARM, Measure.ANSWERED):
        for table in comparison_tables(record, measure):
            for weight in table.rows[0].weights:
                flag = " †" if unchecked[measure] else ""
                yield f"| {escaped(table.caption, 300)}{flag} | {weight.words} | {_weight(weight)} |"
    yield from _twins(record)
    yield "\n## Not measured\n"
    yield from [
        f"- {group.words}: "
        + "; ".join(
            f"{escaped(who)}, {escaped(where)}{f' ({number} answers)' if number != '1' else ''}"
            for who, where, _, number in group.entries
        )
        for group in gap_groups(record)
    ] or ["Everything that the protocol promised was measured."]
    yield from _rungs(record)
    yield from _limits(record)
    yield from _licences(record)
    yield from _for_deployers(record)
    yield from _missing_sections()
    yield from _threats(record)
    yield from _trust(record)


def _rungs(record: DossierRecord) -> Iterator[str]:
    """Every rung of the ladder, also those on which nothing was seen, and why not."""
    rates, identity = Rates(record.rates), record.candidate.identity
    yield "\n## What was evaluated, rung by rung\n"
    yield "Prompts whose answers were graded, of those planned.\n"
    yield "| rung | what stands before the model | harm prompts | benign look-alikes | techniques |"
    yield "| --- | --- | --- | --- | --- |"
    for rung in Rung:
        tried = ", ".join(rates.techniques(identity, rung)) or "none"
        harm = _graded(record, rung, rates.find(identity, rung, Measure.HARM))
        benign = _graded(record, rung, rates.find(identity, rung, Measure.ANSWERED, benign=True))
        yield f"| {rung.value} | {escaped(rung.label)} | {harm} | {benign} | {escaped(tried, 400)} |"


def _graded(record: DossierRecord, rung: Rung, found: EstimateOrNot) -> str:
    if isinstance(found, Estimate):
        return print_rate(found).n
    return f"not measured: {REASONS[_why_not(record, rung, found)]}"


def _why_not(record: DossierRecord, rung: Rung, found: NotMeasured) -> Reason:
    """A gap of the whole rung knows better than a rate that is not there why nothing was seen."""
    gaps = (gap for gap in record.gaps if gap.subject == record.candidate.identity and gap.where == rung.value)
    gap = next(gaps, None) if found.reason is Reason.NOT_IN_PROTOCOL else None
    return gap.why.reason if gap else found.reason


def _limits(record: DossierRecord) -> Iterator[str]:
    """What the prompts and the grader cannot see."""
    suite, grader = record.suite, record.grader
    yield "\n## Limits\n"
    yield "- The figures hold for these prompts, techniques and this grader. What was not asked was not seen."
    if suite.left_out:
        parts = ", ".join(f"{escaped(what)} ({number})" for what, number in sorted(suite.left_out.items()))
        yield f"- Left out of the prompts: {parts}."
    yield from (f"- The prompts: {escaped(note, 600)}" for note in suite.notes)
    if grader.blind_verbs:
        yield f"- The grader cannot see: {', '.join(grader.blind_verbs)}. These are not measured."
    unchecked = ", ".join(unchecked_grades(grader))
    if unchecked:
        yield f"- The grader was not checked against people on: {unchecked}."
    yield "- Incoherent answers are not counted as harmless: they are not measured, and are no evidence of safety."


def _licences(record: DossierRecord) -> Iterator[str]:
    yield "\n## Licence by component\n"
    if not record.candidate.components:
        yield "No component was found, and so no licence."
        return
    yield "| component | licence |\n| --- | --- |"
    for component in record.candidate.components:
        yield f"| {escaped(component.name)} | {escaped(component.licence or '') or 'not found'} |"


def _for_deployers(record: DossierRecord) -> Iterator[str]:
    """What stays with whoever runs the model: what was not weighed with it, and what does not travel with the weights."""
    rates, identity = Rates(record.rates), record.candidate.identity
    seen = {rung for rung in Rung if isinstance(rates.find(identity, rung, Measure.HARM), Estimate)}
    yield "\n## Left to deployers\n"
    yield "- Filters, a system prompt and a chat interface do not travel with the weights: whoever runs them has to set their own."
    if Rung.HOSTED not in seen:
        yield "- No harm rate behind a system prompt was measured (`hosted`): measure yours with your own before you rely on it."
    if Rung.WEIGHTS not in seen:
        yield "- The harm rate of the bare weights was not measured (`weights`): do not take the figures above it for theirs."
    if Rung.MODIFIED not in seen:
        yield "- The harm rate after changes to the weights was not measured (`modified`): weigh the model anew after fine-tuning."
    yield "- Whether the model suits a use is not weighed here: `weighbridge check --use` rules on the use that you declare."


def _missing_sections() -> Iterator[str]:
    """A dossier records nothing on these, and a reader who looks for them is told so."""
    yield "\n## Missing sections\n"
    yield "The dossier records nothing on these.\n"
    yield from (f"- {section}: not provided" for section in MISSING_SECTIONS)


def _threats(record: DossierRecord) -> Iterator[str]:
    """The six scores of each threat sheet, and why step 4 has its score; claims, marks and figures are on the page."""
    if not record.threats:
        return
    yield "\n## Threat sheets\n"
    yield f"{BOOKKEEPING} {REFUSAL} Claims, how far each was checked, and figures are in `index.html`.\n"
    yield f"| step | {' | '.join(escaped(found.sheet.title) for found in record.threats)} |"
    yield f"| --- |{' --- |' * len(record.threats)}"
    for scores in zip(*(found.scores for found in record.threats), strict=True):
        said = [escaped(f"{one.score.value}: {one.because}", 400) for one in scores]
        yield f"| {scores[0].step} {scores[0].title} | {' | '.join(said)} |"


def _models(record: DossierRecord, names: Mapping[str, str]) -> Iterator[str]:
    yield "## Models\n"
    yield "| model | identity | licence |\n| --- | --- | --- |"
    for subject in subjects_of(record):
        identity = f"`{subject.digest}`" if subject.digest else f"{escaped(subject.identity, 300)} (no digest)"
        licences = dict.fromkeys(component.licence or "not found" for component in subject.components)
        yield f"| {names[subject.identity]} | {identity} | {escaped(', '.join(licences) or 'not found')} |"


def _twins(record: DossierRecord) -> Iterator[str]:
    table = twin_table(record)
    yield "\n## Benign look-alikes\n"
    yield f"| {table.heading.lower()} | {' | '.join(table.columns)} |\n| --- |{' --- |' * len(table.columns)}"
    for label, flagged, cells in table.rows:
        yield f"| {escaped(label)}{' †' if flagged else ''} | {' | '.join(_cell(cell) for cell in cells)} |"


def _trust(record: DossierRecord) -> Iterator[str]:
    grader, suite = record.grader, record.suite
    yield "\n## Grader, prompts and protocol\n"
    yield f"- Grader: {escaped(grader.name)}, {code(grader.identity)}"
    yield f"- Checked against people: {escaped(grader.calibration, 600) or 'not measured'}"
    unchecked = ", ".join(unchecked_grades(grader))
    if unchecked:
        yield f"- † Grades for {unchecked} were not checked against human labels: read the differences, not the levels."
    yield (
        f"- Prompts: {escaped(suite.name)} {escaped(suite.version)}, {suite.harm_prompts} harm prompts and {suite.twins} benign "
        f"look-alikes, `{suite.digest}`"
    )
    yield f"- Protocol: {escaped(record.protocol_name)}, `{record.protocol}`"
    yield f"- Evidence: `{record.evidence}`"
    yield f"- To reproduce: {code(record.command, 1000)}"


def _paragraph(text: str) -> str:
    """The headline escaped, but for rungs in backticks: they are ours and stay code."""
    parts = re.split(r"(`(?:hosted|api|weights|modified)`)", text)
    return "".join(part if number % 2 else _edges(part) for number, part in enumerate(parts))


def _edges(part: str) -> str:
    """Escape one part of a line and keep the spaces at its ends."""
    inner = part.strip(" ")
    start = " " * (len(part) - len(part.lstrip(" "))) if inner else part
    end = " " * (len(part) - len(part.rstrip(" "))) if inner else ""
    return f"{start}{escaped(inner, 10_000)}{end}"


def _cells(cell: RateCell) -> str:
    if cell.printed is None:
        return f"not measured: {cell.why.reason.value if cell.why else ''} | – | –"
    return f"{cell.printed.with_unit} | {cell.printed.interval} | {cell.printed.n}"


def _cell(cell: RateCell) -> str:
    if cell.printed is None:
        return f"not measured: {cell.why.reason.value if cell.why else ''}"
    return f"{cell.printed.with_unit} ({cell.printed.interval}, n {cell.printed.n})"


def _weight(weight: Weight) -> str:
    if weight.printed is None:
        why = weight.estimate
        return f"not measured: {'' if isinstance(why, Estimate) else why.reason.value} | – | – | –"
    printed = weight.printed
    return f"{printed.value} | {printed.interval} | {printed.n} | {verdict_words(weight.verdict)}"
