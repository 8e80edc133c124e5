"""Inspect AI's logs, `.eval` (a zip archive, Zstandard inside) and `.json`: log version 2, read against inspect_ai 0.3.285.

Only the header is read; samples stay closed. The metrics are Inspect's own aggregates, so what a verifier should know of them
comes along as doubts: the run's status, invalidation, sources with uncommitted changes, and samples without a score. That last
is counted here: a scorer that returns nothing leaves Inspect's `unscored_samples` at 0 and lowers `scored_samples`. A run that was
killed leaves an archive without header: then its plan is read, and every metric that was planned is "not measured".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from weighbridge.evidence.elsewhere import ElsewhereResult
from weighbridge.evidence.importers.reading import Source
from weighbridge.evidence.importers.said import Said
from weighbridge.evidence.importers.values import (
    absent,
    count,
    error_of,
    flag,
    mapping,
    moment,
    outcome,
    sequence,
    settings,
    text,
)
from weighbridge.evidence.records import NotMeasured, Reason

_HEADER, _START = "header.json", "_journal/start.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_it(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object has the outline of a log."""
    spec = mapping(document.get("eval"))
    return "version" in document and isinstance(spec.get("task"), str) and isinstance(spec.get("model"), str)


def is_archive(source: Source) -> bool:
    """Whether a file is an archive with a log's header, or with the plan of a run that was killed."""
    return source.is_zip and bool({_HEADER, _START} & source.members().keys())


def read(source: Source) -> Said:
    """Return what a log says. Raises `UsageError` for what is none."""
    samples: int | None = None
    if source.is_zip:
        members = source.members()
        info = members.get(_HEADER) or members.get(_START)
        if info is None:
            raise source.wrong(f"is not an Inspect log: the archive has neither {_HEADER} nor {_START}")
        document = source.member(info)
        samples = sum(name.startswith("samples/") for name in members)
    else:
        document = source.document()
    if not is_it(document):
        raise source.wrong("is not an Inspect log: it names no task and model")
    spec, found = mapping(document["eval"]), mapping(document.get("results"))
    status = text(document.get("status")) or "started"
    results = tuple(_results(spec, found, status))
    gaps = tuple(_gaps(document, spec, found, status, samples))
    metadata = mapping(spec.get("metadata"))
    digest = metadata.get("digest") if str(metadata.get("exported_by", "")).startswith("weighbridge") else None
    return Said(
        tool_version=text(mapping(spec.get("packages")).get("inspect_ai")),
        made_at=moment(spec.get("created")),
        subject_digest=digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None,
        complete=not gaps and not any(isinstance(result.outcome, NotMeasured) for result in results),
        doubts=(*gaps, *_cautions(document, spec)),
        results=results,
    )


def _cautions(document: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against relying on a log, though nothing may be missing."""
    if document.get("invalidated") is True:
        yield "the log was invalidated, in whole or in part"
    if mapping(spec.get("revision")).get("dirty") is True:
        yield "it was run from sources with uncommitted changes"


def _gaps(
    document: Mapping[str, Any], spec: Mapping[str, Any], found: Mapping[str, Any], status: str, samples: int | None
) -> Iterator[str]:
    """What is missing from a log."""
    if status != "success":
        yield f"the run's status is {status!r}, not 'success'"
    if document.get("error") is not None:
        yield "the run ended with an error"
    limit = mapping(spec.get("config")).get("limit")
    if limit is not None:
        yield f"only a part of the data set was asked (limit {count(limit) or 'a range'})"
    total, completed = count(found.get("total_samples")), count(found.get("completed_samples"))
    if total is not None and completed is not None and completed < total:
        yield f"{total - completed} of {total} samples were not completed"
    for score in map(mapping, sequence(found.get("scores"))):
        scored, unscored = count(score.get("scored_samples")), count(score.get("unscored_samples")) or 0
        epochs = count(mapping(spec.get("config")).get("epochs")) or 1
        if scored is not None and completed is not None:
            unscored = max(unscored, completed // epochs - scored)
        if unscored:
            yield f"{text(score.get('name'), 60) or 'a scorer'}: samples without a score: {unscored}"
    if samples is not None and completed is not None and samples < completed:
        yield f"the archive holds {samples} of {completed} samples"


def _results(spec: Mapping[str, Any], found: Mapping[str, Any], status: str) -> Iterator[ElsewhereResult]:
    for score in map(mapping, sequence(found.get("scores"))):
        metrics = {str(key): mapping(metric) for key, metric in mapping(score.get("metrics")).items()}
        judge = mapping(score.get("params")).get("model")
        means = [key for key, metric in metrics.items() if metric.get("name", key) in ("accuracy", "mean")]
        deviation = mapping(metrics.get("stderr")).get("value") if len(means) == 1 else None
        if not metrics:
            gone = absent(Reason.NOTHING_MEASURED, "the scorer has no metrics")
            yield _result(spec, scorer=text(score.get("name")), metric="score", value=gone)
        for key, metric in metrics.items():
            if key == "stderr" and len(means) == 1:
                continue
            yield _result(
                spec,
                scorer=text(score.get("name")) or text(score.get("scorer")),
                metric=text(metric.get("name")) or text(key),
                value=outcome(metric.get("value"), None),
                n=count(score.get("scored_samples")),
                error=deviation if key in means else None,
                judge=judge,
                reducer=score.get("reducer"),
            )
    if not sequence(found.get("scores")):
        none = absent(
            Reason.INTERRUPTED if status != "success" else Reason.NOTHING_MEASURED, f"run {status}, no results"
        )
        planned = [
            (scorer.get("name"), mapping(metric).get("name"))
            for scorer in map(mapping, sequence(spec.get("scorers")))
            for metric in sequence(scorer.get("metrics"))
        ]
        for scorer, title in planned or [(None, None)]:
            plain = (text(title) or "score").rpartition("/")[2]
            if plain != "stderr":
                yield _result(spec, scorer=text(scorer), metric=plain, value=none)


def _result(
    spec: Mapping[str, Any],
    *,
    scorer: str | None,
    metric: str | None,
    value: Any,
    n: int | None = None,
    error: Any = None,
    judge: Any = None,
    reducer: Any = None,
) -> ElsewhereResult:
    config, data = mapping(spec.get("config")), mapping(spec.get("dataset"))
    return ElsewhereResult(
        name=f"{scorer or 'no scorer'}/{metric or 'no metric'}",
        metric=metric or "no metric",
        what=text(spec.get("task")) or "no task",
        subject_named=text(spec.get("model")),
        outcome=value,
        n=n,
        standard_error=error_of(error),
        interval=None,
        higher_is_better=None,
        grader=text(judge) or scorer,
        settings=settings(
            task_version=spec.get("task_version"),
            dataset=data.get("name"),
            dataset_samples=data.get("samples"),
            limit=config.get("limit"),
            epochs=config.get("epochs"),
            reducer=reducer,
            shuffled=flag(data.get("shuffled")),
            commit=mapping(spec.get("revision")).get("commit"),
        ),
    )
