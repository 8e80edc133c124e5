"""The first start, one-time links, and signing in."""

from __future__ import annotations

from tests.web.accounts.browser import Browser
from tests.web.accounts.conftest import Opened
from tests.web.conftest import ORIGIN
from weighbridge.registry.accounts.links import first_link
from weighbridge.registry.audit import verify_audit
from weighbridge.web.site import Site


def test_the_first_start_makes_one_maintainer_by_a_link_that_works_once(site: Site, browser: Opened) -> None:
    link = first_link(site.store, ORIGIN)
    assert link is not None
    ada, eve = browser(), browser()
    assert ada.join(link, "ada").json() == {"to": "/account"}
    assert (ada.name, ada.role) == ("ada", "maintainer")
    assert eve.join(link, "eve").status_code == 400
    assert eve.name is None
    assert first_link(site.store, ORIGIN) is None
    with site.store.reading() as connection:
        verify_audit(connection)


def test_signing_in_and_out(maintainer: Browser) -> None:
    before = dict(maintainer.client.cookies)
    assert maintainer.form("/sign-out").status_code == 303
    assert maintainer.name is None
    assert maintainer.sign_in(next="/users").json() == {"to": "/users"}
    assert maintainer.name == "ada"
    assert dict(maintainer.client.cookies) != before
