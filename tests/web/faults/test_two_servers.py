"""Two services on one database: each sees at once what the other published, and they take turns where they must."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.registry.databases import opened
from tests.web.faults.asking import begin, dossiers, hand_in, look_up
from tests.web.faults.test_kills import is_whole, of_revision_2
from tests.web.serving import serving
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.audit import verify_audit
from weighbridge.registry.publishing import answer


def test_what_is_published_on_one_is_seen_on_the_other_at_once(url: str, tmp_path: Path, key: PrivateKey) -> None:
    """Though the other keeps what it answered before; and of two who publish the same at once one is the first."""
    token, made = begin(url, key), dossiers(tmp_path, key, 4)
    with serving(url, tmp_path) as one, serving(url, tmp_path) as other:
        for dossier, here, there in zip(made, (one, other) * 2, (other, one) * 2, strict=True):
            for _ in range(2):
                assert look_up(there.origin, dossier.hex64)["entries"] == []
            found = hand_in(here.origin, token, dossier)
            assert found.status == 201
            assert len(look_up(there.origin, dossier.hex64)["entries"]) == 1
            with opened(url) as store:
                answer(store, found.json["publication"], by="author", text="we are mending it")
            for each in (here, there):
                [entry] = look_up(each.origin, dossier.hex64)["entries"]
                assert [reply["text"] for reply in entry["answers"]] == ["we are mending it"]
    is_whole(url, {each.hex64 for each in made})


def test_of_the_same_published_on_both_at_once_one_is_new(url: str, tmp_path: Path, key: PrivateKey) -> None:
    """Six at a time on two services, three dossiers: each is there once, and each was new to one of those who handed it in."""
    token, made = begin(url, key), dossiers(tmp_path, key, 3)
    gate = threading.Barrier(6)
    with serving(url, tmp_path) as one, serving(url, tmp_path) as other, ThreadPoolExecutor(6) as pool:

        def publish(origin: str, number: int) -> int:
            gate.wait()
            return hand_in(origin, token, made[number]).status

        tasks = [[pool.submit(publish, each.origin, number) for each in (one, other)] for number in range(3)]
        assert [sorted(task.result() for task in pair) for pair in tasks] == [[200, 201]] * 3
    is_whole(url, {each.hex64 for each in made})


def test_two_that_start_at_once_bring_an_older_registry_forward_once(url: str, tmp_path: Path) -> None:
    """Both come up, and no row is lost or twice there."""
    of_revision_2(url, rows=100)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        started = [pool.submit(stack.enter_context, serving(url, tmp_path)) for _ in range(2)]
        for each in started:
            for number in (0, 99):
                assert len(look_up(each.result().origin, f"{number:064x}")["entries"]) == 1
    with opened(url) as store, store.reading() as connection:
        assert verify_audit(connection).entries >= 1
