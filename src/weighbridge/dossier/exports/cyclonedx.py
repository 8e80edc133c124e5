"""CycloneDX ML-BOM: the candidate as a `machine-learning-model` with its files and a model card, for 1.6 and for 1.7.

`performanceMetrics` have a type, a value, a slice and an interval, all as text. Level, method and number of prompts have no field and an
interval means nothing without them, so they stand in `slice`, as `name=value` pairs. What was not measured becomes no metric; it is
named in words under `technicalLimitations`. A file's hash is its own SHA-256; the subject's digest, which for several files is a
root over them and no hash of any bytes, is a property (and a hash only where the subject is one file).

The two versions differ in nothing that is used here but the version's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from weighbridge.dossier.datasheet import REPORT_FILE
from weighbridge.dossier.exports.export import Export, Kind, Source, Tally, stable_uuid
from weighbridge.dossier.exports.facts import in_utc, json_bytes, state_of
from weighbridge.dossier.exports.words import (
    absence,
    cell_of,
    contrast_of,
    number,
    reading_of,
    spdx_id,
    support_of,
    unchecked,
)
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.tables import gap_groups, subjects_of
from weighbridge.dossier.untrusted import one_line, visible
from weighbridge.dossier.wording import verdict_words
from weighbridge.dossier.write import DOSSIER_FILE
from weighbridge.evidence.records import Estimate, EstimateOrNot
from weighbridge.subject.model import Component, Subject

VERSIONS = ("1.6", "1.7")
_FIELDS = {
    "harm": "harm rate",
    "refused": "refusal rate",
    "coherent": "coherent rate",
    "answered": "benign requests answered",
}


def export(source: Source, *, at: datetime) -> Export:
    """Return the bill of materials in each version."""
    tally = Tally(source)
    bom = _bom(source, tally, at)
    files = {f"ml-bom-{version}.cdx.json": _bytes(bom, version) for version in VERSIONS}
    record = source.record
    tally.part(
        "files and licences of a baseline", "a bill of materials lists what the model is made of", len(record.baselines)
    )
    tally.part("claims of a threat sheet", "a risk has a name; the scores are in it", len(record.threats))
    tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
    tally.rest(Kind.COMPONENT, "of a baseline: a bill of materials lists what the model is made of")
    tally.rest(Kind.FILES_READ, "of a baseline: a bill of materials lists what the model is made of")
    tally.rest(
        Kind.COST, "environmental considerations are of energy, which is not measured; calls and tokens have no place"
    )
    return tally.export(files)


def _bytes(bom: dict[str, Any], version: str) -> bytes:
    return json_bytes({"bomFormat": "CycloneDX", "specVersion": version, **bom})


def _bom(source: Source, tally: Tally, at: datetime) -> dict[str, Any]:
    candidate = source.record.candidate
    model = _model(source, tally)
    parts = list(_parts(candidate))
    tally.wrote(Kind.COMPONENT, len(candidate.components))
    return {
        "serialNumber": f"urn:uuid:{stable_uuid('cyclonedx', *state_of(source, at))}",
        "version": 1,
        "metadata": {
            "timestamp": in_utc(at).isoformat(),
            "tools": {"components": [_tool(source.record)]},
            "component": model,
        },
        "components": parts,
        "dependencies": [
            {"ref": model["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
        # Whether there is more to the model than was found (its data, its code), nobody looked.
        "compositions": [{"aggregate": "unknown", "dependencies": [model["bom-ref"]]}],
    }


def _tool(record: DossierRecord) -> dict[str, Any]:
    tool = {"type": "application", "name": "weighbridge"}
    version = record.environment.get("weighbridge")
    return {**tool, "version": one_line(version, 100)} if version else tool


def _model(source: Source, tally: Tally) -> dict[str, Any]:
    candidate = source.record.candidate
    whole: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": one_line(candidate.label) or "unnamed",
    }
    files = [file for component in candidate.components for file in component.files]
    if candidate.digest and len(files) == 1 and files[0].digest == candidate.digest:
        whole["hashes"] = [_hash(candidate.digest)]
    licences = dict.fromkeys(component.licence for component in candidate.components if component.licence)
    if licences:
        whole["licenses"] = _licences(list(licences))
    whole["externalReferences"] = list(_references(source))
    whole["modelCard"] = _card(source, tally)
    whole["properties"] = [_property(name, value) for name, value in _properties(source, tally)]
    return whole


def _parts(candidate: Subject) -> Iterator[dict[str, Any]]:
    for index, component in enumerate(candidate.components):
        if not component.files:
            yield _part(component, "data", f"component-{index}", one_line(component.name) or "unnamed")
        for place, file in enumerate(component.files):
            part = _part(component, "file", f"component-{index}-file-{place}", one_line(file.path) or "unnamed")
            part["hashes"] = [_hash(file.digest)]
            part["properties"].append(_property("size_bytes", str(file.size_bytes)))
            yield part


def _part(component: Component, kind: str, reference: str, name: str) -> dict[str, Any]:
    licence = component.licence
    return {
        "type": kind,
        "bom-ref": reference,
        "name": name,
        **({"licenses": _licences([licence])} if licence else {}),
        "properties": [
            _property("component", one_line(component.name)),
            *([] if licence else [_property("licence", "not found")]),
        ],
    }


def _licences(names: list[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        known = spdx_id(name)
        shown = one_line(name)
        if shown:
            found.setdefault(known or shown, {"license": {"id": known} if known else {"name": shown}})
    return list(found.values())


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest.removeprefix("sha256:")}


def _references(source: Source) -> Iterator[dict[str, Any]]:
    """What lies beside the export in the dossier's folder, by name and digest: a dossier has no address of its own."""
    record = source.record
    yield {
        "type": "risk-assessment",
        "url": DOSSIER_FILE,
        "comment": "the dossier of which this is an export; found by its hash",
        "hashes": [_hash(source.dossier)],
    }
    yield {"type": "evidence", "url": "evidence.jsonl", "hashes": [_hash(record.evidence)]}
    yield {"type": "model-card", "url": "card.md"}
    if record.threats:
        yield {"type": "threat-model", "url": "index.html", "comment": "the threat sheets on the dossier's page"}
    if record.inspection is not None:
        yield {"type": "static-analysis-report", "url": REPORT_FILE, "hashes": [_hash(record.inspection)]}


