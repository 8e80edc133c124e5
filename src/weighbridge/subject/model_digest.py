"""A model's digest, and its signature verified when it has one: what `weighbridge digest` prints."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from weighbridge.errors import SubjectError, UsageError
from weighbridge.subject.manifest import Progress, hash_files
from weighbridge.subject.model_files import SIGNATURE, model_files
from weighbridge.subject.roots import hash_in_turn, root_of
from weighbridge.subject.signing.bundle import MAX_BUNDLE_BYTES
from weighbridge.subject.signing.comparison import Found, Told
from weighbridge.subject.signing.trust import State, Trust
from weighbridge.subject.signing.verification import Verification, verify

_MAX_TRUST_BYTES = 4 << 20


@dataclass(frozen=True)
class ModelDigest:
    """`root_digest` as OpenSSF Model Signing has it. `file_digest` is the SHA-256 of a model that is one file, else None.

    `digest_by_name` is the root digest in the order that the specification's text asks for, where that is another than the
    reference implementation's; else None. `signature` and `verification` are None when there is no signature.
    """

    root_digest: str
    file_digest: str | None
    digest_by_name: str | None
    files: int
    size_bytes: int
    signature: Path | None
    verification: Verification | None
    notes: tuple[str, ...]

    @property
    def state(self) -> State | None:
        """What is known of the signature; None when there is none."""
        return self.verification.state if self.verification else None


def digest_model(
    path: Path,
    *,
    now: datetime,
    signature: Path | None = None,
    public_key: Path | None = None,
    certificates: Path | None = None,
    progress: Progress | None = None,
) -> ModelDigest:
    """Return the digest of the file or directory at `path`, and what its signature says.

    The signature is `signature`, else `model.sig` in the directory. Raises `UsageError` for a path or a key that cannot be used,
    `SubjectError` when not every file can be counted, `OSError` when one cannot be read.
    """
    root = path if path.is_dir() else None
    signature_names = {SIGNATURE} | (
        {name} if signature and root and (name := _name_inside(root, signature)) else set()
    )
    if root is not None:
        places = model_files(root, signature_names)
        if not places:
            raise SubjectError("holds no files", where=str(path), do="name the model's own directory")
    else:
        _check_regular(path)
        places = {path.name: path}
    if signature is None and root is not None and (root / SIGNATURE).is_file():
        signature = root / SIGNATURE
    trust = Trust(_read(public_key), _read(certificates))
    data = _read(signature, MAX_BUNDLE_BYTES)

    hashed = hash_files(places, progress)
    digests = {file.path: file.digest for file in hashed}
    root_digest = root_of(digests)
    by_name = hash_in_turn(digests[name] for name in sorted(digests))
    verification = None
    if data is not None:
        verification = verify(data, Found(places, digests, root), trust, now, _told(progress))
    return ModelDigest(
        root_digest=root_digest,
        file_digest=None if root else hashed[0].digest,
        digest_by_name=by_name if by_name != root_digest else None,
        files=len(hashed),
        size_bytes=sum(file.size_bytes for file in hashed),
        signature=signature,
        verification=verification,
        notes=_notes(places, root),
    )


def _notes(places: dict[str, Path], root: Path | None) -> tuple[str, ...]:
    notes = []
    if root is not None:
        links = sum((root / name).is_symlink() for name in places)
        if links:
            notes.append(f"{links:,} files are links and were followed: model_signing needs --allow_symlinks for them")
        if any(name.startswith(".cache/") for name in places):
            notes.append(
                ".cache counts, and the tool that fetched the model keeps times in it: remove it to compare copies"
            )
    return tuple(notes)


def _name_inside(root: Path, signature: Path) -> str | None:
    """Return the name of `signature` in the directory `root`, None when it lies elsewhere."""
    place = signature.parent.resolve() / signature.name
    real = root.resolve()
    return place.relative_to(real).as_posix() if place.is_relative_to(real) else None


def _check_regular(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error
    if not stat.S_ISREG(mode):
        raise UsageError("neither a file nor a directory", where=str(path), do="check the path")


def _read(path: Path | None, max_bytes: int = _MAX_TRUST_BYTES) -> bytes | None:
    """Return a file's bytes, at most one more than `max_bytes`."""
    if path is None:
        return None
    _check_regular(path)
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), do="check the path") from error


def _told(progress: Progress | None) -> Told:
    done = 0

    def told(size_bytes: int) -> None:
        nonlocal done
        done += size_bytes
        if progress is not None:
            progress("reading the files as they were signed", done, None)

    return told
