"""`weighbridge recourse`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.saying import say

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from weighbridge.recourse.cases import Case
    from weighbridge.recourse.export import Reading
    from weighbridge.recourse.log import Log

_LOG = click.option(
    "--log", "log", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The log's file (JSON lines)."
)
_SEAL = click.option(
    "--encrypt-for",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PUBLIC_KEY",
    help="Encrypt the texts for this X25519 public key (PEM); needed when they hold personal data.",
)
_KEY = click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PRIVATE_KEY",
    help="Show encrypted texts, with the private key that belongs to --encrypt-for.",
)
_DAY = click.DateTime(["%Y-%m-%d"])
_MAX_TEXT_BYTES = 64 * 1024


@click.group(name="recourse")
def command() -> None:
    """Recourse log: contested decisions, who reviewed them, what became of them, and how long it took.

    The log is only ever added to, and each entry is chained to the one before. It has no place for who is affected, and refuses texts
    in which personal data is seen unless they are encrypted.
    """


@command.command(name="open")
@click.argument("case")
@_LOG
@click.option("--decision", required=True, metavar="KIND", help="Kind of decision, such as benefit-denied.")
@click.option("--decided-on", type=_DAY, required=True, help="Day of the decision.")
@click.option(
    "--received-on", type=_DAY, help="Day on which the contest came in (default: today, UTC). Time is counted from it."
)
@click.option("--facts", metavar="TEXT", help="What is contested and why, without personal data.")
@click.option(
    "--facts-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The same, from a file (- for standard input).",
)
@_SEAL
def open_(
    case: str,
    log: Path,
    decision: str,
    decided_on: datetime,
    received_on: datetime | None,
    facts: str | None,
    facts_file: Path | None,
    encrypt_for: Path | None,
) -> None:
    """Write that a decision is contested. CASE is its reference, such as case-0017. A log that is not there begins."""
    from weighbridge.recourse.contests import open_contest

    begun = not log.exists()
    entry = open_contest(
        log,
        case=case,
        decision=decision,
        decided_on=decided_on.date(),
        received_on=received_on.date() if received_on else None,
        facts=_given("facts", facts, facts_file),
        encrypt_for=_public(encrypt_for),
    )
    say(f"{'a log begins; ' if begun else ''}{entry.case} is open, received on {entry.received_on}")
    _say_head(log)


@command.command(name="respond")
@click.argument("case")
@_LOG
@click.option("--outcome", type=click.Choice(["upheld", "changed", "withdrawn", "pending"]), required=True, help="upheld: the decision stands; changed: it was changed; withdrawn: the person took the contest back; pending: a note on the way.")  # fmt: skip
@click.option("--reviewer", metavar="ROLE", help="The role of the person who reviewed it, such as hearings officer.")
@click.option("--no-person", is_flag=True, help="No person reviewed it.")
@click.option("--reasons", metavar="TEXT", help="Why, without personal data.")
@click.option(
    "--reasons-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The same, from a file (- for standard input).",
)
@click.option("--remedy", metavar="TEXT", help="What was done for the person.")
@_SEAL
def respond_(
    case: str,
    log: Path,
    outcome: str,
    reviewer: str | None,
    no_person: bool,
    reasons: str | None,
    reasons_file: Path | None,
    remedy: str | None,
    encrypt_for: Path | None,
) -> None:
    """Write what became of a contest. An outcome closes it, and is not changed afterwards."""
    from weighbridge.errors import UsageError
    from weighbridge.recourse.contests import respond
    from weighbridge.recourse.entries import Outcome

    if (reviewer is None) != no_person:
        raise UsageError("who reviewed it?", do="give --reviewer ROLE, or --no-person, and not both")
    entry = respond(
        log,
        case=case,
        outcome=Outcome(outcome),
        reviewer=reviewer,
        reasons=_given("reasons", reasons, reasons_file),
        remedy=remedy,
        encrypt_for=_public(encrypt_for),
    )
    say(f"{entry.case}: {entry.outcome.value}")
    _say_head(log)


@command.command(name="show")
@click.argument("case")
@_LOG
@_KEY
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(case: str, log: Path, key: Path | None, as_json: bool) -> None:
    """Show a contest, with what was answered."""
    import json

    from weighbridge.dossier.untrusted import visible
    from weighbridge.recourse.contests import find_case
    from weighbridge.recourse.export import row_of

    found, cases = _read(log)
    row = row_of(find_case(cases, case, log), _reading(found, key))
    if as_json:
        say(json.dumps(row, ensure_ascii=False, indent=1))
        return
    for name, value in row.items():
        if name == "interim":
            for note in value:
                say(f"note on the way, {note['at']}, {visible(note['reviewer'])}: {visible(note['reasons'], 10_000)}")
        else:
            say(f"{name.replace('_', ' ')}: {visible(str(value), 10_000)}")


@command.command(name="list")
@_LOG
@click.option("--pending", is_flag=True, help="Only those that are pending.")
def list_(log: Path, pending: bool) -> None:
    """List the contests, and what is counted of them."""
    _, cases = _read(log)
    today = _today()
    for one in cases:
        if one.closing is None:
            say(f"{one.reference:<24} pending    {_days(one.waiting_days(today))} so far")
        elif not pending:
            say(
                f"{one.reference:<24} {one.outcome.value:<10} {_days(one.days)}{'' if one.reviewed else ', no person reviewed it'}"
            )
    say("\n".join(_summary(cases, today)))


@command.command(name="export")
@_LOG
@click.option("--format", "form", type=click.Choice(["jsonl", "csv", "summary"]), default="jsonl", help="jsonl: a contest a line; csv: a contest a row; summary: counts, as JSON.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@_KEY
def export(log: Path, form: str, out: Path | None, key: Path | None) -> None:
    """Export the contests, or what is counted of them. Encrypted texts stay closed without --key."""
    import json

    from weighbridge.errors import UsageError
    from weighbridge.recourse.export import csv_table, json_lines, summary_json
    from weighbridge.recourse.log import beside, replace_file

    found, cases = _read(log)
    own = (log, *(beside(log, suffix) for suffix in ("head.json", "keys.json", "lock")))
    if out is not None and out.resolve() in [place.resolve() for place in own]:
        raise UsageError("this is the log's own file", where=str(out), do="choose another --out")
    if form == "summary":
        text = json.dumps(summary_json(cases, _today()), ensure_ascii=False, indent=1) + "\n"
    else:
        text = (csv_table if form == "csv" else json_lines)(cases, _reading(found, key))
    if out is None:
        say(text.rstrip("\r\n"))
    else:
        replace_file(out, text.encode())


@command.command(name="erase")
@click.argument("case")
@_LOG
def erase_(case: str, log: Path) -> None:
    """Delete the keys of a contest's encrypted texts: nobody can read them any more, and the chain stays whole.

    Copies of the keys file that were made before, in backups for instance, must be deleted as well.
    """
    from weighbridge.recourse.contests import erase

    entry = erase(log, case=case)
    say(f"{entry.case}: {entry.keys} text{'s' if entry.keys > 1 else ''} erased")
    _say_head(log)


@command.command(name="verify")
@_LOG
@click.option(
    "--head", metavar="DIGEST", help="The digest of an entry, noted elsewhere before, that the log must still hold."
)
@click.option("--renew", is_flag=True, help="Write the head file anew, when it was lost and --head holds.")
def verify(log: Path, head: str | None, renew: bool) -> None:
    """Check that no entry was changed, removed, put in or put elsewhere.

    That the last entries are gone shows only against the head file beside the log, or, when somebody removed both, against a digest
    that you kept elsewhere: note the one that is printed here, and give it as --head later. Exit code 4 when the log is not whole.
    """
    from weighbridge.errors import UsageError
    from weighbridge.recourse.log import beside, read_log, renew_head

    if renew and head is None:
        raise UsageError(
            "a new head file needs an anchor", do="give --head the digest of an entry that you noted elsewhere"
        )
    found = renew_head(log, head) if renew and head is not None else read_log(log, head=head)
    say(f"whole: {len(found.entries)} entries, each follows from the one before")
    if found.since_anchor is not None:
        say(f"holds the entry of --head; {found.since_anchor} entries since")
    if found.noted is None and not renew:
        say(
            f"{beside(log, 'head.json').name} is not there: whether entries are missing at the end is not known"
            + (", after that one" if head else "")
        )
    elif head is None:
        say("ends where its head file says; somebody who changed both is found only with --head")
    if found.chain.torn:
        say(
            f"a write did not finish: {len(found.chain.torn)} bytes at the end are no entry, and are put aside when something is added"
        )
    say(f"head {found.chain.head}")


def _read(log: Path) -> tuple[Log, tuple[Case, ...]]:
    from weighbridge.recourse.cases import cases_of
    from weighbridge.recourse.log import read_log

    found = read_log(log)
    return found, cases_of(found.entries)


def _say_head(log: Path) -> None:
    from weighbridge.recourse.log import read_log

    say(f"head {read_log(log).chain.head}")


def _summary(cases: tuple[Case, ...], today: date) -> list[str]:
    from weighbridge.recourse.cases import summary_of

    found = summary_of(cases, today)
    counts = ", ".join(f"{number} {outcome.value}" for outcome, number in found.outcomes.items())
    lines = [f"{found.contested} contested: {counts}"]
    if found.median_days is None or found.human_reviewed_share is None:
        return [*lines, "time taken and human review: not measured, since none was decided"]
    reviewed = round(found.human_reviewed_share * found.decided)
    return [
        *lines,
        f"time taken: median {found.median_days:g} days, longest {found.longest_days} (n {found.decided})",
        f"a person reviewed {reviewed} of {found.decided} decided",
    ]


def _days(number: int | None) -> str:
    return "not measured" if number is None else "1 day" if number == 1 else f"{number} days"


def _today() -> date:
    from datetime import UTC

    return datetime.now(UTC).date()


def _reading(log: Log, key: Path | None) -> Reading:
    from weighbridge.recourse.export import closed

    if key is None:
        return closed
    from weighbridge.recourse.contests import reading_with
    from weighbridge.recourse.sealing import load_private_key

    return reading_with(log, load_private_key(key))


def _public(path: Path | None) -> X25519PublicKey | None:
    if path is None:
        return None
    from weighbridge.recourse.sealing import load_public_key

    return load_public_key(path)


def _given(name: str, text: str | None, file: Path | None) -> str:
    """Return a text that is given on the command line or in a file."""
    from weighbridge.errors import UsageError

    if (text is None) == (file is None):
        raise UsageError(f"{name} are needed once", do=f"give --{name} TEXT or --{name}-file FILE")
    if text is not None:
        return text
    assert file is not None
    try:
        with click.open_file(str(file), "rb") as opened:
            data: bytes = opened.read(_MAX_TEXT_BYTES + 1)
        if len(data) > _MAX_TEXT_BYTES:
            raise UsageError(f"larger than the {_MAX_TEXT_BYTES:,} bytes of a text", where=str(file))
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot be read as UTF-8 text", where=str(file), do="check the path") from error
