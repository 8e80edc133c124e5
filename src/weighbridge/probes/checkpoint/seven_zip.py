"""Unpacks 7z archives with py7zr (LGPL, optional), in memory and within limits. Payloads have been hidden in them from scanners."""

from __future__ import annotations

import io
from typing import Any

from weighbridge.probes.checkpoint.catalogue import found
from weighbridge.probes.checkpoint.examine import Context, Spent
from weighbridge.probes.checkpoint.report import Examined, NotExamined
from weighbridge.probes.checkpoint.source import MemorySource, Source

_MOST_BYTES = 64 << 20


def examine_seven_zip(source: Source, into: Examined, context: Context) -> None:
    """Examine the members, as far as they can be unpacked."""
    try:
        import py7zr
    except ImportError:
        left = "a 7z archive is unpacked only where py7zr is installed (pip install py7zr)"
        into.not_examined.append(NotExamined(source.path, left))
        return
    if source.size_bytes > _MOST_BYTES:
        into.not_examined.append(
            NotExamined(source.path, f"a 7z archive of more than {_MOST_BYTES >> 20} MiB is not unpacked")
        )
        return
    try:
        with py7zr.SevenZipFile(io.BytesIO(source.read(0, source.size_bytes))) as archive:
            if archive.needs_password():
                into.findings.append(found("archive.encrypted", source.path, "file", "the archive is encrypted"))
                into.not_examined.append(NotExamined(source.path, "encrypted"))
                return
            total = sum(entry.uncompressed or 0 for entry in archive.list())
            if total > _MOST_BYTES:
                message = f"unpacks to {total:,} bytes"
                into.findings.append(found("archive.bomb", source.path, "file", message))
                into.not_examined.append(NotExamined(source.path, message))
                return
            context.allowance.unpack(total)
            factory: Any = py7zr.io.BytesIOFactory(_MOST_BYTES)
            archive.extract(factory=factory)
            members = {name: bytes(product.read()) for name, product in factory.products.items()}
    except Spent:
        raise
    except Exception as error:
        message = f"cannot be unpacked: {type(error).__name__}"
        into.findings.append(found("archive.damaged", source.path, "file", message))
        into.not_examined.append(NotExamined(source.path, message))
        return
    for name, data in members.items():
        context.allowance.step(50)
        context.examine(MemorySource(f"{source.path}!{name}", data))
