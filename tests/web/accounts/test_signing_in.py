"""Passkeys and sessions: who gets in, with what, and for how long."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select, update

from tests.fakes.authenticator import PRESENT, VERIFIED, bytes_of, text_of
from tests.registry.databases import Clock
from tests.web.accounts.browser import Browser
from tests.web.accounts.conftest import Opened
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.tables import audit
from weighbridge.registry.tables.accounts import passkeys, sessions
from weighbridge.web.accounts.door import AccountsDoor
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

Change = Callable[[dict[str, Any]], None]


def test_signing_in_and_out(maintainer: Browser) -> None:
    """A session ends with signing out, the next one is another, and signing in leads to where one wanted to go."""
    before = maintainer.cookie("session")
    assert maintainer.form("/sign-out").status_code == 303
    assert maintainer.name is None
    assert maintainer.sign_in(next="/users").json() == {"to": "/users"}
    assert maintainer.name == "ada"
    assert maintainer.cookie("session") != before
    assert maintainer.sign_in(next="https://elsewhere.example/").json() == {"to": "/account"}


def test_what_an_authenticator_signed_counts_only_as_it_was_asked(maintainer: Browser, browser: Opened) -> None:
    """Another page's answer, a framed one, one without its owner's yes, a forged, an altered and a foreign one are all refused."""
    stranger = browser()

    def tried(change: Change | None = None, **lies: Any) -> int:
        stranger.keys = copy.copy(maintainer.keys)
        for name, value in lies.items():
            setattr(stranger.keys, name, value)
        options = stranger.script("/sign-in/options", {}).json()
        credential = stranger.keys.sign(options)
        if change is not None:
            change(credential)
        status: int = stranger.script("/sign-in", {"credential": credential}).status_code
        assert (stranger.name is not None) == (status == 200)
        return status

    def forged(credential: dict[str, Any]) -> None:
        signature = bytearray(bytes_of(credential["response"]["signature"]))
        signature[-1] ^= 1
        credential["response"]["signature"] = text_of(bytes(signature))

    def of_another(credential: dict[str, Any]) -> None:
        credential["response"]["userHandle"] = text_of(bytes(32))

    def of_nobody(credential: dict[str, Any]) -> None:
        del credential["response"]["userHandle"]

    def unknown(credential: dict[str, Any]) -> None:
        credential["id"] = credential["rawId"] = text_of(b"unknown")

    def counted_on(credential: dict[str, Any]) -> None:
        data = bytearray(bytes_of(credential["response"]["authenticatorData"]))
        data[36] = 200
        credential["response"]["authenticatorData"] = text_of(bytes(data))

    def nonsense(credential: dict[str, Any]) -> None:
        credential["response"]["authenticatorData"] = text_of(b"\xff" * 400)

    assert tried(origin="http://elsewhere.example") == 400
    assert tried(framed=True) == 400
    assert tried(flags=PRESENT) == 400
    assert tried(flags=VERIFIED) == 400
    for change in (forged, of_another, of_nobody, unknown, counted_on, nonsense):
        assert tried(change) == 400, change.__name__
    assert tried() == 200


def test_a_challenge_is_good_once_for_five_minutes_in_its_own_browser(
    maintainer: Browser, browser: Opened, clock: Clock
) -> None:
    """An answer that is sent again, late, from another browser, or to a challenge of another kind opens nothing."""
    other = browser()
    options = maintainer.script("/sign-in/options", {}).json()
    step = maintainer.cookie("step")
    sent = {"credential": maintainer.keys.sign(options)}
    assert other.script("/sign-in", sent).status_code == 400
    assert maintainer.script("/sign-in", sent).status_code == 200
    other.put_cookie("step", step)
    assert other.script("/sign-in", sent).status_code == 400  # the same again, with the same cookie
    assert other.name is None

    late = maintainer.script("/sign-in/options", {}).json()
    clock.now += timedelta(minutes=5, seconds=1)
    assert maintainer.script("/sign-in", {"credential": maintainer.keys.sign(late)}).status_code == 400

    csrf = {"x-csrf-token": maintainer.csrf()}
    adding = maintainer.script("/account/passkeys/options", {}, **csrf).json() | {"userVerification": "required"}
    assert maintainer.script("/sign-in", {"credential": maintainer.keys.sign(adding)}).status_code == 400

    other = browser()
    options = other.script("/sign-in/options", {}).json()
    value = other.cookie("step")
    other.put_cookie("step", value[:-1] + ("0" if value[-1] != "0" else "1"))
    assert other.script("/sign-in", {"credential": maintainer.keys.sign(options)}).status_code == 400


def test_a_counter_that_goes_back_is_refused_and_written_down(maintainer: Browser, browser: Opened, site: Site) -> None:
    """Two authenticators with one key are found by the counter; only behind a signature that holds, so nobody else can make one look copied."""
    assert maintainer.sign_in().status_code == 200
    thief = browser()
    thief.keys.passkeys = [copy.copy(maintainer.keys.passkeys[0])]
    thief.keys.passkeys[0].count -= 1
    assert thief.sign_in().status_code == 403
    assert thief.name is None
    with site.store.reading() as connection:
        kinds = list(connection.execute(select(audit.c.kind)).scalars())
    assert kinds.count("passkey refused") == 1
    assert maintainer.sign_in().status_code == 200
    # An authenticator without a counter says 0 each time.
    with site.store.writing() as connection:
        connection.execute(update(passkeys).values(sign_count=0))
    maintainer.keys.counts, maintainer.keys.passkeys[0].count = False, 0
    assert [maintainer.sign_in().status_code for _ in range(2)] == [200, 200]


def test_sessions_end_when_nothing_is_done_and_after_half_a_day(maintainer: Browser, clock: Clock) -> None:
    """An hour without a request ends a session, and twelve hours end it whatever is done."""
    begun = clock.now
    for _ in range(12):
        clock.now += timedelta(minutes=59)
        assert maintainer.name == "ada"
    clock.now = begun + timedelta(hours=12)
    assert maintainer.name is None
    maintainer.sign_in()
    clock.now += timedelta(minutes=62)
    assert maintainer.name is None


def test_sessions_survive_a_restart_and_end_everywhere(maintainer: Browser, browser: Opened, site: Site) -> None:
    """Another process on the same database knows the session; signing out everywhere ends all of them, there too."""
    elsewhere = browser()
    elsewhere.keys = maintainer.keys
    elsewhere.sign_in()
    again = Browser(create_app(Site(site.store, site.settings, AccountsDoor(site.store, site.settings))), ORIGIN)
    again.put_cookie("session", maintainer.cookie("session"))
    assert (again.name, elsewhere.name) == ("ada", "ada")
    assert maintainer.form("/account/sign-out-everywhere").status_code == 303
    assert (again.name, elsewhere.name, maintainer.name) == (None, None, None)


def test_signing_in_ends_the_session_that_was_there(maintainer: Browser, site: Site) -> None:
    """A session that somebody put into a browser beforehand is not the one that is signed in."""
    before = maintainer.cookie("session")
    maintainer.sign_in()
    planted = Browser(create_app(site), ORIGIN)
    planted.put_cookie("session", before)
    assert planted.name is None


def test_being_seen_is_written_once_a_minute_and_waits_for_nobody(
    maintainer: Browser, site: Site, clock: Clock
) -> None:
    """Reading pages writes nothing within a minute, and is neither late nor an error when somebody else writes."""

    def seen() -> Any:
        with site.store.reading() as connection:
            return connection.execute(select(sessions.c.seen_at)).scalar_one()

    begun = seen()
    clock.now += timedelta(seconds=59)
    assert (maintainer.name, seen()) == ("ada", begun)
    clock.now += timedelta(seconds=1)
    assert (maintainer.name, seen()) == ("ada", clock.now)
    clock.now += timedelta(minutes=2)
    with site.store.writing() as connection:
        connection.execute(update(sessions).values(how="link"))  # holds the row in PostgreSQL, and all of SQLite
        began = time.monotonic()
        assert maintainer.name == "ada"
        assert time.monotonic() - began < 5
    assert seen() == clock.now - timedelta(minutes=2)


def test_cookies_are_for_this_host_and_no_script(site: Site, app: FastAPI) -> None:
    """No script reads the cookies, other sites' forms do not bring them, and over TLS no other host can set them."""
    secure = Settings(origin="https://weighbridge.example")
    tls = create_app(Site(site.store, secure, AccountsDoor(site.store, secure)))
    for application, origin, prefix in ((tls, secure.origin, "__Host-"), (app, ORIGIN, "")):
        found = Browser(application, origin)
        link = first_link(site.store, origin)
        assert link is not None
        options = found.script("/join/options", {"secret": link.partition("#")[2], "name": "ada"})
        made = found.keys.make(options.json())
        if prefix:  # the second application finds the first link unused
            answers = [options]
        else:
            joined = found.script("/join", {"secret": link.partition("#")[2], "title": "Laptop", "credential": made})
            assert joined.status_code == 200
            answers = [options, joined]
        for answer in answers:
            for cookie in answer.headers.get_list("set-cookie"):
                assert cookie.startswith(f"{prefix}weighbridge-")
                assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
                assert ("Secure" in cookie) == bool(prefix)
                assert "Domain" not in cookie


