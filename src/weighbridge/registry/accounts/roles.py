"""The four roles, each of which may do all that the one before may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do, in rising order.

    >>> Role.RESEARCHER.covers(Role.TESTER), Role.TESTER.covers(Role.RESEARCHER)
    (True, False)
    """

    VISITOR = "visitor"  # reads what is public
    TESTER = "tester"  # publishes, chats on `hosted` and `api`, saves findings, rates
    RESEARCHER = "researcher"  # chats on `weights` too, reads findings under embargo
    MAINTAINER = "maintainer"  # trusts keys, revokes, publishes advisories, manages users

    def covers(self, other: Role) -> bool:
        """Return whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
