"""API tokens, and what maintainers do with users."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import func, update

from tests.registry.databases import Clock
from tests.web.accounts.browser import Browser
from tests.web.accounts.conftest import Opened
from tests.web.accounts.test_joining import invited
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.audit import note
from weighbridge.registry.tables import audit
from weighbridge.web.site import Site


def new_token(browser: Browser, role: str = "maintainer", days: int = 30, name: str = "CI") -> str:
    page = browser.form("/account/tokens", name=name, role=role, days=str(days))
    found = re.search(r"wbt_[A-Za-z0-9_-]{43}", page.text)
    assert found is not None, page.text
    return found[0]


def asks(browser: Browser, token: str) -> Any:
    """Who a program with that token is."""
    bare = Browser(browser.client.app, browser.origin)  # type: ignore[arg-type]
    answer = bare.client.get("/api/v1/me", headers={"authorization": f"Bearer {token}"})
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_a_token_is_shown_once_and_does_what_it_was_made_for(maintainer: Browser, clock: Clock) -> None:
    token = new_token(maintainer, "tester", days=7)
    assert asks(maintainer, token) == {"name": "ada", "role": "tester", "is_token": True}
    assert token not in maintainer.get("/account").text
    assert asks(maintainer, token[:-1] + ("a" if token[-1] != "a" else "b")) == 401
    assert asks(maintainer, "") == 401
    clock.now += timedelta(days=7)
    assert asks(maintainer, token) == 401


def test_a_token_that_does_not_hold_is_told_and_not_taken_for_nobody(maintainer: Browser) -> None:
    """A program whose token has ended must not go on as a visitor, on a page that is open to all either."""
    answer = maintainer.client.get("/sign-in", headers={"authorization": "Bearer " + "x" * 43})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_revoking_and_disabling_end_a_token_at_once(maintainer: Browser, browser: Opened, site: Site) -> None:
    grace = browser()
    grace.join(invited(site, "grace"))
    token, other = new_token(grace, "tester"), new_token(grace, "visitor")
    [first, *_] = re.findall(r'action="(/account/tokens/[0-9a-f]{64}/revoke)"', grace.get("/account").text)
    assert grace.form(first).status_code == 303
    assert sorted(str(asks(grace, each))[:3] for each in (token, other)) == ["401", "{'n"]
    assert maintainer.form("/users/grace/disable").status_code == 303
    assert [asks(grace, each) for each in (token, other)] == [401, 401]
    assert (grace.name, grace.sign_in().status_code) == (None, 400)
    assert maintainer.form("/users/grace/enable").status_code == 303
    # What ended stays ended; the passkey is good again.
    assert ([asks(grace, each) for each in (token, other)], grace.name) == ([401, 401], None)
    assert (grace.sign_in().status_code, grace.name) == (200, "grace")


def test_a_token_is_never_above_its_owner(maintainer: Browser, browser: Opened, site: Site) -> None:
    """Neither when it is made, nor later when its owner has become less."""
    grace = browser()
    grace.join(invited(site, "grace", Role.RESEARCHER))
    assert grace.form("/account/tokens", name="x", role="maintainer", days="30").status_code == 400
    token = new_token(grace, "researcher")
    maintainer.form("/users/grace/role", "/users", role="visitor")
    assert asks(grace, token)["role"] == "visitor"
    assert grace.role == "visitor"
    maintainer.form("/users/grace/role", "/users", role="maintainer")
    assert asks(grace, token)["role"] == "researcher"


def test_a_token_makes_no_tokens_and_manages_nobody(maintainer: Browser) -> None:
    """A stolen token keeps no thief in."""
    headers = {"authorization": f"Bearer {new_token(maintainer)}"}
    bare = Browser(maintainer.client.app, maintainer.origin)  # type: ignore[arg-type]
    for path, fields in (
        ("/account/tokens", {"name": "x", "role": "visitor", "days": "1"}),
        ("/account/passkeys/options", {}),
        ("/users", {"name": "eve", "role": "maintainer"}),
        ("/users/ada/link", {}),
        ("/account/sign-out-everywhere", {}),
    ):
        assert bare.client.post(path, data=fields, headers=headers).status_code == 403, path
    assert bare.client.get("/users", headers=headers).status_code == 403


def test_maintainers_add_users_and_others_do_not_see_them(maintainer: Browser, browser: Opened, site: Site) -> None:
    added = maintainer.form("/users", "/users", name="grace", role="researcher")
    found = re.search(r"http://testserver/join#[A-Za-z0-9_-]{43}", added.text)
    assert found is not None
    grace = browser()
    assert grace.join(found[0]).status_code == 200
    assert found[0] not in maintainer.get("/users").text
    for path in ("/users", "/audit"):
        assert (grace.get(path).status_code, browser().get(path).status_code) == (403, 401)
    assert grace.form("/users", "/account", name="eve", role="maintainer").status_code == 403
    assert maintainer.form("/users", "/users", name="grace", role="tester").status_code == 400
    assert maintainer.form("/users", "/users", name="Gra ce", role="tester").status_code == 400


def test_the_last_maintainer_stays(maintainer: Browser, browser: Opened, site: Site) -> None:
    """One who has been invited and never came in does not count: nobody else could sign in."""
    link = invited(site, "grace", Role.MAINTAINER)
    assert maintainer.form("/users/ada/disable").status_code == 400
    assert maintainer.form("/users/ada/role", role="tester").status_code == 400
    assert "the last maintainer stays" in maintainer.get("/users").text
    grace = browser()
    grace.join(link)
    assert maintainer.form("/users/ada/role", role="tester").headers["location"] == "/account"
    assert maintainer.role == "tester"
    assert grace.form("/users/grace/disable").status_code == 400


def test_a_form_without_the_sessions_token_changes_nothing(maintainer: Browser, browser: Opened, site: Site) -> None:
    """Another session's token is as good as none."""
    grace = browser()
    grace.join(invited(site, "grace", Role.MAINTAINER))
    for csrf in ("", "x", grace.csrf()):
        sent = {"name": "eve", "role": "tester", "csrf": csrf}
        assert maintainer.client.post("/users", data=sent).status_code == 403
    assert ">eve<" not in maintainer.get("/users").text


def test_the_audit_log_is_read_newest_first_and_a_change_in_it_is_seen(maintainer: Browser, site: Site) -> None:
    """Pages, one kind alone, and a log that somebody wrote in is told."""
    with site.store.writing() as connection:
        for number in range(60):
            note(connection, site.clock(), "signed in", f"user{number}", None, {"user": f"user{number}"})
    first = maintainer.get("/audit").text
    assert "The log is whole: each of its" in first
    assert first.index("user59") < first.index("user58")
    assert "user5<" not in first
    [older] = re.findall(r'href="(/audit\?before=[^"]+)"', first)
    assert "user5<" in maintainer.get(older.replace("&amp;", "&")).text
    only = maintainer.get("/audit?kind=user+added").text
    assert "user59" not in only and "ada" in only
    assert maintainer.get("/audit?kind=x").status_code == 400
    with site.store.writing() as connection:
        line = audit.c.line
        connection.execute(update(audit).where(audit.c.number == 20).values(line=func.replace(line, "user1", "user2")))
    assert "The log is not whole" in maintainer.get("/audit").text
