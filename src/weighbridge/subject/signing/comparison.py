"""The signed list of files against the files that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from weighbridge.subject.roots import place_in_order
from weighbridge.subject.signing.bundle import THE_FILE_ITSELF, Manifest, Resource, UnknownKind, is_plain_path

_BLOCK_BYTES = 1 << 20

Told = Callable[[int], None]
"""Told how many bytes were read."""


@dataclass(frozen=True)
class Found:
    """The files of a model: `places` and `digests` (`sha256:...`) by name, in order; `root` is None for a single file."""

    places: Mapping[str, Path]
    digests: Mapping[str, str]
    root: Path | None


@dataclass(frozen=True)
class Differences:
    """Names of files. `left_out` are there and were not signed, as the signer said; they are no difference."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing or self.extra)


def compare(manifest: Manifest, found: Found, told: Told) -> Differences:
    """Return where `found` is not what was signed. Raises `OSError`, and `UnknownKind` for BLAKE3, which Python does not have."""
    signed: dict[str, list[Resource]] = {}
    for resource in manifest.resources:
        name = resource.name
        if found.root is None and name == THE_FILE_ITSELF:
            name = next(iter(found.places))
        signed.setdefault(name, []).append(resource)
    changed, missing = [], []
    for name, resources in signed.items():
        place = found.places.get(name) or _uncounted(name, found.root)
        if place is None:
            missing.append(name)
        elif not _is_as_signed(place, found.digests.get(name), resources, manifest, told):
            changed.append(name)
    unsigned = [name for name in found.places if name not in signed and not _has_no_part(found.places[name], manifest)]
    ignored = {PurePosixPath(path).as_posix() for path in manifest.ignored}
    left_out = {name for name in unsigned if _is_ignored(name, ignored)}
    return Differences(
        tuple(sorted(changed, key=place_in_order)),
        tuple(sorted(missing, key=place_in_order)),
        tuple(name for name in unsigned if name not in left_out),
        tuple(name for name in unsigned if name in left_out),
    )


def _uncounted(name: str, root: Path | None) -> Path | None:
    """Return where a signed file lies that does not count by itself, such as `.gitattributes`: a signer may have counted it."""
    if root is None or not is_plain_path(name):
        return None
    place = root / name
    try:
        inside = place.is_file() and not place.is_symlink() and place.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return None
    return place if inside else None


def _is_as_signed(place: Path, digest: str | None, resources: list[Resource], manifest: Manifest, told: Told) -> bool:
    if manifest.shard_bytes is None:
        if digest is not None and manifest.hash_type == "sha256":
            actual = bytes.fromhex(digest.removeprefix("sha256:"))
        else:
            actual = _hash_range(place, manifest.hash_type, 0, None, told)
        return all(resource.digest == actual for resource in resources)
    size = place.stat().st_size
    if len(resources) != -(-size // manifest.shard_bytes):  # checked first: ranges are a file's word
        return False
    for number, resource in enumerate(sorted(resources, key=lambda each: each.start_bytes or 0)):
        start = number * manifest.shard_bytes
        end = min(start + manifest.shard_bytes, size)
        if (resource.start_bytes, resource.end_bytes) != (start, end):
            return False
        if _hash_range(place, manifest.hash_type, start, end, told) != resource.digest:
            return False
    return True


def _hash_range(place: Path, algorithm: str, start: int, end: int | None, told: Told) -> bytes:
    """Return the digest of the bytes from `start` to `end` (not included; None: the file's end)."""
    if algorithm not in ("sha256", "blake2b"):
        raise UnknownKind(f"files hashed with {algorithm}, which is not known here")
    hasher = hashlib.new(algorithm)
    with place.open("rb") as file:
        file.seek(start)
        left = end - start if end is not None else None
        while block := file.read(_BLOCK_BYTES if left is None else min(_BLOCK_BYTES, left)):
            hasher.update(block)
            told(len(block))
            if left is not None:
                left -= len(block)
    return hasher.digest()


def _has_no_part(place: Path, manifest: Manifest) -> bool:
    """Whether a file is left out of every signature by parts, because it is empty (6.3.2)."""
    return manifest.shard_bytes is not None and place.stat().st_size == 0


def _is_ignored(name: str, ignored: Set[str]) -> bool:
    """Whether the signer left out `name`, itself or with its folder (6.2.1: exact paths, never a pattern).

    >>> [_is_ignored(name, {"cache", "/", "..", "."}) for name in ("cache/a", "cached", "a/cache")]
    [True, False, False]
    """
    parts = name.split("/")
    return any("/".join(parts[:count]) in ignored for count in range(1, len(parts) + 1))
