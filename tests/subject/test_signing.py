"""Signatures of models: what is verified, what fails, and what is only said not to be verified."""

from __future__ import annotations

import base64
import contextlib
import copy
import datetime
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.subject.signer import (
    DAY,
    MEDIA_TYPE,
    NOW,
    certificate,
    chain_material,
    new_key,
    pem,
    public_pem,
    raw_bytes,
    sign,
    statement,
)
from weighbridge.digests import digest_file
from weighbridge.errors import UsageError
from weighbridge.subject.model_digest import ModelDigest, digest_model
from weighbridge.subject.model_files import model_files
from weighbridge.subject.signing import bundle as bundles
from weighbridge.subject.signing.bundle import BrokenBundle, UnknownKind, read_bundle, read_manifest
from weighbridge.subject.signing.making import model_bundle
from weighbridge.subject.signing.trust import State, fingerprint

DATA = Path(__file__).parent / "data"
SIGNED = DATA / "signed"
VECTORS = DATA / "oms-v1.0"
SIGNED_ROOT = "sha256:7a35e095a2d1f7d59c2229c0d3d5928a9e86af3aeed567b1f1edb257b1bbb7a6"
KEY = new_key()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "config.json").write_text("{}")
    (root / "weights").write_text("weights")
    return root


def check(
    root: Path, bundle: Any, *, key: bytes | None = None, roots: bytes | None = None, now: datetime.datetime = NOW
) -> ModelDigest:
    """Return what is said of `root` with `bundle` (bytes, or JSON to be) as its signature."""
    beside = root.parent
    signature = beside / "the.sig"
    signature.write_bytes(bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode())
    return digest_model(
        root,
        now=now,
        signature=signature,
        public_key=written(beside / "key.pem", key),
        certificates=written(beside / "roots.pem", roots),
    )


def written(path: Path, data: bytes | None) -> Path | None:
    if data is None:
        return None
    path.write_bytes(data)
    return path


def seen(digest: ModelDigest) -> tuple[State, str]:
    assert digest.verification is not None
    return digest.verification.state, "; ".join(digest.verification.reasons)


def test_signed_by_model_signing(tmp_path: Path) -> None:
    """A directory signed by model_signing 1.1.1 with a key has the digest that was signed, and is verified."""
    shutil.copytree(SIGNED / "model", tmp_path / "m")
    digest = digest_model(tmp_path / "m", now=NOW, public_key=SIGNED / "public-key.pem")
    assert digest.verification is not None
    assert digest.root_digest == digest.verification.signed_digest == SIGNED_ROOT
    assert digest.state is State.VERIFIED and digest.verification.signer_checked
    assert digest.digest_by_name is not None and digest.digest_by_name != SIGNED_ROOT
    assert digest.files == 3


@pytest.mark.parametrize("name", ["shards", "blake2b"])
def test_other_ways_of_hashing(name: str) -> None:
    """Files that model_signing hashed in parts or with BLAKE2b are verified."""
    digest = digest_model(
        SIGNED / "model", now=NOW, signature=SIGNED / f"{name}.sig", public_key=SIGNED / "public-key.pem"
    )
    assert digest.state is State.VERIFIED
    assert digest.verification is not None and "files were hashed with" in digest.verification.notes[0]


def test_parts_that_changed(tmp_path: Path) -> None:
    """A file that was signed in parts is named when one byte of it changes, and when it grows."""
    for text in ("not a mOdel\n", "not a model\nand more of it"):
        shutil.copytree(SIGNED / "model", tmp_path / text)
        (tmp_path / text / "onnx" / "weights.txt").write_text(text)
        digest = digest_model(
            tmp_path / text, now=NOW, signature=SIGNED / "shards.sig", public_key=SIGNED / "public-key.pem"
        )
        assert digest.state is State.FAILED
        assert digest.verification is not None and digest.verification.differences.changed == ("onnx/weights.txt",)


