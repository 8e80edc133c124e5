"""`weighbridge user`: adding, listing, changing and keeping out, and the one-time link that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_registry import run
from weighbridge.cli import user
from weighbridge.errors import UsageError
from weighbridge.registry.accounts.links import find_link
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.store import open_store


@pytest.fixture
def db(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'registry.db'}"


def secret_in(said: str) -> str:
    return said.strip().rpartition("#")[2]


def test_adding_somebody_prints_a_link_that_is_good(db: str) -> None:
    code, said = run(user.command, "add", "grace", "--role", "researcher", "--db", db, "--origin", "https://w.example")
    assert code == 0
    assert "https://w.example/join#" in said
    store = open_store(db)
    with store.reading() as connection:
        link = find_link(connection, secret_in(said), store.clock())
        assert (link.user, link.role) == ("grace", Role.RESEARCHER)
        verify_audit(connection)
    _, listed = run(user.command, "list", "--db", db)
    assert listed.split()[:2] == ["grace", "researcher"]
    assert "has a link that waits" in listed
    store.close()


def test_without_a_database_it_is_the_one_that_serve_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    run(user.command, "add", "grace", "--role", "tester")
    assert (tmp_path / "weighbridge" / "registry.db").is_file()
    assert run(user.command, "list")[1].startswith("grace")


def test_a_new_link_takes_the_place_of_the_old_one_and_disabling_ends_it(db: str) -> None:
    old = secret_in(run(user.command, "add", "grace", "--role", "tester", "--db", db)[1])
    new = secret_in(run(user.command, "link", "grace", "--db", db)[1])
    store = open_store(db)
    with store.reading() as connection:
        with pytest.raises(UsageError, match="cannot be used"):
            find_link(connection, old, store.clock())
        find_link(connection, new, store.clock())
    run(user.command, "disable", "grace", "--db", db)
    with store.reading() as connection, pytest.raises(UsageError, match="cannot be used"):
        find_link(connection, new, store.clock())
    assert "disabled since" in run(user.command, "list", "--db", db)[1]
    store.close()


def test_roles_change_and_a_user_who_is_not_there_is_told(db: str) -> None:
    run(user.command, "add", "grace", "--role", "tester", "--db", db)
    run(user.command, "role", "grace", "visitor", "--db", db)
    run(user.command, "sign-out", "grace", "--db", db)
    run(user.command, "sign-out", "--all", "--db", db)
    assert "visitor" in run(user.command, "list", "--db", db)[1]
    for arguments in (("role", "eve", "visitor"), ("disable", "eve"), ("link", "eve"), ("sign-out", "eve")):
        with pytest.raises(UsageError, match="no such user"):
            run(user.command, *arguments, "--db", db)


@pytest.mark.parametrize("name", ["Ada", "", "a b", "registry", "x" * 41, "аda", "../x", "-x"])
def test_what_is_no_name_is_refused(db: str, name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        run(user.command, "add", "--role", "tester", "--db", db, "--", name)


def test_a_wrong_origin_is_told_before_anything_is_written(db: str) -> None:
    with pytest.raises(UsageError, match="not an origin"):
        run(user.command, "add", "grace", "--role", "tester", "--db", db, "--origin", "weighbridge.example")
    with pytest.raises(UsageError, match="no registry"):
        run(user.command, "list", "--db", db)
