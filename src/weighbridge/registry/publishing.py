"""What changes a registry: publish, revoke, answer, trust. Each is one transaction, and in it is its entry in the audit log.

Nothing here deletes, and nothing lets an author close a result: a statement supersedes only statements of the same known signer, revoking is a
maintainer's and gives a reason, and an answer stands beside a result.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from weighbridge.digests import digest_bytes, digest_json
from weighbridge.dossier.statements.keys import MAX_KEY_BYTES, PublicKey, public_key
from weighbridge.errors import UsageError
from weighbridge.registry.admission import Admitted, admit
from weighbridge.registry.asked import Published
from weighbridge.registry.audit import last_entry, note
from weighbridge.registry.lineage.keeping import count_mark, marked_in, write_mark
from weighbridge.registry.rankings.rows import know_rates, rated_in, write_rates
from weighbridge.registry.store import Store
from weighbridge.registry.tables import (
    answers,
    blobs,
    label_key,
    name_key,
    publication_files,
    publications,
    revocations,
    signers,
    supersessions,
    weights,
)
from weighbridge.registry.upload import Upload
from weighbridge.subject.shown import shown

MAX_TEXT = 10_000
MAX_WHO = 200

_BATCH = 500


@dataclass(frozen=True)
class Signer:
    """A key that the registry trusts, under a name for people."""

    keyid: str
    name: str
    pem: str
    trusted_at: datetime


def publish(store: Store, upload: Upload, *, by: str) -> Published:
    """Store a dossier whole or not at all. The same one again changes nothing.

    `by` is who hands it in, for the audit log. Raises `NotAdmitted` when it does not hold, `RegistryError` when the database fails.
    """
    by = _who(by)
    now = store.clock()
    with store.reading() as connection:
        keys = trusted(connection)
    found = admit(upload, keys, now)
    results = rated_in(upload.files)
    descent = marked_in(upload.files) if found.root is not None else None
    packed = {digest_bytes(data): (len(data), zlib.compress(data, 6)) for data in upload.files.values()}
    subject = subject_of(found.root, found.provider, found.name)
    of = {"publication": found.envelope, "statement": found.statement, "dossier": found.dossier, "signer": found.signer}
    with store.writing() as connection:
        row = connection.execute(
            select(publications.c.signer_known, publications.c.signer).where(publications.c.envelope == found.envelope)
        ).first()
        if row is None:
            _insert(connection, found, upload, packed, now=now)
            write_rates(connection, found.envelope, subject, results)
            if descent is not None:
                write_mark(connection, found.envelope, found.root or "", descent)
            if found.signer_known:
                know_rates(connection, found.envelope)
            note(connection, now, "published" if found.signer_known else "published unverified", by, subject, of)
        elif found.signer_known and not row.signer_known:
            changes = {"signer": found.signer, "signer_known": True}
            connection.execute(update(publications).where(publications.c.envelope == found.envelope).values(**changes))
            _supersede(connection, found)
            know_rates(connection, found.envelope)
            note(connection, now, "verified", by, subject, of)
        else:
            return _told(found.envelope, subject, row.signer, row.signer_known, is_new=False)
        if found.signer_known:
            count_mark(connection, found.envelope, last_entry(connection))
    return _told(found.envelope, subject, found.signer, found.signer_known, is_new=row is None)


def trust(store: Store, key: PublicKey, *, name: str, by: str) -> bool:
    """Trust a signer's key from now on, under a name for people; return whether it was not trusted before.

    What this signer published before stays "not known here" until it is published again, which then checks its signature.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    name, by = _text(name, "name", MAX_WHO), _who(by)
    pem = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with store.writing() as connection:
        now = store.clock()
        if connection.execute(select(signers.c.keyid).where(signers.c.keyid == key.keyid)).first():
            return False
        connection.execute(insert(signers).values(keyid=key.keyid, pem=pem, name=name, trusted_at=now))
        note(connection, now, "trusted", by, None, {"key": key.keyid})
    return True


def trusted(connection: Connection) -> list[PublicKey]:
    """Return the keys that the registry trusts."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return [public_key(load_pem_public_key(pem.encode())) for (pem,) in connection.execute(select(signers.c.pem))]


def trust_pem(store: Store, pem: str, *, name: str, by: str) -> PublicKey:
    """Trust the public key in a PEM text, as `trust` does, and return it. Raises `UsageError` for what is none, or is trusted already."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY" in pem:
        told = "give the public key, and make a new pair: this one has been shown to others"
        raise UsageError("this is a private key, and it was not kept", where="key", do=told)
    try:
        key = public_key(load_pem_public_key(pem[:MAX_KEY_BYTES].strip().encode()), "key")
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError("not a public key in PEM", where="key", do="paste the signer's .pub file whole") from None
    if not trust(store, key, name=name, by=by):
        raise UsageError("this key is trusted already", where=key.keyid, do="a trusted key keeps its name")
    return key


