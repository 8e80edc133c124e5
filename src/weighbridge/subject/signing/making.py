"""Signs a model's files: a bundle of OpenSSF Model Signing v1.0, which `model_signing` verifies. Pure; the key is the caller's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

from weighbridge.subject.model_files import IGNORED_AT_TOP, SIGNATURE
from weighbridge.subject.roots import place_in_order, root_of
from weighbridge.subject.signing.bundle import (
    MEDIA_TYPES,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    THE_FILE_ITSELF,
    Bundle,
    Method,
    signed_bytes,
)


def model_bundle(
    name: str,
    digests: Mapping[str, str],
    *,
    is_directory: bool,
    allow_links: bool,
    hint: str,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Return the signature file of a model.

    `digests` maps the model's files to `sha256:...`; for a single file, its one name. `hint` names the key as bundles do
    (`trust.fingerprint`); `sign` returns the ECDSA signature (DER) over bytes, with the hash of its curve's size. `allow_links`: whether
    links were followed, as the verifier must then too.
    """
    names = sorted(digests, key=place_in_order)
    resources = [
        {
            "name": each if is_directory else THE_FILE_ITSELF,
            "algorithm": "sha256",
            "digest": digests[each].removeprefix("sha256:"),
        }
        for each in names
    ]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root_of(digests).removeprefix("sha256:")}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "resources": resources,
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": allow_links,
                "ignore_paths": sorted({SIGNATURE, *IGNORED_AT_TOP}) if is_directory else [],
            },
        },
    }
    payload = json.dumps(statement, ensure_ascii=False).encode()
    signature = sign(signed_bytes(Bundle(Method.KEY, payload, b"")))
    bundle = {
        "mediaType": MEDIA_TYPES[0],
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle).encode()
