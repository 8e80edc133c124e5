"""What several formats say in the same words: which prompts a number is of, and how far it may be trusted."""

from __future__ import annotations

from weighbridge.dossier.record import FilesRead, GraderFacts
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import uncalibrated
from weighbridge.evidence.records import Comparison, Estimate, Measure, NotMeasured, Rate
from weighbridge.protocol.vocabulary import Verb

# Licences that have one SPDX id, by the id in lower case. Others are named as found: an id is a claim about a text.
_SPDX = """
Apache-2.0 MIT BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CC-BY-2.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0
CC-BY-NC-4.0 CC-BY-ND-4.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0
CDLA-Sharing-1.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only
LGPL-3.0-or-later AGPL-3.0-only AGPL-3.0-or-later MPL-2.0 EPL-2.0 EUPL-1.2 ISC Zlib Unlicense WTFPL Artistic-2.0 AFL-3.0 OSL-3.0 ODbL-1.0
PDDL-1.0 ODC-By-1.0 OFL-1.1 PostgreSQL NCSA ECL-2.0
"""
_SPDX_IDS = {name.lower(): name for name in _SPDX.split()}


def spdx_id(licence: str) -> str | None:
    """Return the SPDX id of a licence that was found under this name, None when the name is not certainly one.

    >>> spdx_id("apache-2.0"), spdx_id("Gemma Terms of Use")
    ('Apache-2.0', None)
    """
    return _SPDX_IDS.get(licence.strip().lower())


def number(value: float) -> str:
    """Return a number as the shortest text that reads back as the same.

    >>> number(0.1), number(1.0)
    ('0.1', '1.0')
    """
    return repr(float(value))


def prompts_of(rate: Rate) -> str:
    """Return which prompts a rate is over: "harm prompts" or "benign look-alikes"."""
    return "benign look-alikes" if rate.benign else "harm prompts"


def cell_of(rate: Rate) -> str:
    """Return where on the ladder and over which prompts a rate is, as `name=value` pairs.

    >>> from weighbridge.evidence.records import Reason
    >>> none = NotMeasured(reason=Reason.NOT_NEEDED)
    >>> cell_of(Rate(subject="s", rung="api", measure="harm", benign=False, category="hate", verb=None, technique="mean", rate=none))
    'rung=api; prompts=harm prompts; category=hate; verb=all; technique=mean'
    """
    category = rate.category.value if rate.category else "all"
    verb = rate.verb.value if rate.verb else "all"
    return (
        f"rung={rate.rung.value}; prompts={prompts_of(rate)}; category={category}; verb={verb}; "
        f"technique={_value(rate.technique)}"
    )


def contrast_of(comparison: Comparison, names: dict[str, str]) -> str:
    """Return which two conditions a comparison is of, and over which prompts, as `name=value` pairs.

    `names`: a label for each subject's identity (`lookup.labels`).
    """
    one, other = comparison.candidate, comparison.baseline
    sides = (
        f"{_value(names.get(side.subject, side.label), 80)} on {side.rung.value} ({techniques(side.techniques)})"
        for side in (one, other)
    )
    prompts = "benign look-alikes" if comparison.measure is Measure.ANSWERED else "harm prompts"
    return f"{' minus '.join(sides)}; prompts={prompts}; scope={_value(comparison.scope)}; aggregate={comparison.aggregate}"


def techniques(names: tuple[str, ...]) -> str:
    """Return techniques as one text."""
    return ", ".join(_value(name) for name in names)


def support_of(estimate: Estimate) -> str:
    """Return what an estimate rests on, as `name=value` pairs: level, method, prompts measured and planned, what is missing.

    >>> support_of(Estimate(value=0.5, low=0.1, high=0.9, level=0.95, method="Wilson", n_planned=9, n_measured=8,
    ...                     missing={"incoherent": 1}))
    'level=0.95; method=Wilson; n=8 of 9 prompts; missing=1 incoherent'
    """
    missing = missing_of(estimate)
    return (
        f"level={number(estimate.level)}; method={_value(estimate.method)}; "
        f"n={estimate.n_measured} of {estimate.n_planned} prompts" + (f"; missing={missing}" if missing else "")
    )


def missing_of(estimate: Estimate) -> str:
    """Return what is missing by reason, "" when nothing is."""
    return ", ".join(f"{count} {reason.value}" for reason, count in estimate.missing.items() if count)


def absence(outcome: NotMeasured) -> str:
    """Return why something was not measured, without the detail: equal reasons are counted together."""
    return f"not measured: {outcome.reason.value}"


def unchecked(grader: GraderFacts, measure: Measure, verb: Verb | None = None) -> str:
    """Return which grades behind a number were not checked against human labels, "" when all were."""
    if measure is Measure.HARM:
        verbs = uncalibrated(grader)
        return ", ".join(each.value for each in verbs if verb in (None, each))
    return "refusals" if measure is not Measure.COHERENT and grader.calibrated_refusals is False else ""


def reading_of(read: FilesRead) -> str:
    """Return what reading a subject's files said, in words.

    >>> reading_of(FilesRead(subject="s", findings={"low": 2}, not_examined=1, tensors=9))
    '2 low; 1 not examined; 9 tensors'
    """
    found = ", ".join(f"{count} {severity}" for severity, count in read.findings.items()) or "no findings"
    return f"{found}; {read.not_examined} not examined; {read.tensors} tensors"


def _value(text: str, limit: int = 200) -> str:
    """Text of others as a value among `name=value` pairs: it cannot begin another pair."""
    return one_line(text, limit).replace(";", ",")