def test_a_hash_that_python_lacks() -> None:
    """Files hashed with BLAKE3 are not verified, and that is said."""
    digest = digest_model(
        SIGNED / "model", now=NOW, signature=SIGNED / "blake3.sig", public_key=SIGNED / "public-key.pem"
    )
    assert seen(digest)[0] is State.NOT_VERIFIED and "blake3" in seen(digest)[1]


def test_a_signed_file() -> None:
    """A single file that model_signing signed is verified; its root digest is not its own digest."""
    digest = digest_model(
        SIGNED / "model" / "config.json",
        now=NOW,
        signature=SIGNED / "file.sig",
        public_key=SIGNED / "public-key.pem",
    )
    assert digest.state is State.VERIFIED
    assert digest.root_digest == "sha256:734efdcdf26b1b6928907057cf2c527dbfeb9344c8382f8e8b85ae14ee8e12ae"
    assert digest.file_digest not in (None, digest.root_digest)


def test_signed_with_a_certificate_by_model_signing() -> None:
    """A certificate of model_signing's is verified under its root, and not verified without one."""
    signature = SIGNED / "certificate.sig"
    given = digest_model(SIGNED / "model", now=NOW, signature=signature, certificates=SIGNED / "root.pem")
    assert given.state is State.VERIFIED
    bare = digest_model(SIGNED / "model", now=NOW, signature=signature)
    assert seen(bare)[0] is State.NOT_VERIFIED and "--trusted-certificates" in seen(bare)[1]
    late = digest_model(
        SIGNED / "model",
        now=datetime.datetime(2127, 1, 1, tzinfo=datetime.UTC),
        signature=signature,
        certificates=SIGNED / "root.pem",
    )
    assert seen(late)[0] is State.FAILED and "expired" in seen(late)[1]


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("valid-key", State.VERIFIED),
        ("valid-certificate", State.VERIFIED),
        ("invalid-empty", State.NOT_VERIFIED),
        ("invalid-missing-envelope", State.FAILED),
        ("invalid-missing-verification-material", State.FAILED),
        ("invalid-wrong-predicate", State.FAILED),
    ],
)
def test_published_vectors(name: str, state: State) -> None:
    """The specification's own test vectors are accepted and refused as it says."""
    digest = digest_model(
        VECTORS / "model",
        now=NOW,
        signature=VECTORS / f"{name}.bundle.json",
        public_key=VECTORS / "signing-key-pub.pem",
        certificates=VECTORS / "ca-cert.pem",
    )
    assert digest.root_digest == "sha256:92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4"
    assert digest.state is state


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_curves(model: Path, curve: ec.EllipticCurve) -> None:
    """Signatures with keys of all three curves are verified."""
    key = new_key(curve)
    assert check(model, sign(statement(model), key), key=public_pem(key)).state is State.VERIFIED


def test_no_key_given(model: Path) -> None:
    """Without the key nothing is verified, and the one that is needed is named."""
    state, reason = seen(check(model, sign(statement(model), KEY)))
    assert state is State.NOT_VERIFIED and "give --public-key (of the key " in reason


def test_wrong_key(model: Path) -> None:
    """A signature by another key than the one given fails, whatever it says about its key."""
    other = new_key()
    assert "made with another key" in seen(check(model, sign(statement(model), other), key=public_pem(KEY)))[1]
    forged = sign(statement(model), other)
    forged["verificationMaterial"] = sign(statement(model), KEY)["verificationMaterial"]
    assert seen(check(model, forged, key=public_pem(KEY)))[0] is State.FAILED


def test_the_statement_was_changed(model: Path) -> None:
    """A statement that was put under another's signature fails, though it matches the files."""
    bundle = sign(statement(model), KEY)
    (model / "weights").write_text("others")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement(model)).encode()).decode()
    assert check(model, bundle, key=public_pem(KEY)).state is State.FAILED


