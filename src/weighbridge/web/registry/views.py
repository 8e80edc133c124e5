"""A publication as pages show it: numbers as words, keys by the names of their signers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

from weighbridge.dossier.printing import print_difference
from weighbridge.dossier.svg import Plots
from weighbridge.evidence.records import Estimate
from weighbridge.protocol.vocabulary import Contrast
from weighbridge.registry.notices import Compared, Entry, Match, NotCompared, Standing
from weighbridge.web.registry.figure import ladder, rate_in_words

_COUNTED = {"mean": "mean over the techniques", "worst": "worst technique of each prompt"}
_KEY = re.compile(r"sha256:[0-9a-f]{64}")
_SHORT = 12  # digits of a key that nobody here knows


class HasSigner(Protocol):
    """Whatever was signed."""

    @property
    def signer(self) -> str: ...
    @property
    def signer_known(self) -> bool: ...


@dataclass(frozen=True)
class Comparison:
    """One row of a contrast's comparisons. `against` None: it was not made, and `difference` says why."""

    against: str | None
    counted: str
    answer: str
    difference: str


@dataclass(frozen=True)
class View:
    """One publication, ready to be shown whole."""

    entry: Entry
    stands: Standing
    signer: str
    figure: Markup
    contrasts: tuple[tuple[str, tuple[Comparison, ...]], ...]
    rates: tuple[tuple[str, str, str], ...]

    @property
    def is_part(self) -> bool:
        """Whether what was weighed is more than what was asked for."""
        return self.entry.match is Match.PART

    @property
    def opening(self) -> str:
        """What opening these weights adds over their own API."""
        return self.entry.facts.of(Contrast.OPENING).value

    @property
    def counterfactual(self) -> str:
        """What they add over what is available already."""
        return self.entry.facts.of(Contrast.COUNTERFACTUAL).value


def view(entry: Entry, stands: Standing, names: Mapping[str, str], plots: Plots) -> View:
    """Return what is shown of a publication. `names`: the trusted signers' names by their key."""
    facts = entry.facts
    rates = tuple((each.rung.value, rate_in_words(each.mean), rate_in_words(each.worst)) for each in facts.rungs)
    contrasts = tuple(
        (contrast.value, tuple(_comparison(each) for each in facts.comparisons if each.contrast is contrast))
        for contrast in Contrast
    )
    return View(entry, stands, signer_of(entry, names), ladder(facts, plots), contrasts, rates)


def signer_of(entry: HasSigner, names: Mapping[str, str]) -> str:
    """Return who signed, for people: a known key's name, else the beginning of what the envelope says, which nobody has checked.

    >>> from types import SimpleNamespace
    >>> signer_of(SimpleNamespace(signer="not checked: sha256:" + "ab" * 32, signer_known=False), {})
    'key abababababab…'
    >>> signer_of(SimpleNamespace(signer="ed25519 key sha256:ab", signer_known=True), {"sha256:ab": "Evaluator"})
    'Evaluator'
    """
    key = entry.signer.rpartition(" ")[2]
    if entry.signer_known:
        return names.get(key, entry.signer)
    is_key = _KEY.fullmatch(key) is not None
    return f"key {key.removeprefix('sha256:')[:_SHORT]}…" if is_key else entry.signer.removeprefix("not checked: ")


def _comparison(found: Compared | NotCompared) -> Comparison:
    if isinstance(found, NotCompared):
        return Comparison(None, "", found.answer.value, str(found.why))
    against = f"on {found.rung.value}, against {found.baseline} on {found.baseline_rung.value}"
    if not isinstance(found.estimate, Estimate):
        return Comparison(against, _COUNTED[found.aggregate], found.answer.value, str(found.estimate))
    printed = print_difference(found.estimate, found.margin)
    told = f"{printed.with_unit} ({printed.interval}), margin {found.margin * 100:g} points, {printed.n} prompts"
    return Comparison(against, _COUNTED[found.aggregate], found.answer.value, told)
