"""The shelf of models: one is loaded at a time, two of this machine's own at most, and whoever waits is never waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.fakes.provider import FakeProvider
from weighbridge.engine.provider import Access
from weighbridge.errors import EngineError, WeighbridgeError
from weighbridge.subject.manifest import Progress
from weighbridge.web.workbench.models import ModelState, Offer, Opened, Ready, Shelf

MODELS = ("a.gguf", "b.gguf", "c.gguf", "d.gguf")


class Machine:
    """Opens models that take a while to load, and counts what it has in memory."""

    def __init__(self, *, load_s: float = 0.01, local: bool = True, faults: Sequence[Exception] = ()) -> None:
        self.loading = self.most_loading = 0
        self.providers: dict[str, SlowProvider] = {}
        self.opened: list[str] = []
        self._load_s, self._local, self._faults = load_s, local, list(faults)

    @property
    def loaded(self) -> list[str]:
        return [name for name, provider in self.providers.items() if provider.opened and not provider.closed]

    def __call__(self, reference: str, progress: Progress) -> Opened:
        progress("fetching it", 1, 4)
        if self._faults:
            raise self._faults.pop(0)
        self.opened.append(reference)
        self.providers[reference] = SlowProvider(self, self._load_s)
        return Opened(self.providers[reference], None, self._local)


class SlowProvider(FakeProvider):
    def __init__(self, machine: Machine, load_s: float) -> None:
        super().__init__()
        self._machine, self._load_s = machine, load_s

    async def access(self) -> Access:
        machine = self._machine
        machine.loading += 1
        machine.most_loading = max(machine.most_loading, machine.loading)
        await asyncio.sleep(self._load_s)
        machine.loading -= 1
        return await super().access()


async def use(shelf: Shelf, *references: str, for_s: float = 0.0) -> list[Ready | WeighbridgeError]:
    async with shelf.hold(references) as held:
        await asyncio.sleep(for_s)
        return [held[each] for each in references]


async def test_nothing_is_loaded_before_it_is_used_and_then_it_stays() -> None:
    machine = Machine()
    shelf = Shelf(MODELS, opener=machine)
    assert machine.opened == [] and shelf.told("a.gguf").state is ModelState.NOT_LOADED
    await use(shelf, "a.gguf")
    await use(shelf, "a.gguf")
    assert machine.opened == ["a.gguf"] and shelf.told("a.gguf").state is ModelState.READY
    await shelf.close()
    assert machine.loaded == []


async def test_one_is_loaded_at_a_time_and_two_at_most_are_in_memory() -> None:
    machine = Machine()
    shelf = Shelf(MODELS, opener=machine)
    most = 0

    async def watched(*references: str) -> None:
        nonlocal most
        async with shelf.hold(references) as held:
            assert all(isinstance(each, Ready) for each in held.values())
            assert set(references) <= set(machine.loaded)
            most = max(most, len(machine.loaded))
            await asyncio.sleep(0.01)

    pairs = [("a.gguf", "b.gguf"), ("c.gguf", "d.gguf"), ("b.gguf", "c.gguf"), ("d.gguf", "a.gguf"), ("a.gguf",)]
    async with asyncio.timeout(10):  # two that each hold one and wait for the other's would never end
        await asyncio.gather(*(watched(*pair) for pair in pairs * 4))
    assert machine.most_loading == 1 and most == 2
    await shelf.close()


async def test_the_least_lately_used_gives_way_and_never_one_that_is_used() -> None:
    machine = Machine()
    shelf = Shelf(MODELS, opener=machine)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shelf.hold(["a.gguf"]))
        await use(shelf, "b.gguf")
        await use(shelf, "c.gguf")
        assert sorted(machine.loaded) == ["a.gguf", "c.gguf"]
        await stack.enter_async_context(shelf.hold(["c.gguf"]))
        waiting = asyncio.create_task(use(shelf, "d.gguf"))
        await asyncio.sleep(0.05)
        assert not waiting.done() and sorted(machine.loaded) == ["a.gguf", "c.gguf"]
    assert isinstance((await waiting)[0], Ready)
    await shelf.close()


async def test_models_that_are_elsewhere_do_not_count() -> None:
    machine = Machine(local=False)
    shelf = Shelf(MODELS, opener=machine)
    await use(shelf, *MODELS)
    assert len(machine.loaded) == 4
    await shelf.close()


async def test_what_nobody_uses_is_unloaded_and_loaded_again_when_needed() -> None:
    machine = Machine()
    shelf = Shelf(MODELS, opener=machine)
    async with shelf.hold(["a.gguf"]):
        await use(shelf, "b.gguf")
        await shelf.unload_idle(0.0)
        assert machine.loaded == ["a.gguf"]
    await shelf.unload_idle(60.0)
    assert machine.loaded == ["a.gguf"]
    await shelf.unload_idle(0.0)
    assert machine.loaded == []
    await use(shelf, "b.gguf")
    assert machine.loaded == ["b.gguf"]
    await shelf.close()


@pytest.mark.parametrize(
    ("fault", "problem", "advice"),
    [
        (EngineError("llama.cpp cannot load this model", do="get the whole file"), "cannot load", "whole file"),
        (RuntimeError("with words of a library"), "RuntimeError", "try again"),
    ],
)
async def test_a_failure_is_told_with_what_to_do_and_the_next_use_tries_again(
    fault: Exception, problem: str, advice: str
) -> None:
    machine = Machine(faults=[fault])
    shelf = Shelf(MODELS, opener=machine)
    failed, other = await use(shelf, "a.gguf", "b.gguf")
    assert isinstance(failed, WeighbridgeError) and isinstance(other, Ready)
    told = shelf.told("a.gguf")
    assert told.state is ModelState.FAILED and problem in told.problem and advice in told.advice
    assert "words of a library" not in told.problem
    assert isinstance((await use(shelf, "a.gguf"))[0], Ready)
    assert shelf.told("a.gguf").state is ModelState.READY
    await shelf.close()


async def test_what_is_being_done_is_told_from_another_thread_while_it_lasts() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(reference: str, progress: Progress) -> Opened:
        progress("fetching it", 1, 4)
        begun.set()
        go_on.wait(5)
        return Opened(FakeProvider(), None, True)

    shelf = Shelf(MODELS, opener=slow)
    using = asyncio.create_task(use(shelf, "a.gguf"))
    await asyncio.to_thread(begun.wait, 5)
    told = shelf.told("a.gguf")
    assert (told.state, told.doing, told.how_far) == (ModelState.LOADING, "fetching it", 0.25)
    go_on.set()
    await using
    await shelf.close()


async def test_a_model_that_is_not_offered_is_not_opened() -> None:
    machine = Machine()
    shelf = Shelf(["a.gguf"], opener=machine)
    [found] = await use(shelf, "/etc/passwd")
    assert isinstance(found, WeighbridgeError) and machine.opened == []
    assert Offer("/etc/some/model.gguf").name == "model.gguf" and len(Offer("x").key) == 12


async def test_only_the_first_model_has_the_providers_system_prompt() -> None:
    shelf = Shelf(MODELS, guard="Be kind.", opener=Machine())
    first, second = await use(shelf, "a.gguf", "b.gguf")
    assert isinstance(first, Ready) and isinstance(second, Ready)
    assert (first.guard, second.guard) == ("Be kind.", None)
    await shelf.close()


async def test_closing_does_not_wait_for_what_is_being_fetched() -> None:
    go_on = threading.Event()

    def endless(reference: str, progress: Progress) -> Opened:
        go_on.wait(30)
        raise EngineError("too late")

    shelf = Shelf(MODELS, opener=endless)
    using = asyncio.create_task(use(shelf, "a.gguf"))
    await asyncio.sleep(0.05)
    using.cancel()
    await asyncio.wait([using])
    async with asyncio.timeout(1):
        await shelf.close()
    go_on.set()