def test_changed_missing_and_extra_files(model: Path) -> None:
    """Each file that is not as it was signed is named, with or without a key to verify with."""
    bundle = sign(statement(model), KEY)
    (model / "weights").write_text("Weights")
    (model / "config.json").unlink()
    (model / "modeling_extra.py").write_text("")
    for key in (public_pem(KEY), None):
        verification = check(model, bundle, key=key).verification
        assert verification is not None and verification.state is State.FAILED
        differences = verification.differences
        assert (differences.changed, differences.missing, differences.extra) == (
            ("weights",),
            ("config.json",),
            ("modeling_extra.py",),
        )


def test_what_the_signer_left_out(model: Path) -> None:
    """Files that the signer left out are no difference and are named; what is not a path in the model leaves nothing out."""
    left = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": ["notes", "old"]}
    said = statement(model, serialization=left)
    (model / "notes").mkdir()
    (model / "notes" / "a").write_text("1")
    (model / "older").write_text("1")
    verification = check(model, sign(said, KEY), key=public_pem(KEY)).verification
    assert verification is not None
    assert (verification.differences.left_out, verification.differences.extra) == (("notes/a",), ("older",))
    for path in (".", "/", "", "*", "..", str(model)):
        said["predicate"]["serialization"]["ignore_paths"] = [path]
        verification = check(model, sign(said, KEY), key=public_pem(KEY)).verification
        assert verification is not None and verification.differences.left_out == ()


def test_files_that_do_not_count_by_themselves(model: Path) -> None:
    """A signer may have counted `.gitattributes`: it is then held against the signature."""
    (model / ".gitattributes").write_text("x")
    bundle = sign(statement(model), KEY)
    assert check(model, bundle, key=public_pem(KEY)).state is State.VERIFIED
    (model / ".gitattributes").write_text("y")
    verification = check(model, bundle, key=public_pem(KEY)).verification
    assert verification is not None and verification.differences.changed == (".gitattributes",)


def chained(
    model: Path, *, inter: dict[str, Any] | None = None, leaf: dict[str, Any] | None = None, **root: Any
) -> tuple[dict[str, Any], bytes]:
    """Return a bundle with a chain of three, and its root; each part may be made otherwise."""
    keys = [new_key() for _ in range(3)]
    anchor = certificate("root", keys[0], "root", keys[0], **{"ca": True, **root})
    middle = certificate("middle", keys[1], "root", keys[0], **{"ca": True, **(inter or {})})
    signer = certificate("signer", keys[2], "middle", keys[1], **(leaf or {}))
    return sign(statement(model), keys[2], chain_material(signer, middle)), pem(anchor)


CRITICAL = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
LIMITS = x509.NameConstraints([x509.DNSName("example.org")], None)


@pytest.mark.parametrize(
    ("made", "state", "says"),
    [
        ({}, State.VERIFIED, "under one that you trust"),
        ({"leaf": {"ends": NOW - DAY / 2}}, State.FAILED, "CN=signer expired"),
        ({"leaf": {"starts": NOW + DAY / 2}}, State.FAILED, "CN=signer is not valid before"),
        ({"inter": {"ends": NOW - DAY / 2}}, State.FAILED, "CN=middle expired"),
        ({"ends": NOW - DAY / 2}, State.FAILED, "CN=root expired"),
        ({"leaf": {"may_sign": False}}, State.FAILED, "not meant for signatures"),
        ({"inter": {"ca": False}}, State.FAILED, "CN=middle may not issue"),
        ({"path_length": 0}, State.FAILED, "CN=root may not issue"),
        ({"leaf": {"more": [(CRITICAL, True)]}}, State.NOT_VERIFIED, "limits that are not understood"),
        ({"leaf": {"more": [(CRITICAL, False)]}}, State.VERIFIED, ""),
        ({"inter": {"more": [(LIMITS, False)]}}, State.NOT_VERIFIED, "limits that are not understood"),
    ],
)
def test_certificates(model: Path, made: dict[str, Any], state: State, says: str) -> None:
    """A chain holds when each certificate is valid today and each issuer may issue; limits that are not understood are not passed over."""
    bundle, root = chained(model, **made)
    got, reason = seen(check(model, bundle, roots=root))
    assert got is state and says in reason


