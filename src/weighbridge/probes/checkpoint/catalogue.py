"""Every rule of the checkpoint probe: what it says, why it matters, how to mend it, and what it cannot see.

Rules are data, one TOML file a subject area in `rules/`, each rule a table `["area.name"]`. An examiner makes a finding only
through `found`, so that no finding exists without a rule.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from weighbridge.probes.checkpoint.report import Finding, Severity

MESSAGE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id` is `area.name`; `sources` are advisories, specifications or papers, by name."""

    id: str
    severity: Severity
    title: str
    what: str
    why: str
    fix: str
    cannot_see: str
    sources: tuple[str, ...] = ()


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by its id, in order. Raises `ValueError` for a rule that is not whole or defined twice."""
    known: dict[str, Rule] = {}
    for file in sorted(
        files("weighbridge.probes.checkpoint").joinpath("rules").iterdir(), key=lambda entry: entry.name
    ):
        if not file.name.endswith(".toml"):
            continue
        for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if name in known:
                raise ValueError(f"rule {name} is defined twice")
            try:
                known[name] = Rule(
                    name,
                    Severity(entry.pop("severity")),
                    sources=tuple(entry.pop("sources", ())),
                    **{key: " ".join(text.split()) for key, text in entry.items()},
                )
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"rule {name} in {file.name} is not whole: {error}") from error
    return known


def found(rule: str, path: str, where: str, message: str, *, severity: Severity | None = None) -> Finding:
    """Return a finding under `rule`, at its severity unless another is given. Raises `KeyError` for an unknown rule."""
    return Finding(rule, severity or rules()[rule].severity, path, shown(where, 200), shown(message))


def shown(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    r"""Return `text` in one harmless line: control, bidi and invisible characters written out, clipped to `limit`.

    >>> shown("a\nb\u202ec")
    'a\\x0ab\\u202ec'
    """
    safe = "".join(letter if letter.isprintable() else _written_out(ord(letter)) for letter in text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