def test_ways_in_are_changed_only_by_somebody_who_has_just_signed_in(maintainer: Browser, clock: Clock) -> None:
    """A session that was stolen in the afternoon makes no token, adds no passkey, and lets nobody else in; what it may read it reads."""
    clock.now += timedelta(minutes=31)
    csrf = {"x-csrf-token": maintainer.csrf()}
    assert "sign in again" in maintainer.get("/account").text
    assert maintainer.script("/account/passkeys/options", {}, **csrf).status_code == 401
    assert maintainer.form("/account/tokens", name="x", role="visitor", days="1").status_code == 401
    assert maintainer.form("/users", "/users", name="eve", role="maintainer").status_code == 401
    assert maintainer.form("/users/ada/link", "/users").status_code == 401
    assert maintainer.sign_in().status_code == 200
    assert "sign in again" not in maintainer.get("/account").text
    assert maintainer.form("/account/tokens", name="x", role="visitor", days="1").status_code == 200
    clock.now += timedelta(minutes=31)
    assert maintainer.form("/account/sign-out-everywhere").status_code == 303


def test_signing_in_cannot_be_hammered(browser: Opened, maintainer: Browser) -> None:
    """After some tries in a minute from one address there are no more; who is signed in there goes on."""
    eve = browser()
    codes = [eve.script("/sign-in/options", {}).status_code for _ in range(60)]
    assert codes[0] == 200 and codes[-1] == 429
    assert eve.script("/join/look", {"secret": "x" * 43}).status_code == 400
    codes = [eve.script("/join/look", {"secret": "x" * 43}).status_code for _ in range(60)]
    assert codes[-1] == 429
    assert maintainer.script("/sign-in/options", {}).status_code == 200


def test_a_page_that_is_not_for_all_leads_back_after_signing_in(browser: Opened) -> None:
    refused = browser().get("/audit")
    assert refused.status_code == 401
    assert 'href="/sign-in?next=/audit"' in refused.text
    assert "Bearer" in refused.headers["www-authenticate"]
