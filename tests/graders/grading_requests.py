"""Shorthand for grade requests in tests."""

from __future__ import annotations

from weighbridge.graders.grade import GradeRequest
from weighbridge.protocol.vocabulary import Category, Verb


def pair(
    prompt: str,
    answer: str,
    *,
    verb: Verb | None = None,
    category: Category | None = None,
    prefill: str = "",
    id: str = "1",
) -> GradeRequest:
    """One answer to grade."""
    return GradeRequest(id=id, prompt=prompt, answer=answer, verb=verb, category=category, prefill=prefill)
