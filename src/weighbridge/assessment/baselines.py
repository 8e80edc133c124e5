"""What a model is compared with: which baseline decides, and whether recorded answers are to the prompts that are asked."""

from __future__ import annotations

from collections.abc import Sequence

from weighbridge.errors import UsageError
from weighbridge.probes.harms.items import Suite
from weighbridge.subject.locations import RecordedLocation
from weighbridge.subject.recorded import check_prompts
from weighbridge.subject.references import Resolved


def strongest_first(models: Sequence[Resolved], strongest: str | None) -> list[Resolved]:
    """Return the candidate, then the baseline that the protocol says decides, then the others in their order.

    `strongest` is a reference as it was given to `--against`, or a digest; None leaves the first named first. Raises `UsageError`
    when it names no baseline of this run: another one never stands in for it.
    """
    candidate, *baselines = models
    if strongest is None or not baselines:
        return list(models)
    chosen = [model for model in baselines if strongest in (model.subject.reference, model.subject.identity)]
    if not chosen:
        raise UsageError(
            "the protocol's judgement.strongest is none of the baselines named",
            where=strongest,
            do="name it with --against, or leave judgement.strongest out",
        )
    return [candidate, *chosen, *(model for model in baselines if model not in chosen)]


def check_recordings(models: Sequence[Resolved], suite: Suite) -> None:
    """Raise `UsageError` when recorded answers are to other prompts than those of `suite` (`recorded.check_prompts`)."""
    for model in models:
        if isinstance(model.location, RecordedLocation):
            check_prompts(model.location.recording, ((prompt.id, prompt.text) for prompt in suite.prompts))
