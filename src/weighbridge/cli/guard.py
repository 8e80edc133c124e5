"""The provider's system prompt, for the rung `hosted`, as commands take it."""

from __future__ import annotations

from pathlib import Path

from weighbridge.errors import UsageError

GUARD_LIMIT_BYTES = 256 * 1024


def read_guard(path: Path) -> str:
    """Return the provider's system prompt in a file. Raises `UsageError`."""
    try:
        if path.stat().st_size > GUARD_LIMIT_BYTES:
            raise UsageError("too large for a system prompt", where=str(path), do=f"at most {GUARD_LIMIT_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the guard file cannot be read ({error.strerror})", where=str(path), do="--guard takes a text file"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError("the guard file is not UTF-8 text", where=str(path), do="save it as UTF-8") from error
    if not text.strip():
        raise UsageError("the guard file is empty", where=str(path), do="put the provider's system prompt in it")
    return text
