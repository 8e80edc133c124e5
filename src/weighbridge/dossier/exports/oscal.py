"""OSCAL assessment results: one result for what was measured, and one for each standard that was ruled on.

Written after OSCAL 1.2 (usnistgov/OSCAL, `oscal_assessment-results_metaschema.xml`). A finding's status knows "satisfied" and
"not-satisfied" and nothing else, so only requirements that are met or not met have a finding. One that is not shown (or does not apply)
has an observation that says so, and is excluded from the reviewed objectives: it can be read neither as satisfied nor as a fact about
the model. Titles, descriptions and remarks are OSCAL markup, with what others wrote escaped; values of properties are plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, count
from typing import Any

from weighbridge.digests import digest_bytes
from weighbridge.dossier.card import escaped
from weighbridge.dossier.exports.export import Export, Kind, Source, Tally, stable_uuid
from weighbridge.dossier.exports.facts import (
    Fact,
    comparison_facts,
    fact_text,
    in_utc,
    in_words,
    json_bytes,
    measure_words,
    rate_facts,
    state_of,
)
from weighbridge.dossier.exports.words import absence
from weighbridge.dossier.lookup import labels
from weighbridge.dossier.untrusted import one_line
from weighbridge.dossier.wording import uncalibrated, verdict_words
from weighbridge.evidence.records import Comparison, Rate
from weighbridge.standards.rulings import RequirementRuling, Ruling, StandardRuling
from weighbridge.subject.model import Component, Subject

FILE = "assessment-results.json"
OSCAL_VERSION = "1.2.1"  # the newest that compliance-trestle 5.2 reads
NAMESPACE = "https://github.com/weighbridge/weighbridge"
NO_CONTROL = "none"  # a result must select a control; what was measured is not the result of reviewing any
UNNAMED = "(no name)"
NOT_MEASURED = "NOT-MEASURED"  # OSCAL allows other methods than its own

# The numbers of a rate or comparison that are properties; everything else is in the description's words.
_NUMBERS = (
    "verdict",
    "margin",
    "value",
    "low",
    "high",
    "level",
    "n_measured",
    "n_planned",
    "not_measured",
    "judged_low",
    "judged_high",
)
_STATES = {Ruling.MET: ("satisfied", "pass"), Ruling.NOT_MET: ("not-satisfied", "fail")}

Json = dict[str, Any]


def export(source: Source, *, at: datetime) -> Export:
    """Return one file of assessment results, last modified at `at`."""
    return _Results(source, at).export()


def token(text: str) -> str:
    """Return an OSCAL token for a text: the text itself where it is one, else one made from its digest.

    >>> token("pe-1"), token("1.2"), token("§ 3")
    ('pe-1', '_1.2', 'id-6ced100935b0b1e8')
    """
    for made in (text, f"_{text}"):
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", made):
            return made
    return f"id-{digest_bytes(text.encode('utf-8', 'surrogatepass'))[7:23]}"


class _Results:
    """Builds the document and counts what is in it."""

    def __init__(self, source: Source, at: datetime) -> None:
        self._source, self._record, self._tally, self._at = source, source.record, Tally(source), at
        self._state = state_of(source, at)
        self._subjects = (self._record.candidate, *self._record.baselines)
        self._names = labels(self._subjects)
        self._made_at = _time(self._record.made_at)
        self._origins = [{"actors": [{"type": "tool", "actor-uuid": self._id("tool")}]}]

    def export(self) -> Export:
        """Return the document."""
        record = self._record
        objectives = list(_local_objectives(self._source.rulings))
        results = [self._measured(), *(self._ruled(number, one) for number, one in enumerate(self._source.rulings))]
        document = {
            "uuid": self._id("document"),
            "metadata": {
                "title": escaped(f"Weighing of {self._names[record.candidate.identity]}"),
                "last-modified": _time(self._at),
                "version": self._source.dossier,
                "oscal-version": OSCAL_VERSION,
                "remarks": "The version is the digest of the dossier that this was made from.",
            },
            "import-ap": {
                "href": f"#{self._id('protocol')}",
                "remarks": "Not an OSCAL assessment plan: the protocol that was frozen before looking, in weighbridge's own format.",
            },
            **({"local-definitions": {"objectives-and-methods": objectives}} if objectives else {}),
            "results": results,
            "back-matter": {"resources": list(self._resources())},
        }
        tally = self._tally
        tally.part(
            "assessment plan", "import-ap must name one; it names the protocol and says that it is no OSCAL plan"
        )
        tally.part(
            "start of collecting evidence",
            "a dossier knows when it was made: start and end are that time",
            len(results),
        )
        tally.part(
            "interval, n and method in fields of OSCAL's own",
            "it has none; they are words and properties",
            len(record.rates),
        )
        tally.rest(Kind.THREAT, "OSCAL's risks are those of one system; a threat sheet is of a model in the world")
        tally.rest(Kind.COST, "results have no field for calls and tokens")
        tally.rest(Kind.EXAMPLE, "prompts and answers are not exported")
        return tally.export({FILE: json_bytes({"assessment-results": document})})

    # What was measured.

    def _measured(self) -> Json:
        record, tally = self._record, self._tally
        for kind in (Kind.HEADLINE, Kind.SUITE, Kind.GRADER, Kind.RUN):
            tally.wrote(kind)
        for kind in (Kind.BASELINE, Kind.COMPONENT, Kind.NOTE, Kind.RATE, Kind.COMPARISON, Kind.GAP, Kind.FILES_READ):
            tally.wrote(kind, self._source.inventory()[kind])
        tally.part("controls of what was measured", f"a result must select one; this one selects the id {NO_CONTROL!r}")
        findings = sum(sum(read.findings.values()) for read in record.files_read)
        tally.part(
            "findings in the files, one by one",
            "their counts by severity are written; inspection.json has each",
            findings,
        )
        ruled = "" if self._source.rulings else " No standard was ruled on."
        result = {
            "uuid": self._id("measured"),
            "title": f"What was measured: {verdict_words(record.headline.verdict)}",
            "description": escaped(record.headline.paragraph, 10_000) or "No words.",
            "start": self._made_at,
            "end": self._made_at,
            "props": list(self._about()),
            "local-definitions": {
                "components": [part for subject in self._subjects for part in self._components(subject)],
                "assessment-assets": self._assets(),
            },
            "reviewed-controls": {
                "description": f"Measurements are not the review of a control: no control was reviewed here.{ruled}",
                "control-selections": [
                    {
                        "description": "OSCAL asks for a selection; this id names no control.",
                        "include-controls": [{"control-id": NO_CONTROL}],
                    }
                ],
            },
            "observations": [*self._rates(), *self._comparisons(), *self._gaps(), *self._readings()],
            "remarks": _paragraphs(
                "What was not measured is no evidence of safety." + ruled,
                self._doubts(),
                *(escaped(note, 600) for note in (*record.suite.notes, *record.notes)),
            ),
        }
        return {name: value for name, value in result.items() if value}

    def _about(self) -> Iterator[Json]:
        record = self._record
        headline, suite, grader = record.headline, record.suite, record.grader
        yield _prop("verdict", verdict_words(headline.verdict))
        yield _prop("deciding-contrast", f"{headline.contrast.value}, {headline.aggregate}")
        yield _prop("dossier", self._source.dossier)
        yield _prop("protocol", record.protocol)
        yield _prop("evidence", record.evidence)
        yield _prop("prompts", f"{suite.name} {suite.version}")
        yield _prop("prompts-digest", suite.digest)
        yield _prop("harm-prompts", str(suite.harm_prompts))
        yield _prop("benign-look-alikes", str(suite.twins))
        yield _prop("grader", grader.identity)
        yield _prop("grader-calibration", grader.calibration)

    def _doubts(self) -> str:
        doubts = [verb.value for verb in uncalibrated(self._record.grader)]
        return f"Grades not checked against human labels: {', '.join(doubts)}." if doubts else ""

    def _rates(self) -> Iterator[Json]:
        for number, rate in enumerate(self._record.rates):
            facts = rate_facts(rate, self._record.grader)
            yield self._observation(f"rate {number}", _rate_title(rate), facts, (rate.subject,))

    def _comparisons(self) -> Iterator[Json]:
        for number, comparison in enumerate(self._record.comparisons):
            facts = comparison_facts(comparison, self._names, self._record.grader)
            sides = (comparison.candidate.subject, comparison.baseline.subject)
            yield self._observation(f"comparison {number}", _comparison_title(comparison), facts, sides)

    def _observation(self, what: str, title: str, facts: Mapping[str, Fact], subjects: Iterable[str]) -> Json:
        return {
            "uuid": self._id(what),
            "title": escaped(title),
            "description": escaped(in_words(facts), 4000),
            "props": [_prop(name.replace("_", "-"), fact_text(facts[name])) for name in _NUMBERS if name in facts],
            "methods": [NOT_MEASURED if "not_measured" in facts else "TEST"],
            "types": ["measurement"],
            "origins": self._origins,
            **self._about_subjects(subjects),
            "relevant-evidence": [
                {"href": f"#{self._id('evidence')}", "description": "observations from graded answers"}
            ],
            "collected": self._made_at,
        }

    def _gaps(self) -> Iterator[Json]:
        for number, gap in enumerate(self._record.gaps):
            detail = f" {escaped(gap.why.detail)}" if gap.why.detail else ""
            yield {
                "uuid": self._id(f"gap {number}"),
                "title": f"Not measured: {escaped(gap.where)}",
                "description": f"{absence(gap.why)}, {gap.count} times.{detail}",
                "props": [_prop("not-measured", gap.why.reason.value), _prop("count", str(gap.count))],
                "methods": [NOT_MEASURED],
                "types": ["gap"],
                "origins": self._origins,
                **self._about_subjects((gap.subject,)),
                "collected": self._made_at,
            }

    def _readings(self) -> Iterator[Json]:
        for number, read in enumerate(self._record.files_read):
            counts = ", ".join(f"{found} {severity}" for severity, found in read.findings.items()) or "none"
            yield {
                "uuid": self._id(f"reading {number}"),
                "title": "What reading the files said",
                "description": f"Findings: {counts}. Not examined: {read.not_examined}. Tensors: {read.tensors}.",
                "props": [
                    *(_prop(f"findings-{severity}", str(found)) for severity, found in read.findings.items()),
                    _prop("not-examined", str(read.not_examined)),
                ],
                "methods": ["EXAMINE"],
                "types": ["files-read"],
                "origins": self._origins,
                **self._about_subjects((read.subject,)),
                "collected": self._made_at,
            }

    def _about_subjects(self, identities: Iterable[str]) -> Json:
        found = [
            {
                "subject-uuid": self._id(f"subject {identity}"),
                "type": "component",
                "title": escaped(self._names[identity]) or UNNAMED,
            }
            for identity in dict.fromkeys(identities)
            if identity in self._names
        ]
        return {"subjects": found} if found else {}

    def _components(self, subject: Subject) -> Iterator[Json]:
        name = self._names[subject.identity]
        status = {"state": "other", "remarks": "A dossier does not know whether it is in operation."}
        facts = {
            "digest": subject.digest or "none: what answers at an endpoint may change",
            "kind": subject.kind.value,
            "architecture": subject.architecture,
            "parameters": None if subject.parameters is None else str(subject.parameters),
            "quantisation": subject.quantisation,
        }
        yield {
            "uuid": self._id(f"subject {subject.identity}"),
            "type": "software",
            "title": escaped(name) or UNNAMED,
            "description": _paragraphs(
                "What was weighed, or what it was compared with.", *(escaped(note, 600) for note in subject.notes)
            ),
            "props": [_prop(fact, value) for fact, value in facts.items() if value],
            "status": status,
        }
        for number, part in enumerate(subject.components):
            yield {
                "uuid": self._id(f"part {number} of {subject.identity}"),
                "type": "software",
                "title": escaped(f"{name}: {part.name}"),
                "description": "A part of it, as found.",
                "props": list(_part_props(part)),
                "status": status,
            }

    def _assets(self) -> Json:
        record = self._record
        environment = (f"{name} {version}" for name, version in record.environment.items())
        return {
            "components": [
                {
                    "uuid": self._id("tool"),
                    "type": "software",
                    "title": escaped(record.made_by) or "weighbridge",
                    "description": "The program that asked, graded and counted.",
                    "status": {"state": "operational"},
                }
            ],
            "assessment-platforms": [
                {
                    "uuid": self._id("platform"),
                    "title": "Where it ran",
                    "props": [_prop("command", record.command), *(_prop("environment", each) for each in environment)],
                }
            ],
        }

    def _resources(self) -> Iterator[Json]:
        record = self._record
        yield {
            "uuid": self._id("protocol"),
            "title": escaped(f"Protocol {record.protocol_name}"),
            "description": _paragraphs(
                "What was promised before looking. Its digest is of what it says, not of the file's bytes.",
                escaped(record.protocol_description, 2000),
            ),
            "props": [_prop("digest", record.protocol)],
            "rlinks": [{"href": "protocol.toml"}],
        }
        files = {"dossier": ("dossier.json", self._source.dossier), "evidence": ("evidence.jsonl", record.evidence)}
        if record.inspection:
            files["inspection"] = ("inspection.json", record.inspection)
        for what, (file, digest) in files.items():
            yield {
                "uuid": self._id(what),
                "title": f"The dossier's {file}",
                "description": "In the dossier's folder.",
                "rlinks": [
                    {"href": file, "hashes": [{"algorithm": "SHA-256", "value": digest.removeprefix("sha256:")}]}
                ],
            }

    # Standards.

    def _ruled(self, number: int, ruling: StandardRuling) -> Json:
        self._tally.wrote(Kind.RULING, len(ruling.requirements))
        for other in (Ruling.NOT_SHOWN, Ruling.NOT_APPLICABLE):
            self._tally.part(
                f'"{other.value}" as a status',
                "a status is satisfied or not satisfied: there is no finding, an observation says it, and the objective is excluded "
                "from those reviewed",
                sum(one.ruling is other for one in ruling.requirements),
            )
        names = _objectives(ruling)
        pairs = list(zip(names, ruling.requirements, strict=True))
        observed = [self._id(f"ruling {number} {index}") for index in range(len(pairs))]
        result = {
            "uuid": self._id(f"ruling {number}"),
            "title": f"{escaped(ruling.title)} {escaped(ruling.version)}: {ruling.ruling.value}",
            "description": escaped(ruling.because, 2000) or "No words.",
            "start": self._made_at,
            "end": self._made_at,
            "props": list(_ruling_props(ruling)),
            "reviewed-controls": _reviewed(ruling, pairs),
            "observations": [
                self._read(uuid, ruling, one) for uuid, one in zip(observed, ruling.requirements, strict=True)
            ],
            "findings": [
                self._finding(uuid, name, one)
                for uuid, (name, one) in zip(observed, pairs, strict=True)
                if one.ruling in _STATES
            ],
            "remarks": _paragraphs(
                '"not shown" is neither satisfied nor not satisfied, and says nothing of the model.',
                *(f"Level {escaped(each.level)}: {each.ruling.value}." for each in ruling.levels),
                *(escaped(note, 600) for note in ruling.notes),
            ),
        }
        return {name: value for name, value in result.items() if value}

    def _read(self, uuid: str, ruling: StandardRuling, one: RequirementRuling) -> Json:
        evidence = [
            {
                "description": escaped(f"{used.name}: {used.shown}", 1000),
                "props": [
                    _prop("source", used.source),
                    *([_prop("made-at", used.made_at.isoformat())] if used.made_at else []),
                    *([_prop("made-elsewhere", used.made_elsewhere)] if used.made_elsewhere else []),
                ],
            }
            for used in one.used
        ]
        lacking = (f"Lacking: {escaped(each.name)}: {escaped(each.why, 600)}" for each in one.lacking)
        changes = (f"Would change it: {escaped(each, 600)}" for each in one.would_change)
        observation = {
            "uuid": uuid,
            "title": f"{one.ruling.value}: {escaped(one.title)}",
            "description": escaped(one.because, 2000) or "No words.",
            "props": list(_requirement_props(one)),
            "methods": ["EXAMINE"],
            "types": ["control-objective"],
            "origins": self._origins,
            **self._about_subjects((self._record.candidate.identity,)),
            "relevant-evidence": evidence,
            "collected": _time(ruling.at),
            "remarks": _paragraphs(*lacking, *changes, *(escaped(each, 600) for each in one.remarks)),
        }
        return {name: value for name, value in observation.items() if value}

    def _finding(self, observed: str, name: str, one: RequirementRuling) -> Json:
        state, reason = _STATES[one.ruling]
        target: Json = {
            "type": "objective-id",
            "target-id": name,
            "title": escaped(one.title) or name,
            "status": {"state": state, "reason": reason},
        }
        if one.partial and one.ruling is Ruling.NOT_MET:
            target["implementation-status"] = {"state": "partial", "remarks": "A lesser form of it is met."}
        return {
            "uuid": self._id(f"finding {observed}"),
            "title": f"{one.ruling.value}: {escaped(one.title)}",
            "description": escaped(one.because, 2000) or "No words.",
            "props": list(_requirement_props(one)),
            "origins": self._origins,
            "target": target,
            "related-observations": [{"observation-uuid": observed}],
            **({"remarks": _paragraphs(*(escaped(each, 600) for each in one.remarks))} if any(one.remarks) else {}),
        }

    def _id(self, what: str) -> str:
        return stable_uuid("oscal", *self._state, what)


def _control(ruling: StandardRuling) -> str:
    """A standard's id as a control: its name and its digest, so that two versions are two controls."""
    return f"{token(ruling.standard)}-{ruling.standard_digest[7:15]}"


