"""The workbench in Debian's chromium: answers that come while one looks, keys, folding, a phone, a screen reader's rules, and hostile answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import uvicorn
from playwright.sync_api import Browser, Page, expect

from tests.fakes.endpoint import Behaviour, FakeEndpoint
from tests.fakes.streaming import streams
from tests.web.browser.conftest import DESK, PHONE, browser, complaints, scrolls_sideways  # noqa: F401  a fixture
from tests.web.doors import SaidDoor
from tests.web.workbench.conftest import WORDS
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.web.app import create_app
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

SLOWLY = streams([f"word{number} " for number in range(12)], gap_s=0.15)


@contextmanager
def opened(store: Store, browser: Browser, *behaviours: Behaviour, role: Role = Role.TESTER) -> Iterator[Page]:  # noqa: F811
    """Yield the workbench's page in a browser, and see to it that no script failed in it."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FakeEndpoint(then=each, template=True).in_thread()) for each in behaviours]
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        origin = f"http://localhost:{listener.getsockname()[1]}"
        settings = Settings(origin=origin, models=tuple(each.reference for each in servers))
        app = create_app(Site(store, settings, SaidDoor(), store.clock))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        said = {"x-test-name": "ada", "x-test-role": role.value}
        context = browser.new_context(viewport=DESK, reduced_motion="reduce", extra_http_headers=said)
        context.set_default_timeout(15_000)
        page, errors = context.new_page(), list[str]()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        try:
            page.goto(f"{origin}/workbench")
            yield page
            assert errors == []
        finally:
            context.close()
            server.should_exit = True
            thread.join(20)


def begin(page: Page, *, blind: bool = False) -> None:
    if blind:
        page.get_by_label("Blind").check()
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("html.scripted")  # before that Enter begins a new line


def say(page: Page, text: str) -> None:
    page.get_by_label("Your words").fill(text)
    page.get_by_label("Your words").press("Enter")
    page.wait_for_url("**#turn-*")


def all_here(page: Page) -> None:
    expect(page.locator("#status")).to_have_text("All answers are here.", timeout=20_000)


def test_answers_come_while_one_looks_and_a_reload_in_the_middle_goes_on(store: Store, browser: Browser) -> None:  # noqa: F811
    with opened(store, browser, SLOWLY, SLOWLY) as page:
        begin(page)
        expect(page.get_by_label("Your words")).to_be_focused()
        page.get_by_label("Your words").type("one")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("two?")
        page.keyboard.press("Enter")
        texts = page.locator("[data-text]")
        expect(page.locator(".words")).to_contain_text("one\ntwo?")
        expect(texts.first).to_contain_text("word3", use_inner_text=False)
        assert "word11" not in (texts.first.text_content() or ""), "not all at once"
        assert not texts.first.is_visible(), "folded by default"
        page.reload()
        expect(texts.first).to_contain_text("word0 word1 word2 word3")
        all_here(page)
        assert [text.strip() for text in texts.all_text_contents()] == [" ".join(f"word{n}" for n in range(12))] * 2
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_keys_do_what_the_dialog_says_and_nothing_while_one_writes(store: Store, browser: Browser) -> None:  # noqa: F811
    with opened(store, browser, WORDS, WORDS) as page:
        begin(page, blind=True)
        say(page, "Hello")
        all_here(page)
        answer, words = page.locator("[data-text]").first, page.get_by_label("Your words")
        words.focus()
        page.keyboard.type("ojkxav?")
        assert words.input_value() == "ojkxav?" and not answer.is_visible() and not page.locator("#keys").is_visible()
        words.evaluate("(element) => element.blur()")
        page.keyboard.press("o")
        expect(answer).to_be_visible()
        page.reload()
        expect(answer).to_be_visible()  # remembered for this person
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("v")  # keys are the dialog's own while it is open
        page.get_by_label("Keys are on").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("v")
        expect(page.locator("body")).not_to_contain_text("was blind")
        page.keyboard.press("?")
        page.get_by_label("Keys are on").check()
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        expect(words).to_be_focused()
        words.evaluate("(element) => element.blur()")
        page.keyboard.press("j")
        expect(page.locator("[data-turn]")).to_be_focused()
        page.keyboard.press("v")
        expect(page.locator("body")).to_contain_text("was blind")


def test_stop_and_ask_again_by_key(store: Store, browser: Browser) -> None:  # noqa: F811
    endless = streams(lambda call: iter(lambda: "on ", None), gap_s=0.05)
    with opened(store, browser, endless, WORDS) as page:
        begin(page)
        say(page, "Hello")
        expect(page.locator("[data-text]").first).to_contain_text("on on")
        page.keyboard.press("x")
        expect(page.locator(".problem")).to_contain_text("Stopped.")
        page.keyboard.press("a")
        expect(page.locator(".old")).to_contain_text("Attempt 1")
        expect(page.locator("[data-text]").first).to_contain_text("on on")
        page.keyboard.press("x")
        expect(page.locator(".problem")).to_contain_text("Stopped.")