def test_certificates_of_strangers(model: Path) -> None:
    """A chain under another root of the same name fails; so does one whose parts do not belong together."""
    bundle, _ = chained(model)
    _, stranger = chained(model)
    assert "no certificate that you trust" in seen(check(model, bundle, roots=stranger))[1]
    key = new_key()
    lone = certificate("signer", key, "signer", key)
    assert check(model, sign(statement(model), key, chain_material(lone)), roots=stranger).state is State.FAILED
    assert check(model, sign(statement(model), key, chain_material(lone)), roots=pem(lone)).state is State.VERIFIED
    other = sign(statement(model), new_key(), chain_material(lone))
    assert "not by the key in its own certificate" in seen(check(model, other, roots=pem(lone)))[1]


def test_keyless(model: Path) -> None:
    """A keyless signature is not verified, and who it says has signed is shown as a claim; changed files still fail."""
    key = new_key()
    named = x509.SubjectAlternativeName([x509.RFC822Name("who@example.org")])
    issuer = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), b"\x0c\x07example")
    leaf = certificate("", key, "ca", new_key(), more=[(named, True), (issuer, False)])
    material = {"certificate": raw_bytes(leaf), "tlogEntries": [{"logIndex": "1"}]}
    verification = check(model, sign(statement(model), key, material)).verification
    assert verification is not None
    assert verification.state is State.NOT_VERIFIED and not verification.signer_checked and verification.compared
    assert verification.signer == "who@example.org, signed in at example"
    bundle = sign(statement(model), key, material)
    (model / "weights").write_text("others")
    assert check(model, bundle).state is State.FAILED
    assert check(model, sign(statement(model), key, {**material, "tlogEntries": []})).state is State.FAILED


def edited(edit: Callable[[Any], object]) -> Callable[[Path], Any]:
    """Return what signs a statement after `edit` changed it."""

    def make(model: Path) -> Any:
        said = copy.deepcopy(statement(model))
        edit(said)
        return sign(said, KEY)

    return make


def resource(**changes: Any) -> Callable[[Path], Any]:
    return edited(lambda said: said["predicate"]["resources"][0].update(changes))


@pytest.mark.parametrize(
    ("make", "state", "says"),
    [
        (edited(lambda said: said["subject"][0]["digest"].update(sha256="00")), State.FAILED, "contradicts itself"),
        (edited(lambda said: said["subject"].clear()), State.FAILED, "not about exactly one model"),
        (edited(lambda said: said["predicate"].update(resources=[])), State.FAILED, "is empty"),
        (edited(lambda said: said.update(_type="x")), State.FAILED, "not an in-toto Statement"),
        (edited(lambda said: said.update(predicateType="x")), State.FAILED, "something other"),
        (
            edited(lambda said: said.update(predicateType="https://model_signing/Digests/v0.1")),
            State.NOT_VERIFIED,
            "before version 0.3",
        ),
        (edited(lambda said: said["predicate"]["serialization"].update(method="x")), State.NOT_VERIFIED, "not known"),
        (edited(lambda said: said["predicate"]["serialization"].update(hash_type="md5")), State.NOT_VERIFIED, "md5"),
        (
            edited(lambda said: said["predicate"]["serialization"].update(method="shards", shard_size=0)),
            State.FAILED,
            "shard_size",
        ),
        (edited(lambda said: said["predicate"]["serialization"].update(ignore_paths="x")), State.FAILED, "ignore"),
        (
            edited(lambda said: said["predicate"]["resources"].append(said["predicate"]["resources"][0])),
            State.FAILED,
            "twice|contradicts",
        ),
        (resource(name="../../etc/passwd"), State.FAILED, "not a path inside"),
        (resource(name="/etc/passwd"), State.FAILED, "not a path inside"),
        (resource(name="a\0b"), State.FAILED, "not a path inside"),
        (resource(digest="zz"), State.FAILED, "not hexadecimal"),
        (resource(digest="00"), State.FAILED, "another kind"),
        (resource(algorithm="md5"), State.FAILED, "another kind"),
        (lambda model: sign(b"[" * 100_000, KEY), State.FAILED, "too deeply"),
        (lambda model: sign(b"[" + b"{}," * 2_000_000 + b"{}]", KEY), State.FAILED, "too many values"),
        (lambda model: sign(b'{"a": ' + b"9" * 5000 + b"}", KEY), State.FAILED, "not valid JSON"),
        (lambda model: sign(b"\xff", KEY), State.FAILED, "not valid JSON"),
    ],
)
def test_statements_that_break_the_rules(model: Path, make: Callable[[Path], Any], state: State, says: str) -> None:
    """A statement that breaks its format fails though its signature holds; one of an unknown kind is not verified."""
    got, reason = seen(check(model, make(model), key=public_pem(KEY)))
    assert got is state
    assert any(word in reason for word in says.split("|"))


