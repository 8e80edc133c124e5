"""A signature file, which nobody vouches for, taken apart: a Sigstore bundle, its envelope, and the list of files that it signs.

Formats: Sigstore bundle v0.3, DSSE v1.0, in-toto Statement v1, OMS v1.0 sections 4 to 7. The signed bytes are kept as they came.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from weighbridge.subject.roots import hash_in_turn
from weighbridge.subject.shown import shown

# 100,000 files take some 20 MB in a bundle.
MAX_BUNDLE_BYTES = 32 << 20
# JSON of many small values takes fifty times its size in memory. A bundle's own level has few, its list of files a handful each.
MAX_BUNDLE_MARKS = 50_000
MAX_STATEMENT_MARKS = 1_500_000
MAX_CERTIFICATES = 16

MEDIA_TYPES = ("application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3")
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
OLD_PREDICATE_TYPE = "https://model_signing/Digests/v0.1"
DIGEST_BYTES = {"sha256": 32, "blake2b": 64, "blake3": 32}
THE_FILE_ITSELF = "."  # what model_signing calls the one file of a model that is one file

_MEDIA_TYPE_OF_ANY_VERSION = "application/vnd.dev.sigstore.bundle"
_SHARD = re.compile(r"(.+):(\d{1,18}):(\d{1,18})", re.DOTALL)


class UnknownKind(ValueError):
    """A signature of a kind that is not verified here: nothing is said about whether it is good."""


class BrokenBundle(ValueError):
    """A bundle that breaks its own format: it vouches for nothing."""


class Method(StrEnum):
    """How a model was signed."""

    KEY = "key"
    CERTIFICATE = "certificate"
    SIGSTORE = "sigstore"  # keyless: a certificate for minutes, and an entry in a public log


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds. `certificates` are DER, the signer's first; `hint` names the key; `payload` is what was signed."""

    method: Method
    payload: bytes
    signature: bytes
    hint: str | None = None
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Resource:
    """One signed file, or one range of its bytes (`end_bytes` is not included; both None for a whole file)."""

    name: str
    digest: bytes
    start_bytes: int | None = None
    end_bytes: int | None = None


@dataclass(frozen=True)
class Manifest:
    """The list of files that was signed, in its order; `shard_bytes` is None when files are hashed whole."""

    root_digest: str
    hash_type: str
    resources: tuple[Resource, ...]
    shard_bytes: int | None
    allow_links: bool
    ignored: tuple[str, ...]


def read_bundle(data: bytes) -> Bundle:
    """Return what is in a signature file. Raises `UnknownKind` or `BrokenBundle`."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise UnknownKind(f"more than {MAX_BUNDLE_BYTES:,} bytes, larger than any signature")
    try:
        document = _load(data, MAX_BUNDLE_MARKS)
    except ValueError as error:
        raise UnknownKind(f"not a Sigstore bundle: {error}") from None
    media_type = document.get("mediaType") if isinstance(document, dict) else None
    if not isinstance(media_type, str) or not media_type.startswith(_MEDIA_TYPE_OF_ANY_VERSION):
        raise UnknownKind("not a Sigstore bundle")
    if media_type not in MEDIA_TYPES:
        raise UnknownKind(f"a Sigstore bundle of another version: {shown(media_type)}")
    method, hint, certificates = _material(_mapping(document, "verificationMaterial"))
    envelope = _mapping(document, "dsseEnvelope")
    payload_type = _text(envelope, "payloadType")
    if payload_type != PAYLOAD_TYPE:
        raise BrokenBundle(f"signs something other than a list of files: {shown(payload_type)}")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise BrokenBundle("does not have exactly one signature")
    return Bundle(method, _decoded(envelope, "payload"), _decoded(signatures[0], "sig"), hint, certificates)


def signed_bytes(bundle: Bundle) -> bytes:
    """Return what the signature is over: DSSE's pre-authentication encoding of the payload and its type.

    >>> signed_bytes(Bundle(Method.KEY, b"{}", b""))
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(bundle.payload), bundle.payload)


def read_manifest(payload: bytes) -> Manifest:
    """Return the list of files in a signed statement. Raises `UnknownKind` or `BrokenBundle`."""
    try:
        statement = _load(payload, MAX_STATEMENT_MARKS)
    except ValueError as error:
        raise BrokenBundle(f"the signed statement is {error}") from None
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise BrokenBundle("the signed statement is not an in-toto Statement v1")
    predicate_type = _text(statement, "predicateType")
    if predicate_type == OLD_PREDICATE_TYPE:
        raise UnknownKind("a list of files as model_signing wrote it before version 0.3: sign the model again")
    if predicate_type != PREDICATE_TYPE:
        raise BrokenBundle(f"states something other than a model's files: {shown(predicate_type)}")
    predicate = _mapping(statement, "predicate")
    serialization = _mapping(predicate, "serialization")
    hash_type, method = _text(serialization, "hash_type"), _text(serialization, "method")
    if hash_type not in DIGEST_BYTES or method not in ("files", "shards"):
        raise UnknownKind(f"files hashed in a way that is not known here: {shown(method)} with {shown(hash_type)}")
    shard_bytes = _shard_bytes(serialization) if method == "shards" else None
    resources = _resources(predicate, hash_type, shard_bytes)
    root_digest = hash_in_turn("raw:" + resource.digest.hex() for resource in resources)
    if _signed_root(statement) != root_digest:
        raise BrokenBundle("the signed statement contradicts itself: its digest is not that of its files")
    ignored = serialization.get("ignore_paths", [])
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise BrokenBundle("ignore_paths is not a list of paths")
    allow_links = serialization.get("allow_symlinks") is True
    return Manifest(root_digest, hash_type, resources, shard_bytes, allow_links, tuple(ignored))


