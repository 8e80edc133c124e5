"""`weighbridge rules`."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from textwrap import fill
from typing import TYPE_CHECKING

import click

from weighbridge.cli.inspected import COLUMNS, SEVERITIES
from weighbridge.cli.saying import say
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.catalogue import Rule


@click.command(name="rules")
@click.argument("rule", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(rule: str | None, as_json: bool) -> None:
    """Print every rule of `inspect`, or one: what it says, why it matters, how to mend it, what it cannot see."""
    import json
    from dataclasses import asdict

    from weighbridge.probes.checkpoint.catalogue import rules

    known = rules()
    if rule is not None and rule not in known:
        raise UsageError("no such rule", where=shown(rule), do=_near(rule, list(known)))
    chosen = [known[rule]] if rule else list(known.values())
    if as_json:
        say(json.dumps([asdict(each) for each in chosen], ensure_ascii=False, indent=1))
    elif rule:
        say(_whole(chosen[0]))
    else:
        say("\n".join(_line(each) for each in chosen))


def _near(rule: str, known: Sequence[str]) -> str:
    """What to do about a rule that is not there: the rules of its area, those that hold the word, or those spelt alike."""
    area = [name for name in known if name.partition(".")[0] == rule.partition(".")[0]]
    held = [name for name in known if rule.lower() in name]
    alike = get_close_matches(rule.lower(), known, n=5, cutoff=0.5)
    near = list(dict.fromkeys([*alike, *held, *area]))
    return f"did you mean {', '.join(near[:5])}?" if near else "`weighbridge rules` lists them"


def _line(rule: Rule) -> str:
    return fill(f"{rule.severity:<8} {rule.id:<28} {rule.title}", COLUMNS, subsequent_indent=" " * 38)


def _whole(rule: Rule) -> str:
    lines = [rule.id, fill(rule.title, COLUMNS), "", f"{rule.severity}: {SEVERITIES[rule.severity]}"]
    for name, text in (
        ("What", rule.what),
        ("Why", rule.why),
        ("What to do", rule.fix),
        ("What it cannot see", rule.cannot_see),
        ("Sources", "; ".join(rule.sources)),
    ):
        if text:
            lines += ["", fill(f"{name}: {text}", COLUMNS, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join(lines)
