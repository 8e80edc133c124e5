"""A finding as prompts that ask again: JSON lines of one's own, which `weighbridge assess --prompts` reads (docs/suite.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from weighbridge.errors import UsageError
from weighbridge.findings.finding import Finding
from weighbridge.protocol.vocabulary import Category


def regression_prompts(finding: Finding, texts: Mapping[str, str]) -> str:
    """Return the lines: what the finding asks, then the prompts that it names by id, whose texts are in `texts`.

    Each has the finding's category and verb, and an id that holds the finding's id and the beginning of its digest, so that no other finding's
    prompt has it; all are one cluster, since they are one failure. Raises `UsageError` when there is nothing to ask, a named prompt's text is
    unknown, or no text may be carried.
    """
    if finding.category is Category.CHILD_SEXUAL_EXPLOITATION:
        raise UsageError(
            "nothing about child sexual exploitation is written out as text",
            where=finding.id,
            do=f"ask the suite that holds its prompts: {', '.join(finding.reproduce.prompt_ids)}",
        )
    unknown = [one for one in finding.reproduce.prompt_ids if one not in texts]
    if unknown:
        raise UsageError(
            f"no text is known of {', '.join(unknown)}",
            where=finding.id,
            do="name the file that holds them with --from",
        )
    asked = [*finding.reproduce.asks, *(texts[one] for one in finding.reproduce.prompt_ids)]
    if not asked:
        raise UsageError(
            "has steps only: there is nothing to ask a model",
            where=finding.id,
            do="write what was asked under reproduce.asks",
        )
    name = f"{finding.id}@{finding.digest.removeprefix('sha256:')[:16]}"
    lines = [
        {
            "id": f"{name}.{number}",
            "category": finding.category.value,
            "verb": finding.verb.value,
            "text": text,
            "language": finding.reproduce.language,
            "cluster": name,
        }
        for number, text in enumerate(dict.fromkeys(asked), start=1)
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