def _card(source: Source, tally: Tally) -> dict[str, Any]:
    candidate = source.record.candidate
    parameters: dict[str, Any] = {"task": "text-generation"}
    if candidate.architecture:
        parameters["modelArchitecture"] = one_line(candidate.architecture)
    parameters |= {"inputs": [{"format": "text"}], "outputs": [{"format": "text"}]}
    return {
        "bom-ref": "model-card",
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(source, tally))},
        "considerations": _considerations(source, tally),
    }


def _metrics(source: Source, tally: Tally) -> Iterator[dict[str, Any]]:
    record = source.record
    names = labels(subjects_of(record))
    for rate in record.rates:
        if rate.subject != record.candidate.identity:
            tally.drop(Kind.RATE, "of a baseline: a model card's metrics are of its model")
        elif not isinstance(rate.rate, Estimate):
            tally.drop(Kind.RATE, f"{absence(rate.rate)}; a metric needs a value")
        else:
            doubts = unchecked(record.grader, rate.measure, rate.verb)
            yield _metric(_FIELDS[rate.measure], cell_of(rate), rate.rate, doubts)
            tally.wrote(Kind.RATE)
    for comparison in record.comparisons:
        if not isinstance(comparison.estimate, Estimate):
            tally.drop(Kind.COMPARISON, f"{absence(comparison.estimate)}; a metric needs a value")
            continue
        where = (
            f"{contrast_of(comparison, names)}; margin={number(comparison.margin)}; verdict={comparison.verdict.value}"
        )
        kind = f"{comparison.contrast.value}: difference of {_FIELDS[comparison.measure]}"
        yield _metric(kind, where, comparison.estimate, unchecked(record.grader, comparison.measure))
        tally.wrote(Kind.COMPARISON)
    tally.part(
        "evidence of a comparison", "e-values and the widened interval have no place", tally.written(Kind.COMPARISON)
    )


