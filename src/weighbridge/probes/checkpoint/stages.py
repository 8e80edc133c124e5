"""What is said of a subject as a whole, after its files were read: each stage looks across them and adds to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from weighbridge.probes.checkpoint.catalogue import found, rules
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.limits import Say
from weighbridge.probes.checkpoint.listing import Listing
from weighbridge.probes.checkpoint.onepass import Passed
from weighbridge.probes.checkpoint.report import Examined, Finding, NotExamined, Report, Severity

if TYPE_CHECKING:
    from weighbridge.probes.checkpoint.weights.statistics import TensorStatistics

MAX_FINDINGS = 2_000


@dataclass
class ReadFile:
    """One file, examined and passed over (None: it could not be read); `members` are what lies inside it."""

    name: str
    examined: Examined
    members: list[Examined]
    passed: Passed | None


@dataclass
class Gathered:
    """All that was read of one subject, and the report's parts as they grow."""

    listing: Listing
    files: Sequence[ReadFile]
    findings: list[Finding] = field(default_factory=list)
    not_examined: list[NotExamined] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report({}))

    @property
    def parts(self) -> list[Examined]:
        """Every file and member, as examined."""
        return [part for file in self.files for part in (file.examined, *file.members)]

    @property
    def statistics(self) -> list[TensorStatistics]:
        """Of every tensor that was passed over."""
        return [each for file in self.files if file.passed for each in file.passed.statistics]


Stage = Callable[[Gathered, Gathered | None], None]


def run_stages(mine: Gathered, other: Gathered | None, poisoned: Mapping[str, str], say: Say) -> Report:
    """Return the report. A stage at which the reader died before (`poisoned`) is left out and said to be."""
    mine.findings += [*mine.listing.findings, *(finding for part in mine.parts for finding in part.findings)]
    mine.not_examined += [*mine.listing.not_examined, *(left for part in mine.parts for left in part.not_examined)]
    for name, stage in STAGES.items():
        if (why := poisoned.get(f"stage {name}")) is not None:
            mine.not_examined.append(NotExamined(name, why))
            continue
        say({"begin": f"stage {name}"})
        stage(mine, other)
        say({"done": f"stage {name}"})
    mine.report.findings = [asdict(finding) for finding in _worst_first(mine.findings)]
    known = rules()
    mine.report.rules = {
        name: {"title": known[name].title, "why": known[name].why, "fix": known[name].fix}
        for name in sorted({finding["rule"] for finding in mine.report.findings})
    }
    order = sorted(set(mine.not_examined), key=lambda left: (left.path, left.reason))
    mine.report.not_examined = [asdict(left) for left in order]
    return mine.report


def _worst_first(findings: Sequence[Finding]) -> list[Finding]:
    severities = list(Severity)
    ordered = sorted(
        set(findings),
        key=lambda each: (severities.index(each.severity), each.path, each.rule, each.where, each.message),
    )
    if len(ordered) > MAX_FINDINGS:
        more = found(
            "file.too-many-findings", "", "report", f"{len(ordered):,} findings; the worst {MAX_FINDINGS:,} are listed"
        )
        ordered = [*ordered[:MAX_FINDINGS], more]
    return ordered


def _files(mine: Gathered, other: Gathered | None) -> None:
    """The files with their digests, and the subject's own: None where a file could not be read."""
    files = [
        {
            "path": file.name,
            "size": file.passed.size_bytes if file.passed else file.examined.size_bytes,
            "sha256": file.passed.sha256.removeprefix("sha256:") if file.passed else None,
            "format": file.examined.format,
        }
        for file in mine.files
    ]
    digests = {file.name: file.passed.sha256 for file in mine.files if file.passed}
    mine.report.subject = {"digest": mine.listing.digest(digests), "files": files}


def _indexes(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.gguf_splits import examine_splits
    from weighbridge.probes.checkpoint.indexes import examine_indexes

    findings, left, values = examine_indexes(mine.parts)
    split, missing = examine_splits(mine.parts)
    mine.findings += findings + split
    # Raw values that a model beside them describes are no file of their own.
    mine.not_examined = [
        each for each in mine.not_examined if each.path not in values or "not understood" not in each.reason
    ]
    mine.not_examined += left + missing


def _special_tokens(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.special_tokens import examine_special_tokens
    from weighbridge.probes.checkpoint.tokenizers import examine_tokenizers

    mine.findings += examine_special_tokens(mine.parts) + examine_tokenizers(mine.parts)


def _templates(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.templates import examine_templates

    findings, left = examine_templates(mine.parts, Context())
    mine.findings += findings
    mine.not_examined += left


def _code(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.code_files import examine_code

    findings, left = examine_code(mine.parts)
    mine.findings += findings
    mine.not_examined += left


def _secrets(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.secrets import examine_secrets

    mine.findings += examine_secrets(mine.parts)


def _licences(mine: Gathered, other: Gathered | None) -> None:
    from weighbridge.probes.checkpoint.components import components_of, look_into
    from weighbridge.probes.checkpoint.licences import examine_licences

    files = [file.examined for file in mine.files]
    release = look_into(files, mine.listing.files, {file.name for file in mine.files if file.passed is None})
    licences, findings = examine_licences(files, release)
    mine.findings += findings
    mine.report.licences = [asdict(licence) for licence in licences]
    mine.report.components = [asdict(component) for component in components_of(release)]


def _weights(mine: Gathered, other: Gathered | None) -> None:
    statistics = mine.statistics
    left_out = sum(len(file.passed.left_out) for file in mine.files if file.passed)
    if left_out:
        reason = f"{left_out:,} tensors lie outside their file or over each other: their values were not measured"
        mine.not_examined.append(NotExamined("", reason))
    packed = sum(part.not_measured for part in mine.parts)
    if not statistics:
        mine.report.tensors = {
            "count": 0,
            "elements": 0,
            "bytes": 0,
            "dtypes": {},
            "not_measured": left_out + packed,
            "each": [],
        }
        return
    from weighbridge.probes.checkpoint.weights import damage, fingerprint
    from weighbridge.probes.checkpoint.weights.statistics import as_json

    mine.findings += damage.findings(statistics)
    dtypes: dict[str, int] = {}
    for each in statistics:
        dtypes[each.dtype] = dtypes.get(each.dtype, 0) + 1
    mine.report.tensors = {
        "count": len(statistics),
        "elements": sum(each.elements for each in statistics),
        "dtypes": dict(sorted(dtypes.items())),
        "not_measured": left_out + packed + sum(not each.measured for each in statistics),
        "each": [as_json(each) for each in statistics],
    }
    mark = fingerprint.fingerprint(statistics)
    mine.report.fingerprint = mark.as_json() if mark else None


def _against(mine: Gathered, other: Gathered | None) -> None:
    if other is None:
        return
    from weighbridge.probes.checkpoint.against import compare_subjects

    mine.report.against = compare_subjects(mine, other)


STAGES: dict[str, Stage] = {
    "files": _files,
    "indexes": _indexes,
    "special tokens": _special_tokens,
    "templates": _templates,
    "code": _code,
    "secrets": _secrets,
    "licences": _licences,
    "weights": _weights,
    "against": _against,
}
