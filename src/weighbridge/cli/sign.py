"""`weighbridge sign`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.reading import reading
from weighbridge.cli.saying import say
from weighbridge.errors import UsageError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.dossier.statements.keys import PrivateKey

_PATH = click.Path(path_type=Path)
_SUFFIX = ".dsse.json"


@click.command(name="sign")
@click.argument("path", type=_PATH, metavar="[PATH]", required=False)
@click.option("--key", type=_PATH, metavar="FILE", help="Your private key (PEM): Ed25519, ECDSA P-256 or P-384.")
@click.option(
    "--valid-for",
    type=int,
    metavar="DAYS",
    default=183,
    show_default=True,
    help="How long a dossier's statements hold.",
)
@click.option(
    "--supersedes",
    type=_PATH,
    multiple=True,
    metavar="STATEMENT",
    help="A statement elsewhere that these take the place of; earlier ones in the dossier are named by themselves.",
)
@click.option("--sigstore", is_flag=True, help="Sign a dossier without a key, by sigstore: online, in a public log.")
@click.option("--new-key", type=_PATH, metavar="FILE", help="Make a key pair instead: FILE and FILE.pub.")
@click.option(
    "--kind",
    type=click.Choice(["ed25519", "p256", "p384"]),
    default="ed25519",
    show_default=True,
    help="The kind of the new key; a model's files need p256 or p384.",
)
def command(
    path: Path | None,
    key: Path | None,
    valid_for: int,
    supersedes: tuple[Path, ...],
    sigstore: bool,
    new_key: Path | None,
    kind: str,
) -> int:
    """Sign a dossier (in-toto statements in its folder), or a model's files (an OpenSSF Model Signing bundle).

    PATH is a dossier's folder, or a model's file or folder. The password of an encrypted key is asked for, or taken from
    WEIGHBRIDGE_KEY_PASSWORD, which a new key is then encrypted with. Exit codes: 0 signed, 2 usage, 4 the dossier cannot be signed.
    """
    if new_key is not None:
        if path is not None or key is not None or sigstore:
            raise UsageError("makes a key and does nothing else", where="--new-key", do="sign in a second command")
        return _make_key(new_key, kind)
    if path is None:
        raise UsageError("nothing to sign", do="give a dossier or a model, or --new-key FILE")
    if not path.is_file() and not path.is_dir():
        raise UsageError("is not there", where=str(path), do="check the path")
    if sigstore == (key is not None):
        raise UsageError("who signs?", where="--key", do="give either --key FILE or --sigstore")
    path = path.parent if path.name == "dossier.json" else path
    if (path / "dossier.json").exists():
        return _sign_dossier(path, key, valid_for, supersedes)
    if key is None:
        raise UsageError(
            "only dossiers are signed by sigstore here", where="--sigstore", do="use model_signing for models"
        )
    if supersedes:
        raise UsageError("a model's signature supersedes nothing", where="--supersedes", do="leave it out")
    return _sign_model(path, _private(key))


def _make_key(path: Path, kind: str) -> int:
    from weighbridge.dossier.statements.keys import PASSWORD_VARIABLE, KeyKind, new_key

    password = os.environ.get(PASSWORD_VARIABLE)
    public = new_key(path, KeyKind(kind), password)
    how = "encrypted" if password else f"not encrypted: set {PASSWORD_VARIABLE} beforehand to have it so"
    say(f"{shown(str(path), 4096)}: the private key ({how}); keep it to yourself")
    say(f"{shown(str(path), 4096)}.pub: the public key, to give away\n  {kind} key {public.keyid}")
    return MET


def _sign_dossier(path: Path, key: Path | None, valid_for: int, supersedes: tuple[Path, ...]) -> int:
    from weighbridge import __version__
    from weighbridge.dossier.statements import envelope, keyless
    from weighbridge.dossier.statements.signing import sign_dossier

    if not 1 <= valid_for <= 3_660:
        raise UsageError("statements hold for 1 to 3660 days", where="--valid-for", do="choose a number of days")
    made_by, now = f"weighbridge {__version__}", datetime.now(UTC)
    term = timedelta(days=valid_for)
    if key is not None:
        private = _private(key)
        written = sign_dossier(
            path,
            lambda payload: envelope.sign(payload, [private]),
            suffix=_SUFFIX,
            made_by=made_by,
            now=now,
            valid_for=term,
            supersedes=supersedes,
        )
        signer = f"{private.public.kind.value} key {private.public.keyid}"
    else:
        with keyless.online() as seal:
            written = sign_dossier(
                path,
                seal,
                suffix=keyless.SUFFIX,
                made_by=made_by,
                now=now,
                valid_for=term,
                supersedes=supersedes,
            )
        signer = "sigstore, in whose public log it now is"
    for each in written:
        say(shown(str(each), 4096))
    say(f"signed by {signer}\nvalid until {now + term:%Y-%m-%d}")
    return MET


def _sign_model(path: Path, private: PrivateKey) -> int:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from weighbridge.subject.manifest import hash_files
    from weighbridge.subject.model_files import SIGNATURE, model_files
    from weighbridge.subject.signing.making import model_bundle
    from weighbridge.subject.signing.trust import fingerprint

    public = private.public.key
    if not isinstance(public, EllipticCurvePublicKey):
        raise UsageError(
            "OpenSSF Model Signing has no Ed25519 keys",
            where="--key",
            do="make one with `weighbridge sign --new-key FILE --kind p256`",
        )
    is_directory = path.is_dir()
    places = model_files(path) if is_directory else {path.name: path}
    if not places:
        raise UsageError("holds no files", where=str(path), do="name the model's own directory")
    place = path / SIGNATURE if is_directory else path.with_name(path.name + ".sig")
    if os.path.lexists(place):
        raise UsageError("there is a signature already", where=str(place), do="move it away first: it may be another's")
    with reading(path) as told:
        hashed = hash_files(places, lambda what, done, total: told(done, total))
    data = model_bundle(
        path.resolve().name,
        {file.path: file.digest for file in hashed},
        is_directory=is_directory,
        allow_links=is_directory and any((path / name).is_symlink() for name in places),
        hint=fingerprint(public),
        sign=private.sign,
    )
    _write_new(place, data)
    say(f"{shown(str(place), 4096)}\nsigned by {private.public.kind.value} key sha256:{fingerprint(public)}")
    return MET


def _private(key: Path) -> PrivateKey:
    from weighbridge.dossier.statements.keys import read_private_key

    return read_private_key(key, _ask_password)


def _ask_password() -> str | None:
    from weighbridge.dossier.statements.keys import PASSWORD_VARIABLE

    if (known := os.environ.get(PASSWORD_VARIABLE)) is not None:
        return known
    if not sys.stdin.isatty():
        return None
    asked: str = click.prompt("Password of the key", hide_input=True, err=True)
    return asked


def _write_new(place: Path, data: bytes) -> None:
    """Write a file whole or not at all, and never in another's place."""
    part = place.with_name(f".{place.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, place)
    except OSError as error:
        raise UsageError(
            f"the signature cannot be written ({error.strerror})", where=str(place), do="check space and permissions"
        ) from error
    finally:
        part.unlink(missing_ok=True)
