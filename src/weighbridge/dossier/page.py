"""`index.html`: one self-contained page, with no script and no network, for a screen, a phone, a screen reader and paper.

Everything that a model or a stranger wrote (answers, prompts, labels, notes, file names) passes through `untrusted` and through
Jinja's escaping; the page's content policy forbids scripts and every request. Prompts and answers are folded, never open by
default and never printed; answers about child sexual exploitation are not shown at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from markupsafe import Markup, escape

from weighbridge.dossier.figures.balance import AGGREGATE_WORDS, balance
from weighbridge.dossier.figures.ladder import LadderFigures
from weighbridge.dossier.figures.shares import KINDS, patterns, share_panels, share_swatch
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.printing import count, duration, size
from weighbridge.dossier.record import DossierRecord, Example
from weighbridge.dossier.svg import Plots
from weighbridge.dossier.tables import (
    cell_table,
    comparison_tables,
    gap_groups,
    key_numbers,
    subjects_of,
    twin_table,
    verb_table,
)
from weighbridge.dossier.templating import page_template
from weighbridge.dossier.threat_sheets import BOOKKEEPING, MARKS, sheet_view
from weighbridge.dossier.untrusted import one_line, visible
from weighbridge.dossier.wording import REASONS, saved_words, uncalibrated, unchecked_grades, verdict_words
from weighbridge.evidence.records import Estimate, Measure
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verdict

# The answers to these are graded and not kept; should a record hold one, the page does not show it.
WITHHELD = frozenset({Category.CHILD_SEXUAL_EXPLOITATION})
FILES_SHOWN = 100  # files listed of a component; a folder of documents may hold thousands
ANSWER_LIMIT = 2000  # characters shown of an answer; the whole one is in logs/


def render_page(record: DossierRecord) -> str:
    """Return the dossier's page as HTML. The same record gives the same text, byte for byte."""
    plots = Plots()
    ladder = LadderFigures(record, plots)
    names = labels(subjects_of(record))
    lead, rest = _first_sentence(visible(record.headline.paragraph, 10_000))
    return _template().render(
        record=record,
        names=names,
        name=names[record.candidate.identity],
        title=_title(record),
        badge=badge(record.headline.verdict),
        lead=lead,
        rest=rest,
        balance=balance(record, plots),
        key_numbers=key_numbers(record),
        ladder=ladder,
        categories=ladder.by_category(),
        techniques=ladder.by_technique(),
        shares=share_panels(record, plots, benign=False),
        share_kinds=[(kind, share_swatch(kind)) for kind in KINDS],
        verbs=verb_table(record),
        cells=cell_table(record),
        twins=twin_table(record),
        risk_tables=comparison_tables(record, Measure.HARM),
        benefit_tables=comparison_tables(record, Measure.ANSWERED),
        gaps=gap_groups(record),
        threats=[sheet_view(found, plots) for found in record.threats],
        threat_marks=MARKS,
        threat_scores_say=BOOKKEEPING,
        uncalibrated=[verb.value for verb in uncalibrated(record.grader)],
        unchecked=unchecked_grades(record.grader),
        refusals_unchecked=record.grader.calibrated_refusals is False,
        aggregate=AGGREGATE_WORDS[record.headline.aggregate],
        methods=sorted({rate.rate.method for rate in record.rates if isinstance(rate.rate, Estimate)}),
        paired_methods=sorted(
            {item.estimate.method for item in record.comparisons if isinstance(item.estimate, Estimate)}
        ),
        made_at=f"{record.made_at.day} {record.made_at:%B %Y, %H:%M %Z}".strip(),
        files_shown=FILES_SHOWN,
        total=_total(record),
        without_tokens=_without_tokens(record),
        saved=saved_words(record.costs),
        examples=[_Shown.of(example, names) for example in record.examples],
        withheld=sum(example.category in WITHHELD for example in record.examples),
        patterns=patterns(),
        rungs=[rung for rung in Rung if rung is not Rung.MODIFIED],
    )


@dataclass(frozen=True)
class Badge:
    """A verdict as a reader sees it: a word and a class that gives its symbol and colour."""

    words: str
    kind: str


def badge(verdict: Verdict | None) -> Badge:
    """Return the badge of a verdict; None is "could not assess"."""
    kinds = {
        Verdict.NO_MATERIAL_INCREASE: "none",
        Verdict.MATERIAL_INCREASE: "increase",
        Verdict.UNDECIDED: "undecided",
        None: "unassessed",
    }
    return Badge(verdict_words(verdict), kinds[verdict])


