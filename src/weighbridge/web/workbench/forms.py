"""The form of a turn, as it is sent: what does not belong to the chosen technique is left aside."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form
from pydantic import ValidationError

from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.conversations import MOST_LETTERS, Setting
from weighbridge.web.problems import Problem

HOW = ("hosted", "api", "weights:prefill", "weights:raw", "weights:sampling", "modified")

Word = Annotated[str, Form(max_length=40)]


@dataclass(frozen=True)
class Words:
    """What a person sends: the words, and how they are to be asked."""

    text: str
    setting: Setting


def words(
    text: Annotated[str, Form(max_length=4 * MOST_LETTERS)] = "",
    how: Word = "api",
    opening: Annotated[str, Form(max_length=2000)] = "",
    temperature: Word = "",
    top_p: Word = "",
    top_k: Word = "",
    tries: Word = "",
    max_tokens: Word = "",
) -> Words:
    """Return the words and the setting of a form. Raises `Problem` 422 for what cannot be read. A browser's line ends become plain ones."""
    rung, _, technique = how.partition(":")
    if how not in HOW:
        raise Problem(422, "this is no way to ask", where="how", do=f"choose one of {', '.join(HOW)}")
    given: dict[str, Any] = {"rung": Rung(rung), "seed": secrets.randbelow(2**31)}
    if technique:
        given["technique"] = technique
    if technique == "prefill":
        given["opening"] = opening.strip()
    sent = {"temperature": temperature, "top_p": top_p, "top_k": top_k, "tries": tries, "max_tokens": max_tokens}
    for name, value in sent.items():
        if value.strip() and (name == "max_tokens" or technique == "sampling"):
            given[name] = value.strip()
    try:
        if rung == Rung.MODIFIED.value:  # no setting: refused for everybody, by the library's words
            return Words(text, Setting.model_construct(rung=Rung.MODIFIED))
        return Words(text.replace("\r\n", "\n"), Setting.model_validate(given))
    except ValidationError as error:
        reasons = tuple(f"{'.'.join(map(str, each['loc'])) or 'setting'}: {each['msg']}" for each in error.errors())
        raise Problem(422, "a setting is not as it should be", do="mend what is listed", reasons=reasons) from None
