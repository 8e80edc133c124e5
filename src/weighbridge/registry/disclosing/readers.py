"""Who reads, and what is said to those who may not."""

from __future__ import annotations

from typing import NoReturn, Protocol

from weighbridge.errors import UsageError
from weighbridge.registry.accounts.roles import Role
from weighbridge.subject.shown import shown


class Reader(Protocol):
    """Somebody who reads or changes. `name` None: not signed in."""

    @property
    def name(self) -> str | None:
        """The account's name."""
        ...

    @property
    def role(self) -> Role:
        """What the account may do."""
        ...


class NotThere(UsageError):
    """There is no such thing, or the reader may not know of it: the words are the same for both."""


class NotAllowed(UsageError):
    """The reader may read it, and may not do this."""


def not_there(what: str, asked: str) -> NoReturn:
    """Raise `NotThere` for a finding or an advisory."""
    raise NotThere(
        f"there is no such {what}", where=shown(asked, 80), do="check the address; the list has those that are public"
    )


def needs_maintainer(reader: Reader) -> str:
    """Return the name of a maintainer. Raises `NotAllowed`."""
    if reader.name is None or not reader.role.covers(Role.MAINTAINER):
        raise NotAllowed("this is for a maintainer", do="ask one")
    return reader.name
