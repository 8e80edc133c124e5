"""Copy a result file without what tells of the machine that made it (its paths, and lm-evaluation-harness's description of it), and
without what the model said in garak's reports: one of its probes asks about a living person, and the model makes things up.

    python scripts/other_tools/neutral.py FILE TO

Nothing else is changed. Prints how many places were. Inspect's logs (`.eval`) are packed again, with the same method.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import zipfile_zstd  # noqa: F401  (teaches zipfile the method that Inspect packs with)

# A path of this machine, up to where a library or a task begins to be of interest.
_PATH = re.compile(rb"/(?:tmp|root|work|home)/(?:[\w.+-]+/)*")
_MACHINE = re.compile(rb'("pretty_env_info": )"(?:[^"\\]|\\.)*"')
# Only in tracebacks of Inspect: colours and frames, wrapped in the middle of paths.
_COLOURED = re.compile(rb'("traceback_ansi":)"(?:[^"\\]|\\.)*"')


_CUT = "(cut)"


def without_answers(report: bytes) -> tuple[bytes, int]:
    """Return garak's report with every answer of its attempts cut, and how many there were."""
    lines, count = [], 0
    for line in report.splitlines():
        entry: Any = json.loads(line)
        if entry["entry_type"] == "attempt":
            turns = [turn for talk in entry.get("conversations", []) for turn in talk["turns"]]
            said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
            for answer in filter(None, [*said, *(each for each in entry["outputs"] if isinstance(each, dict))]):
                answer["text"] = _CUT
                count += 1
            count += sum(isinstance(each, str) for each in entry["outputs"])
            entry["outputs"] = [_CUT if isinstance(each, str) else each for each in entry["outputs"]]
        lines.append(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
    return b"".join(lines), count


def neutral(data: bytes) -> tuple[bytes, int]:
    """Return the text with what tells of the machine taken out, and how many places that were."""
    count = 0
    for pattern, instead in ((_MACHINE, rb'\1""'), (_COLOURED, rb'\1""'), (_PATH, b"")):
        data, found = pattern.subn(instead, data)
        count += found
    return data, count


def main(source: Path, target: Path) -> None:
    """Copy `source` to `target`."""
    if not zipfile.is_zipfile(source):
        data, count = neutral(source.read_bytes())
        if source.name.endswith(".report.jsonl"):
            data, cut = without_answers(data)
            count += cut
    else:
        packed, count = io.BytesIO(), 0
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_ZSTANDARD) as new:
            for member in old.infolist():
                text, found = neutral(old.read(member))
                new.writestr(member.filename, text, compress_type=zipfile.ZIP_ZSTANDARD)
                count += found
        data = packed.getvalue()
    target.write_bytes(data)
    print(f"{target.name}: {len(data):,} bytes, {count} places changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
