"""Which standard replaced which. A standard that was replaced is kept for comparison and says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weighbridge.errors import StandardError
from weighbridge.standards.standard import Standard


def successors(standards: Iterable[Standard]) -> Mapping[str, str]:
    """Return, by the id of each standard that was replaced, the id of the one that replaced it.

    Raises `StandardError` when two claim to replace the same one, or when following them leads back to where one began.
    """
    found: dict[str, str] = {}
    for standard in standards:
        for old in standard.supersedes:
            if found.get(old, standard.id) != standard.id:
                raise StandardError([f"{old} is superseded by both {found[old]} and {standard.id}"], where=standard.id)
            found[old] = standard.id
    for start in found:
        trail = [start]
        while (following := found.get(trail[-1])) is not None:
            if following in trail:
                around = " → ".join([*trail[trail.index(following) :], following])
                raise StandardError(
                    [f"supersedes: leads back to where it began ({around}, each replaced by the next)"], where=start
                )
            trail.append(following)
    return found
