"""The first start, one-time links, and more passkeys."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import select

from tests.registry.databases import Clock
from tests.web.accounts.browser import Browser
from tests.web.accounts.conftest import Opened
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import address, first_link, make_link
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.accounts.users import add_user, list_users
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.tables.accounts import users
from weighbridge.web.site import Site


def invited(site: Site, name: str, role: Role = Role.TESTER) -> str:
    """Add a user; return their link."""
    with site.store.writing() as connection:
        add_user(connection, site.store.clock(), name, role, by="test")
        return address(ORIGIN, make_link(connection, site.store.clock(), name, by="test"))


def test_the_first_start_makes_one_maintainer_by_a_link_that_works_once(site: Site, browser: Opened) -> None:
    """Who opens it chooses a name; it works for nobody after that, and no other is made while somebody maintains."""
    older, link = first_link(site.store, ORIGIN), first_link(site.store, ORIGIN)
    assert older is not None and link is not None
    ada, eve = browser(), browser()
    assert eve.join(older, "eve").status_code == 400  # a new start ends the one before
    assert ada.join(link, "Ada L").status_code == 400
    assert ada.join(link, "ada").json() == {"to": "/account"}
    assert (ada.name, ada.role) == ("ada", "maintainer")
    assert eve.join(link, "eve").status_code == 400
    assert (eve.name, first_link(site.store, ORIGIN)) == (None, None)
    with site.store.reading() as connection:
        assert list(connection.execute(select(users.c.name)).scalars()) == ["ada"]
        verify_audit(connection)


def test_of_two_who_use_a_link_at_once_one_wins_and_the_other_leaves_nothing(site: Site, browser: Opened) -> None:
    link = first_link(site.store, ORIGIN)
    assert link is not None
    racers = {name: browser() for name in ("ada", "eve", "mallory")}
    ready, found = threading.Barrier(len(racers)), {}

    def race(name: str) -> None:
        secret = link.partition("#")[2]
        options = racers[name].script("/join/options", {"secret": secret, "name": name})
        credential = racers[name].keys.make(options.json())
        ready.wait()
        sent = {"secret": secret, "title": "Laptop", "credential": credential}
        found[name] = racers[name].script("/join", sent).status_code

    threads = [threading.Thread(target=race, args=(name,)) for name in racers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found.values()) == [200, 400, 400]
    with site.store.reading() as connection:
        [only] = list_users(connection, site.store.clock())
    assert found[only.user.name] == 200
    assert only.passkeys == 1


def test_a_link_ends_after_a_day_and_is_for_its_user_alone(site: Site, browser: Opened, clock: Clock) -> None:
    grace, eve = browser(), browser()
    for_grace, for_eve = invited(site, "grace", Role.RESEARCHER), invited(site, "eve", Role.VISITOR)
    # A passkey that was made for one link is not taken with another.
    options = eve.script("/join/options", {"secret": for_eve.partition("#")[2]}).json()
    sent = {"secret": for_grace.partition("#")[2], "title": "x", "credential": eve.keys.make(options)}
    assert eve.script("/join", sent).status_code == 400
    # A name that somebody chooses for another's link counts for nothing.
    assert grace.join(for_grace, "ada").status_code == 200
    assert (grace.name, grace.role) == ("grace", "researcher")
    clock.now += timedelta(hours=24)
    assert eve.join(for_eve).status_code == 400
    assert eve.name is None


def test_several_passkeys_and_never_none(maintainer: Browser, browser: Opened) -> None:
    """Passkeys are added by name, each signs in, all but the last can be removed, and a removed one opens nothing."""
    csrf = {"x-csrf-token": maintainer.csrf()}
    options = maintainer.script("/account/passkeys/options", {}, **csrf).json()
    assert len(options["excludeCredentials"]) == 1
    sent = {"title": "Phone <b>", "credential": maintainer.keys.make(options)}
    assert maintainer.script("/account/passkeys", sent).status_code == 403  # without the form's token
    assert maintainer.script("/account/passkeys", sent, **csrf).status_code == 200
    assert maintainer.script("/account/passkeys", sent, **csrf).status_code == 400  # the same again
    shown = maintainer.get("/account").text
    assert "Phone &lt;b&gt;" in shown and "<b>" not in shown.partition("Phone")[2][:20]
    removes = [part.partition('"')[0] for part in shown.split('action="/account/passkeys/')[1:]]
    assert len(removes) == 2
    assert maintainer.form(f"/account/passkeys/{removes[0]}").status_code == 303
    assert maintainer.form(f"/account/passkeys/{removes[1]}").status_code == 400
    other = browser()
    other.keys = maintainer.keys
    assert sorted(other.sign_in(which).status_code for which in (0, 1)) == [200, 400]


def test_a_passkey_begun_in_one_session_is_not_added_in_another(maintainer: Browser, browser: Opened) -> None:
    csrf = {"x-csrf-token": maintainer.csrf()}
    options = maintainer.script("/account/passkeys/options", {}, **csrf).json()
    sent = {"title": "Phone", "credential": maintainer.keys.make(options)}
    step = maintainer.cookie("step")
    maintainer.sign_in(0)
    maintainer.put_cookie("step", step)
    assert maintainer.script("/account/passkeys", sent, **{"x-csrf-token": maintainer.csrf()}).status_code == 400


def test_nobody_joins_from_another_site(site: Site, browser: Opened) -> None:
    """What another site makes a browser send begins no session, so nobody works in another's account without knowing."""
    eve, link = browser(), invited(site, "eve")
    for origin in ("https://elsewhere.example", "null"):
        assert eve.script("/join/look", {"secret": link.partition("#")[2]}, origin=origin).status_code == 403
        assert eve.script("/sign-in/options", {}, origin=origin).status_code == 403
    assert eve.client.post("/join/look", json={"secret": link.partition("#")[2]}).status_code == 403
