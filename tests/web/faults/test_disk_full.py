"""The disk fills up under a real service: it says so, keeps nothing by halves, goes on telling what it knows, and takes dossiers again when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.faults.asking import ask, dossiers, hand_in, look_up, somebody
from tests.web.faults.test_kills import is_whole
from tests.web.serving import serving
from weighbridge.dossier.statements.keys import PrivateKey

SIZE_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounted, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_is_told_and_room_mends_it(small_disk: Path, tmp_path: Path, key: PrivateKey) -> None:
    """503 with what to do; look-ups go on; the same dossier is taken by the same process once there is room."""
    url = f"sqlite:///{small_disk / 'registry.db'}"
    token = somebody(url, key)
    first, second = dossiers(tmp_path, key, 2)
    ballast = small_disk / "ballast"
    with serving(url, tmp_path) as served:
        assert hand_in(served.origin, token, first).status == 201
        with ballast.open("wb") as file:
            while True:
                try:
                    os.write(file.fileno(), b"\0" * 4096)
                except OSError:
                    break
        said = hand_in(served.origin, token, second)
        assert (said.status, said.json["detail"]) == (503, "the disk is full, and nothing was stored")
        assert said.json["do"] == "make room and do the same again"
        assert len(look_up(served.origin, first.hex64)["entries"]) == 1
        assert look_up(served.origin, second.hex64)["entries"] == []
        page = ask(served.origin, f"/weights/{first.hex64}", Accept="text/html")
        assert page.status == 200
        ballast.unlink()
        assert hand_in(served.origin, token, second).status == 201
        assert len(look_up(served.origin, second.hex64)["entries"]) == 1
    is_whole(url, {first.hex64, second.hex64})
