"""Renews the lines that published chat templates are known to put in: `python scripts/known_template_lines.py FAMILY=FILE...`.

Each FILE is a template as its publisher ships it. It is rendered on the conversations of the checkpoint probe's trials; of every line that stands
around the messages only a digest is kept, beside its family, in `data/known_template_lines.toml`. The texts themselves are not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from weighbridge.probes.checkpoint.report import Template
from weighbridge.probes.checkpoint.template_syntax import examine_syntax
from weighbridge.probes.checkpoint.template_text import digest, words
from weighbridge.probes.checkpoint.template_trials import lines_of

LEAST_WORDS = 2
HEAD = """# Lines that the published chat templates of well-known models put around messages: no invention of whoever made a file that has them.
# Digests only: 80 bits of the SHA-256 of the line (template_text.digest). Made by scripts/known_template_lines.py.
"""


def main(arguments: list[str]) -> str:
    families: dict[str, set[str]] = {}
    seen: set[str] = set()
    for argument in arguments:
        family, _, path = argument.partition("=")
        template = Template(path, "file", "default", Path(path).read_text(encoding="utf-8"))
        tree, _ = examine_syntax(template)
        if tree is None:
            continue
        lines = {digest(line) for line in lines_of(template, tree) if len(words(line)) >= LEAST_WORDS}
        families.setdefault(family, set()).update(lines - seen)
        seen |= lines
    parts = [HEAD]
    for family in sorted(families, key=str.lower):
        if families[family]:
            listed = "".join(f'    "{each}",\n' for each in sorted(families[family]))
            parts.append(f'"{family}" = [\n{listed}]\n')
    return "".join(parts)


if __name__ == "__main__":
    Path("src/weighbridge/probes/checkpoint/data/known_template_lines.toml").write_text(
        main(sys.argv[1:]), encoding="utf-8"
    )