def with_envelope(**changes: Any) -> Callable[[Any], Any]:
    return lambda bundle: {**bundle, "dsseEnvelope": {**bundle["dsseEnvelope"], **changes}}


@pytest.mark.parametrize(
    ("change", "state", "says"),
    [
        (lambda bundle: b"", State.NOT_VERIFIED, "not a Sigstore bundle"),
        (lambda bundle: b"-----BEGIN PGP SIGNATURE-----", State.NOT_VERIFIED, "not a Sigstore bundle"),
        (lambda bundle: b"\x80\x04N.", State.NOT_VERIFIED, "not a Sigstore bundle"),
        (lambda bundle: [], State.NOT_VERIFIED, "not a Sigstore bundle"),
        (lambda bundle: b"[" * 40_000, State.NOT_VERIFIED, "too deeply"),
        (lambda bundle: b"[" + b"[]," * 100_000 + b"[]]", State.NOT_VERIFIED, "too many values"),
        (lambda bundle: b" " * (bundles.MAX_BUNDLE_BYTES + 1), State.NOT_VERIFIED, "larger than any"),
        (lambda bundle: {**bundle, "mediaType": MEDIA_TYPE.replace("0.3", "9")}, State.NOT_VERIFIED, "another version"),
        (lambda bundle: {**bundle, "verificationMaterial": {}}, State.FAILED, "does not name one key"),
        (lambda bundle: {**bundle, "verificationMaterial": {"publicKey": {}}}, State.FAILED, "neither hint"),
        (
            lambda bundle: {**bundle, "verificationMaterial": {"x509CertificateChain": {"certificates": []}}},
            State.FAILED,
            "certificates",
        ),
        (
            lambda bundle: {
                **bundle,
                "verificationMaterial": {"x509CertificateChain": {"certificates": [{"rawBytes": "MAAA"}]}},
            },
            State.FAILED,
            "cannot be read",
        ),
        (with_envelope(signatures=[]), State.FAILED, "exactly one signature"),
        (with_envelope(signatures=[{"sig": "AA=="}, {"sig": "AA=="}]), State.FAILED, "exactly one signature"),
        (with_envelope(signatures=[{"sig": "AA=="}]), State.FAILED, "not by the key"),
        (with_envelope(signatures=[{"sig": "!"}]), State.FAILED, "not base64"),
        (with_envelope(payloadType="text/plain"), State.FAILED, "something other"),
    ],
)
def test_bundles_that_break_the_rules(model: Path, change: Callable[[Any], Any], state: State, says: str) -> None:
    """What is not a bundle is not verified; a bundle that breaks its format fails. Neither raises, whatever its size."""
    got, reason = seen(check(model, change(sign(statement(model), KEY)), key=public_pem(KEY)))
    assert got is state and says in reason


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (b"nonsense", "not a public key"),
        (b"-----BEGIN PRIVATE KEY-----", "a private key"),
        (public_pem(new_key(ec.SECP256K1())), "not a key that models are signed with"),
    ],
)
def test_keys_that_cannot_be_used(model: Path, key: bytes, says: str) -> None:
    """A key file that is none is the caller's mistake, and says so."""
    with pytest.raises(UsageError, match=says):
        check(model, sign(statement(model), KEY), key=key)


