"""`kill -9` of a real service, at any moment: what was acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from sqlalchemy import func, select, text

from tests.registry.databases import opened
from tests.registry.test_lookup import facts
from tests.web.faults.asking import Dossier, dossiers, hand_in, look_up, somebody
from tests.web.serving import serving
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.registry.backup import check
from weighbridge.registry.lookup import files_of, read_blob
from weighbridge.registry.store import connect
from weighbridge.registry.tables import REVISION, publication_files, publications
from weighbridge.registry.upgrading import revision_of, upgrade

SYNTHETIC = "synthetic"
KILLS = int(os.environ.get("WEIGHBRIDGE_TEST_KILLS", "1"))


def test_kill_9_while_dossiers_are_published_loses_nothing_that_was_acknowledged(
    url: str, tmp_path: Path, key: PrivateKey
) -> None:
    """Three publish at once and the process dies; the next one has every acknowledged dossier, no half of any, and takes the others."""
    token, made = somebody(url, key), dossiers(tmp_path, key, 3)
    chance = random.Random(1)
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        with serving(url, tmp_path) as served:

            def publish(dossier: Dossier, origin: str = served.origin) -> None:
                try:
                    if hand_in(origin, token, dossier).status in (200, 201):
                        acknowledged.add(dossier.hex64)
                except (OSError, http.client.HTTPException):
                    pass  # it died

            threads = [threading.Thread(target=publish, args=(each,)) for each in made]
            for each in threads:
                each.start()
            time.sleep(chance.uniform(0, 0.4))
            served.kill()
            for each in threads:
                each.join()
        is_whole(url, acknowledged)
    with serving(url, tmp_path) as served:
        for each in made:
            assert hand_in(served.origin, token, each).status in ((200,) if each.hex64 in acknowledged else (200, 201))
            assert len(look_up(served.origin, each.hex64)["entries"]) == 1
    is_whole(url, {each.hex64 for each in made})


def is_whole(url: str, expected: set[str]) -> None:
    """Assert that each of the expected is there, that what is there is whole, and that the log follows from its beginning."""
    with opened(url) as store, store.reading() as connection:
        check(connection)
        handed_in = publications.c.label != SYNTHETIC  # those have no files
        roots = connection.execute(select(publications.c.root, publications.c.envelope).where(handed_in)).all()
        assert expected <= {root.removeprefix("sha256:") for root, _ in roots}
        for _, envelope in roots:
            files = files_of(connection, envelope)
            assert "dossier.json" in files
            for digest in files.values():
                read_blob(connection, digest)
        held = select(func.count()).where(publication_files.c.envelope.not_in([each for _, each in roots]))
        assert connection.execute(held).scalar() == 0


def test_kill_9_while_a_service_brings_an_older_registry_forward(url: str, tmp_path: Path, key: PrivateKey) -> None:
    """Whenever it dies the tables are the old ones or the new ones, with all rows; the next start goes on."""
    of_revision_2(url, rows=200)
    chance = random.Random(2)
    for _ in range(KILLS):
        start_and_kill(url, tmp_path, chance.uniform(0.5, 2.0))
        store = connect(url)
        with store.reading() as connection:
            assert revision_of(connection, store.where) in ("0002", REVISION)
            assert connection.execute(text("SELECT count(*) FROM publications")).scalar() == 200
        store.close()
    with serving(url, tmp_path) as served:
        assert len(look_up(served.origin, f"{7:064x}")["entries"]) == 1


def of_revision_2(url: str, rows: int) -> None:
    """Make a registry as the version with revision 0002 left it, with rows in it."""
    store = connect(url)
    upgrade(store, to="0002")
    names = (
        "envelope statement dossier root label weighed_at made_at valid_until published_at signer signer_known facts"
    )
    at, said = "2026-11-20T12:00:00.000000Z", facts().model_dump_json()
    with store.writing() as connection:
        connection.execute(
            text(
                f"INSERT INTO publications ({', '.join(names.split())}) VALUES (:e, :e, :e, :r, '{SYNTHETIC}', :t, :t, :t, :t, 's', false, :f)"
            ),
            [
                {"e": f"sha256:{number:063x}e", "r": f"sha256:{number:064x}", "t": at, "f": said}
                for number in range(rows)
            ],
        )
    store.close()


def start_and_kill(url: str, folder: Path, after_s: float) -> None:
    """Start a service and kill it soon, whether it has come up or not."""
    command = [sys.executable, "-m", "weighbridge", "serve", "--db", url, "--port", "0"]
    with (folder / "killed.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    time.sleep(after_s)
    process.kill()
    process.wait()
