"""`weighbridge digest`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weighbridge.cli.exit_codes import COULD_NOT, MET, NOT_MET
from weighbridge.cli.reading import amount, reading
from weighbridge.cli.saying import say
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.subject.model_digest import ModelDigest
    from weighbridge.subject.signing.verification import Verification

_NAMES_SHOWN = 20


@click.command(name="digest")
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.option(
    "--signature", type=click.Path(path_type=Path), metavar="FILE", help="The signature, if not PATH/model.sig."
)
@click.option(
    "--public-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The signer's public key that you trust (PEM).",
)
@click.option(
    "--trusted-certificates",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificates that you trust to name signers (PEM).",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    path: Path, signature: Path | None, public_key: Path | None, trusted_certificates: Path | None, as_json: bool
) -> int:
    """Print a model's OpenSSF Model Signing root digest, and verify its signature when it has one.

    PATH is a file or a directory. Exit codes: 0 there is no signature, or it is verified, 1 the signature or the files do not
    match, 2 usage, 4 the signature could not be verified (no key given, keyless, an unknown kind; a key given and no signature).
    """
    from weighbridge.subject.model_digest import digest_model
    from weighbridge.subject.signing.trust import State

    with reading(path) as told:
        digest = digest_model(
            path,
            now=datetime.now(UTC),
            signature=signature,
            public_key=public_key,
            certificates=trusted_certificates,
            progress=lambda what, done, total: told(done, total),
        )
    expected = public_key is not None or trusted_certificates is not None
    say(json.dumps(_as_json(path, digest)) if as_json else _as_text(path, digest, expected))
    if digest.state is None:
        return COULD_NOT if expected else MET
    return {State.VERIFIED: MET, State.FAILED: NOT_MET, State.NOT_VERIFIED: COULD_NOT}[digest.state]


def _as_json(path: Path, digest: ModelDigest) -> dict[str, Any]:
    record: dict[str, Any] = {
        "path": str(path),
        "digest": digest.root_digest,
        "file_digest": digest.file_digest,
        "digest_by_name": digest.digest_by_name,
        "files": digest.files,
        "bytes": digest.size_bytes,
        "notes": list(digest.notes),
        "signature": None,
    }
    if (seen := digest.verification) is not None:
        record["signature"] = {
            "file": str(digest.signature),
            "state": seen.state.value,
            "reasons": list(seen.reasons),
            "method": seen.method.value if seen.method else None,
            "signer": seen.signer,
            "signer_checked": seen.signer_checked,
            "signed_digest": seen.signed_digest,
            "files_compared": seen.compared,
            "changed": list(seen.differences.changed),
            "missing": list(seen.differences.missing),
            "extra": list(seen.differences.extra),
            "left_out": list(seen.differences.left_out),
            "notes": list(seen.notes),
        }
    return record


def _as_text(path: Path, digest: ModelDigest, expected: bool) -> str:
    lines = [shown(str(path), 4096), f"  root digest  {digest.root_digest}"]
    if digest.file_digest:
        lines.append(f"  file digest  {digest.file_digest}")
    if digest.digest_by_name:
        lines.append(
            f"  by name      {digest.digest_by_name}  (the specification's order; model_signing has the one above)"
        )
    lines.append(f"  files        {digest.files:,}, {amount(digest.size_bytes)}")
    if digest.verification is not None:
        lines += _signature(digest.verification)
    else:
        lines.append("  signature    none" + (": nothing to verify with what you gave" if expected else ""))
    lines += [f"  note         {note}" for note in digest.notes]
    return "\n".join(lines)


def _signature(seen: Verification) -> list[str]:
    from weighbridge.subject.signing.trust import State

    lines = [f"  signature    {seen.state.value.upper()}: {'; '.join(seen.reasons)}"]
    if seen.signer:
        lines.append(f"  signer       {'' if seen.signer_checked else 'NOT CHECKED: '}{seen.signer}")
    if seen.signed_digest and seen.notes:
        lines.append(f"  signed       {seen.signed_digest}")
    if seen.compared and not seen.differences and seen.state is not State.VERIFIED:
        lines.append("  compared     the files are those that the signature lists")
    for what, names in (
        ("changed", seen.differences.changed),
        ("missing", seen.differences.missing),
        ("extra", seen.differences.extra),
        ("not signed", seen.differences.left_out),
    ):
        lines += [f"  {what:<11}  {shown(name, 200)}" for name in names[:_NAMES_SHOWN]]
        if len(names) > _NAMES_SHOWN:
            lines.append(f"  {what:<11}  and {len(names) - _NAMES_SHOWN:,} more (--json lists all)")
    return lines + [f"  note         {note}" for note in seen.notes]
