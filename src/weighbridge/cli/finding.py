"""`weighbridge finding`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.saying import put, say

if TYPE_CHECKING:
    from datetime import datetime

    from weighbridge.findings.advisory import Advisory
    from weighbridge.findings.finding import Finding

_FILE = click.Path(path_type=Path)
_OUT = click.option("--out", type=_FILE, help="Write it to this file, which must not exist yet.")


@click.group(name="finding")
def command() -> None:
    """Findings, mitigations and advisories: record a failure, ask it again, tell those who use the weights.

    FILE is a finding or an advisory, as YAML or TOML. Renderings for the public hold nothing before its date.
    """


@command.command(name="new")
@click.argument("finding_id", metavar="ID")
@_OUT
def new(finding_id: str, out: Path | None) -> None:
    """Print a finding to begin with, every field explained."""
    from weighbridge.findings.files import new_finding_text

    put(new_finding_text(finding_id, today=_now().date()), out)


@command.command(name="validate")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=_FILE)
def validate(paths: tuple[Path, ...]) -> None:
    """Check files of findings and advisories, and print their digests; every problem with its line."""
    from weighbridge.findings.files import FindingError, load
    from weighbridge.findings.finding import Finding

    problems: list[str] = []
    for path in paths:
        try:
            found = load(path)
        except FindingError as error:
            problems += [f"{path}: {one}" for one in error.problems]
            continue
        kind = "finding" if isinstance(found, Finding) else "advisory"
        say(f"{kind} {found.id}, {found.digest}")
    if problems:
        raise FindingError(problems)


@command.command(name="show")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(path: Path, as_json: bool) -> None:
    """Print a finding or an advisory for its holders, whatever its date: this is no rendering for the public."""
    import json

    from weighbridge.cli.finding_told import advisory_told, finding_told
    from weighbridge.findings.files import load
    from weighbridge.findings.finding import Finding

    found = load(path)
    if as_json:
        say(json.dumps(found.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=1))
        return
    today = _now().date()
    say("\n".join(finding_told(found, today) if isinstance(found, Finding) else advisory_told(found, today)))


@command.command(name="regress")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option(
    "--from", "prompts", type=_FILE, help="Prompts that the finding names by id, instead of the suite that ships."
)
@_OUT
def regress(path: Path, prompts: Path | None, out: Path | None) -> None:
    """Turn a finding into prompts that `weighbridge assess --prompts` asks of the next version."""
    from weighbridge.findings.files import load_finding
    from weighbridge.findings.regression import regression_prompts
    from weighbridge.probes.harms.public_sets import load_prompts
    from weighbridge.probes.harms.suite import builtin_suite

    finding = load_finding(path)
    texts: dict[str, str] = {}
    if finding.reproduce.prompt_ids:
        suite = builtin_suite() if prompts is None else load_prompts(prompts)
        texts = {one.id: one.text for one in suite.prompts}
    put(regression_prompts(finding, texts), out)


@command.command(name="advisory")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--id", "advisory_id", metavar="ID", help="Make an advisory of the findings, with this id: WB-2026-0001.")
@click.option("--publisher", metavar="NAME", help="Who publishes the advisory that is made.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["file", "osv", "avid"]),
    default="file",
    show_default=True,
    help="A file to edit, or a rendering for the public: an OSV record, an AVID report.",
)
@_OUT
def advisory(
    paths: tuple[Path, ...], advisory_id: str | None, publisher: str | None, form: str, out: Path | None
) -> None:
    """Make an advisory of findings, or render one for the public as OSV or AVID.

    FILE... are findings (with --id and --publisher), or one advisory and, if at hand, its findings, whose dates then count.
    """
    import json

    from weighbridge.findings.avid import avid
    from weighbridge.findings.files import advisory_text
    from weighbridge.findings.osv import osv

    made = _advisory(paths, advisory_id, publisher)
    if form == "file":
        put(advisory_text(made), out)
        return
    rendered = (osv if form == "osv" else avid)(made, on=_now().date())
    put(json.dumps(rendered, ensure_ascii=False, indent=1) + "\n", out)


@command.command(name="feed")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--title", required=True, help="The feed's title.")
@click.option("--publisher", required=True, help="Who publishes the feed. With the title it makes the feed's id.")
@click.option("--url", help="Where the feed will lie.")
@_OUT
def feed(paths: tuple[Path, ...], title: str, publisher: str, url: str | None, out: Path | None) -> None:
    """Write advisories as an Atom feed; those whose date has not come are left out without a trace.

    FILE... are advisories and, if at hand, their findings, whose dates then count.
    """
    from weighbridge.findings.advisory import with_findings
    from weighbridge.findings.feed import feed as atom

    findings, advisories = _loaded(paths)
    renewed = [with_findings(one, findings) for one in advisories]
    put(atom(renewed, title=title, publisher=publisher, on=_now().date(), url=url).decode("utf-8"), out)


def _advisory(paths: tuple[Path, ...], advisory_id: str | None, publisher: str | None) -> Advisory:
    """Return the advisory that the files are, or that is made of the findings that they are."""
    from weighbridge.errors import UsageError
    from weighbridge.findings.advisory import with_findings
    from weighbridge.findings.files import advisory_of

    findings, advisories = _loaded(paths)
    making = advisory_id is not None or publisher is not None
    if len(advisories) == 1 and not making:
        return with_findings(advisories[0], findings)
    if advisories or advisory_id is None or publisher is None:
        raise UsageError(
            "either one advisory, or findings with an --id and a --publisher",
            do="`weighbridge finding advisory FINDING... --id WB-2026-0001 --publisher NAME`",
        )
    return advisory_of(findings, id=advisory_id, publisher=publisher, at=_now())


def _loaded(paths: tuple[Path, ...]) -> tuple[list[Finding], list[Advisory]]:
    from weighbridge.findings.files import load
    from weighbridge.findings.finding import Finding

    findings: list[Finding] = []
    advisories: list[Advisory] = []
    for path in paths:
        found = load(path)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            advisories.append(found)
    return findings, advisories


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(microsecond=0)
