"""Signing in through an OpenID Connect provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI

from tests.fakes.issuer import Issuer, another_key, issuing
from tests.registry.databases import Clock
from tests.web.accounts.browser import Browser
from tests.web.accounts.test_joining import invited
from tests.web.accounts.test_nothing_by_nobody import contents
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.web.accounts.door import AccountsDoor
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site


@pytest.fixture(scope="module")
def provider() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def issuer(provider: Issuer, clock: Clock) -> Issuer:
    """A provider that tells the truth."""
    provider.now, provider.says = clock.now.timestamp(), {}
    truthful(provider)
    return provider


def truthful(issuer: Issuer) -> None:
    issuer.claims, issuer.header, issuer.key, issuer.raw_token = {}, {}, None, None
    issuer.takes_public_key_for_a_secret = False


@pytest.fixture
def site(store: Store, clock: Clock, issuer: Issuer) -> Site:
    settings = Settings(
        origin=ORIGIN,
        oidc_issuer=issuer.address,
        oidc_client_id=issuer.client,
        oidc_client_secret=issuer.secret,
    )
    return Site(store, settings, AccountsDoor(store, settings), clock)


def through(browser: Browser, issuer: Issuer, subject: str, **changed: str) -> Any:
    """Go to the provider and come back as `subject`."""
    away = browser.get("/sign-in/provider?next=/rankings")
    assert away.status_code == 303, away.text
    return back(browser, issuer, away.headers["location"], subject, **changed)


def back(browser: Browser, issuer: Issuer, address: str, subject: str, **changed: str) -> Any:
    brought = issuer.approve(address, subject) | changed
    return browser.client.get("/sign-in/provider/back", params=brought, headers={"accept": "text/html"})


def joined(browser: Browser, issuer: Issuer, link: str, subject: str, name: str = "") -> Any:
    away = browser.script("/join/provider", {"secret": link.partition("#")[2], "name": name})
    assert away.status_code == 200, away.text
    return back(browser, issuer, away.json()["to"], subject)


def test_a_person_is_tied_by_a_one_time_link_and_then_comes_in(site: Site, app: FastAPI, issuer: Issuer) -> None:
    """Nobody comes in before a maintainer's link tied them; afterwards the provider's word is enough, and the code stays in no address."""
    grace = Browser(app, ORIGIN)
    refused = through(grace, issuer, "248289761001")
    assert refused.status_code == 400
    assert "Ask a maintainer for a one-time link" in refused.text
    assert grace.name is None

    link = invited(site, "grace", Role.RESEARCHER)
    answer = joined(grace, issuer, link, "248289761001")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert [grace.name, grace.role] == ["grace", "researcher"]
    assert "248289761001" in grace.get("/account").text

    again = Browser(app, ORIGIN)
    answer = through(again, issuer, "248289761001")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rankings")
    assert again.name == "grace"
    assert again.get("/account").text.count("the only way in") == 1

    # The link is used up, and the tie is to one user.
    other = Browser(app, ORIGIN)
    assert other.script("/join/provider", {"secret": link.partition("#")[2]}).status_code == 400
    assert joined(other, issuer, invited(site, "eve"), "248289761001").status_code == 400
    assert other.name is None


def test_the_first_maintainer_may_come_through_the_provider(site: Site, app: FastAPI, issuer: Issuer) -> None:
    ada = Browser(app, ORIGIN)
    link = first_link(site.store, ORIGIN)
    assert link is not None
    assert joined(ada, issuer, link, "1", name="ada").status_code == 303
    assert [ada.name, ada.role] == ["ada", "maintainer"]
    assert first_link(site.store, ORIGIN) is None
    assert ada.form("/users/ada/disable").status_code == 400


def test_an_id_token_counts_only_when_all_of_it_holds(site: Site, app: FastAPI, issuer: Issuer) -> None:
    """Of another issuer, for another service, old, replayed, not signed, signed with another key or algorithm: nobody comes in, nothing changes."""
    grace = Browser(app, ORIGIN)
    assert joined(grace, issuer, invited(site, "grace"), "7").status_code == 303
    before = contents(site.store)
    now = int(issuer.now)
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0."
    lies: list[dict[str, Any]] = [
        {"claims": {"iss": "https://elsewhere.example"}},
        {"claims": {"iss": None}},
        {"claims": {"aud": "another service"}},
        {"claims": {"aud": None}},
        {"claims": {"aud": ["weighbridge", "another service"]}},
        {"claims": {"azp": "another service"}},
        {"claims": {"exp": now - 120, "iat": now - 600}},
        {"claims": {"exp": None}},
        {"claims": {"exp": "tomorrow"}},
        {"claims": {"iat": now + 600}},
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"sub": None}},
        {"claims": {"sub": 7}},
        {"claims": {"sub": "x" * 300}},
        {"header": {"alg": "ES256"}, "key": another_key()},
        {"takes_public_key_for_a_secret": True},
        {"header": {"kid": "two"}},
        {"raw_token": unsigned},
        {"raw_token": "no token"},
        {"raw_token": "a.b.c"},
    ]
    for lie in lies:
        truthful(issuer)
        for name, value in lie.items():
            setattr(issuer, name, value)
        site.parts.pop("limits", None)
        eve = Browser(app, ORIGIN)
        assert through(eve, issuer, "7").status_code == 502, lie
        assert eve.name is None
    assert contents(site.store) == before
    truthful(issuer)
    assert through(Browser(app, ORIGIN), issuer, "7").status_code == 303


def test_what_comes_back_belongs_to_what_was_asked(site: Site, app: FastAPI, issuer: Issuer) -> None:
    """Another's answer, one without a beginning, one of another issuer, a refusal, and the same one again open nothing."""
    grace, eve = Browser(app, ORIGIN), Browser(app, ORIGIN)
    joined(grace, issuer, invited(site, "grace"), "7")
    away = grace.get("/sign-in/provider").headers["location"]
    asked = parse_qs(urlsplit(away).query)
    assert asked["redirect_uri"] == [f"{ORIGIN}/sign-in/provider/back"]
    brought = issuer.approve(away, "7")
    for found in (eve, eve):  # without a cookie, and with that of another beginning
        answer = found.client.get("/sign-in/provider/back", params=brought)
        assert answer.status_code == 400
        eve.get("/sign-in/provider")
    for changed in ({"iss": "https://elsewhere.example"}, {"state": "x"}):
        assert through(eve, issuer, "7", **changed).status_code == 400
    assert through(eve, issuer, "7", error="access_denied").status_code == 403
    assert through(eve, issuer, "7", code="another").status_code == 502
    assert eve.name is None
    step, code = grace.cookie("step"), dict(issuer.codes[brought["code"]])
    assert grace.client.get("/sign-in/provider/back", params=brought).status_code == 303
    assert grace.client.get("/sign-in/provider/back", params=brought).status_code == 400
    # Nor with the cookie, at a provider that takes a code twice.
    again = Browser(app, ORIGIN)
    again.put_cookie("step", step)
    issuer.codes[brought["code"]] = code
    assert again.client.get("/sign-in/provider/back", params=brought).status_code == 400
    assert again.name is None


def test_a_provider_that_is_not_what_it_should_be_is_told(site: Site, app: FastAPI, issuer: Issuer) -> None:
    for says in (
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": 7},
    ):
        issuer.says = says
        answer = Browser(app, ORIGIN).get("/sign-in/provider")
        assert answer.status_code == 502
        assert "The provider cannot sign you in" in answer.text


def test_a_provider_is_asked_over_tls_only(store: Store, clock: Clock) -> None:
    """What an attacker on the way could change is not asked for at all, except on this machine."""
    settings = Settings(origin=ORIGIN, oidc_issuer="http://issuer.example", oidc_client_id="x")
    app = create_app(Site(store, settings, AccountsDoor(store, settings), clock))
    answer = Browser(app, ORIGIN).get("/sign-in/provider")
    assert answer.status_code == 502
    assert "not https" in answer.text


def test_without_a_provider_there_is_none(store: Store, clock: Clock) -> None:
    settings = Settings(origin=ORIGIN)
    app = create_app(Site(store, settings, AccountsDoor(store, settings), clock))
    for path in ("/sign-in/provider", "/sign-in/provider/back?code=x&state=y"):
        assert Browser(app, ORIGIN).get(path).status_code == 404
