"""Reading and changing with the library's refusals told as the web tells them: 404 for what is not there or may not be known of, 403 for what may not be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import Connection

from weighbridge.registry.disclosing.readers import NotAllowed, NotThere
from weighbridge.web.problems import Problem
from weighbridge.web.site import Site

Chosen = TypeVar("Chosen", bound=StrEnum)


@contextmanager
def telling() -> Iterator[None]:
    """Tell the library's refusals. Raises `Problem` 404, 403."""
    try:
        yield
    except NotThere as error:
        raise Problem(404, error.what, do=error.do) from None
    except NotAllowed as error:
        raise Problem(403, error.what, do=error.do) from None


@contextmanager
def reading(site: Site) -> Iterator[Connection]:
    """Yield a connection that reads. Raises `Problem` 404, 403."""
    with telling(), site.store.reading() as connection:
        yield connection


def chosen(kind: type[Chosen], text: str) -> Chosen | None:
    """Return what a form's list says, None for "any". Raises `Problem` 422."""
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise Problem(422, f"no such {kind.__name__.lower()}", do="choose one from the list") from None
