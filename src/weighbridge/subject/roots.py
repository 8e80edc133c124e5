"""The one digest over all files of a subject, from the digests of its files. Standard library only: `inspect` starts fast."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping


def place_in_order(name: str) -> tuple[str, ...]:
    """Return what to sort a file's name by: its folders and its own name, one after the other, by code point.

    OpenSSF Model Signing's reference implementation (model_signing 1.1.1) compares paths part by part; the text of the
    specification (v1.0, 5.2.1) compares names as they are written. They differ only where a name goes on, after a folder's, with a
    character below the slash, and then the digest that is in use is the implementation's.

    >>> sorted(["onnx.md", "onnx/model.onnx"], key=place_in_order), sorted(["onnx.md", "onnx/model.onnx"])
    (['onnx/model.onnx', 'onnx.md'], ['onnx.md', 'onnx/model.onnx'])
    """
    return tuple(name.split("/"))


def root_of(digests: Mapping[str, str]) -> str:
    """Return the root digest of OpenSSF Model Signing v1.0 (6.5.1): SHA-256 over the raw file digests in order of path.

    `digests` maps paths to `sha256:...`.

    >>> zeros, ones = "sha256:" + "00" * 32, "sha256:" + "11" * 32
    >>> root_of({"b": zeros, "a": ones}) == root_of({"a": ones, "b": zeros})
    True
    """
    return hash_in_turn(digests[path] for path in sorted(digests, key=place_in_order))


def hash_in_turn(digests: Iterable[str]) -> str:
    """Return the SHA-256 over raw digests, one after the other as given. Each is `sha256:...` or `ALGORITHM:...`."""
    hasher = hashlib.sha256()
    for digest in digests:
        hasher.update(bytes.fromhex(digest.partition(":")[2]))
    return "sha256:" + hasher.hexdigest()


def of_named_files(digests: Mapping[str, str]) -> str:
    """Return the digest of a subject that is the files named, not a directory: a single file's own, else the root digest.

    `digests` maps paths to `sha256:...` and is not empty.

    >>> zeros = "sha256:" + "00" * 32
    >>> of_named_files({"a": zeros}) == zeros
    True
    """
    return next(iter(digests.values())) if len(digests) == 1 else root_of(digests)
