"""A signature and a model: what was verified, and what was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from weighbridge.subject.roots import root_of
from weighbridge.subject.signing.bundle import BrokenBundle, Method, UnknownKind, read_bundle, read_manifest
from weighbridge.subject.signing.comparison import Differences, Found, Told, compare
from weighbridge.subject.signing.trust import State, Trust, judge


@dataclass(frozen=True)
class Verification:
    """`state` is verified only when the signature is by whom the caller trusts and the files are those that were signed.

    `signer` is what the signature says; `signer_checked` is whether that holds, whatever the files. `signed_digest` is the root digest that was signed, None
    when none could be read. `compared` is whether the files were held against the signed list.
    """

    state: State
    reasons: tuple[str, ...]
    method: Method | None = None
    signer: str | None = None
    signer_checked: bool = False
    signed_digest: str | None = None
    compared: bool = False
    differences: Differences = field(default_factory=Differences)
    notes: tuple[str, ...] = ()


def verify(data: bytes, found: Found, trust: Trust, now: datetime, told: Told) -> Verification:
    """Return what the signature file `data` says about the files `found`. Whatever it holds, that is told, not raised.

    Raises `UsageError` for a key or certificates of the caller's that cannot be used, `OSError` when a file cannot be read.
    """
    state, reasons, notes = State.NOT_VERIFIED, list[str](), tuple[str, ...]()
    method = signer = signed_digest = None
    signer_checked, compared, differences = False, False, Differences()
    try:
        bundle = read_bundle(data)
        method = bundle.method
        manifest = read_manifest(bundle.payload)  # first: kinds of old cannot be judged by today's rules
        signed_digest = manifest.root_digest
        try:
            judged = judge(bundle, trust, now)
            state, signer, signer_checked = judged.state, judged.signer, judged.state is State.VERIFIED
            reasons.append(judged.reason)
        except UnknownKind as error:  # the files can still be held against the list
            reasons.append(str(error))
        differences = compare(manifest, found, told)
        compared = True
        if differences:
            state = State.FAILED
            reasons.insert(0, "the files are not those that were signed")
        notes = _notes(signed_digest, found, differences, manifest.shard_bytes, manifest.hash_type)
    except UnknownKind as error:
        state = State.FAILED if state is State.FAILED else State.NOT_VERIFIED
        reasons.insert(0, str(error))
    except BrokenBundle as error:
        state = State.FAILED
        reasons.insert(0, str(error))
    return Verification(
        state, tuple(reasons), method, signer, signer_checked, signed_digest, compared, differences, notes
    )


def _notes(
    signed_digest: str, found: Found, differences: Differences, shard_bytes: int | None, hash_type: str
) -> tuple[str, ...]:
    if differences or signed_digest == root_of(found.digests):
        return ()
    if shard_bytes is not None or hash_type != "sha256":
        how = f"with {hash_type}" + (f" in parts of {shard_bytes:,} bytes" if shard_bytes else "")
        return (f"the signed digest differs from the one above: files were hashed {how}",)
    return ("the signed digest differs from the one above: the signer counted other files, or in another order",)
