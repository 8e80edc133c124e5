"""The short way to a notice: the same bytes as the long one, whatever happened, and never stale."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from tests.registry.databases import NOW
from tests.registry.test_lookup import facts
from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.registry import quick
from weighbridge.registry.audit import note
from weighbridge.registry.lookup import notice_of
from weighbridge.registry.notices import Answer, Facts
from weighbridge.registry.publishing import answer, revoke
from weighbridge.registry.quick import Notices, notice_json
from weighbridge.registry.store import Store
from weighbridge.registry.tables import audit, metadata, publications, supersessions, weights

ROOTS = [digest_bytes(f"root {number}".encode()) for number in range(3)]
FILES = [digest_bytes(f"file {number}".encode()) for number in range(3)]
ASKED = [*ROOTS, *FILES, digest_bytes(b"nothing")]
TIMES = [NOW, NOW + timedelta(days=10), NOW + timedelta(days=10, microseconds=1), NOW + timedelta(days=20, seconds=1)]
WORDS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    str.strip
)


def long_way(store: Store, digest: str, at: datetime) -> bytes:
    with store.reading() as connection:
        return notice_of(connection, digest, at).model_dump_json(by_alias=True).encode()


def put(store: Store, data: Callable[[st.SearchStrategy], object], number: int) -> None:  # type: ignore[type-arg]
    """Put a publication in as publishing does, with what `data` draws."""
    name = digest_bytes(f"publication {number}".encode())
    root = data(st.sampled_from(ROOTS))
    known, signer = data(st.booleans()), data(st.sampled_from(["one", 'two "\\', "drei ü\u2028"]))
    said: Facts = facts(data(st.sampled_from(list(Answer)))).model_copy(  # type: ignore[arg-type]
        update={"label": data(WORDS), "weight_files": data(st.sampled_from([0, 1, 1, 2, 11]))}
    )
    with store.writing() as connection:
        made_at = NOW + timedelta(microseconds=data(st.sampled_from([0, 1, 120_000, 1_000_000])))  # type: ignore[arg-type]
        row = {
            "envelope": name,
            "statement": digest_bytes(f"statement {number}".encode()),
            "dossier": name,
            "root": root,
            "label": said.label,
            "provider": data(st.none() | WORDS),
            "name": data(st.none() | WORDS),
            "weighed_at": NOW,
            "made_at": made_at,
            "valid_until": data(st.sampled_from(TIMES[1:3])),
            "published_at": NOW,
            "signer": signer,
            "signer_known": known,
            "facts": said.model_dump_json(),
        }
        connection.execute(insert(publications).values(row))
        for file in data(st.sets(st.sampled_from(FILES))):  # type: ignore[attr-defined]
            connection.execute(insert(weights).values(digest=file, envelope=name))
        for older in data(st.sets(st.integers(0, number))) if known else ():  # type: ignore[attr-defined]
            statement = digest_bytes(f"statement {older}".encode())
            connection.execute(insert(supersessions).values(older=statement, newer=row["statement"], signer=signer))
        note(connection, NOW, "published" if known else "published unverified", "test", str(root), {})


@pytest.mark.parametrize("most", [quick.MOST_ENTRIES, 2])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # with a database in it, shrinking takes minutes
)
@given(st.data())
def test_the_short_way_gives_the_bytes_of_the_long_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int, data: st.DataObject
) -> None:
    """Whatever was published, revoked, answered, superseded, verified or is lacking: each byte, at each time, kept or not."""
    monkeypatch.setattr(quick, "MOST_ENTRIES", most)
    with store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not audit:
                connection.execute(delete(table))
        connection.execute(delete(audit).where(audit.c.number > 0))
    notices = Notices(store)
    for number in range(data.draw(st.integers(0, 4), "publications")):
        put(store, data.draw, number)
        name = digest_bytes(f"publication {data.draw(st.integers(0, number))}".encode())
        match data.draw(st.sampled_from(["", "", "revoke", "answer", "verify", "lose"])):
            case "revoke":
                with suppress(UsageError):  # revoked already
                    revoke(store, name, by=data.draw(WORDS), reason=data.draw(WORDS))
            case "answer":
                for _ in range(2):
                    answer(store, name, by=data.draw(WORDS), text=data.draw(WORDS))
            case "verify":
                with store.writing() as connection:
                    root = connection.execute(
                        select(publications.c.root).where(publications.c.envelope == name)
                    ).scalar()
                    connection.execute(
                        update(publications).where(publications.c.envelope == name).values(signer_known=True)
                    )
                    note(connection, NOW, "verified", "test", root, {})
            case "lose":
                with store.writing() as connection:
                    note(connection, NOW, "published", "test", data.draw(st.sampled_from(ASKED)), {})
        for at in (TIMES[0], TIMES[2]):
            expected = [long_way(store, digest, at) for digest in ASKED]
            for _ in range(2):
                with store.driver() as driver:
                    assert [each.at(at) for each in notices.several(driver, ASKED, at)] == expected
            assert notice_json(store, ASKED[0], at) == expected[0]


@pytest.mark.parametrize("kind", ["sqlite"])  # PostgreSQL's plan depends on how many rows there are
def test_the_one_question_goes_through_indexes(store: Store, kind: str) -> None:
    """SQLite's plan of it has no scan of a table; it is asked of each digest."""
    with store.driver() as driver:
        for question in (quick._SQLITE, quick._KNOWN_IN_SQLITE):
            plan = [row[3] for row in driver.fetch("EXPLAIN QUERY PLAN " + question, (ROOTS[0],))]
            assert plan and not [step for step in plan if step.startswith("SCAN") and "CONSTANT" not in step], plan
