"""Rulings, inspections and hostile records that export tests are given, built by hand and by hypothesis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, timezone

from hypothesis import strategies as st

from tests.fakes.dossier_record import MADE_AT, digest
from weighbridge.dossier.inspection import FoundFact, InspectedFile, InspectedSubject, InspectionRecord, RuleWords
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.provenance import Provenance
from weighbridge.standards.rulings import (
    Lacking,
    LevelRuling,
    RequirementRuling,
    Ruling,
    StandardRuling,
    Strength,
    Used,
    over_all,
)

HOSTILE = "<script>alert(1)</script>\n\n# [x](javascript:alert(1)) \u202egnp \x00\x1b[31m `a` \u2028 ${7*7} {{7*7}} --> ]]> \x7f"


def requirement(
    name: str, ruling: Ruling, *, strength: Strength = Strength.REQUIRED, text: str = ""
) -> RequirementRuling:
    """A requirement with one piece of evidence when it was ruled on, and one that lacks when it was not shown."""
    text = text or f"what {name} asks"
    used = (Used(name=f"rate.{name}", shown="0.5", source="dossier.json", made_at=MADE_AT, made_elsewhere="garak"),)
    lacking = (Lacking(name=f"rate.{name}", why="nobody asked"),)
    return RequirementRuling(
        requirement=name,
        title=f"Title of {text}",
        says=text,
        topic="testing",
        strength=strength,
        ruling=ruling,
        partial=ruling is Ruling.NOT_MET,
        because=f"because of {text}",
        would_change=(f"other evidence of {text}",),
        used=() if ruling is Ruling.NOT_SHOWN else used,
        lacking=lacking if ruling is Ruling.NOT_SHOWN else (),
        cited="section 1",
        provenance=Provenance.SECONDARY,
        remarks=("not checked against the source",),
    )


def ruling(
    dossier: str, requirements: Iterable[RequirementRuling], *, standard: str = "our-standard"
) -> StandardRuling:
    """A standard's ruling over its requirements."""
    found = tuple(requirements)
    whole = over_all(one.ruling for one in found if one.strength is Strength.REQUIRED)
    return StandardRuling(
        schema="weighbridge.rulings/1",
        standard=standard,
        title="Our standard",
        publisher="Us",
        version="1.0",
        standard_digest=digest(standard),
        in_force=True,
        subject="model",
        dossier=dossier,
        at=MADE_AT + timedelta(days=1),
        context={"release": "open"},
        ruling=whole,
        because=f"{len(found)} requirements",
        requirements=found,
        levels=(LevelRuling(level="first", title="First", ruling=whole),),
        reached="first" if whole is Ruling.MET else None,
        notes=("a note",),
    )


_ANY_TEXT = st.one_of(st.just(HOSTILE), st.text(max_size=40), st.just(""))
_TIMES = st.sampled_from((MADE_AT, MADE_AT.replace(tzinfo=None), MADE_AT.astimezone(timezone(timedelta(hours=-5)))))


@st.composite
def _requirements(draw: st.DrawFn) -> RequirementRuling:
    made = requirement(
        draw(st.one_of(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,12}", fullmatch=True), _ANY_TEXT)),
        draw(st.sampled_from(Ruling)),
        strength=draw(st.sampled_from(Strength)),
        text=draw(_ANY_TEXT),
    )
    return made.model_copy(update={"title": draw(_ANY_TEXT), "says": draw(_ANY_TEXT), "because": draw(_ANY_TEXT)})


@st.composite
def rulings(draw: st.DrawFn, dossier: str) -> StandardRuling:
    """Any ruling of the dossier: few requirements, any text, any time zone; its whole need not follow from its parts."""
    made = ruling(dossier, draw(st.lists(_requirements(), max_size=5)), standard=draw(_ANY_TEXT))
    return made.model_copy(
        update={
            "title": draw(_ANY_TEXT),
            "because": draw(_ANY_TEXT),
            "at": draw(_TIMES),
            "in_force": draw(st.booleans()),
            "superseded_by": draw(st.one_of(st.none(), _ANY_TEXT)),
            "context": draw(st.dictionaries(_ANY_TEXT, _ANY_TEXT, max_size=2)),
            "ruling": draw(st.sampled_from(Ruling)),
        }
    )


def hostile(record: DossierRecord) -> DossierRecord:
    """The record with everything that others name, named with hostile intent."""
    components = tuple(
        part.model_copy(
            update={
                "name": HOSTILE,
                "licence": HOSTILE,
                "files": tuple(file.model_copy(update={"path": HOSTILE + file.path}) for file in part.files),
            }
        )
        for part in record.candidate.components
    )
    changes = {"label": HOSTILE, "architecture": HOSTILE, "quantisation": HOSTILE, "notes": (HOSTILE,)}
    candidate = record.candidate.model_copy(update=changes | {"components": components})
    return record.model_copy(
        update={
            "candidate": candidate,
            "baselines": tuple(each.model_copy(update=changes) for each in record.baselines),
            "protocol_name": HOSTILE,
            "suite": record.suite.model_copy(update={"name": HOSTILE, "version": HOSTILE, "notes": (HOSTILE,)}),
            "grader": record.grader.model_copy(update={"name": HOSTILE, "calibration": HOSTILE}),
            "headline": record.headline.model_copy(update={"paragraph": HOSTILE}),
            "gaps": tuple(gap.model_copy(update={"where": HOSTILE}) for gap in record.gaps),
            "rates": tuple(rate.model_copy(update={"technique": HOSTILE}) for rate in record.rates[:3])
            + record.rates[3:],
            "comparisons": tuple(one.model_copy(update={"scope": HOSTILE}) for one in record.comparisons[:2])
            + record.comparisons[2:],
            "command": HOSTILE,
            "environment": {HOSTILE: HOSTILE},
            "made_by": HOSTILE,
            "notes": (HOSTILE,),
        }
    )


def is_inert(text: str) -> bool:
    """Whether a text holds no character that hides, reorders or controls."""
    return not any(letter in text for letter in "\u202e\x00\x1b\u2028\x7f")


def inspection_of(record: DossierRecord, *, findings: Iterable[tuple[str, str]] = ()) -> dict[str, InspectionRecord]:
    """What reading the candidate's files might have said: findings as (rule, severity), one more file, one that was not read."""
    files = [
        InspectedFile(path=file.path, size=file.size_bytes, sha256=file.digest.removeprefix("sha256:"), format="gguf")
        for part in record.candidate.components
        for file in part.files
    ]
    files += [
        InspectedFile(path="data/train.jsonl", size=12, sha256="ab" * 32, format="text"),
        InspectedFile(path="unread.bin", size=3, sha256=None, format="unknown"),
    ]
    found = tuple(
        FoundFact(rule=rule, severity=severity, path="model.gguf", where=f"byte {number}", message=f"{rule} {HOSTILE}")
        for number, (rule, severity) in enumerate(findings)
    )
    report = InspectionRecord.model_validate(
        {
            "subject": InspectedSubject(digest=record.candidate.digest, files=tuple(files)),
            "components": [
                {"name": "Datasets", "files": ["data/train.jsonl"], "licence": "CC-BY-4.0"},
                {"name": "Evaluation data", "files": [], "licence": None},
            ],
            "findings": found,
            "rules": {one.rule: RuleWords(title=f"Title of {one.rule}", why="why", fix="fix") for one in found},
        }
    )
    return {record.candidate.identity: report}
