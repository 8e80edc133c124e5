"""The main paths, in order, as one person walks them: on both databases, with the real models, in Debian's chromium.

`WEIGHBRIDGE_SCREENSHOTS=docs/images` keeps the pictures that the documents show.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, expect

from tests.dossier.statements import made
from tests.registry.databases import empty_place, model, signed
from tests.web.browser.conftest import DESK, PHONE, complaints, scrolls_sideways, with_passkey
from tests.web.serving import Served, serving
from weighbridge.registry.upload import write_archive

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.slow]

MODEL = model("Model of the tests")
DIGEST = (MODEL.digest or "").removeprefix("sha256:")


@dataclass
class Journey:
    """One service and one person's browser."""

    served: Served
    page: Page
    folder: Path
    kind: str

    def go(self, path: str) -> Page:
        self.page.goto(self.served.origin + path)
        return self.page

    def picture(self, name: str, *, full: bool = False) -> None:
        """Take a picture for the documents, once."""
        folder = os.environ.get("WEIGHBRIDGE_SCREENSHOTS")
        if folder and self.kind == "sqlite":
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)

    def fits(self) -> None:
        """Hold the page to what a screen reader and a phone need."""
        assert complaints(self.page) == []
        self.page.set_viewport_size(PHONE)
        assert not scrolls_sideways(self.page)
        assert complaints(self.page) == []
        self.page.set_viewport_size(DESK)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def journey(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Journey]:
    folder = tmp_path_factory.mktemp("journey")
    models = ("--model", "demo:guarded", "--model", "demo:smollm2")
    with empty_place(request.param, folder) as url, serving(url, folder, *models) as served:
        context = browser.new_context(viewport=DESK, reduced_motion="reduce", accept_downloads=True)
        context.set_default_timeout(20_000)
        page = context.new_page()
        with_passkey(page)
        yield Journey(served, page, folder, request.param)
        context.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A signed dossier as one file, and its signer's public key."""
    folder, key = tmp_path_factory.mktemp("archive"), made.ed25519_key()
    upload = signed(folder / "dossier", key, MODEL, now=datetime.now(UTC).replace(microsecond=0))
    file = folder / "dossier.zip"
    with file.open("wb") as opened:
        write_archive(upload, opened)
    return file, key.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@contextmanager
def elsewhere_serving(text: str) -> Iterator[str]:
    """Yield the address of a page of another origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_the_printed_link_makes_a_maintainer_who_signs_in_with_a_passkey(journey: Journey) -> None:
    page = journey.page
    assert journey.served.link is not None
    page.goto(journey.served.link)
    page.get_by_label("Your name here").fill("ada")
    journey.fits()
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_url("**/account")
    journey.fits()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    journey.go("/sign-in")
    journey.fits()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/account")
    expect(page.locator(".who")).to_contain_text("ada (maintainer)")


def test_a_person_chats_with_two_models_and_a_reload_loses_nothing(journey: Journey) -> None:
    page = journey.go("/workbench")
    journey.fits()
    page.get_by_label("Blind").uncheck()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Your words, to both").fill("Name three colours of the rainbow.")
    page.get_by_label("Your words, to both").press("Enter")
    page.reload()
    expect(page.get_by_role("status").first).to_contain_text("All answers are here", timeout=120_000)
    answers = page.locator("details.fold", has_text="Answer")
    expect(answers).to_have_count(2)
    assert not any(each.get_attribute("open") for each in answers.element_handles()), "answers are folded at first"
    journey.fits()
    page.keyboard.press("o")
    expect(page.locator("details.fold[open]", has_text="Answer")).to_have_count(2)
    journey.picture("workbench")
    journey.fits()


def test_a_dossier_is_published_by_a_form(journey: Journey, archive: tuple[Path, str]) -> None:
    file, public = archive
    page = journey.go("/signers")
    page.get_by_label("The signer’s name").fill("Evaluator of the tests")
    page.get_by_label("The public key").fill(public)
    journey.fits()
    page.get_by_role("button", name="Trust this key").click()
    expect(page.get_by_role("rowheader", name="Evaluator of the tests")).to_be_visible()
    journey.go("/publish")
    journey.fits()
    page.get_by_label("A ZIP archive").set_input_files(file)
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url("**/publications/*")
    journey.fits()


def test_the_notice_says_what_is_known_of_exactly_these_weights(journey: Journey) -> None:
    page = journey.go("/")
    journey.fits()
    page.get_by_role("searchbox").fill(DIGEST[:12])
    page.get_by_role("button", name="Look up").click()
    page.wait_for_url(f"**/weights/{DIGEST}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Model of the tests")
    expect(page.locator("main")).to_contain_text("these exact weights")
    journey.picture("notice")
    journey.fits()


def test_the_card_and_the_badge_stand_on_other_peoples_pages(journey: Journey) -> None:
    page = journey.go(f"/weights/{DIGEST}/card")
    expect(page.locator("body")).to_contain_text("Model of the tests")
    assert complaints(page, "landmark-one-main", "page-has-heading-one", "region") == []  # it is a part of another page
    elsewhere = page.context.new_page()
    origin = journey.served.origin
    embedding = f'<iframe src="{origin}/weights/{DIGEST}/card"></iframe><img src="{origin}/weights/{DIGEST}/badge.svg">'
    with elsewhere_serving(embedding) as address:
        elsewhere.goto(address)
        expect(elsewhere.frame_locator("iframe").locator("body")).to_contain_text("Model of the tests")
        assert elsewhere.evaluate("document.querySelector('img').decode().then(() => true)")
    elsewhere.close()


def test_a_page_prints(journey: Journey) -> None:
    page = journey.go(f"/weights/{DIGEST}")
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.emulate_media(media="screen")
