"""What a first page lists: newest first, by how a name begins, and without reading the whole registry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from tests.registry.databases import NOW, Clock, model, opened, put, signed
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.latest import how_many, named, newest
from weighbridge.registry.notices import Standing
from weighbridge.registry.publishing import revoke, trust
from weighbridge.registry.store import Store
from weighbridge.registry.tables import publications
from weighbridge.registry.tables.published import label_key


def test_the_newest_come_first_with_what_has_become_of_them(
    store: Store, clock: Clock, tmp_path: Path, key: PrivateKey
) -> None:
    """At most as many as asked for; a revoked one says so."""
    trust(store, key.public, name="Evaluator", by="test")
    made = []
    for number in range(3):
        clock.now = NOW + timedelta(minutes=number)
        made.append(put(store, signed(tmp_path / str(number), key, model(f"Model {number}"))).publication)
    revoke(store, made[1], by="maintainer", reason="wrong")
    with store.reading() as connection:
        found = newest(connection, clock.now)
        assert [each.publication for each in found] == made[::-1]
        assert [each.stands for each in found] == [Standing.CURRENT, Standing.REVOKED, Standing.CURRENT]
        assert len(newest(connection, clock.now, 2)) == 2 and how_many(connection) == 3
        later = newest(connection, NOW + timedelta(days=1000))
        assert {each.stands for each in later} == {Standing.EXPIRED, Standing.REVOKED}


def test_a_model_is_found_by_how_its_label_begins(store: Store, tmp_path: Path, key: PrivateKey) -> None:
    """Whatever the case and the spaces, known signers first; nothing typed finds nothing; no letter is a pattern."""
    put(store, signed(tmp_path / "a", key, model("SmolLM2  135M %_")))
    trust(store, key.public, name="Evaluator", by="test")
    put(store, signed(tmp_path / "b", key, model("SMOLLM2 360M é")))
    put(store, signed(tmp_path / "c", key, model("Other")))
    with store.reading() as connection:

        def labels(text: str) -> list[str]:
            return [each.label for each in named(connection, text, NOW)]

        assert labels("smollm2") == ["SMOLLM2 360M é", "SmolLM2  135M %_"]
        assert labels("smollm2 135m %_") == ["SmolLM2  135M %_"]
        assert labels("SmolLM2 360M É") == ["SMOLLM2 360M é"]
        for nothing in ("", " ", "/", "%", "_", "135m", "smollm2\U0010ffff", "\0", "zzz", "x" * 10_000):
            assert labels(nothing) == [], nothing


def test_a_list_goes_through_an_index(tmp_path: Path) -> None:
    """SQLite's own plan: the newest and the named are read from an index, and no more of them than are shown."""
    asked: list[tuple[str, object]] = []
    with opened(f"sqlite:///{tmp_path / 'plan.db'}") as store:
        event.listen(
            store.engine, "before_cursor_execute", lambda _, __, said, given, *___: asked.append((said, given))
        )
        with store.reading() as connection:
            newest(connection, NOW)
            named(connection, "a/b", NOW)
        questions = [each for each in asked if each[0].startswith("SELECT") and "FROM publications" in each[0]]
        assert len(questions) == 3
        with store.reading() as connection:
            for said, given in questions:
                plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + said, given).all()
                steps = [row[3] for row in plan]
                assert all("USING INDEX" in step for step in steps), steps


@pytest.mark.parametrize("label", ["x" * 100_000, "\U0001f600" * 5_000, "ﬃ" * 300])
def test_a_long_label_fits_both_databases_indexes(store: Store, label: str) -> None:
    """PostgreSQL's index takes 2,704 bytes a row."""
    row = {column.name: "x" for column in publications.columns}
    times = dict.fromkeys(("weighed_at", "made_at", "valid_until", "published_at"), NOW)
    whole = {**row, **times, "signer_known": False, "label": label, "label_key": label_key(label), "name_key": None}
    with store.writing() as connection:
        connection.execute(insert(publications).values(**whole))
