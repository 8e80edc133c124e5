"""What a model's card says it descends from, held against what its weights say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint
from weighbridge.registry.lineage.marks import Mark, NotMeasured
from weighbridge.registry.lineage.relation import Related, relate

STRANGERS_Z = 3.0  # strangers lie below, but for one in some 700
SHARED = 0.8  # of the places of the larger: fewer, and it is another architecture


class Standing(StrEnum):
    """What became of a declaration."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_SHOWN = "not shown"
    NOT_MEASURED = "not measured"
    NOT_DECLARED = "not declared"  # nobody said so; no check gives this


@dataclass(frozen=True, slots=True)
class Checked:
    """`measured` is what the ruling rests on; `reason` is one line for people."""

    standing: Standing
    reason: str
    measured: Related | NotMeasured


def check_declared(model: Mark, parent: Mark) -> Checked:
    """Return whether the weights of `model` bear out that it descends from the declared `parent`.

    "contradicted" is said only of models of one architecture whose bits are as strangers': what was permuted on purpose, distilled or
    trained anew looks the same. Which of two relatives came first is not seen: "confirmed" is of kinship.

    >>> check_declared(NotMeasured("the model has no fingerprint"), NotMeasured("not published here")).standing.value
    'not measured'
    """
    found = relate(model, parent)
    if isinstance(found, NotMeasured):
        return Checked(Standing.NOT_MEASURED, found.reason, found)
    if found.match:
        return Checked(Standing.CONFIRMED, f"{found.places} places are too alike for chance", found)
    assert isinstance(model, Fingerprint) and isinstance(parent, Fingerprint)
    shared = len(model.bits.keys() & parent.bits.keys()) / max(len(model.bits), len(parent.bits))
    if found.z < STRANGERS_Z and found.places == 0 and shared >= SHARED:
        return Checked(Standing.CONTRADICTED, "of one architecture, and as unlike as strangers", found)
    return Checked(Standing.NOT_SHOWN, "neither alike enough nor comparable enough to tell", found)
