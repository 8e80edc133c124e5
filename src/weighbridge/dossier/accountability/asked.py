"""Who asks for what, and who has to write it. In our own words; how far each source was checked is a mark beside it (docs/methods/recourse.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from weighbridge.evidence.provenance import Provenance


class Sector(StrEnum):
    """Who deploys the model."""

    GOVERNMENT = "government"
    PRIVATE = "private"


@dataclass(frozen=True)
class UseFacts:
    """What is known of a use: its id, its title ("" when there is none), and the instruments that name it."""

    id: str
    title: str = ""
    instruments: tuple[str, ...] = ()


class Role(StrEnum):
    """Who completes a blank. One person may have several roles, but the independent reviewer none of the others."""

    OWNER = "programme owner"
    OFFICIAL = "accountable official"
    REVIEWER = "independent reviewer"
    PRIVACY = "privacy officer"
    OPERATOR = "head of operations"
    LEGAL = "legal counsel"
    APPEALS = "head of appeals"


@dataclass(frozen=True)
class Asked:
    """One place that asks for something. `government_only`: it binds no private deployer."""

    by: str
    provenance: Provenance
    government_only: bool = False


_MEMO = "OMB M-25-21, appendix, section 4(b)"
_FRIA = "EU AI Act, Article 27"


def _memo(practice: str) -> Asked:
    return Asked(f"{_MEMO}({practice})", Provenance.SECONDARY, government_only=True)


# Article 27 was read as to whom it binds; what its paragraph 1 lists is general knowledge.
_FRIA_BINDS = Asked(f"{_FRIA} (public bodies and some private deployers of high-risk systems)", Provenance.CHECKED)


def _fria(point: str) -> Asked:
    return Asked(f"{_FRIA}(1)({point})", Provenance.UNVERIFIED)


_OURS = Asked("this project's own structure", Provenance.UNVERIFIED)

ASKED: dict[str, tuple[Asked, ...]] = {
    "whole": (_memo("ii"), _FRIA_BINDS),
    "purpose": (_memo("ii"), _fria("a")),
    "frequency": (_fria("b"),),
    "affected": (_fria("c"),),
    "model": (_memo("ii"),),
    "testing": (_memo("i"),),
    "rights": (_memo("ii"), _fria("d")),
    "oversight": (_memo("v"), _fria("e")),
    "training": (_memo("iv"),),
    "mitigations": (_fria("f"),),
    "monitoring": (_memo("iii"),),
    "costs": (_memo("ii"),),
    "consultation": (_memo("vii"),),
    "review": (_memo("ii"),),
    "notice": (_OURS,),
    "roles": (_memo("v"), _memo("ii")),
    "recourse": (_memo("vi"), _fria("f")),
}

# The documents that are attested, and who attests them.
DOCUMENTS: dict[str, Role] = {
    "impact-assessment": Role.OWNER,
    "independent-review": Role.REVIEWER,
    "risk-acceptance": Role.OFFICIAL,
    "accountable-official": Role.OFFICIAL,
    "operational-testing": Role.OWNER,
    "fairness-evaluation": Role.OWNER,
    "privacy-review": Role.PRIVACY,
    "human-oversight": Role.OPERATOR,
    "fail-safe": Role.OPERATOR,
    "operator-training": Role.OPERATOR,
    "ongoing-monitoring": Role.OPERATOR,
    "end-user-consultation": Role.OWNER,
    "public-consultation": Role.OWNER,
    "transparency-notice": Role.OWNER,
    "appeals-process": Role.APPEALS,
}
