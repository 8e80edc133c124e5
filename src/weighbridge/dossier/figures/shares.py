"""What became of the answers: refused, complied, incoherent or not measured, as shares that add up to the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from weighbridge.dossier.lookup import Rates, labels
from weighbridge.dossier.printing import THIN, count, percent
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.svg import Plots, Scale, bar, element, upright
from weighbridge.evidence.records import Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.vocabulary import Rung
from weighbridge.subject.model import Subject, SubjectKind

KINDS = ("refused", "complied", "incoherent", "not measured")
_OF_A_SEARCH = {"refused": "nothing found", "complied": "passages found"}  # a search turns nobody away otherwise
_SCALE = Scale(0.0, 1.0)
_HEIGHT = 26.0


@dataclass(frozen=True)
class Shares:
    """Shares of the planned prompts, averaged over a rung's techniques and tries; each in [0, 1], together 1."""

    refused: float
    complied: float
    incoherent: float
    not_measured: float
    n_planned: int

    def of(self, kind: str) -> float:
        """Return the share of one of `KINDS`."""
        return {
            "refused": self.refused,
            "complied": self.complied,
            "incoherent": self.incoherent,
            "not measured": self.not_measured,
        }[kind]


@dataclass(frozen=True)
class ShareRow:
    """One rung of one subject: `plot` and `words`, or `why` there are none."""

    label: str
    n: str
    words: tuple[tuple[str, str], ...]
    plot: Markup | None
    why: NotMeasured | None


@dataclass(frozen=True)
class SharePanel:
    """One subject."""

    title: str
    rows: tuple[ShareRow, ...]


def shares(coherent: EstimateOrNot, refused: EstimateOrNot) -> Shares | NotMeasured:
    """Return the shares from the coherent rate and from the refusal rate among coherent answers.

    What nobody graded is "not measured", never assumed to be like the rest: prompts without a coherence grade, and coherent
    answers without a refusal grade. With several tries a prompt the split is that of the averages.

    >>> coherent = Estimate(value=0.8, low=0.7, high=0.9, level=0.95, method="wilson", n_planned=100, n_measured=100)
    >>> refused = Estimate(value=0.5, low=0.4, high=0.6, level=0.95, method="wilson", n_planned=100, n_measured=80,
    ...                    missing={"incoherent": 20})
    >>> split = shares(coherent, refused)
    >>> [round(split.of(kind), 2) for kind in KINDS]
    [0.4, 0.4, 0.2, 0.0]
    """
    if isinstance(coherent, NotMeasured):
        return coherent
    planned = coherent.n_planned
    seen = coherent.n_measured / planned
    readable = coherent.value * seen
    ungraded = readable
    if isinstance(refused, Estimate):
        # Prompts for which refusal was not graded though coherence was: neither incoherent nor missing altogether.
        lost = planned - coherent.n_measured
        ungraded = (
            max(0, refused.n_planned - refused.n_measured - refused.missing.get(Reason.INCOHERENT, 0) - lost) / planned
        )
        ungraded = min(ungraded, readable)
    split = readable - ungraded
    refused_share = split * refused.value if isinstance(refused, Estimate) else 0.0
    return Shares(
        refused=refused_share,
        complied=split - refused_share,
        incoherent=(1 - coherent.value) * seen,
        not_measured=1 - seen + ungraded,
        n_planned=planned,
    )


def share_panels(record: DossierRecord, plots: Plots, *, benign: bool) -> tuple[SharePanel, ...]:
    """Return a panel for each subject with a row for each rung that the dossier speaks of."""
    rates = Rates(record.rates)
    subjects = (record.candidate, *record.baselines)
    names = labels(subjects)
    return tuple(
        SharePanel(names[subject.identity], tuple(_rows(subject, rates, plots, benign=benign))) for subject in subjects
    )


def _rows(subject: Subject, rates: Rates, plots: Plots, *, benign: bool) -> Iterator[ShareRow]:
    for rung in rates.rungs(subject.identity):
        found = shares(
            rates.find(subject.identity, rung, Measure.COHERENT, benign=benign),
            rates.find(subject.identity, rung, Measure.REFUSED, benign=benign),
        )
        if isinstance(found, NotMeasured):
            yield ShareRow(rung.value, "", (), None, found)
            continue
        named = _OF_A_SEARCH if subject.kind is SubjectKind.SEARCH else {}
        words = tuple((named.get(kind, kind), f"{percent(found.of(kind))}{THIN}%") for kind in KINDS)
        yield ShareRow(rung.value, count(found.n_planned), words, _plot(rung, found, words, plots), None)


def _plot(rung: Rung, found: Shares, words: tuple[tuple[str, str], ...], plots: Plots) -> Markup:
    parts: list[Markup] = []
    start = 0.0
    for kind in KINDS:
        end = start + found.of(kind)
        if end > start:
            parts.append(bar(_SCALE, start, end, 1, _HEIGHT - 2, f"share {kind.replace(' ', '-')}"))
            parts.append(upright(_SCALE(end), 1, _HEIGHT - 1, "seam"))
        start = end
    title = f"{rung.value}: " + ", ".join(f"{kind} {share}" for kind, share in words)
    return plots.plot(_HEIGHT, title, f"Shares of {found.n_planned} prompts", parts)


def share_swatch(kind: str) -> Markup:
    """Return a patch of the pattern that stands for one of `KINDS`."""
    patch = element(
        "rect", {"x": 0.5, "y": 0.5, "width": 19, "height": 11, "class_": f"share {kind.replace(' ', '-')}"}
    )
    return element("svg", {"class_": "swatch", "width": 20, "height": 12, "aria_hidden": "true"}, patch)


def patterns() -> Markup:
    """Return the patterns that all figures share; to be put once in the page."""
    stripes = element(
        "pattern",
        {"id": "stripes", "width": 6, "height": 6, "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"},
        element("rect", {"width": 6, "height": 6, "class_": "stripes-ground"}),
        element("rect", {"width": 2, "height": 6, "class_": "stripes-line"}),
    )
    dots = element(
        "pattern",
        {"id": "dots", "width": 5, "height": 5, "patternUnits": "userSpaceOnUse"},
        element("rect", {"width": 5, "height": 5, "class_": "dots-ground"}),
        element("circle", {"cx": 2.5, "cy": 2.5, "r": 1.2, "class_": "dots-dot"}),
    )
    hatch = element(
        "pattern",
        {"id": "hatch", "width": 7, "height": 7, "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(-45)"},
        element("rect", {"width": 1, "height": 7, "class_": "hatch-line"}),
    )
    return element(
        "svg",
        {"width": 0, "height": 0, "class_": "patterns", "aria_hidden": "true"},
        element("defs", None, stripes, dots, hatch),
    )