def is_plain_path(name: str) -> bool:
    """Return whether `name` is a path inside the model, written the one way that the specification allows (6.1.2).

    >>> [is_plain_path(name) for name in ("a/b", "/a", "../a", "a/./b", "a/", ".")]
    [True, False, False, False, False, False]
    """
    path = PurePosixPath(name)
    plain = name == path.as_posix() and "\0" not in name and name != "."
    return plain and not path.is_absolute() and ".." not in path.parts


def _load(data: bytes, max_marks: int) -> Any:
    """Return the JSON value in `data`. Raises `ValueError` that ends the sentence "it is ..."."""
    if sum(data.count(mark) for mark in (b",", b"[", b"{", b":")) > max_marks:
        raise ValueError("JSON with too many values")
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except ValueError:  # not UTF-8, not JSON, a number with too many digits
        raise ValueError("not valid JSON") from None


def _material(material: Mapping[str, Any]) -> tuple[Method, str | None, tuple[bytes, ...]]:
    """Return how the model was signed, the key's hint, and the certificates (DER)."""
    present = [name for name in ("publicKey", "x509CertificateChain", "certificate") if material.get(name) is not None]
    if len(present) != 1:
        raise BrokenBundle("does not name one key or certificate")
    value = _mapping(material, present[0])
    if present[0] == "publicKey":
        hint = value.get("hint")
        if not isinstance(hint, str) and not isinstance(value.get("rawBytes"), str):
            raise BrokenBundle("publicKey has neither hint nor rawBytes")
        return Method.KEY, hint if isinstance(hint, str) and hint else None, ()
    if present[0] == "certificate":
        entries = material.get("tlogEntries")
        if not isinstance(entries, list) or not entries:
            raise BrokenBundle("a keyless signature without an entry in a log")
        return Method.SIGSTORE, None, (_decoded(value, "rawBytes"),)
    chain = value.get("certificates")
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise BrokenBundle(f"does not hold 1 to {MAX_CERTIFICATES} certificates")
    certificates = []
    for link in chain:
        if not isinstance(link, dict):
            raise BrokenBundle("a certificate that is not one")
        certificates.append(_decoded(link, "rawBytes"))
    return Method.CERTIFICATE, None, tuple(certificates)


def _shard_bytes(serialization: Mapping[str, Any]) -> int:
    size = serialization.get("shard_size")
    # model_signing passes the list through protobuf, where every number is a float.
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if type(size) is not int or size <= 0:
        raise BrokenBundle("shard_size is not a positive number")
    return size


def _resources(predicate: Mapping[str, Any], hash_type: str, shard_bytes: int | None) -> tuple[Resource, ...]:
    listed = predicate.get("resources")
    if not isinstance(listed, list) or not listed:
        raise BrokenBundle("the signed list of files is empty")
    algorithms = {hash_type} | ({f"{hash_type}-sharded-{shard_bytes}"} if shard_bytes else set())
    resources = []
    for item in listed:
        if not isinstance(item, dict):
            raise BrokenBundle("a signed file that is not described")
        written = _text(item, "name")
        try:
            digest = bytes.fromhex(_text(item, "digest"))
        except ValueError:
            raise BrokenBundle(f"a digest that is not hexadecimal: {shown(written)}") from None
        if _text(item, "algorithm") not in algorithms or len(digest) != DIGEST_BYTES[hash_type]:
            raise BrokenBundle(f"a digest of another kind than the list's: {shown(written)}")
        name, start, end = written, None, None
        if shard_bytes is not None:
            if (shard := _SHARD.fullmatch(written)) is None:
                raise BrokenBundle(f"a part of a file without its range: {shown(written)}")
            name, start, end = shard[1], int(shard[2]), int(shard[3])
        if name != THE_FILE_ITSELF and not is_plain_path(name):
            raise BrokenBundle(f"a name that is not a path inside the model: {shown(name)}")
        resources.append(Resource(name, digest, start, end))
    if len({(resource.name, resource.start_bytes) for resource in resources}) != len(resources):
        raise BrokenBundle("a file is listed twice")
    return tuple(resources)


def _signed_root(statement: Mapping[str, Any]) -> str:
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise BrokenBundle("the signed statement is not about exactly one model")
    return "sha256:" + _text(_mapping(subjects[0], "digest"), "sha256").lower()


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise BrokenBundle(f"{name} is missing")
    return value


def _text(parent: Mapping[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise BrokenBundle(f"{name} is missing")
    return value


def _decoded(parent: Mapping[str, Any], name: str) -> bytes:
    """Return a base64 value; protobuf's JSON allows both alphabets, with or without padding."""
    text = _text(parent, name).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BrokenBundle(f"{name} is not base64") from None
