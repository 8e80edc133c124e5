"""Users, passkeys, tokens, sessions and one-time links.

What opens a door (a token, a session, a link) is kept as the SHA-256 of 32 random bytes, never itself: whoever reads these rows opens nothing.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from weighbridge.registry.tables.columns import Instant, key, metadata, words

users = Table(
    "users",
    metadata,
    Column("name", words(), primary_key=True),
    Column("handle", key(), nullable=False, unique=True),  # what an authenticator keeps in place of the name
    Column("role", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
)
passkeys = Table(
    "passkeys",
    metadata,
    Column("digest", key(), primary_key=True),  # of the credential's id
    Column("user", words(), ForeignKey("users.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("credential", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("passkeys_by_user", "user"),
)
identities = Table(
    "identities",
    metadata,
    Column("digest", key(), primary_key=True),  # of issuer and subject
    Column("user", words(), ForeignKey("users.name"), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("identities_by_user", "user"),
)
tokens = Table(
    "tokens",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("user", words(), ForeignKey("users.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("tokens_by_user", "user"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("user", words(), ForeignKey("users.name"), nullable=False),
    Column("how", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("sessions_by_user", "user"),
)
links = Table(
    "links",
    metadata,
    Column("digest", key(), primary_key=True),
    Column("user", words(), ForeignKey("users.name")),  # null: the first maintainer's, who chooses a name
    Column("by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("links_by_user", "user"),
)
steps = Table(
    "steps",  # of signing in: the challenges that were answered, so that none is answered twice
    metadata,
    Column("digest", key(), primary_key=True),
    Column("expires_at", Instant, nullable=False),
    Index("steps_by_expiry", "expires_at"),
)
seals = Table(
    "seals",  # the key by which a challenge that comes back is known as this service's own
    metadata,
    Column("name", String(20), primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