def _metric(kind: str, where: str, estimate: EstimateOrNot, doubts: str) -> dict[str, Any]:
    assert isinstance(estimate, Estimate)
    trust = f"; grades not checked against human labels={doubts}" if doubts else ""
    return {
        "type": kind,
        "value": number(estimate.value),
        "slice": f"{where}; {support_of(estimate)}{trust}",
        "confidenceInterval": {"lowerBound": number(estimate.low), "upperBound": number(estimate.high)},
    }


def _considerations(source: Source, tally: Tally) -> dict[str, Any]:
    record = source.record
    limits = [
        f"not measured: {group.words}: {one_line(who, 100)}, {one_line(where)}"
        + (f" ({one_line(detail)})" if detail else "")
        + (f", {count} answers" if count != "1" else "")
        for group in gap_groups(record)
        for who, where, detail, count in group.entries
    ]
    tally.wrote(Kind.GAP, len(record.gaps))
    risks = [
        {
            "name": visible(
                f"Opening the weights: {verdict_words(record.headline.verdict)}. {record.headline.paragraph}", 10_000
            )
        }
    ]
    tally.wrote(Kind.HEADLINE)
    for found in record.threats:
        steps = "; ".join(f"{one.step} {one_line(one.title, 80)}: {one.score.value}" for one in found.scores)
        risks.append({"name": f"Threat sheet: {one_line(found.sheet.title)} ({steps})"})
        tally.wrote(Kind.THREAT)
    return {**({"technicalLimitations": limits} if limits else {}), "ethicalConsiderations": risks}


def _properties(source: Source, tally: Tally) -> Iterator[tuple[str, str]]:
    record, candidate = source.record, source.record.candidate
    yield "subject", one_line(candidate.identity, 300)
    yield "reference", one_line(candidate.reference)
    yield "kind", candidate.kind.value
    yield "parameters", "not found" if candidate.parameters is None else str(candidate.parameters)
    yield "quantisation", one_line(candidate.quantisation) if candidate.quantisation else "not found"
    yield "dossier", source.dossier
    yield "protocol", record.protocol
    yield "prompts", f"{one_line(record.suite.name)} {one_line(record.suite.version)}, {record.suite.digest}"
    for note in record.suite.notes:
        yield "prompts:note", one_line(note, 1000)
    yield "grader", one_line(record.grader.identity)
    yield "grader:calibration", one_line(record.grader.calibration, 1000) or "not measured"
    for read in record.files_read:
        if read.subject == candidate.identity:
            yield "files_read", reading_of(read)
            tally.wrote(Kind.FILES_READ)
    for baseline in record.baselines:
        yield "baseline", f"{one_line(baseline.label)}, {one_line(baseline.identity, 300)}"
    for note in record.notes:
        yield "note", one_line(note, 1000)
    yield "command", one_line(record.command, 1000)
    yield from _rulings(source, tally)
    for name, version in sorted(record.environment.items()):
        yield f"environment:{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:60]}", one_line(version)
    for kind in (Kind.SUITE, Kind.GRADER, Kind.BASELINE, Kind.NOTE, Kind.RUN):
        tally.wrote(kind, source.inventory()[kind])


def _rulings(source: Source, tally: Tally) -> Iterator[tuple[str, str]]:
    """Rulings as properties: `declarations` have a conformance from 0 to 1, and "not shown" is no number."""
    for standard in source.rulings:
        name = one_line(standard.standard, 60)
        declared = ", ".join(
            f"{one_line(key, 60)}={one_line(value, 60)}" for key, value in sorted(standard.context.items())
        )
        yield (
            f"standard:{name}",
            f"{standard.ruling.value}; version={one_line(standard.version, 60)}; declared={declared or 'nothing'}; "
            f"at={in_utc(standard.at).isoformat()}; because={one_line(standard.because, 1000)}",
        )
        for one in standard.requirements:
            remarks = ", ".join(one_line(remark) for remark in one.remarks)
            yield (
                f"ruling:{name}:{one_line(one.requirement, 60)}",
                f"{one.ruling.value}; strength={one.strength.value}; provenance={one.provenance.value}; "
                f"because={one_line(one.because, 1000)}" + (f"; remarks={remarks}" if remarks else ""),
            )
            tally.wrote(Kind.RULING)
    tally.part("evidence that a ruling used or lacks", "a property is one line", tally.written(Kind.RULING))


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"weighbridge:{name}", "value": value}
