"""SPDX 3.0.1 JSON-LD with the AI profile's classes: the candidate as an `ai_AIPackage`, its files with hashes, licences, metrics.

Written after the model as published (spdx/spdx-3-model, tag 3.0.1). What the dossier does not know is left out and logged: SPDX 3 has
NOASSERTION for licences only, none for a supplier, a time, an address or a version. What we say of somebody else's model is an
`Annotation`, an assertion of ours, or a field that says how it was measured. docs/formats/exports-spdx-avid-oscal.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from weighbridge.digests import digest_bytes
from weighbridge.dossier.exports.export import Export, Kind, Source, Tally, stable_uuid
from weighbridge.dossier.exports.facts import (
    comparison_facts,
    fact_text,
    in_utc,
    in_words,
    json_bytes,
    measure_words,
    outcome_facts,
    state_of,
)
from weighbridge.dossier.exports.words import absence, cell_of, contrast_of, spdx_id, unchecked
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import uncalibrated, verdict_words
from weighbridge.evidence.provenance import Provenance
from weighbridge.evidence.records import Rate
from weighbridge.standards.rulings import Ruling, StandardRuling, Strength

FILE = "dossier.spdx3.json"
CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
NO_ASSERTION = "expandedlicensing_NoAssertionLicense"

# Fields that AIPackage's "external properties restrictions" ask for, and that no dossier knows.
_UNKNOWN = {
    "suppliedBy": "who supplied the model",
    "releaseTime": "when the model was released",
    "software_downloadLocation": "where the model is downloaded",
    "software_packageVersion": "which version its maker calls it",
}
# Components of the Model Openness Framework that are data sets.
_DATASETS = ("Datasets", "Evaluation data")

Element = dict[str, Any]


def export(source: Source, *, at: datetime) -> Export:
    """Return one JSON-LD document, created at `at`."""
    return _Document(source, at).export()


def licence_expression(licence: str) -> str:
    """Return a licence as found, as an SPDX expression. What has no certain SPDX id is a `LicenseRef-`, named after what was found.

    >>> licence_expression("apache-2.0"), licence_expression("gemma"), licence_expression("MIT OR apache-2.0")
    ('Apache-2.0', 'LicenseRef-gemma', 'MIT OR Apache-2.0')
    >>> licence_expression("Our own licence")
    'LicenseRef-Our-own-licence-b8780f99'
    """
    known = _simple(licence.strip())
    if known:
        return known
    words = licence.split()
    names = [_simple(word) for word in words[::2]]
    if len(words) % 2 and all(names) and all(word in ("AND", "OR") for word in words[1::2]):
        words[::2] = [name or "" for name in names]
        return " ".join(words)
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", licence).strip("-")[:40]
    if slug == licence:
        return f"LicenseRef-{slug}"
    return f"LicenseRef-{slug or 'unnamed'}-{digest_bytes(licence.encode())[7:15]}"


def _simple(name: str) -> str | None:
    return spdx_id(name) or (name if re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]{1,80}", name) else None)


class _Document:
    """Builds the graph. Every element is made by `_add`, and every fact is counted where it is written."""

    def __init__(self, source: Source, at: datetime) -> None:
        self._source, self._at = source, at
        self._record, self._candidate = source.record, source.record.candidate
        self._tally = Tally(source)
        self._state = state_of(source, at)
        self._names = labels((self._candidate, *self._record.baselines))
        self._graph: list[Element] = []
        self._licences: dict[str, str] = {}
        inspection = source.inspection or {}
        self._read = inspection.get(self._candidate.identity)

    def export(self) -> Export:
        """Return the document."""
        agent = self._id("agent")
        creation = {
            "type": "CreationInfo",
            "@id": "_:creation",
            "specVersion": "3.0.1",
            "created": f"{in_utc(self._at):%Y-%m-%dT%H:%M:%SZ}",
            "createdBy": [agent],
        }
        self._add("SoftwareAgent", "agent", name=one_line(self._record.made_by) or "weighbridge")
        package = self._package()
        files = self._files()
        if files:
            self._relate(package, "contains", list(files.values()), "files")
        self._package_licences(package)
        self._file_licences(files)
        self._datasets(package, files)
        self._annotations(package)
        self._unwritten()
        bom = self._add(
            "software_Sbom",
            "bom",
            software_sbomType=["analyzed"],
            rootElement=[package],
            element=[element["spdxId"] for element in self._graph],
        )
        document = {
            "type": "SpdxDocument",
            "spdxId": self._id("document"),
            "creationInfo": "_:creation",
            "name": f"weighing of {self._names[self._candidate.identity]}",
            "profileConformance": ["core", "software", "simpleLicensing"],
            "rootElement": [bom],
            "element": [element["spdxId"] for element in self._graph],
        }
        return self._tally.export(
            {FILE: json_bytes({"@context": CONTEXT, "@graph": [creation, document, *self._graph]})}
        )

    # The model.

    def _package(self) -> str:
        candidate = self._candidate
        metrics, thresholds = list(self._rates()), []
        for key, facts in self._comparisons():
            metrics.append(_entry(key, in_words(facts)))
            thresholds.append(_entry(key, fact_text(facts["margin"])))
        met = [_compliance(ruling) for ruling in self._source.rulings if _stands(ruling)]
        found = {
            "ai_typeOfModel": [f"architecture {one_line(candidate.architecture)}"] if candidate.architecture else [],
            "ai_informationAboutApplication": self._application(),
            "ai_limitation": self._limitation(),
            "ai_metric": metrics,
            "ai_metricDecisionThreshold": thresholds,
            "ai_standardCompliance": met,
            "software_primaryPurpose": "model" if candidate.is_model else "",
        }
        if not candidate.is_model:
            self._tally.part("software_primaryPurpose of the package", "what was weighed is not a model")
        return self._add(
            "ai_AIPackage",
            "package",
            name=self._names[candidate.identity],
            externalIdentifier=[self._identifier()],
            externalRef=[
                {
                    "type": "ExternalRef",
                    "externalRefType": "riskAssessment",
                    "contentType": "application/json",
                    "locator": [f"nih:sha-256;{self._source.dossier.removeprefix('sha256:')}"],
                    "comment": f"the weighing's dossier.json, {self._source.dossier}: named by its digest (RFC 6920), not by a place",
                }
            ],
            **{name: value for name, value in found.items() if value},
        )

    def _identifier(self) -> Element:
        comment = (
            "the digest by which weighbridge knows the model: of its file, or OpenSSF Model Signing's root digest of its files"
            if self._candidate.digest
            else "an endpoint: it has no digest, and what answers there may change"
        )
        return {
            "type": "ExternalIdentifier",
            "externalIdentifierType": "other",
            "identifier": one_line(self._candidate.identity, 300),
            "comment": comment,
        }

    def _rates(self) -> Iterator[Element]:
        written = 0
        for rate in self._record.rates:
            if rate.subject != self._candidate.identity:
                self._tally.drop(Kind.RATE, "of another model than the document's package")
                continue
            written += 1
            yield _entry(f"{measure_words(rate.measure)}; {cell_of(rate)}", self._rate_words(rate))
        self._tally.wrote(Kind.RATE, written)
        self._tally.part(
            "interval, n and method of a rate, as numbers", "a metric has one text; they are in its words", written
        )

    def _rate_words(self, rate: Rate) -> str:
        doubts = unchecked(self._record.grader, rate.measure, rate.verb)
        return in_words(outcome_facts(rate.rate)) + (f"; grades_not_checked={doubts}" if doubts else "")

    def _comparisons(self) -> Iterator[tuple[str, dict[str, Any]]]:
        count = len(self._record.comparisons)
        for comparison in self._record.comparisons:
            key = (
                f"difference of {measure_words(comparison.measure)}s; contrast={comparison.contrast.value}; "
                f"{contrast_of(comparison, self._names)}"
            )
            yield key, comparison_facts(comparison, self._names, self._record.grader)
        self._tally.wrote(Kind.COMPARISON, count)
        self._tally.part(
            "verdict and interval of a comparison, as values", "a metric has one text; they are in its words", count
        )

    def _application(self) -> str:
        candidate = self._candidate
        template = {True: "in the files", False: "none in the files", None: "not known"}[candidate.chat_template]
        parts = [f"As weighed. Chat template: {template}."]
        if candidate.quantisation:
            parts.append(f"Quantisation: {one_line(candidate.quantisation)}.")
        if candidate.parameters is not None:
            parts.append(f"Parameters: {candidate.parameters}.")
        notes = (*candidate.notes, *self._record.notes)
        self._tally.wrote(Kind.NOTE, len(self._record.notes))
        return "\n".join((*parts, *(one_line(note, 600) for note in notes)))

    def _limitation(self) -> str:
        record = self._record
        lines = []
        for gap in record.gaps:
            if gap.subject != self._candidate.identity:
                self._tally.drop(Kind.GAP, "of another model than the document's package")
                continue
            self._tally.wrote(Kind.GAP)
            detail = one_line(gap.why.detail)
            lines.append(
                f"{one_line(gap.where)}: {absence(gap.why)}{f' ({detail})' if detail else ''}; count={gap.count}"
            )
        doubts = [verb.value for verb in uncalibrated(record.grader)]
        if doubts:
            lines.append(f"grades not checked against human labels: {', '.join(doubts)}")
        lines += [one_line(note, 600) for note in record.suite.notes]
        return "\n".join(("What was not measured is no evidence of safety.", *lines)) if lines else ""

    # Files and licences.

    def _files(self) -> dict[str, str]:
        """Return the id of each file's element by its path."""
        found: dict[str, str] = {}
        for component in self._candidate.components:
            for file in component.files:
                if file.path not in found:
                    found[file.path] = self._file(file.path, file.digest, f"component: {one_line(component.name)}")
            if component.files:
                self._tally.wrote(Kind.COMPONENT)
            else:
                self._tally.drop(Kind.COMPONENT, "a component without files has nothing to be an element of")
        for read in self._read.subject.files if self._read else ():
            if read.path not in found and "!" not in read.path:
                digest = f"sha256:{read.sha256}" if read.sha256 else None
                found[read.path] = self._file(read.path, digest, f"format by content: {one_line(read.format)}")
        self._tally.part("size of a file", "software_File has no field for it", len(found))
        return found

    def _file(self, path: str, digest: str | None, summary: str) -> str:
        hashes: dict[str, Any] = {}
        if digest:
            value = digest.removeprefix("sha256:")
            hashes["verifiedUsing"] = [{"type": "Hash", "algorithm": "sha256", "hashValue": value}]
        else:
            self._tally.part("hash of a file", "the file could not be read")
        return self._add("software_File", f"file {path}", name=one_line(path, 500), summary=summary, **hashes)

    def _package_licences(self, package: str) -> None:
        components = self._candidate.components
        licences = [each.licence for each in components if each.licence is not None and each.licence.strip()]
        named = sorted(set(map(licence_expression, licences)))
        lacking = [one_line(each.name) for each in components if not _named(each.licence)]
        joined = named[0] if len(named) == 1 else " AND ".join(f"({each})" if " " in each else each for each in named)
        declared = self._licence(joined, licences) if joined else NO_ASSERTION
        comment = f"no licence was found for: {', '.join(lacking)}" if lacking else ""
        self._relate(
            package, "hasDeclaredLicense", [declared], "licence", comment=comment, incomplete=bool(lacking and named)
        )
        self._relate(package, "hasConcludedLicense", [NO_ASSERTION], "concluded")
        self._tally.part(
            "concluded licence", "weighbridge says which licence the files declare and draws no conclusion: NOASSERTION"
        )

    def _file_licences(self, files: dict[str, str]) -> None:
        licences = {file.path: each.licence for each in self._candidate.components for file in each.files}
        for path, element in files.items():
            licence = licences.get(path)
            declared = (
                self._licence(licence_expression(licence), (licence,)) if licence and _named(licence) else NO_ASSERTION
            )
            self._relate(element, "hasDeclaredLicense", [declared], f"licence {path}")

    def _licence(self, expression: str, found: Iterable[str]) -> str:
        if expression not in self._licences:
            names = ", ".join(sorted({one_line(name) for name in found}))
            self._licences[expression] = self._add(
                "simplelicensing_LicenseExpression",
                f"expression {expression}",
                simplelicensing_licenseExpression=expression,
                **({"comment": f"as named where it was found: {names}"} if "LicenseRef-" in expression else {}),
            )
            if "LicenseRef-" in expression:
                self._tally.part(
                    "text of a licence that has no SPDX id", "a dossier names licences and does not hold their texts"
                )
        return self._licences[expression]

    def _datasets(self, package: str, files: dict[str, str]) -> None:
        for component in self._read.components if self._read else ():
            inside = [files[path] for path in component.files if path in files]
            if component.name not in _DATASETS or not inside:
                continue
            dataset = self._add(
                "dataset_DatasetPackage",
                f"dataset {component.name}",
                name=f"{component.name} of {self._names[self._candidate.identity]}",
                software_primaryPurpose="data",
                dataset_datasetType=["noAssertion"],
            )
            self._relate(package, "contains", [dataset], f"dataset {component.name}")
            self._relate(dataset, "contains", inside, f"files of {component.name}")
            licence = component.licence
            declared = (
                self._licence(licence_expression(licence), (licence,)) if licence and _named(licence) else NO_ASSERTION
            )
            self._relate(dataset, "hasDeclaredLicense", [declared], f"licence of {component.name}")
            self._relate(dataset, "hasConcludedLicense", [NO_ASSERTION], f"concluded of {component.name}")
            self._tally.part("originatedBy, builtTime, releaseTime and place of a data set", "not known to a dossier")

    # What we assert.

    def _annotations(self, package: str) -> None:
        record = self._record
        headline = record.headline
        self._annotate(
            package, "headline", f"{verdict_words(headline.verdict)}. {one_line(headline.paragraph, 10_000)}"
        )
        self._annotate(package, "method", "\n".join(self._method()))
        for kind in (Kind.HEADLINE, Kind.SUITE, Kind.GRADER, Kind.RUN):
            self._tally.wrote(kind)
        self._tally.wrote(Kind.BASELINE, len(record.baselines))
        self._tally.part("environment of the run", "an annotation is text; the command is in it")
        for number, read in enumerate(record.files_read):
            if read.subject != self._candidate.identity:
                self._tally.drop(Kind.FILES_READ, "of another model than the document's package")
                continue
            self._tally.wrote(Kind.FILES_READ)
            counts = ", ".join(f"{count} {severity}" for severity, count in read.findings.items()) or "none"
            self._annotate(
                package,
                f"files read {number}",
                f"Files read: findings: {counts}; not examined: {read.not_examined}; tensors: {read.tensors}. Which findings: inspection.json.",
            )
        for number, ruling in enumerate(self._source.rulings):
            self._annotate(package, f"ruling {number}", "\n".join(_ruling_lines(ruling)))
            self._tally.wrote(Kind.RULING, len(ruling.requirements))
            evidence = sum(len(one.used) + len(one.lacking) for one in ruling.requirements)
            self._tally.part(
                "evidence that a ruling read or lacked", "an annotation is text: it has the reason in words", evidence
            )

    def _method(self) -> Iterator[str]:
        record, names = self._record, self._names
        suite, grader = record.suite, record.grader
        yield f"Protocol: {one_line(record.protocol_name)}, {record.protocol}."
        yield (
            f"Prompts: {one_line(suite.name)} {one_line(suite.version)}, {suite.digest}: {suite.harm_prompts} harm prompts, "
            f"{suite.twins} benign look-alikes."
        )
        yield f"Grader: {one_line(grader.name)}, {one_line(grader.identity)}. {one_line(grader.calibration, 600)}"
        for baseline in record.baselines:
            yield f"Compared with: {names[baseline.identity]}, {one_line(baseline.identity, 300)}."
        yield f"Dossier {self._source.dossier}, evidence {record.evidence}, made {in_utc(record.made_at).isoformat()}."
        yield f"Command: {one_line(record.command, 1000)}"

    def _annotate(self, package: str, what: str, statement: str) -> None:
        self._add(
            "Annotation",
            f"annotation {what}",
            annotationType="review",
            subject=package,
            contentType="text/plain",
            statement=statement,
        )

    def _unwritten(self) -> None:
        tally = self._tally
        for field, what in _UNKNOWN.items():
            tally.part(
                f"{field} of the package",
                f"the AI profile asks {what}; a dossier does not know, and SPDX has no NOASSERTION there",
            )
        tally.part("conformance to the ai profile", "not claimed: fields that it asks for are not known")
        tally.part(
            "ai_safetyRiskAssessment",
            "its grades are those of the EU's general method for product safety; nothing here was assessed by it",
        )
        tally.rest(Kind.COMPONENT, "of another model than the document's package")
        tally.rest(Kind.THREAT, "the profile has no field for a threat sheet")
        tally.rest(Kind.COST, "the profile's energy fields are not calls and tokens")
        tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")

    # Elements.

    def _relate(
        self, one: str, kind: str, others: list[str], what: str, *, comment: str = "", incomplete: bool = False
    ) -> None:
        extra: dict[str, Any] = {"comment": comment} if comment else {}
        if incomplete:
            extra["completeness"] = "incomplete"
        self._add("Relationship", f"{kind} {what}", relationshipType=kind, **{"from": one}, to=others, **extra)

    def _add(self, kind: str, what: str, **fields: Any) -> str:
        element = self._id(what)
        self._graph.append({"type": kind, "spdxId": element, "creationInfo": "_:creation", **fields})
        return element

    def _id(self, what: str) -> str:
        return f"urn:uuid:{stable_uuid('spdx', *self._state, what)}"


