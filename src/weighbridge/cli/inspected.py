"""A report of `inspect` as people read it on a terminal: findings first, worst first, each rule with what to do. Pure.

Every line fits 80 columns but a path that does not: it can be copied as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from weighbridge.cli.reading import amount
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.report import Report

COLUMNS = 80
PLACES_SHOWN = 4  # under one rule; the rest are counted, and `--json` lists all
LEFT_SHOWN = 20
MOVED_SHOWN = 3
LISTED_MOVED = 500  # the report lists no more
VERDICTS = {
    "identical": "every tensor is the same, byte for byte",
    "a fine-tune": "the same weights, trained further or otherwise changed",
    "a quantisation": "the same weights, rounded to another type",
    "related": "some of the same weights; layers or matrices were left out, repeated or replaced",
    "unrelated": "other weights",
    "undecided": "likeness that is neither a relative's nor a stranger's",
    "not measured": "too little that both have can be compared",
}
SEVERITIES = {
    "critical": "runs code when loaded",
    "high": "runs code when the loader opts in, or breaks a format's safety rule",
    "medium": "damaged, or changes what the model is told",
    "low": "worth knowing",
    "info": "for information",
}


def summary(path: str, report: Report, *, fail_on: str = "high") -> str:
    """Return the report of what lies at `path`, as lines without a last line end."""
    lines = [shown(path, 4096), *_verdict(report, fail_on)]
    for (severity, rule), places in _by_rule(report.findings).items():
        lines += ["", *_group(severity, rule, places, report.rules.get(rule, {}))]
    if report.not_examined:
        lines += ["", "NOT EXAMINED: what these hold is not known"]
        lines += _left(report.not_examined)
    if report.against:
        lines += ["", *_against(report.against)]
    return "\n".join([*lines, "", *_facts(report)])


def _verdict(report: Report, fail_on: str) -> list[str]:
    counts = {name: sum(each["severity"] == name for each in report.findings) for name in SEVERITIES}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    failing = list(SEVERITIES)[: list(SEVERITIES).index(fail_on) + 1]
    if any(counts[name] for name in failing):
        line = f"Found: {said}."
    elif said:
        line = f"Nothing at or above {fail_on}. Found: {said}."
    else:
        line = "Nothing found."
    if report.not_examined:
        line += f" Not examined: {len(report.not_examined):,}, so this is not a clean bill."
    worst = report.worst()
    lines = [fill(line, COLUMNS)]
    if worst is not None and worst.value in failing:
        lines.append(fill(f"{worst.value} means: {SEVERITIES[worst.value]}", COLUMNS))
    return lines


def _by_rule(findings: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Findings come worst first; those of one rule and severity are told together, where the first of them stands."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in findings:
        groups.setdefault((each["severity"], each["rule"]), []).append(each)
    return groups


def _group(severity: str, rule: str, places: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> list[str]:
    many = f" ({len(places):,} places)" if len(places) > 1 else ""
    title = words.get("title", "")
    head = f"{severity.upper()}  {rule}{': ' if title else ''}{title}{many}"
    lines = [fill(head, COLUMNS, subsequent_indent="  ")]
    said = None
    for place in places[:PLACES_SHOWN]:
        if place["message"] != said:
            lines.append(_wrapped(place["message"], "  "))
        said = place["message"]
        lines += _place(place["path"], place["where"])
    if len(places) > PLACES_SHOWN:
        lines.append(f"    and {len(places) - PLACES_SHOWN:,} more (--json lists all)")
    if words.get("fix"):
        lines.append(_wrapped(f"What to do: {words['fix']}", "  "))
    return lines


def _place(path: str, where: str) -> list[str]:
    """Where it is, on one line if it fits. Names in archives are whatever somebody wrote there."""
    path = shown(path, 4096) or "the whole"
    where = f"[{shown(where, 200)}]" if where else ""
    together = f"    {path} {where}".rstrip()
    return [together] if len(together) <= COLUMNS or not where else [f"    {path}", f"      {where}"]


def _left(not_examined: Sequence[Mapping[str, Any]]) -> list[str]:
    """By reason, since a hundred files are mostly left for one."""
    reasons: dict[str, list[str]] = {}
    for left in not_examined[:LEFT_SHOWN]:
        reasons.setdefault(left["reason"], []).append(shown(left["path"], 4096) or "the whole")
    lines = []
    for reason, paths in reasons.items():
        lines += [_wrapped(shown(reason, 1000), "  "), *(f"    {path}" for path in paths)]
    if len(not_examined) > LEFT_SHOWN:
        lines.append(f"    and {len(not_examined) - LEFT_SHOWN:,} more (--json lists all)")
    return lines


def _facts(report: Report) -> list[str]:
    files, tensors = report.subject["files"], report.tensors
    facts = {"digest": report.subject["digest"] or "none: not every file could be read, or be named in a digest"}
    if len(files) == 1:
        facts["file"] = f"{files[0]['format']}, {amount(files[0]['size'])}"
    else:
        facts["files"] = f"{len(files):,}, {amount(sum(file['size'] for file in files))}"
    if tensors.get("count"):
        dtypes = ", ".join(f"{count:,} {dtype}" for dtype, count in tensors["dtypes"].items())
        facts["tensors"] = f"{tensors['count']:,} ({dtypes}), {tensors['elements']:,} values"
    if tensors.get("not_measured"):
        facts["tensors"] = f"{facts.get('tensors', '0')}; values of {tensors['not_measured']:,} not measured"
    if report.licences:
        facts["licence"] = "; ".join(_licence(licence) for licence in report.licences[:4])
    return [_wrapped(f"{name:<8} {shown(text, 1000)}", "", " " * 9) for name, text in facts.items()]


def _against(against: Mapping[str, Any]) -> list[str]:
    """What the one is to the other: the weights in a sentence, what moved most, and what else the model is told differently."""
    moved, only_here, only_there = against["moved"], against["only_here"], against["only_there"]
    many = f"{len(moved):,}{' or more' if len(moved) >= LISTED_MOVED else ''}"
    counts = [f"{against['identical']:,} tensors the same", f"{many} not"]
    counts += [f"{len(names):,} only {where}" for names, where in ((only_here, "here"), (only_there, "there")) if names]
    verdict = against["verdict"]
    lines = [_wrapped(f"{'against':<9} {verdict}: {VERDICTS.get(verdict, '')} ({', '.join(counts)})", "", " " * 10)]
    for each in moved[:MOVED_SHOWN] if verdict != "unrelated" else ():
        if each["distance"]:
            name = shown(each["tensor"], 200)
            lines.append(f"{'':<10}moved by {each['distance']:.1%} of its length: {name}")
    for what in ("templates", "tokenizer"):
        names = against[what]
        said = [
            f"{how} ({', '.join(shown(name, 60) for name in names[key][:6])}{', ...' if len(names[key]) > 6 else ''})"
            for key, how in (("differ", "NOT THE SAME"), ("only_here", "only here"), ("only_there", "only there"))
            if names[key]
        ]
        same = "the same" if names["same"] else "not in both"
        lines.append(_wrapped(f"{what:<9} {'; '.join(said) or same}", "", " " * 10))
    return lines


def _licence(licence: Mapping[str, Any]) -> str:
    return f"{licence.get('expression') or licence.get('name') or 'unknown'} ({licence.get('path', '')})"


def _wrapped(text: str, indent: str, further: str | None = None) -> str:
    return fill(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )
