"""What a form says of an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from pydantic import ValidationError

from weighbridge.registry.rating import Judgement
from weighbridge.web.problems import Problem

NOT_HARMFUL = "not harmful"


def judged(
    harm: Annotated[str, Form(max_length=40)],
    verb: Annotated[str, Form(max_length=40)] = "",
    severity: Annotated[str, Form(max_length=40)] = "",
) -> Judgement:
    """Return the judgement: of what is not harmful the rest of the form does not count. Raises `Problem` 422."""
    try:
        if harm == NOT_HARMFUL:
            return Judgement(harmful=False)
        return Judgement.model_validate({"harmful": True, "category": harm, "verb": verb, "severity": severity})
    except ValidationError:
        raise Problem(
            422, "a harm has a category, a verb and a severity", do="go back and choose one of each, or “not harmful”"
        ) from None