def test_axe_finds_nothing_and_a_phone_shows_all_of_it(store: Store, browser: Browser) -> None:  # noqa: F811
    with opened(store, browser, WORDS, streams(["https://example.org/" + "x" * 300]), role=Role.RESEARCHER) as page:
        assert complaints(page) == []
        begin(page, blind=True)
        say(page, "Hello")
        all_here(page)
        page.locator("h1").click()
        for unfolded in (False, True):
            if unfolded:
                page.keyboard.press("o")
                page.locator("summary", has_text="Opening, decoding").click()
            assert complaints(page) == []
            page.set_viewport_size(PHONE)
            assert not scrolls_sideways(page)
            page.set_viewport_size(DESK)
        panes = page.locator(".pane")
        one, other = panes.nth(0).bounding_box(), panes.nth(1).bounding_box()
        assert one and other and one["y"] == other["y"], "side by side on a desk"
        page.set_viewport_size(PHONE)
        one, other = panes.nth(0).bounding_box(), panes.nth(1).bounding_box()
        assert one and other and one["x"] == other["x"] and other["y"] > one["y"], "one above the other on a phone"
        page.locator("#help-button").click()
        assert complaints(page) == []
        page.goto(page.url.partition("/workbench")[0] + "/workbench")
        assert complaints(page) == [] and not scrolls_sideways(page)


def test_a_hostile_answer_runs_nothing_while_it_comes_or_afterwards(store: Store, browser: Browser) -> None:  # noqa: F811
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)></div></details><svg onload=alert(3)> \u202egnp.exe \x1b[2J"
    with opened(store, browser, streams([attack[:30], attack[30:]], gap_s=0.3), WORDS) as page:
        page.evaluate("window.name = 'whole'")
        begin(page)
        say(page, "<img src=x onerror=alert(4)>")
        expect(page.locator("[data-text]").first).to_contain_text("<script>alert(1)")
        all_here(page)
        page.locator("h1").click()
        page.keyboard.press("o")
        shown = page.locator("[data-text]").first.inner_text()
        assert "<img src=x onerror=alert(2)>" in shown and "⟨U+202E⟩" in shown and "⟨U+001B⟩" in shown
        assert page.locator("main img, main script").count() == 0
        page.reload()
        time.sleep(0.2)


def test_a_maintainer_reads_along_and_has_nothing_to_speak_with(store: Store, browser: Browser) -> None:  # noqa: F811
    with opened(store, browser, SLOWLY, WORDS) as page:
        begin(page)
        say(page, "Hello")
        context = browser.new_context(extra_http_headers={"x-test-name": "max", "x-test-role": "maintainer"})
        try:
            other, errors = context.new_page(), list[str]()
            other.on("pageerror", lambda error: errors.append(str(error)))
            other.goto(page.url)
            all_here(other)
            expect(other.locator("[data-text]").first).to_have_text(" ".join(f"word{n}" for n in range(12)), timeout=1)
            other.keyboard.press("n")
            other.keyboard.press("o")
            expect(other.locator("[data-text]").first).to_be_visible()
            assert other.get_by_label("Your words").count() == 0 and errors == [] and complaints(other) == []
        finally:
            context.close()


def test_all_of_it_works_without_a_script(store: Store, browser: Browser) -> None:  # noqa: F811
    """But for looking again by itself: where scripts are off by emulation, chromium leaves `noscript` out, so this test reloads."""
    with opened(store, browser, WORDS, WORDS) as page:
        said = {"x-test-name": "ada", "x-test-role": "tester"}
        context = browser.new_context(java_script_enabled=False, extra_http_headers=said)
        try:
            plain = context.new_page()
            plain.goto(page.url)
            plain.get_by_role("button", name="Begin").click()
            plain.get_by_label("Your words").fill("Hello")
            plain.get_by_role("button", name="Send").click()
            until = time.monotonic() + 15
            while plain.get_by_role("button", name="Stop").count() and time.monotonic() < until:
                plain.reload()
            assert plain.locator("[data-text]").all_text_contents() == ["Hello, you there."] * 2
            expect(plain.get_by_role("button", name="Keys")).not_to_be_visible()
            plain.locator("summary", has_text="Answer").first.click()
            expect(plain.locator("[data-text]").first).to_be_visible()
        finally:
            context.close()