def _objectives(ruling: StandardRuling) -> list[str]:
    """An id for each requirement; one that stands twice is told apart, so that no ruling can hide behind another."""
    names: dict[str, None] = {}
    for one in ruling.requirements:
        name = f"{_control(ruling)}.{token(one.requirement)}"
        names[next(each for each in chain([name], (f"{name}.{n}" for n in count(2))) if each not in names)] = None
    return list(names)


def _local_objectives(rulings: Iterable[StandardRuling]) -> Iterator[Json]:
    """Each standard once, with its requirements as objectives: the ids that findings refer to."""
    known: dict[str, Json] = {}
    for ruling in rulings:
        parts = {
            name: {
                "id": name,
                "name": "assessment-objective",
                "ns": NAMESPACE,  # OSCAL's own objective must name a method of its catalogue; ours are conditions and attestations
                "title": escaped(one.title) or name,
                "props": [
                    _prop("cited", one.cited),
                    _prop("provenance", one.provenance.value),
                    _prop("topic", one.topic),
                ],
                "prose": escaped(one.says, 2000) or "No words.",
            }
            for name, one in zip(_objectives(ruling), ruling.requirements, strict=True)
        }
        if parts:
            found = known.setdefault(
                _control(ruling),
                {
                    "control-id": _control(ruling),
                    "description": escaped(f"{ruling.title} {ruling.version} ({ruling.publisher})", 600),
                    "parts": {},
                },
            )
            found["parts"] = parts | found["parts"]
    for one in known.values():
        yield {**one, "parts": list(one["parts"].values())}


