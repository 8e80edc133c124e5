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
from tests.registry import ranked
from tests.registry.databases import empty_place, model
from tests.web.browser.conftest import DESK, PHONE, complaints, scrolls_sideways, with_passkey
from tests.web.serving import Served, serving
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.upload import read_folder, write_archive

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.slow]

RATES = {"Model of the tests": 0.3, "Another model": 0.35, "A third model": 0.8}
DIGEST = (model("Model of the tests").digest or "").removeprefix("sha256:")


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
            self.page.evaluate("window.scrollTo(0, 0)")
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
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], str]:
    """Signed dossiers of three models, one file each, and their signer's public key."""
    folder, key, files = tmp_path_factory.mktemp("archives"), made.ed25519_key(), []
    for label, harm in RATES.items():
        dossier = folder / label
        record = ranked.record(label, {Rung.API: ranked.estimate(0.1), Rung.WEIGHTS: ranked.estimate(harm)})
        made.write(dossier, record, terms=True)
        made.sign(dossier, key, datetime.now(UTC).replace(microsecond=0))
        files.append(folder / f"{label}.zip")
        with files[-1].open("wb") as opened:
            write_archive(read_folder(dossier), opened)
    return files, key.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


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


def test_a_dossier_is_published_by_a_form(journey: Journey, archives: tuple[list[Path], str]) -> None:
    files, public = archives
    page = journey.go("/signers")
    page.get_by_label("The signer’s name").fill("Evaluator of the tests")
    page.get_by_label("The public key").fill(public)
    journey.fits()
    page.get_by_role("button", name="Trust this key").click()
    expect(page.get_by_role("rowheader", name="Evaluator of the tests")).to_be_visible()
    for file in files:
        journey.go("/publish")
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
    journey.picture("notice", full=True)
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


def test_a_finding_is_saved_by_keys_and_becomes_a_prompt_to_ask_again(journey: Journey) -> None:
    page = journey.go("/workbench")
    page.get_by_label("Blind").check()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Your words, to both").fill("Say something rude about Mondays.")
    page.get_by_label("Your words, to both").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("All answers are here", timeout=120_000)
    expect(page.locator("main")).not_to_contain_text(", candidate")  # blind: nothing tells which is which
    page.get_by_text("Tag this answer").first.click()
    form = page.locator("form[action$='/tags']").first
    for name in ("Hate", "encourage", "low"):
        form.get_by_role("radio", name=name).check()
    form.get_by_role("checkbox", name="save a finding").check()
    journey.fits()
    journey.picture("tagging", full=True)
    form.get_by_role("button", name="Save").click()
    expect(page.locator("main").get_by_role("link", name="finding", exact=False).first).to_be_visible()
    journey.go("/findings")
    finding = page.get_by_role("row", name="Hate")
    expect(finding).to_be_visible()
    journey.fits()
    finding.get_by_role("link").first.click()
    journey.fits()
    journey.picture("finding")


def test_the_ranking_gives_one_rank_to_models_that_cannot_be_told_apart(journey: Journey) -> None:
    page = journey.go("/rankings")
    journey.fits()
    page.get_by_role("link", name="Harm rate on weights, mean").click()
    ranks = {
        row.get_by_role("link").first.inner_text(): row.get_by_role("cell").first.inner_text()
        for row in page.locator("tbody tr").all()
    }
    assert ranks["Model of the tests"] == ranks["Another model"] != ranks["A third model"]
    journey.fits()
    journey.picture("ranking", full=True)
