"""Reading pages, and publishing what has one verdict."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from starlette.testclient import TestClient

from tests.dossier.statements import made
from tests.registry.databases import NOW, put
from tests.registry.test_lookup import whole
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.protocol.vocabulary import Verdict
from weighbridge.registry.asked import Published
from weighbridge.registry.store import Store
from weighbridge.registry.upload import read_folder

PAGE = {"accept": "text/html"}
NOBODY = "ab" * 32
FORMS = ("", "/card", "/badge.svg", "/notice.json")

HOSTILE = (
    "</title></style></textarea><script>alert(1)</script><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)> javascript:alert(1)//',
    "\u202egnp.exe \u2066\u2028 \x1b[31m\x07 {{ 'a' ~ 'b' * 3 }}{% raw %}",
)


class Read(HTMLParser):
    """What is in a page: its words, and every tag with what it carries."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(each for each in self.words if each)


def asked(client: TestClient, path: str) -> str:
    found = client.get(path, headers=PAGE)
    assert found.status_code == 200, (path, found.text[:300])
    return found.text


def weighed_as(verdict: Verdict) -> DossierRecord:
    """The record of a weighing whose every comparison has one verdict."""
    head = whole().headline.model_copy(update={"verdict": verdict})
    every = tuple(each.model_copy(update={"verdict": verdict}) for each in whole().comparisons)
    return whole().model_copy(update={"headline": head, "comparisons": every})


def publish_as(store: Store, folder: Path, key: PrivateKey, verdict: Verdict) -> Published:
    made.write(folder, weighed_as(verdict))
    made.sign(folder, key, NOW)
    return put(store, read_folder(folder))
