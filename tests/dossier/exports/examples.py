"""A ruling to export, and records in which a stranger wrote every text."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.fakes.dossier_record import digest
from weighbridge.dossier.exports.export import Source
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import NotMeasured
from weighbridge.standards.rulings import (
    Lacking,
    LevelRuling,
    RequirementRuling,
    Ruling,
    StandardRuling,
    Strength,
    Used,
)

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def ruling(record: DossierRecord, text: str = "Release stages") -> StandardRuling:
    """A standard with one requirement of each ruling. `text` stands wherever people write."""

    def requirement(name: str, found: Ruling) -> RequirementRuling:
        return RequirementRuling(
            requirement=name,
            title=text,
            says=text,
            topic="access",
            strength=Strength.REQUIRED,
            ruling=found,
            because=text,
            would_change=(text,),
            used=(Used(name="harm.api", shown="0.2", source=text),),
            lacking=(Lacking(name="incident_plan", why=text),),
            cited=text,
            provenance=Provenance.UNVERIFIED,
            remarks=(text,),
        )

    return StandardRuling(
        standard="stages",
        title=text,
        publisher=text,
        version="1",
        standard_digest=digest("stages"),
        in_force=True,
        subject=record.candidate.identity,
        dossier=Source(record).dossier,
        at=AT,
        context={"release": "open"},
        ruling=Ruling.NOT_MET,
        because=text,
        requirements=tuple(requirement(f"r{index}", found) for index, found in enumerate(Ruling)),
        levels=(LevelRuling(level="open", title=text, ruling=Ruling.NOT_SHOWN),),
        notes=(text,),
    )


def thin(record: DossierRecord) -> DossierRecord:
    """The record with every seventh rate and every second comparison: as varied, and quick to write."""
    return record.model_copy(update={"rates": record.rates[::7], "comparisons": record.comparisons[::2]})


def poisoned(record: DossierRecord, text: str) -> DossierRecord:
    """The record with `text` wherever a model's maker, a provider or a stranger with an editor could have put it."""
    subjects = [
        subject.model_copy(
            update={
                "label": text,
                "reference": text,
                "architecture": text,
                "quantisation": text,
                "notes": (text,),
                "components": tuple(
                    part.model_copy(
                        update={
                            "name": text,
                            "licence": text,
                            "files": tuple(file.model_copy(update={"path": text}) for file in part.files),
                        }
                    )
                    for part in subject.components
                ),
            }
        )
        for subject in (record.candidate, *record.baselines)
    ]
    rates = list(record.rates)
    rates[0] = rates[0].model_copy(update={"technique": text})
    comparisons = tuple(
        one.model_copy(
            update={
                "scope": text,
                "candidate": one.candidate.model_copy(update={"label": text, "techniques": (text,)}),
                "baseline": one.baseline.model_copy(update={"label": text, "techniques": (text,)}),
            }
        )
        for one in record.comparisons[:4]
    )
    gaps = tuple(
        gap.model_copy(update={"where": text, "why": NotMeasured(reason=gap.why.reason, detail=text)})
        for gap in record.gaps
    )
    return record.model_copy(
        update={
            "made_by": text,
            "candidate": subjects[0],
            "baselines": tuple(subjects[1:]),
            "protocol_name": text,
            "protocol_description": text,
            "suite": record.suite.model_copy(
                update={"name": text, "version": text, "licence": text, "notes": (text,), "left_out": {text: 1}}
            ),
            "grader": record.grader.model_copy(update={"name": text, "identity": text, "calibration": text}),
            "headline": record.headline.model_copy(update={"paragraph": text}),
            "rates": tuple(rates),
            "comparisons": comparisons,
            "gaps": gaps,
            "files_read": (FilesRead(subject=text, findings={"low": 1}, not_examined=0, tensors=1),),
            "command": text,
            "environment": {text: text, "weighbridge": text},
            "notes": (text,),
        }
    )
