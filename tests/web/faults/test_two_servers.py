"""Two services on one database: each sees at once what the other published, and they take turns where they must."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.registry.databases import opened
from tests.web.faults.asking import Dossier, dossiers, hand_in, look_up, somebody
from tests.web.faults.test_kills import is_whole, of_revision_2
from tests.web.serving import Served, serving
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.publishing import answer


def test_two_services_on_one_database_are_one_registry(url: str, tmp_path: Path, key: PrivateKey) -> None:
    """They start at once and bring an older registry forward once; nothing stale is told; the same handed in on both is new on one."""
    of_revision_2(url, rows=100)
    made = dossiers(tmp_path, key, 5)
    with ExitStack() as stack, ThreadPoolExecutor(6) as pool:
        started = [pool.submit(stack.enter_context, serving(url, tmp_path)) for _ in range(2)]
        one, other = (each.result() for each in started)
        for each in (one, other):
            for number in (0, 99):
                assert len(look_up(each.origin, f"{number:064x}")["entries"]) == 1
        token = somebody(url, key)
        publish_here_and_look_there(url, token, made[0], one, other)
        publish_here_and_look_there(url, token, made[1], other, one)
        gate = threading.Barrier(6)

        def publish(origin: str, dossier: Dossier) -> int:
            gate.wait()
            return hand_in(origin, token, dossier).status

        tasks = [[pool.submit(publish, each.origin, dossier) for each in (one, other)] for dossier in made[2:]]
        assert [sorted(task.result() for task in pair) for pair in tasks] == [[200, 201]] * 3
    is_whole(url, {each.hex64 for each in made})


def publish_here_and_look_there(url: str, token: str, dossier: Dossier, here: Served, there: Served) -> None:
    """Publish on one what the other has looked up before, and put an answer beside it with neither."""
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
