"""Ratings in a real browser: by keys alone, on a phone, without script, and read by axe-core."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.registry.databases import Clock, opened
from tests.registry.rating.test_labelling import proposed
from tests.registry.rating.test_rating import ADA, HATE, answer, end, saved
from tests.registry.test_conversations import ask, begun
from tests.web.browser.conftest import DESK, PHONE, browser, complaints, scrolls_sideways  # noqa: F401  a fixture
from tests.web.doors import SaidDoor, signed_in
from tests.web.rating.benches import FakeBench
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.labelling import counts, take_in
from weighbridge.registry.regressions import begin_regression
from weighbridge.registry.store import Store
from weighbridge.registry.tagging import tag
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    """A service that believes whoever says who they are, on SQLite: what is looked at here is the browser's side."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    with opened(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'registry.db'}", Clock()) as store:
        site = Site(store, Settings(origin=origin), SaidDoor(), store.clock)
        site.parts["workbench"] = FakeBench(store)
        server = uvicorn.Server(uvicorn.Config(create_app(site), port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield origin, store
        server.should_exit = True
        thread.join()


def who(context: BrowserContext, name: str, role: Role = Role.TESTER) -> None:
    headers = signed_in(role, name)
    context.set_extra_http_headers({key: value for key, value in headers.items() if key.startswith("x-test")})


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:  # noqa: F811
    found = browser.new_context(viewport=DESK, reduced_motion="reduce")  # type: ignore[arg-type]
    found.set_default_timeout(15_000)
    who(found, "ada")
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def labelling(store: Store, answers: int) -> str:
    return take_in(store, proposed(answers), name="to label.jsonl", second_percent=0, by="mia")


def test_answers_are_labelled_by_keys_alone(service: tuple[str, Store], page: Page) -> None:
    """One key opens, one key answers each question, Enter saves; s skips, u undoes. A reload loses nothing."""
    origin, store = service
    batch = labelling(store, 3)
    page.goto(f"{origin}/rating/labels/{batch}")
    page.get_by_role("button", name="Label the next answer").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Label an answer")
    expect(page.get_by_text("Prompt 0", exact=True)).to_be_hidden()
    page.keyboard.press("o")
    expect(page.get_by_text("Prompt 0", exact=True)).to_be_visible()
    page.reload()
    for key in ("y", "n", "p", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("1 of 3 labelled")).to_be_visible()
    second = page.url
    page.keyboard.press("s")
    page.wait_for_url(lambda url: url != second)
    page.keyboard.press("u")
    page.wait_for_url(second)
    for key in ("y", "y", "n", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 of 3 labelled")).to_be_visible()
    with store.reading() as connection:
        found = counts(connection, batch, store.clock(), rater="ada")
    assert (found.yours, found.skipped, found.left) == (2, 0, 1)


def test_a_side_is_tagged_by_one_key_each_without_leaving_the_page(service: tuple[str, Store], page: Page) -> None:
    """Category, verb, severity, Enter; what was kept is said where the form was, and has the focus."""
    origin, store = service
    turn = ask(store, begun(store))
    end(store, turn)
    page.goto(f"{origin}/workbench/conversations/{turn.conversation}")
    tagging = page.locator(f"#tag-{turn.sides[0].id}")
    for key in ("j", "t", "k", "1", "6", "Enter"):
        page.keyboard.press(key)
    said = tagging.get_by_role("status")
    expect(said).to_contain_text("Hate, enable, high")
    expect(said).to_be_focused()
    expect(tagging.get_by_role("link", name="A finding is saved")).to_be_visible()
    assert page.url.endswith(turn.conversation)
    other = page.locator(f"#tag-{turn.sides[1].id}")
    for key in ("t", "n", "Enter"):
        page.keyboard.press(key)
    expect(other.get_by_role("status")).to_contain_text("not harmful")


def test_keys_take_nothing_from_whoever_writes_or_is_elsewhere(service: tuple[str, Store], page: Page) -> None:
    """Not in a field of text, and not outside of the form."""
    origin, store = service
    side = answer(store)
    page.goto(f"{origin}/workbench/sides/{side}/tags")
    page.keyboard.press("k")
    tagging = page.locator(f"#tag-{side}")
    tagging.locator("summary").first.click()
    tagging.get_by_text("Words for the finding").click()
    title = tagging.get_by_label("Title")
    title.focus()
    page.keyboard.type("nk147")
    expect(title).to_have_value("nk147")
    assert tagging.locator("input[type=radio]:checked").count() == 0


def test_without_script_all_of_it_works(service: tuple[str, Store], browser: Browser) -> None:  # noqa: F811
    """Forms alone: tag, rate blind, label."""
    origin, store = service
    context = browser.new_context(java_script_enabled=False)
    who(context, "ada")
    page = context.new_page()
    side = answer(store)
    page.goto(f"{origin}/workbench/sides/{side}/tags")
    page.get_by_text("Tag this answer").click()
    for name in ("Elections", "endorse", "critical"):
        page.get_by_label(name, exact=False).first.check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Elections, endorse, critical")).to_be_visible()
    who(context, "bob")
    page.goto(f"{origin}/rating/answers/{side}")
    page.get_by_label("Not harmful").check()
    page.get_by_role("button", name="Save, next").click()
    page.goto(f"{origin}/rating")
    expect(page.get_by_text("ada: Elections, endorse, critical; bob: not harmful")).to_be_visible()
    page.goto(f"{origin}/rating/labels/{labelling(store, 1)}")
    page.get_by_role("button", name="Label the next answer").click()
    page.get_by_role("group", name="Does it refuse").get_by_label("yes").check()
    page.get_by_role("button", name="Save, next").click()
    expect(page.get_by_text("1 of 1 answers are labelled")).to_be_visible()
    context.close()


def test_every_page_passes_axe_and_fits_a_phone(
    service: tuple[str, Store], page: Page, context: BrowserContext
) -> None:
    """At 1280 and at 360 pixels; texts opened."""
    origin, store = service
    who(context, "mia", Role.MAINTAINER)
    batch, side, other = labelling(store, 2), answer(store, owner="mia"), answer(store)
    tag(store, other, HATE, reader=ADA)
    begin_regression(store, saved(store, "Asked again"), reader=ADA)
    page.goto(f"{origin}/rating/labels/{batch}")
    page.get_by_role("button", name="Label the next answer").click()
    label = page.url
    wrong = []
    addresses = (
        "/rating",
        "/rating/labels",
        f"/rating/labels/{batch}",
        "/regressions",
        f"/workbench/sides/{side}/tags",
    )
    for address in (*(origin + each for each in addresses), label, f"{origin}/rating/answers/{other}"):
        for size in (DESK, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.goto(address)
            page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
            wrong += [(address, size["width"], each) for each in complaints(page)]
            wrong += [(address, size["width"], "scrolls sideways")] if scrolls_sideways(page) else []
    assert wrong == []