def _named(licence: str | None) -> bool:
    return licence is not None and bool(licence.strip())


def _entry(key: str, value: str) -> Element:
    return {"type": "DictionaryEntry", "key": key, "value": value}


def _stands(ruling: StandardRuling) -> bool:
    """Whether a standard is met, by its own word and by every requirement that decides."""
    deciding = (one.ruling for one in ruling.requirements if one.strength is Strength.REQUIRED)
    return ruling.ruling is Ruling.MET and all(one in (Ruling.MET, Ruling.NOT_APPLICABLE) for one in deciding)


def _compliance(ruling: StandardRuling) -> str:
    context = ", ".join(f"{one_line(name)}={one_line(value)}" for name, value in sorted(ruling.context.items()))
    unchecked_ = sum(one.provenance is not Provenance.CHECKED for one in ruling.requirements)
    parts = [f"{_title(ruling)}: met on {in_utc(ruling.at):%Y-%m-%d}"]
    if ruling.reached:
        parts.append(f"level {one_line(ruling.reached)}")
    parts.append(f"as declared: {context or 'nothing'}")
    if unchecked_:
        parts.append(f"{unchecked_} of {len(ruling.requirements)} requirements were not checked against the source")
    parts.append(f"ruled by weighbridge on the evidence of dossier {ruling.dossier}, not by the publisher")
    return "; ".join(parts)


def _title(ruling: StandardRuling) -> str:
    force = "" if ruling.in_force else ", not in force"
    superseded = f", superseded by {one_line(ruling.superseded_by)}" if ruling.superseded_by else ""
    return f"{one_line(ruling.title)} {one_line(ruling.version)} ({one_line(ruling.publisher)}{force}{superseded})"


def _ruling_lines(ruling: StandardRuling) -> Iterator[str]:
    yield f"{_title(ruling)}: {ruling.ruling.value}. {one_line(ruling.because, 600)}"
    yield '"not shown" is neither good nor bad news about the model.'
    for level in ruling.levels:
        yield f"level {one_line(level.level)}: {level.ruling.value}"
    for one in ruling.requirements:
        partly = ", partly" if one.partial else ""
        yield (
            f"{one_line(one.requirement)} ({one.strength.value}, {one_line(one.cited)}, provenance {one.provenance.value}): "
            f"{one.ruling.value}{partly}. {one_line(one.because, 600)}"
        )
    yield from (one_line(note, 600) for note in ruling.notes)
