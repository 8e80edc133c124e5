"""Every name that a condition may read: what it is, what it says, and how a subject comes to have evidence of it.

Evidence is named so that missing evidence has no value at all: there is no `...measured == false`, only a name without evidence. Counts and
rates are numbers within bounds (docs/formats/standard.md), and what could be read out of a shrinking list is no list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from weighbridge.evidence.elsewhere import Tool
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb, Verdict
from weighbridge.standards.cel.checking import Kind, Named, Names
from weighbridge.standards.cel.syntax import dotted
from weighbridge.subject.components import ComponentId

_ASSESS = "weigh the model (`weighbridge assess`)"
_OPENNESS = "find it in the model's files, or decide on it in openness.yaml"
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_DECIDED = frozenset({Verdict.NO_MATERIAL_INCREASE.value, Verdict.MATERIAL_INCREASE.value})
_BASELINES = frozenset({"existing open model", "model behind an endpoint", "prior technology", "recorded answers"})


@dataclass(frozen=True)
class EvidenceName:
    """One name. `says` is one line for authors; `how` is what a user does to have evidence of it; `values` as in `Named`."""

    path: tuple[str, ...]
    kind: Kind
    says: str
    how: str
    values: frozenset[str] = frozenset()

    @property
    def dotted(self) -> str:
        """The name as it is written."""
        return dotted(self.path)


@cache
def evidence_names() -> tuple[EvidenceName, ...]:
    """Return all names of evidence."""
    return tuple(_evidence())


@cache
def context_names() -> tuple[EvidenceName, ...]:
    """Return all names of what the caller declares."""
    return tuple(_context())


@cache
def readable() -> Names:
    """Return what a condition may read: evidence, and what was declared."""
    return Names({one.path: Named(one.kind, one.values) for one in (*evidence_names(), *context_names())}, "evidence")


@cache
def declared() -> Names:
    """Return what a requirement's `when` may read: only what was declared."""
    return Names({one.path: Named(one.kind, one.values) for one in context_names()}, "declaration")


@cache
def _by_path() -> dict[tuple[str, ...], EvidenceName]:
    return {one.path: one for one in (*evidence_names(), *context_names())}


def named(path: tuple[str, ...]) -> EvidenceName | None:
    """Return the name that `path` is, also one with any step in it."""
    found = _by_path().get(path)
    if found is None:
        candidates = (one for one in _by_path().values() if "*" in one.path and len(one.path) == len(path))
        found = next(
            (one for one in candidates if all(a in ("*", b) for a, b in zip(one.path, path, strict=True))), None
        )
    return found


def _name(path: str, kind: Kind, says: str, how: str, values: frozenset[str] = frozenset()) -> EvidenceName:
    return EvidenceName(tuple(path.split(".")), kind, says, how, values)


def _evidence() -> Iterator[EvidenceName]:
    yield _name(
        "subject.has_digest",
        Kind.TRUTH,
        "the model is known by the digest of its files",
        "weigh files, not an endpoint",
    )
    yield _name("subject.kind", Kind.TEXT, "where the model was found", _ASSESS)
    yield _name("subject.architecture", Kind.TEXT, "the architecture that its files name", _ASSESS)
    yield _name("subject.parameters", Kind.WHOLE, "how many parameters its files hold", _ASSESS)
    yield _name("subject.chat_template", Kind.TRUTH, "whether its files hold a chat template", _ASSESS)
    yield _name("weighing.age_days", Kind.NUMBER, "days since the weighing", _ASSESS)
    yield _name("weighing.made_at", Kind.TIME, "when the weighing was made", _ASSESS)
    yield _name("protocol.name", Kind.TEXT, "what was promised before looking, by name", _ASSESS)
    yield _name("suite.name", Kind.TEXT, "which prompts were asked", _ASSESS)
    yield _name("suite.version", Kind.TEXT, "the version of the prompts", _ASSESS)
    yield _name("suite.harm_prompts", Kind.WHOLE, "how many harm prompts were planned", _ASSESS)
    yield _name("grader.name", Kind.TEXT, "which grader decided", _ASSESS)
    yield _name("grader.identity", Kind.TEXT, "the grader and its digest", _ASSESS)
    checked = "whether its grades were checked against human labels (no evidence when they were not)"
    for verb in Verb:
        yield _name(
            f"grader.calibrated.{verb.value}",
            Kind.TRUTH,
            checked,
            "choose a grader that was checked, or check it (`weighbridge calibrate`)",
        )
    yield _name(
        "grader.calibrated.refusals",
        Kind.TRUTH,
        checked,
        "choose a grader that was checked, or check it (`weighbridge calibrate`)",
    )
    yield from _rungs()
    yield from _comparisons()
    yield from _files()
    yield from _threats()
    yield from _components()
    yield from _recourse()
    yield from _elsewhere()


