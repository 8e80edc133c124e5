"""Writes docs/formats/evidence-names.md from the names themselves: `python scripts/evidence_names_document.py`. A test holds that it is current."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb
from weighbridge.standards.names import EvidenceName, context_names, evidence_names

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "formats" / "evidence-names.md"
# Names that differ in one step of a closed list are one row, in which a word in capitals stands for the step.
PLACES = {
    "RUNG": [rung.value for rung in Rung],
    "CATEGORY": [category.value for category in Category],
    "VERB": [verb.value for verb in Verb],
    "CONTRAST": [contrast.value for contrast in Contrast],
    "SEVERITY": ["critical", "high", "medium", "low", "info"],
    "step_N": [f"step_{number}" for number in range(1, 7)],
}
AGAINST = ("the same model on `api`", "the first baseline")
HEAD = """# What a condition can read

Made by `scripts/evidence_names_document.py` from [`standards/names.py`](../../src/weighbridge/standards/names.py). How conditions read them:
[standards](standard.md).

- Words in capitals stand for one of a closed list:

{places}

- `opening` compares the most open rung that was measured with the same model on `api`; `counterfactual` compares it with the first baseline.
- `*` stands for any name, such as a component's or a tool's. A name with other signs than letters, digits and `_` is written in brackets:
  `elsewhere.garak.result["a/b"]`.
- A number is whole, or lies within bounds: what is missing is counted both ways, so a rate of which half is missing has wide bounds.
- A name without evidence has no value, and what depends on it is "not shown". No name says that evidence is missing.
"""


def document() -> str:
    """Return the whole page."""
    places = [f"  - `{place}`: {', '.join(f'`{value}`' for value in values)}" for place, values in PLACES.items()]
    parts = [HEAD.format(places="\n".join(places)), "\n## Evidence\n"]
    for family in dict.fromkeys(one.path[0] for one in evidence_names()):
        names = [one for one in evidence_names() if one.path[0] == family]
        ways = list(dict.fromkeys(_row(one, names)[3] for one in names))
        parts.append(f"\n### `{family}`\n\nTo have it: {'; or '.join(ways)}.\n\n")
        parts.append(_table(["name", "kind", "what it says"], [_row(one, names)[:3] for one in names]))
    parts.append("\n## What is declared\n\n`when` reads only these. What was not declared leaves it open. The uses: [uses](../methods/uses.md).\n\n")  # fmt: skip
    parts.append(_table(["name", "kind", "what it says", "how to declare it"], [_row(one, []) for one in context_names()]))  # fmt: skip
    return "".join(parts)


def _row(one: EvidenceName, names: Sequence[EvidenceName]) -> list[str]:
    """Return name, kind, meaning and how to have it, with a place's word for a step where every step of its list occurs."""
    path, says, how = list(one.path), one.says, one.how
    paths = {name.path for name in names}
    for at, step in enumerate(one.path):
        for place, values in PLACES.items():
            if step in values and all((*one.path[:at], value, *one.path[at + 1 :]) in paths for value in values):
                path[at] = place
                says, how = (_general(text, step, place) for text in (says, how))
    listed = f": {', '.join(f'`{value}`' for value in sorted(one.values))}" if one.values else ""
    return [f"`{'.'.join(path)}`", one.kind.value, says + listed, how]


def _general(text: str, step: str, place: str) -> str:
    text = text.replace(f"`{step}`", f"`{place}`").replace(f"severity {step}", "this severity")
    text = text.replace(f"step {step.removeprefix('step_')} ", "this step ")
    if place == "CONTRAST":
        for against in AGAINST:
            text = text.replace(against, "the other side of `CONTRAST`")
    return text


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = dict.fromkeys("| " + " | ".join(cell.replace("|", "&#124;") for cell in row) + " |\n" for row in rows)
    return f"| {' | '.join(head)} |\n{'|---' * len(head)}|\n" + "".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
