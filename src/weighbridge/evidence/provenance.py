"""How far a claim taken from elsewhere was checked. Every rendering says so."""

from __future__ import annotations

from enum import StrEnum


class Provenance(StrEnum):
    """How far a claim was checked, from most to least."""

    CHECKED = "checked"  # read in the named source
    SECONDARY = "secondary"  # read in another's account of the named source
    UNVERIFIED = "unverified"  # general knowledge or the author's own reasoning: no source was read
    NOBODY_LOOKED = "nobody looked"  # a place for a claim that nobody has looked for

    @property
    def sourced(self) -> bool:
        """Whether somebody read it somewhere that is named."""
        return self in (Provenance.CHECKED, Provenance.SECONDARY)
