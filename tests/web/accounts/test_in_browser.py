"""Accounts in a real browser, with its virtual passkeys: what a software authenticator cannot show, such as the headers that a browser really sends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from tests.fakes.issuer import Issuer, issuing
from tests.web.accounts.test_joining import invited
from tests.web.browser.conftest import DESK, PHONE, browser, complaints, scrolls_sideways, with_passkey  # noqa: F401
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.store import Store, open_store
from weighbridge.web.accounts.door import AccountsDoor
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Service:
    """A service that people reach as `origin`."""

    store: Store
    origin: str
    browser: Browser

    @contextmanager
    def visitor(self, *, script: bool = True) -> Iterator[Page]:
        """A person with a browser and a passkey of their own."""
        context = self.browser.new_context(viewport=DESK, java_script_enabled=script)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        page = context.new_page()
        with_passkey(page)
        yield page
        context.close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, browser: Browser, issuer: Issuer) -> Iterator[Service]:  # noqa: F811
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    origin = f"http://localhost:{port}"
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'registry.db'}")
    settings = Settings(
        origin=origin, oidc_issuer=issuer.address, oidc_client_id=issuer.client, oidc_client_secret=issuer.secret
    )
    app = create_app(Site(store, settings, AccountsDoor(store, settings)))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield Service(store, origin, browser)
    server.should_exit = True
    thread.join()
    store.close()


def fits(page: Page) -> None:
    """Hold a page to what a screen reader and a phone need."""
    assert complaints(page) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert not scrolls_sideways(page)
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


def test_from_the_printed_link_to_two_people_who_come_and_go(service: Service) -> None:
    """Join, invite, join again with the used link, every form, sign out and in, and be kept out while the page is open."""
    link = first_link(service.store, service.origin)
    assert link is not None
    with service.visitor() as ada, service.visitor() as grace:
        ada.goto(link)
        assert "#" not in ada.url, "the secret stays in the address"
        expect(ada.get_by_text("Nobody maintains this weighbridge yet")).to_be_visible()
        fits(ada)
        ada.get_by_label("Your name here").fill("ada")
        ada.get_by_role("button", name="Make a passkey").click()
        ada.wait_for_url("**/account")
        fits(ada)

        ada.get_by_label("Name of a new token").fill("CI")
        ada.get_by_role("button", name="Make a token").click()
        expect(ada.get_by_role("status")).to_contain_text("wbt_")
        fits(ada)

        ada.goto(service.origin + "/users")
        ada.get_by_label("Name", exact=True).fill("grace")
        ada.get_by_label("Role", exact=True).select_option("researcher")
        ada.get_by_role("button", name="Add, and show their link").click()
        invitation = ada.get_by_role("status").locator("code").inner_text()
        fits(ada)

        grace.goto(invitation)
        expect(grace.get_by_text("You join as grace, researcher")).to_be_visible()
        grace.get_by_role("button", name="Make a passkey").click()
        grace.wait_for_url("**/account")
        grace.goto("about:blank")
        grace.goto(invitation)
        expect(grace.get_by_role("alert")).to_contain_text("This link cannot be used")
        fits(grace)

        ada.goto(service.origin + "/users")
        ada.get_by_label("Role of grace").select_option("tester")
        ada.get_by_role("button", name="Change the role of grace").click()
        grace.goto(service.origin + "/account")
        expect(grace.locator("main")).to_contain_text("You are a tester")
        grace.get_by_label("Name of another passkey").fill("The same one")
        grace.get_by_role("button", name="Add a passkey").click()
        expect(grace.get_by_role("alert")).to_contain_text("has a passkey of yours")

        ada.get_by_role("button", name="Disable grace").click()
        grace.reload()
        expect(grace.get_by_role("heading", level=1)).to_have_text("Unauthorized")
        grace.get_by_role("main").get_by_role("link", name="Sign in").click()
        grace.get_by_role("button", name="Sign in with a passkey").click()
        expect(grace.get_by_role("alert")).to_contain_text("This user is disabled")
        fits(grace)

        ada.goto(service.origin + "/audit")
        expect(ada.locator("main")).to_contain_text("The log is whole")
        fits(ada)
        ada.get_by_role("button", name="Sign out", exact=True).click()
        ada.goto(service.origin + "/audit")
        ada.get_by_role("main").get_by_role("link", name="Sign in").click()
        ada.get_by_role("button", name="Sign in with a passkey").click()
        ada.wait_for_url(service.origin + "/audit")


def test_through_a_provider_of_another_site_and_back(service: Service, issuer: Issuer) -> None:
    """A browser brings the sealed cookie back from the provider's site, and no policy of ours stands in the way there."""
    site = Site(service.store, Settings(origin=service.origin), AccountsDoor(service.store, Settings(service.origin)))
    link = invited(site, "mary").replace("http://testserver", service.origin)
    with service.visitor() as mary:
        mary.goto(service.origin + "/sign-in")
        fits(mary)
        mary.get_by_role("link", name="Sign in with").click()
        expect(mary.locator("main")).to_contain_text("The provider knows you, and this service does not")
        mary.goto(link)
        mary.get_by_role("button", name="instead").click()
        mary.wait_for_url(service.origin + "/account")
        fits(mary)
        mary.get_by_role("button", name="Sign out", exact=True).click()
        mary.goto(service.origin + "/sign-in?next=/account")
        mary.get_by_role("link", name="Sign in with").click()
        mary.wait_for_url(service.origin + "/account")
        expect(mary.get_by_role("heading", level=1)).to_have_text("mary")


def test_without_a_script_and_at_another_address_the_page_says_why(service: Service) -> None:
    with service.visitor(script=False) as plain:
        for path in ("/sign-in", "/join"):
            plain.goto(service.origin + path)
            assert "Passkeys need a script" in plain.locator("main").inner_text()
    with service.visitor() as astray:
        astray.goto(service.origin.replace("localhost", "127.0.0.1") + "/sign-in")
        expect(astray.get_by_role("alert")).to_contain_text(service.origin)
        expect(astray.get_by_role("button", name="Sign in with a passkey")).to_be_disabled()
