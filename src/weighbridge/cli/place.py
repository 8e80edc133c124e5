"""Where a registry is: behind a server's address, or in a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from weighbridge.errors import UsageError

REGISTRY = "WEIGHBRIDGE_REGISTRY"
TOKEN = "WEIGHBRIDGE_TOKEN"  # noqa: S105  the name of a variable, no secret
_MAX_TOKEN_FILE = 10_000


@dataclass(frozen=True)
class Place:
    """One of the two."""

    server: str | None = None
    db: str | None = None


def registry_of(server: str | None, db: str | None, option: str) -> Place:
    """Return where to go: as given, else as `WEIGHBRIDGE_REGISTRY` says. `option` names the server's option. Raises `UsageError`."""
    if server is not None and db is not None:
        raise UsageError("one registry at a time", where=f"{option}, --db", do="give one of them")
    if server is None and db is None:
        said = os.environ.get(REGISTRY, "").strip()
        if not said:
            told = f"give {option} URL (a server) or --db URL (a database), or set {REGISTRY}"
            raise UsageError("which registry?", where=option, do=told)
        is_server = said.startswith(("http://", "https://"))
        return Place(server=said.rstrip("/")) if is_server else Place(db=said)
    return Place(server=server.rstrip("/") if server is not None else None, db=db)


def token_from(file: Path | None) -> str | None:
    """Return the token: the file's only line, else what `WEIGHBRIDGE_TOKEN` holds, None when there is neither. Raises `UsageError`.

    It is never an option by itself: everybody on a machine can read the commands that run there.
    """
    if file is None:
        return os.environ.get(TOKEN, "").strip() or None
    try:
        with file.open(encoding="ascii") as opened:
            text = opened.read(_MAX_TOKEN_FILE).strip()
    except (OSError, ValueError) as error:
        what = f"cannot be read ({getattr(error, 'strerror', None) or 'it is no text'})"
        raise UsageError(what, where=str(file), do="give a file that holds the token and nothing else") from None
    if not text:
        raise UsageError("is empty", where=str(file), do="give a file that holds the token and nothing else")
    return text
