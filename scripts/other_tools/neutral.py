"""Copy a result file without what tells of the machine that made it: paths of this machine, and lm-evaluation-harness's description of it.

    python scripts/other_tools/neutral.py FILE TO

Nothing else is changed. Prints how many places were. Inspect's logs (`.eval`) are packed again, with the same method.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from pathlib import Path

import zipfile_zstd  # noqa: F401  (teaches zipfile the method that Inspect packs with)

# A path of this machine, up to where a library or a task begins to be of interest.
_PATH = re.compile(rb"/(?:tmp|root|work|home)/(?:[\w.+-]+/)*")
_MACHINE = re.compile(rb'("pretty_env_info": )"(?:[^"\\]|\\.)*"')
# Only in tracebacks of Inspect: colours and frames, wrapped in the middle of paths.
_COLOURED = re.compile(rb'("traceback_ansi":)"(?:[^"\\]|\\.)*"')


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
