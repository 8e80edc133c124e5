"""What a caller declares, checked: the closed words of `names.context_names`, under the names that others use for them too."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping

from weighbridge.errors import UsageError
from weighbridge.standards.cel.checking import Kind
from weighbridge.standards.names import DECLARATIONS, MODEL_TYPES, RELEASES, SECTORS, context_names
from weighbridge.standards.uses import declared_by, find_use
from weighbridge.subject.shown import shown

Declaration = dict[str, "str | bool | float"]

# How the Partnership on AI's guidance and everyday speech name the same things.
_ALSO = {
    "release": {
        "open access": "open", "restricted api and hosted access": "api", "restricted api": "api", "hosted": "api",
        "closed deployment": "closed", "research release": "research",
    },
    "model_type": {
        "specialized narrow purpose": "narrow", "advanced narrow and general purpose": "general",
        "paradigm-shifting or frontier": "frontier", "paradigm-shifting": "frontier",
    },
    "sector": {"gov": "government", "public": "government"},
}  # fmt: skip


def declare(
    *,
    release: str | None = None,
    model_type: str | None = None,
    use: str | None = None,
    sector: str | None = None,
    others: Iterable[str] = (),
) -> Declaration:
    """Return the context of a ruling. `others` are `NAME=VALUE`, of any declaration. Raises `UsageError` for what is none.

    >>> declare(release="Open Access", sector="gov", others=["eu_market=yes"])
    {'release': 'open', 'sector': 'government', 'eu_market': True}
    """
    given_as: dict[str, str | None] = {"release": release, "model_type": model_type, "use": use, "sector": sector}
    pairs: list[tuple[str, str | bool | float]] = []
    for pair in others:
        name, value = _pair(pair)
        if name not in given_as:
            pairs.append((name, value))
        elif given_as[name] is not None:
            raise UsageError("is declared twice", where=shown(pair), do=f"declare {name} once")
        else:
            given_as[name] = str(value)
    context: Declaration = {}
    for name, given, words in (
        ("release", given_as["release"], RELEASES),
        ("model_type", given_as["model_type"], MODEL_TYPES),
        ("sector", given_as["sector"], SECTORS),
    ):
        if given is not None:
            context[name] = _word(name, given, words)
    if (chosen := given_as["use"]) is not None:
        found = find_use(chosen)
        context["use"] = found.id
        context |= declared_by(found)
    return context | dict(pairs)


def _word(name: str, given: str, words: Mapping[str, str]) -> str:
    word = given.strip().lower()
    word = _ALSO.get(name, {}).get(word, word)
    if word not in words:
        close = difflib.get_close_matches(word, [*words, *_ALSO.get(name, {})], n=1, cutoff=0.5)
        meant = f"did you mean {close[0]}? " if close else ""
        said = "; ".join(f"{one}: {what}" for one, what in words.items())
        raise UsageError(f"no such {name.replace('_', ' ')}", where=shown(given), do=f"{meant}one of {said}")
    return word


def _pair(pair: str) -> tuple[str, str | bool | float]:
    name, sign, text = pair.partition("=")
    name, text = name.strip(), text.strip()
    if sign and name in ("release", "model_type", "use", "sector"):
        return name, text
    if not sign or name not in DECLARATIONS:
        close = difflib.get_close_matches(name, DECLARATIONS, n=1, cutoff=0.5)
        meant = f"did you mean {close[0]}? " if close else ""
        said = "; ".join(f"{one}: {what}" for one, what in DECLARATIONS.items())
        raise UsageError("no such declaration", where=shown(pair), do=f"{meant}NAME=VALUE with one of {said}")
    known = next(one for one in context_names() if one.path == ("context", name))
    if known.kind is Kind.TRUTH:
        if text.lower() not in ("yes", "no", "true", "false"):
            raise UsageError("is answered by yes or no", where=shown(pair), do=f"{name}=yes or {name}=no")
        return name, text.lower() in ("yes", "true")
    if known.kind is Kind.NUMBER:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError("is a number", where=shown(pair), do=f"such as {name}=1e25")
        return name, number
    return name, _word(name, text, dict.fromkeys(sorted(known.values), "")) if known.values else text
