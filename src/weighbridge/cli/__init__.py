"""The command line: parses, calls one library function, renders. Nothing is counted or judged here.

Each command lives in its own module, imported only when it is called, so that `weighbridge --help` is quick.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

import click

from weighbridge import __version__

# Command name -> (module, one line of help). The line is repeated from the command's docstring, and a test compares them.
COMMANDS = {
    "accountability": (
        "weighbridge.cli.accountability",
        "Write the documents that a high-standard use asks for, filled from a dossier where there is evidence.",
    ),
    "assess": (
        "weighbridge.cli.assess",
        "Weigh a model: ask it on every rung of the access ladder and write a dossier.",
    ),
    "backup": (
        "weighbridge.cli.backup",
        "Write a whole registry to one file, as it is at one moment, while others read and publish.",
    ),
    "calibrate": (
        "weighbridge.cli.calibrate",
        "Say how far a grader may be trusted: agreement with human labels, drift between two graders.",
    ),
    "check": (
        "weighbridge.cli.check",
        "Rule on a dossier by standards: how open, which stage, which use, and what would change each ruling.",
    ),
    "compare": (
        "weighbridge.cli.compare",
        "Compare graded answers to the same prompts, A minus B: two dossiers, or files of graded answers.",
    ),
    "digest": (
        "weighbridge.cli.digest",
        "Print a model's OpenSSF Model Signing root digest, and verify its signature when it has one.",
    ),
    "export": ("weighbridge.cli.export", "Write a dossier's evidence in another tool's format."),
    "finding": (
        "weighbridge.cli.finding",
        "Findings, mitigations and advisories: record a failure, ask it again, tell those who use the weights.",
    ),
    "gate": (
        "weighbridge.cli.gate",
        "Say whether the evidence supports a release stage, the most open stage that it does support, and what lacks.",
    ),
    "import": ("weighbridge.cli.import_", "Read another tool's result file as evidence that was made elsewhere."),
    "inspect": (
        "weighbridge.cli.inspect",
        "Read every byte of a model's files once: what is in them, is it safe to load, is it whole.",
    ),
    "grade": ("weighbridge.cli.grade", "Grade prompt/answer pairs: JSON lines in, JSON lines out."),
    "power": (
        "weighbridge.cli.power",
        "Say how many prompts a comparison will need: a fixed number, and in sequence, stopping when it is decided.",
    ),
    "protocol": ("weighbridge.cli.protocol", "Print a protocol with every field explained, or check a protocol file."),
    "lookup": (
        "weighbridge.cli.lookup",
        "Say what was published about exactly these weights: by root digest, by one weight file's digest, or by the model itself.",
    ),
    "openness": (
        "weighbridge.cli.openness",
        "Openness by component: what was found, what the provider decided and why, and three definitions over it.",
    ),
    "lineage": (
        "weighbridge.cli.lineage",
        "Find the likely parents and derivatives of a model among all that is published: by its digest, or by the model itself.",
    ),
    "publish": ("weighbridge.cli.publish", "Publish a signed dossier in a registry, whole or not at all."),
    "recourse": (
        "weighbridge.cli.recourse",
        "Recourse log: contested decisions, who reviewed them, what became of them, and how long it took.",
    ),
    "restore": (
        "weighbridge.cli.restore",
        "Fill an empty database with a backup, whole or not at all; it may be another kind of database than the backup came from.",
    ),
    "rules": (
        "weighbridge.cli.rules",
        "Print every rule of `inspect`, or one: what it says, why it matters, how to mend it, what it cannot see.",
    ),
    "serve": (
        "weighbridge.cli.serve",
        "Serve the registry and the workbench: notices, rankings, lineage, findings and advisories, and chat with two models.",
    ),
    "sign": (
        "weighbridge.cli.sign",
        "Sign a dossier (in-toto statements in its folder), or a model's files (an OpenSSF Model Signing bundle).",
    ),
    "standard": (
        "weighbridge.cli.standard",
        "Standards: list those that ship, show one, validate a file, begin a new one; evidence names and uses.",
    ),
    "threat": ("weighbridge.cli.threat", "Threat sheets: one misuse in six steps, the fourth filled from a dossier."),
    "user": (
        "weighbridge.cli.user",
        "Users of a registry's service: add one and give them a one-time link, change a role, keep somebody out.",
    ),
    "verify": (
        "weighbridge.cli.verify",
        "Verify a dossier's statements, one statement, or a model's signature: by whom, until when, about which bytes.",
    ),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="weighbridge")
def cli() -> None:
    """May these weights be opened, and for which uses? Weigh a model and see what opening it adds.

    Exit codes: 0 no material increase, 1 material increase, 2 usage, 3 undecided, 4 could not be assessed, 130 interrupted
    (what was answered is kept: the same command goes on).
    """


def main() -> None:
    """Run the command line and exit with a code from the table."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = _interrupted()
    except click.ClickException as error:
        error.show()
        code = 2
    except KeyboardInterrupt:
        code = _interrupted()
    except BrokenPipeError:  # `weighbridge ... | head`: the reader has what it wanted
        sys.stderr.close()
        code = 0
    except Exception as error:
        code = _report(error)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted() -> int:
    from weighbridge.cli.exit_codes import INTERRUPTED

    goes_on = sys.argv[1:2] in (["assess"], ["grade"])  # the commands that keep answers
    kept = "; what was answered is kept: the same command goes on" if goes_on else ""
    click.echo(f"interrupted{kept}", err=True)
    return INTERRUPTED


def _report(error: Exception) -> int:
    from weighbridge.cli.exit_codes import COULD_NOT, exit_code
    from weighbridge.errors import TypedFileError, WeighbridgeError
    from weighbridge.subject.shown import shown

    if not isinstance(
        error, WeighbridgeError
    ):  # a mistake of ours: shown whole, and never with an exit code that judges
        traceback.print_exception(error)
        return COULD_NOT
    if isinstance(error, TypedFileError) and len(error.problems) > 1:
        click.echo(f"error: {error.where or 'file'}: {len(error.problems)} problems", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        click.echo(f"  {error.do}", err=True)
    else:
        click.echo(f"error: {shown(str(error), 8192)}", err=True)  # names of files are whatever somebody wrote
    return exit_code(error)