def _rungs() -> Iterator[EvidenceName]:
    for rung in Rung:
        how = f"ask on the rung `{rung.value}` (the protocol's ladder)"
        at = f"on `{rung.value}`"
        yield _name(f"rung.{rung.value}.measured", Kind.TRUTH, f"answers to harm prompts were measured {at}", how)
        yield _name(
            f"rung.{rung.value}.prompts",
            Kind.NUMBER,
            f"on how many harm prompts, at least, answers were measured {at}",
            how,
        )
        for measure, words in (("harm", "harm rate"), ("refused", "refusal rate"), ("coherent", "coherent rate")):
            yield _name(f"rate.{rung.value}.{measure}", Kind.NUMBER, f"{words} {at}, mean over tries (0 to 1)", how)
        yield _name(
            f"rate.{rung.value}.worst.harm",
            Kind.NUMBER,
            f"share of harm prompts with any harmful try {at} (0 to 1)",
            how,
        )
        yield _name(
            f"rate.{rung.value}.benign_answered",
            Kind.NUMBER,
            f"share of benign look-alikes answered {at} (0 to 1)",
            how,
        )
        for category in Category:
            yield _name(
                f"rate.{rung.value}.category.{category.value}.harm",
                Kind.NUMBER,
                f"harm rate {at} in this category (0 to 1)",
                how,
            )


def _comparisons() -> Iterator[EvidenceName]:
    for contrast in Contrast:
        against = "the same model on `api`" if contrast is Contrast.OPENING else "the first baseline"
        how = (
            _ASSESS if contrast is Contrast.OPENING else "weigh it --against an alternative that the world already has"
        )
        for family, what in (("risk", "harm"), ("benefit", "benign requests answered")):
            base = f"{family}.{contrast.value}"
            says = f"{what}, the most open rung measured against {against}"
            for place in (base, f"{base}.mean", f"{base}.worst"):
                yield _name(
                    f"{place}.verdict",
                    Kind.TEXT,
                    f"{says}: what was decided (no evidence while undecided)",
                    how,
                    _DECIDED,
                )
                yield _name(
                    f"{place}.difference",
                    Kind.NUMBER,
                    f"{says}: the difference (-1 to 1), with missing answers counted both ways",
                    how,
                )
            yield _name(f"{base}.margin", Kind.NUMBER, f"{says}: the margin chosen beforehand", how)
            for category in Category:
                yield _name(
                    f"{base}.category.{category.value}.verdict", Kind.TEXT, f"{says}, in this category", how, _DECIDED
                )
                yield _name(
                    f"{base}.category.{category.value}.difference", Kind.NUMBER, f"{says}, in this category", how
                )
            yield _name(
                f"{base}.every_category.verdict",
                Kind.TEXT,
                f"{says}: one verdict over all thirteen categories: an increase in any, or none in each",
                how,
                _DECIDED,
            )
        if contrast is Contrast.COUNTERFACTUAL:
            yield _name(
                f"risk.{contrast.value}.baseline_kind", Kind.TEXT, "what the first baseline is", how, _BASELINES
            )


def _files() -> Iterator[EvidenceName]:
    how = "weigh the files, or read them with `weighbridge inspect`"
    yield _name("files.read", Kind.TRUTH, "every byte of the model's files was read", how)
    yield _name("files.not_examined", Kind.WHOLE, "how many things in the files could not be examined", how)
    for severity in _SEVERITIES:
        yield _name(
            f"files.{severity}",
            Kind.NUMBER,
            f"findings of severity {severity}: exactly, or at least when some things were not examined",
            how,
        )


def _threats() -> Iterator[EvidenceName]:
    how = "fill a threat sheet (`weighbridge assess --threat`)"
    for step in range(1, 7):
        for score in ("partly", "addressed"):
            yield EvidenceName(
                ("threat", "*", f"step_{step}", score), Kind.TRUTH, f"step {step} of the sheet is at least {score}", how
            )
    for score in ("partly", "addressed"):
        yield _name(f"threats.any.{score}", Kind.TRUTH, f"a threat sheet has all six steps at least {score}", how)


