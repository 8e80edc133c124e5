"""What is wrong between the fields of a record, each with its own place, so that a file's error can name its line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Fault = tuple[tuple[str | int, ...], str]


def refuse(faults: Iterable[Fault], what: str) -> None:
    """Raise pydantic's `ValidationError` with every fault at its place (field names and list indexes); do nothing when there is none.

    For use in a model's validator: pydantic puts the place of the model in front. No fault quotes what was given.
    """
    details: list[InitErrorDetails] = [
        InitErrorDetails(type=PydanticCustomError("value_error", _literal(says)), loc=place, input=None)
        for place, says in faults
    ]
    if details:
        raise ValidationError.from_exception_data(what, details)


def _literal(text: str) -> Any:
    return text  # typed as a literal there; templates are only filled when a context is given, and none is
