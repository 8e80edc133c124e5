"""The one digest over all files of a subject, from the digests of its files. Standard library only: `inspect` starts fast."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def root_of(digests: Mapping[str, str]) -> str:
    """Return a subject's digest: a single file's own, else SHA-256 over the raw file digests in order of path.

    `digests` maps paths to `sha256:...` and is not empty. The rule for several files is the root digest of OpenSSF Model Signing.

    >>> zeros, ones = "sha256:" + "00" * 32, "sha256:" + "11" * 32
    >>> root_of({"a": zeros}) == zeros, root_of({"b": zeros, "a": ones}) == root_of({"a": ones, "b": zeros})
    (True, True)
    """
    if len(digests) == 1:
        return next(iter(digests.values()))
    raw = b"".join(bytes.fromhex(digests[path].removeprefix("sha256:")) for path in sorted(digests))
    return "sha256:" + hashlib.sha256(raw).hexdigest()