def _components() -> Iterator[EvidenceName]:
    says = {
        "released": (Kind.TRUTH, "whether it is released: found in the files, or so decided"),
        "partly": (Kind.TRUTH, "whether the provider decided to release a part of it"),
        "licence": (Kind.TEXT, "its licence"),
        "licence_open": (Kind.TRUTH, "whether its licence is open, by the lists of the Model Openness Framework"),
        "licence_fits": (Kind.TRUTH, "whether its licence is meant for its kind: code, data or documents"),
        "conditional": (Kind.TRUTH, "whether its licence is open but meant for another kind"),
        "reason_given": (Kind.TRUTH, "the provider says why it is released or withheld"),
        "risk_weighed": (Kind.TRUTH, "the provider says which risk of opening it was weighed"),
    }
    for component in ComponentId:
        for field, (kind, text) in says.items():
            yield EvidenceName(
                ("component", component.value, field), kind, f"{component.about.label}: {text}", _OPENNESS
            )


def _recourse() -> Iterator[EvidenceName]:
    how = "keep a recourse log (`weighbridge recourse`)"
    yield _name("recourse.log_kept", Kind.TRUTH, "a recourse log is kept and its chain is whole", how)
    yield _name("recourse.contested", Kind.WHOLE, "how many decisions were contested", how)
    yield _name("recourse.decided", Kind.WHOLE, "how many of them were decided", how)
    yield _name("recourse.median_days", Kind.NUMBER, "median days from contest to outcome", how)
    yield _name("recourse.oldest_pending_days", Kind.NUMBER, "days since the oldest contest that is pending", how)
    yield _name("recourse.human_reviewed_share", Kind.NUMBER, "share of decided contests that a person reviewed", how)


def _elsewhere() -> Iterator[EvidenceName]:
    how = "import another tool's results (`weighbridge import FILE --into DOSSIER`)"
    for tool in Tool:
        base = ("elsewhere", tool.value)
        yield EvidenceName((*base, "present"), Kind.TRUTH, f"results of {tool.value} were imported, and are whole", how)
        yield EvidenceName(
            (*base, "result", "*"), Kind.NUMBER, f"a result of {tool.value}, by its name and metric", how
        )


def _context() -> Iterator[EvidenceName]:
    def one(name: str, kind: Kind, says: str, how: str, *values: str) -> EvidenceName:
        return EvidenceName(("context", name), kind, says, how, frozenset(values))

    yield one("release", Kind.TEXT, "how the model is released", "say --release", *RELEASES)
    yield one("model_type", Kind.TEXT, "how capable the model is", "say --model-type", *MODEL_TYPES)
    yield one("use", Kind.TEXT, "what it is used for", "say --use")
    yield one("sector", Kind.TEXT, "who deploys it", "say --sector", *SECTORS)
    for name, says in DECLARATIONS.items():
        kind = Kind.NUMBER if name == "training_flop" else Kind.TEXT if name in _TEXTS else Kind.TRUTH
        yield one(name, kind, says, f"say --declare {name}=...", *_TEXTS.get(name, ()))
    for name, says in OF_A_USE.items():
        yield one(
            name, Kind.TRUTH if name in TRUTHS_OF_A_USE else Kind.TEXT, says, "say --use with a use of the library"
        )


RELEASES = {
    "closed": "built into the provider's own products",
    "api": "through a hosted interface or an API",
    "research": "to vetted researchers, or to show ideas, not for production",
    "gated": "weights to whoever asks and is accepted",
    "open": "weights for everybody to download",
}
MODEL_TYPES = {
    "narrow": "for a narrow set of tasks",
    "general": "broad abilities of the kind already on the market",
    "frontier": "at or beyond the present state of the art",
}
SECTORS = {"government": "a public body", "private": "anybody else"}
_TEXTS = {"role": ("principal basis", "assistive", "none")}
DECLARATIONS = {
    "role": "what the model's output is for a decision: principal basis, assistive or none",
    "training_flop": "floating-point operations used in training",
    "systemic_risk": "whether it is a model with systemic risk under the EU AI Act",
    "eu_market": "whether it is placed on the EU's market",
    "general_purpose": "whether it is a general-purpose model under the EU AI Act",
    "monetised": "whether money is asked for it",
    "affects_people": "whether its output bears on decisions about persons",
    "pilot": "whether this is a limited pilot",
}
OF_A_USE = {
    "m_25_21": "the letter under which OMB M-25-21 presumes the use high-impact, or none",
    "annex_iii": "the point of Annex III of the EU AI Act that names the use, or none",
    "national_security": "whether it is a military or national-security use, outside both",
    "high_impact": "whether it is presumed high-impact (M-25-21) or high-risk (Annex III)",
}
TRUTHS_OF_A_USE = frozenset({"national_security", "high_impact"})
