"""`search:FOLDER` as a provider: bounded, the same every time, and bound to the very bytes that were hashed."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from weighbridge.engine.opening import open_provider
from weighbridge.engine.passage_index import PassageIndex
from weighbridge.engine.questions import Chat, Decoding, Message, Request
from weighbridge.engine.search_provider import NOTHING_FOUND, SearchProvider
from weighbridge.errors import EngineError
from weighbridge.protocol.model import Asking
from weighbridge.subject.references import resolve
from weighbridge.subject.search_method import METHOD, NOTHING, PASSAGES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bread.txt").write_text("Knead the bread dough for ten minutes. " * 30)
    (tmp_path / "tea.txt").write_text("Green tea is brewed with water that has stopped boiling.")
    return tmp_path


def provider(folder: Path) -> SearchProvider:
    """Open `search:folder`."""
    resolved = resolve(f"search:{folder}", environ={})
    opened = open_provider(resolved, Asking(), {})
    assert isinstance(opened, SearchProvider) and opened.subject == resolved.subject.identity
    return opened


def asked(prompt: str, max_tokens: int = 128) -> Request:
    """Return a question through the interface."""
    return Request(Chat((Message("user", prompt),)), Decoding(max_tokens=max_tokens))


async def test_answers_with_passages_and_their_source(folder: Path) -> None:
    """The document is named; no tokens are told, since none are spent."""
    search = provider(folder)
    access = await search.access()
    answer = await search.ask(asked("How is green tea brewed with boiling water?"))
    await search.close()
    assert access.chat and not access.weights and "passages" in access.note
    assert answer.text == "Green tea is brewed with water that has stopped boiling.\n(tea.txt)"
    assert (answer.finish, answer.prompt_tokens, answer.completion_tokens) == (PASSAGES, None, None)


async def test_says_that_nothing_was_found(folder: Path) -> None:
    """Nothing about it is an answer, and marked as one."""
    search = provider(folder)
    answer = await search.ask(asked("How do I repair a carburettor?"))
    await search.close()
    assert (answer.text, answer.finish) == (NOTHING_FOUND, NOTHING)


@pytest.mark.parametrize("max_tokens", [1, 5, 48, 128, 400])
async def test_an_answer_is_no_longer_than_a_model_may_be(folder: Path, max_tokens: int) -> None:
    """So many characters for every token; never nothing where something was found."""
    search = provider(folder)
    answer = await search.ask(asked("Knead the bread dough", max_tokens))
    await search.close()
    assert answer.finish == PASSAGES
    assert 0 < len(answer.text) <= METHOD.chars_per_token * max_tokens


async def test_copies_of_a_document_are_shown_once(folder: Path) -> None:
    """Mirrored texts would read as a loop; the first by name stands for them all."""
    (folder / "copy of tea.txt").write_bytes((folder / "tea.txt").read_bytes())
    search = provider(folder)
    answer = await search.ask(asked("How is green tea brewed with boiling water?"))
    await search.close()
    assert answer.text == "Green tea is brewed with water that has stopped boiling.\n(copy of tea.txt)"


async def test_many_at_once_get_the_same_answers(folder: Path) -> None:
    """Look-ups at once do not disturb one another; closing twice, and while one is under way, is fine."""
    search = provider(folder)
    answers = await asyncio.gather(*(search.ask(asked("Knead the bread dough")) for _ in range(20)))
    assert len({answer.text for answer in answers}) == 1
    pending = asyncio.create_task(search.ask(asked("Green tea")))
    await asyncio.sleep(0)
    pending.cancel()
    await search.close()
    await search.close()


async def test_documents_that_changed_since_they_were_hashed_are_an_error(folder: Path) -> None:
    """Evidence is bound to the documents that were searched, or there is none."""
    search = provider(folder)
    (folder / "tea.txt").write_text("Something else.")
    with pytest.raises(EngineError, match="changed while it was being read"):
        await search.access()
    (folder / "tea.txt").unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        await search.access()
    await search.close()


async def test_no_room_for_the_index_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a failure of ours, never a baseline that knows little."""

    def full(self: PassageIndex, passages: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    search = provider(folder)
    monkeypatch.setattr(PassageIndex, "add", full)
    with pytest.raises(EngineError, match=r"cannot be indexed .*disk is full"):
        await search.access()
    await search.close()