def test_signature_in_the_directory(model: Path) -> None:
    """`model.sig` is found by itself; a signature of another name in the directory does not count as one of its files."""
    bundle = json.dumps(sign(statement(model), KEY))
    plain = digest_model(model, now=NOW).root_digest
    (model / "model.sig").write_text(bundle)
    assert digest_model(model, now=NOW).state is State.NOT_VERIFIED
    (model / "model.sig").rename(model / "other.sig")
    digest = digest_model(model, now=NOW, signature=model / "other.sig")
    assert (digest.root_digest, digest.state) == (plain, State.NOT_VERIFIED)
    assert digest_model(model, now=NOW).root_digest != plain


GOOD = (SIGNED / "model" / "model.sig").read_bytes()
GOOD_CHAIN = (SIGNED / "certificate.sig").read_bytes()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([GOOD, GOOD_CHAIN]), st.integers(0, 3000), st.binary(min_size=1, max_size=8))
def test_any_change_of_a_bundle_is_told_not_raised(good: bytes, place: int, junk: bytes) -> None:
    """A bundle with bytes replaced anywhere is read, refused or unknown, and nothing else."""
    place %= len(good)
    changed = good[:place] + junk + good[place + len(junk) :]
    with contextlib.suppress(UnknownKind, BrokenBundle):
        read_manifest(read_bundle(changed).payload)


@pytest.mark.parametrize("step", range(7))
def test_no_changed_bundle_verifies_other_files(tmp_path: Path, step: int) -> None:
    """With one byte of the payload or the signature changed, a bundle is not verified any more."""
    bundle = json.loads(GOOD)
    for holder, name in ((bundle["dsseEnvelope"], "payload"), (bundle["dsseEnvelope"]["signatures"][0], "sig")):
        raw = bytearray(base64.b64decode(holder[name]))
        raw[step * len(raw) // 7] ^= 1
        other = copy.deepcopy(bundle)
        target = other["dsseEnvelope"] if name == "payload" else other["dsseEnvelope"]["signatures"][0]
        target[name] = base64.b64encode(raw).decode()
        signature = tmp_path / f"{name}.sig"
        signature.write_text(json.dumps(other))
        digest = digest_model(SIGNED / "model", now=NOW, signature=signature, public_key=SIGNED / "public-key.pem")
        assert digest.state is not State.VERIFIED


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
@pytest.mark.parametrize("is_directory", [True, False], ids=["folder", "file"])
def test_what_is_signed_here_verifies_here(tmp_path: Path, curve: ec.EllipticCurve, is_directory: bool) -> None:
    """A bundle that `making` wrote verifies against the same files, and no longer once one changed."""
    model = Path(shutil.copytree(SIGNED / "model", tmp_path / "model"))
    (model / "model.sig").unlink()
    path = model if is_directory else next(each for each in sorted(model.rglob("*")) if each.is_file())
    places = model_files(model) if is_directory else {path.name: path}
    key = new_key(curve)
    algorithm = hashes.SHA256() if isinstance(curve, ec.SECP256R1) else hashes.SHA384()
    signature, public = tmp_path / "a.sig", tmp_path / "key.pem"
    public.write_bytes(public_pem(key))
    signature.write_bytes(
        model_bundle(
            "model",
            {name: digest_file(place) for name, place in places.items()},
            is_directory=is_directory,
            allow_links=False,
            hint=fingerprint(key.public_key()),
            sign=lambda data: key.sign(data, ec.ECDSA(algorithm)),
        )
    )
    digest = digest_model(path, now=NOW, signature=signature, public_key=public)
    assert digest.state is State.VERIFIED and digest.verification is not None
    assert digest.verification.signed_digest == digest.root_digest
    next(iter(places.values())).write_bytes(b"changed")
    assert digest_model(path, now=NOW, signature=signature, public_key=public).state is State.FAILED
