"""`weighbridge standard`."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.saying import put, say


@click.group(name="standard")
def command() -> None:
    """Standards: list those that ship, show one, validate a file, begin a new one; evidence names and uses."""


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_standards(as_json: bool) -> None:
    """List the standards that ship."""
    import json

    from weighbridge.standards.files import load_standard, shipped
    from weighbridge.standards.supersession import successors

    standards = [load_standard(name) for name in shipped()]
    after = successors(standards)
    if as_json:
        rows = [
            {
                "id": one.id,
                "title": one.title,
                "publisher": one.publisher,
                "version": one.version,
                "about": one.about.value,
                "requirements": len(one.requirements),
                "provenance": one.source.provenance.value,
                "superseded_by": after.get(one.id),
                "digest": one.digest,
            }
            for one in standards
        ]
        say(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    wide = max(len(one.id) for one in standards) + 2
    for one in sorted(standards, key=lambda one: (one.about.value, one.id)):
        replaced = f", superseded by {after[one.id]}" if one.id in after else ""
        said = f"{one.title} ({one.publisher}, {one.version}); {len(one.requirements)} requirements"
        say(f"{one.id:<{wide}}{one.about.value:<9} {said}; source: {one.source.provenance.value}{replaced}")


@command.command(name="show")
@click.argument("name", metavar="NAME_OR_FILE")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(name: str, as_json: bool) -> None:
    """Show a standard: its requirements in plain words, what each stands on, and how far it was checked."""
    import json

    from weighbridge.cli.ruled import wrapped
    from weighbridge.standards.files import load_standard

    found = load_standard(name)
    if as_json:
        say(json.dumps(found.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=1))
        return
    say(wrapped(f"{found.title} ({found.publisher}, {found.version}), {found.about.value}"))
    say(wrapped(f"source: {found.source.document} [{found.source.provenance.value}]", 2, 4))
    since, until = found.in_force.since, found.in_force.until
    if since or until:
        say(wrapped(f"in force: {since or 'always'} to {until or 'further notice'}", 2, 4))
    for old in found.supersedes:
        say(wrapped(f"supersedes {old}", 2, 4))
    if found.source.address or found.source.published:
        parts = [str(part) for part in (found.source.published, found.source.address) if part]
        say(wrapped(f"published {', '.join(parts)}", 2, 4))
    if found.max_age_days:
        say(wrapped(f"evidence counts for {found.max_age_days} days", 2, 4))
    if found.level_asked:
        say(wrapped(f"which level is asked for: declare {found.level_asked}", 2, 4))
    if found.when:
        say(wrapped(f"applies where {found.when}", 2, 4))
    for note in found.notes:
        say(wrapped(f"note: {note}", 2, 4))
    for level in found.levels:
        say(wrapped(f"level {level.id}: {level.title}; requires {', '.join(level.requires) or 'nothing'}", 2, 4))
    for one in found.requirements:
        say(wrapped(f"{one.id} [{one.strength.value}, {one.topic.value}]: {one.title}", 2, 6))
        say(wrapped(one.says, 6, 6))
        if one.when:
            say(wrapped(f"applies where {one.when}", 6, 8))
        if one.condition:
            say(wrapped(f"met where {one.condition}", 6, 8))
        if one.partly:
            say(wrapped(f"in part where {one.partly}", 6, 8))
        if one.attested:
            by = f" by {one.attested.role}" if one.attested.role else ""
            apart = ", by somebody who was not involved" if one.attested.independent else ""
            say(wrapped(f"attested: {one.attested.document}{by}{apart}", 6, 8))
        days = (one.attested.max_age_days if one.attested else None) or one.max_age_days
        if days:
            say(wrapped(f"evidence counts for {days} days", 6, 8))
        if one.warns:
            say(wrapped(f"warns where {one.warns.when}: {one.warns.says}", 6, 8))
        if one.remark:
            say(wrapped(f"remark: {one.remark}", 6, 8))
        if one.lacking:
            say(wrapped(f"where it is not shown: {one.lacking}", 6, 8))
        for cell in one.cells:
            say(wrapped(f"where {cell.when}: {cell.strength.value} [{cell.provenance.value}]", 6, 8))
        say(
            wrapped(
                f"{one.cites.document or found.source.document}, {one.cites.section} [{one.provenance.value}]", 6, 8
            )
        )


@command.command(name="validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def validate(files: tuple[str, ...]) -> None:
    """Check standards' files: every problem with its line and place. Several are checked together for supersession too."""
    from weighbridge.dossier.untrusted import one_line
    from weighbridge.standards.files import load_standard
    from weighbridge.standards.supersession import successors

    standards = [load_standard(name) for name in files]
    successors(standards)
    for name, one in zip(files, standards, strict=True):
        count = len(one.requirements)
        say(f"{one_line(name)}: {one.id} is a standard of {count} requirement{'' if count == 1 else 's'}, {one.digest}")


@command.command(name="new")
@click.argument("standard_id", metavar="[ID]", default="our-standard")
@click.option("--out", type=click.Path(path_type=Path), help="Write it to this file, which must not exist yet.")
def new(standard_id: str, out: Path | None) -> None:
    """Print a standard to begin with, every field explained."""
    from weighbridge.standards.files import new_standard_text

    put(new_standard_text(standard_id), out)


@command.command(name="names")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_names(as_json: bool) -> None:
    """List every name that a condition may read, of evidence and of what is declared."""
    import json

    from weighbridge.cli.ruled import wrapped
    from weighbridge.standards.names import context_names, evidence_names

    names = (*evidence_names(), *context_names())
    if as_json:
        rows = [
            {"name": one.dotted, "kind": one.kind.value, "says": one.says, "values": sorted(one.values), "how": one.how}
            for one in names
        ]
        say(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for one in names:
        values = f" ({', '.join(sorted(one.values))})" if one.values else ""
        if not say(wrapped(f"{one.dotted}: {one.kind.value}{values}; {one.says}", 0, 4)):
            return


@command.command(name="uses")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_uses(as_json: bool) -> None:
    """List the uses that `check --use` knows, and which instruments name them."""
    import json

    from weighbridge.standards.uses import load_uses

    uses = load_uses()
    if as_json:
        say(json.dumps([one.model_dump(mode="json") for one in uses], ensure_ascii=False, indent=1))
        return
    wide = max(len(one.id) for one in uses) + 2
    for one in uses:
        outside = "; military or national security" if one.national_security else ""
        say(
            f"{one.id:<{wide}}M-25-21 {one.m_25_21}, Annex III {one.annex_iii}{outside}: {one.title} [{one.provenance.value}]"
        )
