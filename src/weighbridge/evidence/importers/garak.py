"""garak: `*.report.jsonl`, read against garak 0.17.1, and the shorter entries of versions before (`passed` and `total`).

Each eval entry is one probe under one detector. What is taken over is the share of outputs that failed (garak's "attack success
rate"), over the outputs that were evaluated, with garak's own interval where it wrote one. Outputs that never came (`nones`) are
not evaluated and are told as doubts. A probe that was chosen and has no entry is "not measured": garak writes nothing of a probe
that yielded no attempt. Attempts, with prompts and answers, are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weighbridge.evidence.elsewhere import ElsewhereResult
from weighbridge.evidence.importers.reading import Source
from weighbridge.evidence.importers.said import Said
from weighbridge.evidence.importers.values import (
    absent,
    count,
    interval,
    mapping,
    moment,
    sequence,
    settings,
    share,
    text,
)
from weighbridge.evidence.records import NotMeasured, Reason

_ATTEMPT = b'{"entry_type": "attempt"'  # as garak writes it: most of a report, and nothing of it is taken over
_MAX_PROBES = 10_000
_METRIC = "share of outputs that failed"


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a line has the outline of a report's."""
    return isinstance(document.get("entry_type"), str)


def read(source: Source) -> Said:
    """Return what a report says. Raises `UsageError` for what is none."""
    report = _Report()
    for line in source.lines(skip=_ATTEMPT):
        if line is None:
            report.torn = True
        elif not is_it(line):
            raise source.wrong("is not a report of garak: a line has no entry_type")
        else:
            report.take(line)
    if not report.seen & {"start_run setup", "init", "eval"}:
        raise source.wrong("is not a report of garak: it has no start, and no eval entry")
    results = tuple(report.results())
    gaps = tuple(report.gaps())
    complete: bool | None = None
    if report.torn or report.unfinished or any(isinstance(result.outcome, NotMeasured) for result in results):
        complete = False
    elif report.evals and all("nones" in each for each in report.evals):
        complete = not gaps
    return Said(
        tool_version=report.version,
        made_at=moment(report.init.get("start_time") or report.setup.get("transient.starttime_iso")),
        subject_digest=None,
        complete=complete,
        doubts=(*gaps, *report.cautions()),
        results=results,
    )


@dataclass
class _Report:
    setup: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    evals: list[Mapping[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    torn: bool = False

    def take(self, line: Mapping[str, Any]) -> None:
        kind = str(line["entry_type"])
        self.seen.add(kind)
        if kind == "start_run setup":
            self.setup = line
        elif kind == "init":
            self.init = line
        elif kind == "eval":
            self.evals.append(line)

    @property
    def version(self) -> str | None:
        return text(self.init.get("garak_version")) or text(self.setup.get("_config.version"))

    @property
    def unfinished(self) -> bool:
        return "completion" not in self.seen

    def planned(self) -> list[str]:
        """The probes that were chosen, or modules of them, as far as the report lists them."""
        listed = sequence(self.setup.get("transient.active_probes")) or sequence(
            mapping(self.setup.get("run.spec")).get("include")
        )
        if not listed and isinstance(spec := self.setup.get("plugins.probe_spec"), str):  # until 2025
            listed = [name for name in spec.split(",")[:_MAX_PROBES] if name.strip() not in ("all", "auto", "*")]
        return [name.removeprefix("probes.") for each in listed if (name := text(each))]

    def gaps(self) -> Iterator[str]:
        if self.unfinished:
            yield "the run was broken off: nothing says that it ended"
        if self.torn:
            yield "the last line is cut short"
        pairs = [(text(each.get("probe")), text(each.get("detector"))) for each in self.evals]
        if len(set(pairs)) != len(pairs):
            yield "a probe and detector have more than one entry"
        for each in self.evals:
            where = f"{text(each.get('probe'), 60) or 'no probe'} under {_detector(each)}"
            if nones := count(each.get("nones")):
                yield f"{where}: {nones} outputs are missing"
            passed, fails, total = count(each.get("passed")), count(each.get("fails")), _total(each)
            if passed is not None and fails is not None and total is not None and passed + fails != total:
                yield f"{where}: {passed} passed and {fails} failed are not {total}"
        if self.evals and not all("nones" in each for each in self.evals):
            yield "this version of garak does not say how many outputs are missing"

    def cautions(self) -> Iterator[str]:
        for each in self.evals:
            low, high, total = each.get("confidence_lower"), each.get("confidence_upper"), _total(each)
            if low is not None and low == high:
                where = f"{text(each.get('probe'), 60) or 'no probe'} under {_detector(each)}"
                yield f"{where}: the interval has no width, resampled from {total} outputs that all agree"

    def results(self) -> Iterator[ElsewhereResult]:
        for each in self.evals:
            yield self._result(each)
        done = {probe for each in self.evals if (probe := text(each.get("probe")))}
        done |= {probe.partition(".")[0] for probe in done}
        reason = Reason.INTERRUPTED if self.unfinished else Reason.NOTHING_MEASURED
        for probe in self.planned():
            if probe not in done:
                yield self._result({"probe": probe}, absent(reason, "chosen, and the report has no entry of it"))
        if not self.evals and not self.planned():
            yield self._result({}, absent(reason, "the report has no entry of any probe"))

    def _result(self, entry: Mapping[str, Any], why: NotMeasured | None = None) -> ElsewhereResult:
        passed, total = count(entry.get("passed")), _total(entry)
        fails = count(entry.get("fails"))
        if fails is None and passed is not None and total is not None:
            fails = total - passed
        apart = None not in (passed, fails, total) and (passed or 0) + (fails or 0) != total
        if why is None and (fails is None or total is None or not 0 <= fails <= total or apart):
            why = absent(Reason.NOTHING_MEASURED, "the entry's counts are missing or do not fit each other")
        value = why or share(fails or 0, total or 0, "no output was evaluated")
        probe = text(entry.get("probe")) or "no probe"
        return ElsewhereResult(
            name=f"{probe}/{_detector(entry)}",
            metric=_METRIC,
            what=probe,
            subject_named=text(self.setup.get("plugins.target_name") or self.setup.get("plugins.model_name"))
            or text(self.setup.get("plugins.target_type") or self.setup.get("plugins.model_type")),
            outcome=value,
            n=total,
            standard_error=None,
            interval=None
            if why
            else interval(
                entry.get("confidence_lower"),
                entry.get("confidence_upper"),
                entry.get("confidence"),
                entry.get("confidence_method"),
            ),
            higher_is_better=False,
            grader=_detector(entry),
            settings=settings(
                generator=self.setup.get("plugins.target_type") or self.setup.get("plugins.model_type"),
                generations=self.setup.get("run.generations"),
                seed=self.setup.get("run.seed"),
                prompt_cap=self.setup.get("run.soft_probe_prompt_cap"),
                threshold=self.setup.get("run.eval_threshold"),
                missing_outputs=count(entry.get("nones")),
            ),
        )


def _detector(entry: Mapping[str, Any]) -> str:
    return (text(entry.get("detector")) or "no detector").removeprefix("detector.")  # the prefix: until April 2025


def _total(entry: Mapping[str, Any]) -> int | None:
    return count(entry.get("total_evaluated", entry.get("total")))
