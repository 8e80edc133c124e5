"""Who asks: what a door has to tell. The one that knows users is `accounts.door`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi.requests import HTTPConnection

from weighbridge.registry.accounts.roles import Role


@dataclass(frozen=True)
class Who:
    """Somebody who asks. `name` None: not signed in. `csrf`: what a form must send back; None for a token, which no browser sends by itself.

    `since`: when they signed in; None for a token.
    """

    name: str | None = None
    role: Role = Role.VISITOR
    csrf: str | None = None
    since: datetime | None = None

    @property
    def by(self) -> str:
        """The name for the audit log. Raises `RuntimeError` for somebody who is not signed in: nothing is written for them."""
        if self.name is None:
            raise RuntimeError("nobody is signed in")
        return self.name

    def may(self, role: Role) -> bool:
        """Return whether they may do what `role` may."""
        return self.role.covers(role)


NOBODY = Who()


class Door(Protocol):
    """Tells who asks."""

    def who(self, request: HTTPConnection) -> Who:
        """Return who asks, `NOBODY` when nobody is signed in. Reads the database, so it is called outside of the event loop."""
        ...
