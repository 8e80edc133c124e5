"""Writes docs/rules.md from the rules themselves: `python scripts/rules_document.py`. A test holds that it is current."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from weighbridge.probes.checkpoint.catalogue import Rule, rules

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "rules.md"
HEAD = """# The rules of `weighbridge inspect`

Made by `scripts/rules_document.py` from the rules in `src/weighbridge/probes/checkpoint/rules/`; `weighbridge rules RULE` prints one of them.
How they are applied, and what no rule sees: [reading the files](methods/checkpoint.md).

| severity | meaning |
|---|---|
| critical | runs code when loaded |
| high | runs code when the loader opts in, or breaks a format's safety rule |
| medium | damaged, or changes what the model is told |
| low | worth knowing |
| info | for information |

The severity is the rule's own. A finding may have a lower one where its message says why.
"""


def document() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for area, each in groupby(rules().values(), key=lambda rule: rule.id.partition(".")[0]):
        parts.append(f"\n## {area}\n")
        parts += [_rule(rule) for rule in each]
    return "".join(parts)


def _rule(rule: Rule) -> str:
    lines = [f"\n### `{rule.id}`: {rule.title} ({rule.severity})\n", rule.what]
    lines += [f"- Why: {rule.why}", f"- What to do: {rule.fix}", f"- Cannot see: {rule.cannot_see}"]
    if rule.sources:
        lines.append(f"- Sources: {'; '.join(rule.sources)}")
    return lines[0] + "\n" + lines[1] + "\n\n" + "\n".join(lines[2:]) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
