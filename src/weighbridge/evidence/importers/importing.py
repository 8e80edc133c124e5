"""A file of another tool in, one record out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers import every_eval_ever, garak, inspect_logs, lm_eval, modelscan, promptfoo
from weighbridge.evidence.importers.reading import Source, opened
from weighbridge.evidence.importers.recognise import recognise
from weighbridge.evidence.importers.said import Said

MAX_RESULTS = 20_000
MAX_DOUBTS = 100

_READERS: dict[Tool, Callable[[Source], Said]] = {
    Tool.INSPECT: inspect_logs.read,
    Tool.LM_EVAL: lm_eval.read,
    Tool.GARAK: garak.read,
    Tool.PROMPTFOO: promptfoo.read,
    Tool.MODELSCAN: modelscan.read,
    Tool.EVERY_EVAL_EVER: every_eval_ever.read,
}


def import_file(path: Path, tool: Tool | None = None, *, now: datetime) -> MadeElsewhere:
    """Return what the result file at `path` says, read as `tool`'s, or as what its content shows it to be.

    Raises `UsageError` with the path when it is no plain file, is beyond the bounds of `reading.py`, is damaged, or is not of that
    tool, of none, or of more than one, and when it names no result, not even a missing one. Nothing is read in part.
    """
    with opened(path) as source:
        tool = tool or recognise(source)
        said = _READERS[tool](source)
        if not said.results:
            raise source.wrong(f"is of {tool}, and holds no result", "give a file of a run that planned something")
        if len(said.results) > MAX_RESULTS:
            raise source.wrong(f"holds {len(said.results):,} results; at most {MAX_RESULTS:,} are taken over")
        doubts = said.doubts
        if len(doubts) > MAX_DOUBTS:
            doubts = (*doubts[: MAX_DOUBTS - 1], f"and {len(doubts) - MAX_DOUBTS + 1:,} more doubts of these kinds")
        subjects = {result.subject_named for result in said.results}
        return MadeElsewhere(
            tool=tool,
            tool_version=said.tool_version,
            file=source.name,
            file_digest=source.digest,
            file_bytes=source.size_bytes,
            imported_at=now,
            made_at=said.made_at,
            subject_named=subjects.pop() if len(subjects) == 1 else None,
            subject_digest=said.subject_digest,
            complete=said.complete,
            doubts=doubts,
            results=said.results,
        )