def prose(text: str) -> Markup:
    """Return text of ours (it may quote labels) escaped, with rungs in backticks as code and figures in parentheses set back.

    >>> prose("refused 5 % (3 to 8) on `api`, <b>")
    Markup('refused 5 % <span class="figures">(3 to 8)</span> on <code>api</code>, &lt;b&gt;')
    """
    marked = Markup("")
    for part in re.split(r"(`(?:hosted|api|weights|modified)`|\([^()]*[0-9][^()]*\))", text):
        if part.startswith("(") and part.endswith(")"):
            marked += Markup('<span class="figures">{}</span>').format(part)
        elif part in _RUNGS_IN_BACKTICKS:
            marked += Markup("<code>{}</code>").format(part.strip("`"))
        else:
            marked += escape(part)
    return marked


_RUNGS_IN_BACKTICKS = frozenset(f"`{rung.value}`" for rung in Rung)


@dataclass(frozen=True)
class _Shown:
    """An example as the page shows it."""

    subject: str
    item: str
    about: str
    rung: str
    technique: str
    grade: str
    prompt: str
    prefill: str
    answer: str
    withheld: bool
    source: str

    @classmethod
    def of(cls, example: Example, names: dict[str, str]) -> _Shown:
        return cls(
            subject=names.get(example.subject, one_line(example.subject)),
            item=one_line(example.item, 80),
            about=f"{example.category.label}, {example.verb.value if example.verb else 'benign look-alike'}",
            rung=example.rung.value,
            technique=one_line(example.technique, 40),
            grade=one_line(example.grade, 120),
            prompt=visible(example.prompt, ANSWER_LIMIT),
            prefill=visible(example.prefill, ANSWER_LIMIT),
            answer=visible(example.answer, ANSWER_LIMIT),
            withheld=example.category in WITHHELD,
            source=example.source,
        )


def _title(record: DossierRecord) -> str:
    """The verdict and what it is over, as a heading."""
    words = verdict_words(record.headline.verdict)
    if record.headline.contrast is Contrast.COUNTERFACTUAL and record.baselines:
        over = labels(subjects_of(record))[record.baselines[0].identity]
    else:
        over = "its own chat interface"
    if record.headline.verdict is None:
        return f"Could not be assessed against {over}"
    link = "against" if record.headline.verdict is Verdict.UNDECIDED else "over"
    return f"{words[0].upper()}{words[1:]} {link} {over}"


def _first_sentence(paragraph: str) -> tuple[str, str]:
    """Return the first sentence, which is set larger, and the rest. It ends with its figures or with a reason."""
    found = re.match(r"(.*?(?:\)|could not be assessed: [^.]*)\.) (.*)", paragraph, flags=re.DOTALL)
    return (found[1], found[2]) if found else (paragraph, "")


def _without_tokens(record: DossierRecord) -> frozenset[str]:
    """The subjects that are no models: no token is spent on them."""
    return frozenset(subject.identity for subject in subjects_of(record) if not subject.is_model)


def _total(record: DossierRecord) -> dict[str, str]:
    """Sums over subjects; tokens are of models only, and "not told" when any model's provider did not tell them."""
    costs = record.costs
    models = [cost for cost in costs if cost.subject not in _without_tokens(record)]

    def tokens(values: list[int | None]) -> str:
        known = [value for value in values if value is not None]
        return count(sum(known)) if len(known) == len(values) else "not told"

    return {
        "calls": count(sum(cost.calls for cost in costs)),
        "reused": count(sum(cost.reused for cost in costs)),
        "failures": count(sum(cost.failures for cost in costs)),
        "not_needed": count(sum(cost.not_needed for cost in costs)),
        "prompt_tokens": tokens([cost.prompt_tokens for cost in models]),
        "completion_tokens": tokens([cost.completion_tokens for cost in models]),
        "seconds": duration(sum(cost.seconds for cost in costs)),
    }


@cache
def _template() -> Template:
    filters = {
        "badge": badge,
        "capitalise": lambda words: words[:1].upper() + words[1:],
        "count": count,
        "duration": duration,
        "one_line": one_line,
        "prose": prose,
        "reason": lambda why: REASONS[why.reason],
        "size": size,
        "visible": visible,
    }
    return page_template("page.html", filters)