def _reviewed(ruling: StandardRuling, pairs: list[tuple[str, RequirementRuling]]) -> Json:
    """What was reviewed: the standard; of its objectives those that were decided. The others are excluded by name, with the reason."""
    decided = [{"objective-id": name} for name, one in pairs if one.ruling in _STATES]
    excluded = [
        {"objective-id": name, "remarks": f"{one.ruling.value}: {escaped(one.because, 600)}"}
        for name, one in pairs
        if one.ruling not in _STATES
    ]
    # With none decided, OSCAL's schema leaves only "all but these" to say it, and these are all.
    selection: Json = {"include-objectives": decided} if decided else {"include-all": {}}
    if excluded:
        selection["exclude-objectives"] = excluded
    return {
        "description": f"{len(decided)} of {len(pairs)} requirements were decided; the others are not shown or do not apply.",
        "control-selections": [{"include-controls": [{"control-id": _control(ruling)}]}],
        **({"control-objective-selections": [selection]} if pairs else {}),
    }


def _ruling_props(ruling: StandardRuling) -> Iterator[Json]:
    yield _prop("ruling", ruling.ruling.value)
    yield _prop("standard", ruling.standard)
    yield _prop("standard-digest", ruling.standard_digest)
    yield _prop("publisher", ruling.publisher)
    yield _prop("in-force", "yes" if ruling.in_force else "no")
    yield _prop("ruled-at", _time(ruling.at))
    yield _prop("dossier", ruling.dossier)
    if ruling.superseded_by:
        yield _prop("superseded-by", ruling.superseded_by)
    if ruling.reached:
        yield _prop("level-reached", ruling.reached)
    for name, value in sorted(ruling.context.items()):
        yield _prop("declared", f"{name}={value}")


