"""Git LFS pointers: a few lines of text that stand in for a file that was not fetched."""

from __future__ import annotations

import re

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context
from weighbridge.probes.checkpoint.report import Examined
from weighbridge.probes.checkpoint.source import Source

_LONGEST = 1024  # the specification's
_FIRST = b"version https://git-lfs.github.com/spec/"


def matches(source: Source, head: bytes) -> bool:
    """Whether the file begins as a pointer does and is as short as one."""
    return head.startswith(_FIRST) and source.size_bytes <= _LONGEST


def examine(source: Source, into: Examined, context: Context) -> None:
    """Say which file it stands for."""
    into.format = "git lfs pointer"
    text = source.read(0, _LONGEST).decode("utf-8", "replace")
    oid, size = (re.search(rf"^{key} (?:sha256:)?(\w+)$", text, re.M) for key in ("oid", "size"))
    message = "stands in for a file that is not here"
    if oid and size:
        message += f": sha256 {oid[1]}, {size[1]} bytes"
    else:
        message += ", and is itself damaged"
    into.findings.append(found("lfs.pointer", source.path, "file", message))
