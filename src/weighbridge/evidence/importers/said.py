"""What a tool's file says, before it is bound to the file that says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from weighbridge.evidence.elsewhere import ElsewhereResult


@dataclass(frozen=True, slots=True)
class Said:
    """As in `MadeElsewhere`, without what is known of the file itself."""

    tool_version: str | None
    made_at: datetime | None
    subject_digest: str | None
    complete: bool | None
    doubts: tuple[str, ...]
    results: tuple[ElsewhereResult, ...]