def _requirement_props(one: RequirementRuling) -> Iterator[Json]:
    yield _prop("ruling", one.ruling.value)
    yield _prop("strength", one.strength.value)
    yield _prop("provenance", one.provenance.value)
    yield _prop("cited", one.cited)


def _part_props(part: Component) -> Iterator[Json]:
    yield _prop("licence", part.licence if part.licence and part.licence.strip() else "not found")
    for file in part.files:
        yield _prop("file", f"{file.digest} {file.size_bytes} bytes {one_line(file.path, 400)}", 600)


def _rate_title(rate: Rate) -> str:
    category = rate.category.label if rate.category else "all categories"
    return f"{measure_words(rate.measure)} on {rate.rung.value}, {one_line(rate.technique, 60)}, {category}"


def _comparison_title(comparison: Comparison) -> str:
    return (
        f"{comparison.verdict.value}: {measure_words(comparison.measure)}, {comparison.contrast.value}, "
        f"{one_line(comparison.scope, 60)}, {comparison.aggregate}"
    )


def _prop(name: str, value: str, limit: int = 1000) -> Json:
    """A property of ours. Its value is one line that is not empty."""
    return {"name": name, "ns": NAMESPACE, "value": one_line(value, limit) or "(empty)"}


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(filter(None, parts))


def _time(time: datetime) -> str:
    return in_utc(time).isoformat()
