"""`weighbridge rules`."""

from __future__ import annotations

from textwrap import fill

import click

from weighbridge.errors import UsageError


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
        near = [name for name in known if rule in name]
        do = f"did you mean {', '.join(near[:5])}?" if near else "`weighbridge rules` lists them"
        raise UsageError("no such rule", where=rule, do=do)
    chosen = [known[rule]] if rule else list(known.values())
    if as_json:
        click.echo(json.dumps([asdict(each) for each in chosen], ensure_ascii=False, indent=1))
    elif rule:
        each = chosen[0]
        click.echo(f"{each.id}  ({each.severity})\n{each.title}\n")
        for name, text in (
            ("What", each.what),
            ("Why", each.why),
            ("What to do", each.fix),
            ("What it cannot see", each.cannot_see),
        ):
            click.echo(fill(f"{name}: {text}", 100, subsequent_indent="  "))
        if each.sources:
            click.echo(fill("Sources: " + "; ".join(each.sources), 100, subsequent_indent="  "))
    else:
        for each in chosen:
            click.echo(f"{each.severity:<9} {each.id:<34} {each.title}")
