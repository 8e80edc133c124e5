"""`weighbridge publish --to` and `lookup --at` over a real connection: what they print, what they send, and every way in which the other side fails."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner
from fastapi.requests import HTTPConnection

from tests.cli.test_registry import run
from tests.dossier.statements import made
from tests.registry.databases import endpoint as closed_endpoint
from tests.registry.databases import opened, weighed
from weighbridge.cli import lineage as lineage_command
from weighbridge.cli import lookup, publish
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.keys import KeyKind, new_key, read_private_key, read_public_key
from weighbridge.errors import UsageError
from weighbridge.registry import remote
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.problems import RegistryError
from weighbridge.registry.publishing import trust
from weighbridge.registry.remote import Server
from weighbridge.registry.upload import Upload
from weighbridge.web.app import create_app
from weighbridge.web.door import NOBODY, Who
from weighbridge.web.settings import Settings
from weighbridge.web.site import Site

GOOD, WEAK = "good-token", "weak-token"


class TokenDoor:
    """Knows two tokens: a tester's, and a visitor's."""

    def who(self, request: HTTPConnection) -> Who:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        roles = {GOOD: Role.TESTER, WEAK: Role.VISITOR}
        return Who("ada", roles[given]) if given in roles else NOBODY


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    new_key(path, KeyKind.ED25519)
    return path


@pytest.fixture(scope="module")
def folder(key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier, signed now, of a model whose file is at hand."""
    part = made.candidate().components[0]
    file = part.files[0].model_copy(update={"digest": digest_bytes(made.MODEL)})
    candidate = made.candidate(digest=file.digest, components=(part.model_copy(update={"files": (file,)}),))
    found = made.write(
        tmp_path_factory.mktemp("signed") / "dossier", weighed().model_copy(update={"candidate": candidate})
    )
    made.sign(found, read_private_key(key_file), datetime.now(UTC).replace(microsecond=0))
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, key_file: Path) -> Iterator[str]:
    """A service on loopback, with an empty registry that trusts `key_file`."""
    url = f"sqlite:///{tmp_path_factory.mktemp('served') / 'registry.db'}"
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with opened(url) as store:
        store.clock = lambda: datetime.now(UTC)
        trust(store, read_public_key(Path(f"{key_file}.pub")), name="The Evaluators", by="test")
        app = create_app(Site(store, Settings(origin=origin), TokenDoor()))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield origin
        server.should_exit = True
        thread.join()


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the address of something that answers as it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                with suppress(OSError):
                    talk(connection)

    threading.Thread(target=work, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def saying(head: str, body: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)

    return talk


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEIGHBRIDGE_TOKEN", "WEIGHBRIDGE_REGISTRY"):
        monkeypatch.delenv(name, raising=False)


def test_from_a_dossier_here_to_a_notice_there(
    served: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Published with a token from the environment or a file, found by the model itself, its digest and 12 digits; no weights are sent."""
    digest = digest_bytes(made.MODEL)
    code, said = run(lookup.command, digest, "--at", served)
    assert code == 4 and said.startswith("NOT MEASURED")
    monkeypatch.setenv("WEIGHBRIDGE_TOKEN", GOOD)
    code, said = run(publish.command, folder, "--to", served, "--json")
    published = json.loads(said)
    assert (code, published["new"], published["signer_known"]) == (0, True, True)
    monkeypatch.delenv("WEIGHBRIDGE_TOKEN")
    (tmp_path / "token").write_text(GOOD + "\n")
    monkeypatch.setenv("WEIGHBRIDGE_REGISTRY", served + "/")
    code, said = run(publish.command, folder, "--token-file", tmp_path / "token")
    assert (code, said.splitlines()[0]) == (0, f"HERE ALREADY: {published['publication']}")
    assert f"{served}/publications/{published['publication'].removeprefix('sha256:')}" in said
    model = tmp_path / "model.gguf"
    model.write_bytes(made.MODEL)
    sent: list[bytes] = []
    monkeypatch.setattr(remote.Server, "_sent", lambda *_: sent.append(b"weights"))
    for asked in (model, digest, digest.removeprefix("sha256:")[:12]):
        code, said = run(lookup.command, asked, "--json")
        notice = json.loads(said)
        assert (code, notice["schema"], notice["entries"][0]["match"]) == (
            0,
            "weighbridge.notice/1",
            "these exact weights",
        )
    code, said = run(lookup.command, digest, "--at", served)
    assert code == 0 and "benchmark" in said and "signer" in said and not sent


def test_a_closed_model_is_published_and_found_there(served: str, tmp_path: Path, key_file: Path) -> None:
    """By its names."""
    closed = made.write(tmp_path / "closed", weighed().model_copy(update={"candidate": closed_endpoint()}))
    (tmp_path / "token").write_text(GOOD)
    named = ("--closed", "Some Lab/Big Model", "--key", key_file, "--token-file", tmp_path / "token")
    assert run(publish.command, closed, "--to", served, *named)[0] == 0
    code, said = run(lookup.command, "--closed", "some lab/big model", "--at", served)
    assert code == 0 and "no digest: Some Lab Big Model" in said
    assert run(lookup.command, "--closed", "some lab/other", "--at", served)[0] == 4
    assert run(lookup.command, "0" * 12, "--at", served)[0] == 4


def test_what_the_server_refuses_is_told_with_its_reasons(
    served: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What does not verify ends with 1 and the reasons; a token that may not is the caller's to mend."""
    changed = made.write(tmp_path / "changed", weighed())
    monkeypatch.setenv("WEIGHBRIDGE_TOKEN", GOOD)
    code, said = run(publish.command, changed, "--to", served)
    assert code == 1 and "unsigned:" in said
    for token, status in ((WEAK, "403"), ("no-token", "401")):
        monkeypatch.setenv("WEIGHBRIDGE_TOKEN", token)
        with pytest.raises(UsageError, match=status):
            run(publish.command, folder, "--to", served)


def test_a_server_that_is_not_there_or_no_weighbridge_is_told_as_that(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing there, a page of another program, a redirect, broken and endless answers, silence: an error that says what, and in bounded time."""
    monkeypatch.setenv("WEIGHBRIDGE_TOKEN", GOOD)
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    for command, asked, option in ((lookup.command, "ab" * 32, "--at"), (publish.command, folder, "--to")):
        with pytest.raises(RegistryError, match="is not there"):
            run(command, asked, option, nobody)
    html = saying("200 OK\r\ncontent-type: text/html", b"<h1>Hello</h1>")
    cases = {
        "no weighbridge": html,
        "leads elsewhere": saying("302 Found\r\nlocation: http://127.0.0.1:1/", b""),
        "connection failed": lambda connection: connection.sendall(b"\x00nonsense\r\n\r\n"),
    }
    others = [
        saying("404 Not Found\r\ncontent-type: text/html", b"no"),
        saying("200 OK\r\ncontent-type: application/json", b"{}"),
        saying("200 OK\r\ncontent-type: application/json", b"\xff"),
        saying("500 Oh\r\ncontent-type: application/json", b"[]"),
    ]
    for told, talk in [*cases.items(), *(("no weighbridge", each) for each in others)]:
        with answering(talk) as address, pytest.raises(RegistryError, match=told):
            run(lookup.command, "ab" * 32, "--at", address)
    monkeypatch.setattr(remote, "MAX_ANSWER_BYTES", 1000)
    endless = saying("200 OK\r\ncontent-type: application/json", b" " * 2000)
    with answering(endless) as address, pytest.raises(RegistryError, match="more than"):
        run(lookup.command, "ab" * 32, "--at", address)
    monkeypatch.setattr(remote, "_LOOK_UP_S", 0.3)
    with answering(lambda connection: time.sleep(3)) as address, pytest.raises(RegistryError, match="did not answer"):
        run(lookup.command, "ab" * 32, "--at", address)


def test_a_problem_that_the_server_tells_is_shown_without_its_escapes() -> None:
    """A refusal may hold anything: it is one line of letters."""
    body = json.dumps({"title": "x", "status": 429, "detail": "wait \x1b[31m\nnow", "do": "\u202ecome again"}).encode()
    talk = saying("429 Too Many\r\ncontent-type: application/problem+json", body)
    with answering(talk) as address, pytest.raises(RegistryError) as told:
        Server(address).notice("sha256:" + "0" * 64)
    assert "429" in str(told.value) and not set("\x1b\n\u202e") & set(str(told.value))


def test_a_token_goes_to_nobody_else_and_not_in_the_clear(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect is not followed; http to another machine is refused; a token is never printed."""
    heard: list[bytes] = []

    def elsewhere(connection: socket.socket) -> None:
        heard.append(connection.recv(1 << 16))

    monkeypatch.setenv("WEIGHBRIDGE_TOKEN", GOOD)
    with answering(elsewhere) as other:
        leading = saying(f"307 Temporary Redirect\r\nlocation: {other}/", b"")
        with answering(leading) as address, pytest.raises(RegistryError, match="leads elsewhere"):
            run(publish.command, folder, "--to", address)
    assert heard == []
    with pytest.raises(UsageError, match="in the clear"):
        run(publish.command, folder, "--to", "http://registry.example")
    assert GOOD not in repr(Server("https://registry.example", GOOD))
    for wrong in ("a b", "a\nb", "é", "x" * 2000):
        with pytest.raises(UsageError, match="not a token"):
            Server("https://registry.example", wrong)


def test_exactly_one_registry_is_meant(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither or both is refused with what to give, as is what does not belong to a server."""
    db, server = f"sqlite:///{tmp_path / 'x.db'}", "http://127.0.0.1:9"
    wrong: list[tuple[object, ...]] = [
        (publish.command, folder),
        (publish.command, folder, "--db", db, "--to", server),
        (publish.command, folder, "--to", server),  # no token
        (publish.command, folder, "--to", server, "--trust", folder, "--trust-as", "x"),
        (publish.command, folder, "--db", db, "--token-file", folder / "card.md"),
        (publish.command, folder, "--to", server, "--token-file", tmp_path / "none"),
        (lookup.command, "ab" * 32),
        (lookup.command, "ab" * 32, "--db", db, "--at", server),
        (lookup.command, "ab" * 32, "--at", server, "--as-of", "2026-11-26"),
        (lookup.command, "ab" * 32, "--at", "registry.example"),
        (lookup.command, "ab" * 32, "--at", "ftp://registry.example"),
        (lookup.command, "ab" * 32, "--at", "https://user:secret@registry.example"),
    ]
    for command, *arguments in wrong:
        with pytest.raises(UsageError):
            run(command, *arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "x.db").exists()
    monkeypatch.setenv("WEIGHBRIDGE_REGISTRY", db)
    assert run(publish.command, folder)[0] == 0
    assert run(lookup.command, digest_bytes(made.MODEL))[0] == 0


def test_no_database_library_is_needed_to_ask_a_server(served: str) -> None:
    """Who looks up elsewhere needs no SQLAlchemy."""
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from weighbridge.registry.remote import Server\n"
        f"print(Server({served!r}).notice('sha256:' + '0' * 64).answer.value)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "not measured", found.stderr


def test_an_archive_that_breaks_off_leaves_nothing_behind(served: str) -> None:
    """The line is lost in the middle, many times: the service goes on, takes the next one, and has nothing in hand."""
    host, port = served.removeprefix("http://").split(":")
    head = f"POST /api/v1/publications HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {GOOD}\r\n"
    head += "content-type: application/zip\r\ncontent-length: 100000\r\n\r\n"
    for _ in range(20):  # more than may be on their way at once
        with socket.create_connection((host, int(port))) as line:
            line.sendall(head.encode() + b"PK" * 1000)
    with pytest.raises(UsageError, match="422"):
        Server(served, GOOD).publish(Upload({"card.md": b"no dossier"}, "here"))


@pytest.mark.parametrize("as_json", [False, True])
def test_no_word_of_a_server_reaches_the_terminal_as_it_came(as_json: bool) -> None:
    """Its reasons are a stranger's as much as its labels."""
    bad = "\x1b[2J\x9b\u202eback\n"
    notice = {"schema": "weighbridge.notice/1", "asked": bad, "at": "2026-11-26T12:00:00Z", "answer": "not measured"}
    notice |= {"because": bad, "entries": [], "lacking": 0}
    lineage = {"schema": "weighbridge.lineage/1", "digest": None, "label": bad, "at": "2026-11-26T12:00:00Z"}
    lineage |= {
        "compared": {"kind": "not measured", "reason": bad},
        "left_out": 0,
        "is_cut": False,
        "signer_known": True,
    }
    lineage |= {"declared": [], "kin": [], "edges": []}
    for module, body in ((lookup, notice), (lineage_command, lineage)):
        with answering(saying("200 OK\r\ncontent-type: application/json", json.dumps(body).encode())) as address:
            found = CliRunner().invoke(module.command, ["ab" * 32, "--at", address, *(["--json"] if as_json else [])])
        assert "back" in found.output
        assert not set("\x1b\x9b\u202e") & set(found.output)
