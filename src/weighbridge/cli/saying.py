"""What a command says on standard output. Light to import."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.errors import UsageError, WeighbridgeError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from pydantic import BaseModel

_MOST_LINE = 4096


def say(text: str) -> bool:
    """Print `text` and a line end; return whether anybody still listens (`| head` stops when it has what it wants).

    Raises `WeighbridgeError` when it cannot be written (a full disk). An exit code is a statement about the subject, so a closed pipe
    must not turn into one: click alone would end with 1, "found".
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        _hush()
        return False
    except OSError as error:
        _hush()
        raise WeighbridgeError(f"cannot be written ({error.strerror})", where="standard output") from error
    return True


def told(lines: Iterable[str]) -> str:
    r"""Return lines in which a stranger's words may stand (a server's, a dossier's) as one text that is safe on a terminal.

    >>> told(["a\x1b[2J", "b"])
    'a\\x1b[2J\nb'
    """
    return "\n".join(shown(line, _MOST_LINE) for line in lines)


def told_json(record: BaseModel) -> str:
    """Return a record as JSON in ASCII: what a terminal would obey, or read backwards, is escaped."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1)


def put(text: str, out: Path | None, *, over: bool = False) -> None:
    """Print the text, or write it whole or not at all; what is there stays unless `over`. Raises `UsageError`."""
    if out is None:
        say(text.rstrip("\n"))
        return
    if out.exists() and not over:
        raise UsageError("there is a file already", where=str(out), do="edit it, or choose another --out")
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        reason = error.strerror or error
        raise UsageError(f"cannot be written ({reason})", where=str(out), do="choose another --out") from error


def _hush() -> None:
    """Let what is still to be flushed go nowhere, so that Python does not complain when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