def signers_of(connection: Connection) -> list[Signer]:
    """Return who is trusted, by name."""
    rows = connection.execute(select(signers).order_by(signers.c.name, signers.c.keyid))
    return [Signer(row.keyid, row.name, row.pem, row.trusted_at) for row in rows]


def revoke(store: Store, publication: str, *, by: str, reason: str) -> None:
    """Mark a publication as revoked, with the reason that everybody sees. It stays. Who may do so is the caller's to check.

    Raises `UsageError` when there is none, or it is revoked already.
    """
    by, reason = _who(by), _text(reason, "reason")
    with store.writing() as connection:
        subject = _subject(connection, publication)
        if connection.execute(select(revocations.c.at).where(revocations.c.envelope == publication)).first():
            raise UsageError("is revoked already", where=publication, do="what was said once is not changed")
        now = store.clock()
        connection.execute(insert(revocations).values(envelope=publication, by=by, reason=reason, at=now))
        of = {"publication": publication, "reason": digest_bytes(reason.encode())}
        note(connection, now, "revoked", by, subject, of)


def answer(store: Store, publication: str, *, by: str, text: str) -> str:
    """Put an author's words beside a result, for ever; return the digest that names them. The result stays as it is.

    Raises `UsageError` when there is no such publication, or the words are none or too many.
    """
    by, text = _who(by), _text(text, "text")
    with store.writing() as connection:
        subject, now = _subject(connection, publication), store.clock()
        digest = digest_json({"publication": publication, "by": by, "text": text})
        if not connection.execute(select(answers.c.digest).where(answers.c.digest == digest)).first():
            connection.execute(insert(answers).values(digest=digest, envelope=publication, by=by, text=text, at=now))
            note(connection, now, "answered", by, subject, {"publication": publication, "answer": digest})
    return digest


def subject_of(root: str | None, provider: str | None, name: str | None) -> str:
    """Return what a publication is about: the root digest, or `closed:` and a closed model's key."""
    return root if root is not None else "closed:" + name_key(provider or "", name or "")


def _insert(
    connection: Connection, found: Admitted, upload: Upload, packed: dict[str, tuple[int, bytes]], *, now: object
) -> None:
    there = set(connection.execute(select(blobs.c.digest).where(blobs.c.digest.in_(list(packed)))).scalars())
    for digest, (size, data) in packed.items():
        if digest not in there:
            connection.execute(insert(blobs).values(digest=digest, size_bytes=size, data=data))
    closed = found.root is None
    connection.execute(
        insert(publications).values(
            envelope=found.envelope,
            statement=found.statement,
            dossier=found.dossier,
            root=found.root,
            label=found.facts.label,
            label_key=label_key(found.facts.label),
            provider=found.provider,
            name=found.name,
            name_key=name_key(found.provider or "", found.name or "") if closed else None,
            weighed_at=found.facts.weighed_at,
            made_at=found.made_at,
            valid_until=found.valid_until,
            published_at=now,
            signer=found.signer,
            signer_known=found.signer_known,
            facts=found.facts.model_dump_json(),
        )
    )
    files = [
        {"envelope": found.envelope, "name": name, "blob": digest_bytes(data)} for name, data in upload.files.items()
    ]
    connection.execute(insert(publication_files), files)
    if found.weights:
        rows = [{"digest": digest, "envelope": found.envelope} for digest in found.weights]
        connection.execute(insert(weights), rows)
    _supersede(connection, found)


def _supersede(connection: Connection, found: Admitted) -> None:
    """Note what a known signer's statement takes the place of. It counts for that signer's own statements alone (`lookup`)."""
    if not found.signer_known:
        return
    older: Sequence[str] = sorted(set(found.supersedes))
    for at in range(0, len(older), _BATCH):
        batch = older[at : at + _BATCH]
        there = set(
            connection.execute(
                select(supersessions.c.older).where(
                    supersessions.c.newer == found.statement,
                    supersessions.c.signer == found.signer,
                    supersessions.c.older.in_(batch),
                )
            ).scalars()
        )
        if rows := [
            {"older": one, "newer": found.statement, "signer": found.signer} for one in batch if one not in there
        ]:
            connection.execute(insert(supersessions), rows)


def _told(publication: str, subject: str, signer: str, signer_known: bool, *, is_new: bool) -> Published:
    return Published(publication=publication, subject=subject, signer=signer, signer_known=signer_known, new=is_new)


def _subject(connection: Connection, publication: str) -> str:
    table = publications.c
    row = connection.execute(
        select(table.root, table.provider, table.name).where(table.envelope == publication)
    ).first()
    if row is None:
        raise UsageError("no such publication", where=shown(publication), do="`weighbridge lookup` lists them")
    return subject_of(row.root, row.provider, row.name)


def _who(by: str) -> str:
    return _text(by, "name of who does this", MAX_WHO)


def _text(text: str, what: str, limit: int = MAX_TEXT) -> str:
    text = text.strip()
    if not text or len(text) > limit or "\x00" in text:
        raise UsageError(f"the {what} has 1 to {limit:,} letters", do="write it again")
    return text
