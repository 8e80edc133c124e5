"""What all tables are made of: their one catalogue, and the types of digests, texts and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import MetaData, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class Instant(TypeDecorator[datetime]):
    """A time with its zone, kept as `2026-11-26T12:00:00.000000Z`."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text of a time. Raises `ValueError` for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the registry has a zone")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time of a text."""
        return None if value is None else datetime.fromisoformat(value).astimezone(UTC)


def key() -> String:
    """Return the type of a digest, which compares by code point."""
    return String(71).with_variant(String(71, collation="C"), "postgresql")


def words() -> Text:
    """Return the type of a text that is looked up by its beginning."""
    return Text().with_variant(Text(collation="C"), "postgresql")
