"""Files made to harm: each is refused with one error that names the file, in bounded memory and time; or read as what it says."""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evidence.importers.files import DATA, NOW, TOOL_OF, archive, document, imported_from, lines
from weighbridge.errors import UsageError
from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers import importing, reading
from weighbridge.evidence.importers.importing import import_file


def refused(path: Path, tool: Tool | None = None) -> str:
    """Return the error of importing a file, which names it and says what to do."""
    with pytest.raises(UsageError) as caught:
        import_file(path, tool, now=NOW)
    assert caught.value.where and caught.value.do
    return str(caught.value)


def header() -> bytes:
    """An Inspect log's header, unpacked."""
    log = document("inspect.json")
    log.pop("samples")
    return json.dumps(log).encode()


class TestFiles:
    def test_link(self, tmp_path: Path) -> None:
        """A link is not followed."""
        link = tmp_path / "link.json"
        link.symlink_to(DATA / "lm_eval.json")
        assert "symbolic link" in refused(link)

    def test_no_file(self, tmp_path: Path) -> None:
        """A folder, a pipe, a device, what is not there and what is no path are refused at once."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        for path in (tmp_path, pipe, Path("/dev/zero"), tmp_path / "none.json", Path("a\0b"), Path("x" * 5000)):
            refused(path)

    def test_escapes_in_a_name(self, tmp_path: Path) -> None:
        """What a file is called cannot write to a terminal."""
        path = tmp_path / "a\x1b[31m\n.json"
        path.write_bytes((DATA / "lm_eval.json").read_bytes())
        assert import_file(path, now=NOW).file == "a\\x1b[31m\\n.json"
        path.write_bytes(b"{")
        assert "\x1b" not in refused(path)

    def test_changed_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that grows while it is read is refused: its digest would be of something else."""
        path = tmp_path / "growing.json"
        path.write_bytes((DATA / "modelscan.json").read_bytes())
        recognise = importing.recognise

        def slowly(source: reading.Source) -> Tool:
            with path.open("ab") as file:
                file.write(b" ")
            return recognise(source)

        monkeypatch.setattr(importing, "recognise", slowly)
        assert "changed while it was read" in refused(path)


class TestJson:
    @pytest.mark.parametrize("opening", [b'{"a":', b"[", b'{"results":[{"b":'])
    def test_deep(self, opening: bytes, tmp_path: Path) -> None:
        """Nesting of a hundred thousand levels is refused, and of as many as Python itself would bear too."""
        for levels in (100_000, 300):
            for line_end in (b"", b"\n"):
                path = tmp_path / "deep.json"
                path.write_bytes(b'{"entry_type":' + opening * levels + line_end)
                refused(path)
        path.write_bytes(b'{"results":' + b"[" * 300 + b"]" * 300 + b"}")
        assert "nested too deep" in refused(path)

    def test_long(self, tmp_path: Path) -> None:
        """A document of 100 MB is refused by its size, without being read into memory."""
        path = tmp_path / "long.json"
        with path.open("wb") as file:
            file.write(b'{"results": "')
            file.truncate(100_000_000)
        began = time.monotonic()
        assert "longer than 64 MiB" in refused(path)
        assert time.monotonic() - began < 5

    def test_many_values(self, tmp_path: Path) -> None:
        """A document of millions of empty lists, which would take gigabytes, is refused before it is read."""
        path = tmp_path / "many.json"
        path.write_bytes(b'{"results": [' + b"[]," * 4_000_000 + b"[]]}")
        assert "values" in refused(path)

    def test_a_key_twice(self, tmp_path: Path) -> None:
        """A key that stands twice, of which two readers would take different values, is refused by name."""
        data = (DATA / "lm_eval.json").read_bytes().replace(b'"acc,none": 0.6', b'"acc,none": 0.9, "acc,none": 0.6')
        path = tmp_path / "twice.json"
        path.write_bytes(data)
        assert "'acc,none' stands twice" in refused(path)

    @pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN", "-Infinity", "1" * 400])
    def test_numbers_beyond(self, text: str, tmp_path: Path) -> None:
        """Numbers that no float holds are not measured."""
        data = (DATA / "lm_eval.json").read_bytes().replace(b'"acc,none": 0.6', b'"acc,none": ' + text.encode())
        record = imported_from(tmp_path, data)
        assert record.results[0].outcome.kind == "not measured" and record.canonical()

    def test_a_number_of_thousands_of_digits(self, tmp_path: Path) -> None:
        """A whole number that takes Python long to read is refused."""
        path = tmp_path / "digits.json"
        path.write_bytes(b'{"a": ' + b"1" * 100_000 + b"}")
        assert "too long" in refused(path)

    def test_no_unicode(self, tmp_path: Path) -> None:
        """Half a surrogate pair, which JSON can write and UTF-8 cannot, ends as visible text."""
        scan = document("modelscan.json")
        scan["summary"]["scanned"]["scanned_files"] = ["\ud800\u202e.pkl", "runs.pkl"]
        record = imported_from(tmp_path, scan)
        assert record.results[0].what == "\\ud800\\u202e.pkl" and record.canonical()

    def test_long_texts(self, tmp_path: Path) -> None:
        """Texts of any length come over clipped."""
        scan = document("modelscan.json")
        scan["summary"]["input_path"] = "m" * 1_000_000
        assert len(imported_from(tmp_path, scan).canonical()) < 10_000

    def test_many_results(self, tmp_path: Path) -> None:
        """More results than a dossier can hold are refused whole."""
        found = document("lm_eval.json")
        found["results"] = {f"task{number}": {"acc,none": 0.5} for number in range(importing.MAX_RESULTS + 1)}
        path = tmp_path / "many.json"
        path.write_text(json.dumps(found))
        assert "at most 20,000" in refused(path)

    def test_a_long_line(self, tmp_path: Path) -> None:
        """A line without an end is refused by its length."""
        path = tmp_path / "line.jsonl"
        with path.open("wb") as file:
            file.write(b'{"entry_type": "init"}\n')
            file.truncate(80_000_000)
        assert "line 2 is longer than 16 MiB" in refused(path)


class TestArchives:
    def test_bomb(self, tmp_path: Path) -> None:
        """A member that unpacks to a gigabyte is refused by what it claims, or cut off at it."""
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = bomb.compress(b" " * 200_000_000) + bomb.flush()
        for claimed in (200_000_000, 1000):
            path = tmp_path / "bomb.eval"
            path.write_bytes(_member("header.json", packed, 8, claimed))
            assert "64 MiB" in refused(path) or "damaged" in refused(path)

    def test_bomb_of_zstandard(self, tmp_path: Path) -> None:
        """So is one of Zstandard; one of a million empty frames ends as well."""
        zstd = pytest.importorskip("backports.zstd", reason="needs backports.zstd (a dependency of py7zr)")
        for packed in (zstd.compress(b" " * 200_000_000), zstd.compress(b"") * 1_000_000, b"no frame"):
            path = tmp_path / "bomb.eval"
            path.write_bytes(_member("header.json", packed, 93, 1000))
            began = time.monotonic()
            refused(path)
            assert time.monotonic() - began < 5

    def test_paths(self, tmp_path: Path) -> None:
        """Members with paths that lead elsewhere are never written anywhere: only names are compared."""
        path = archive(tmp_path / "paths.eval", {"../../header.json": header(), "/etc/header.json": b"{}"})
        assert "not an Inspect log" in refused(path)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["paths.eval"]

    def test_a_member_twice(self, tmp_path: Path) -> None:
        """Two members of one name are refused: which of them counts?"""
        path = tmp_path / "twice.eval"
        with zipfile.ZipFile(path, "w") as file, pytest.warns(UserWarning):
            file.writestr("header.json", header())
            file.writestr("header.json", header())
        assert "two members of one name" in refused(path)

    def test_damage(self, tmp_path: Path) -> None:
        """A flipped byte in the header, an unknown method, encryption and a cut file are refused."""
        path = archive(tmp_path / "a.eval", {"header.json": header()})
        data = path.read_bytes()
        for at in (40, 100, len(data) // 2):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
            refused(path)
        path.write_bytes(data[:-30])
        assert "not a whole zip archive" in refused(path)
        path.write_bytes(_member("header.json", header(), 12, len(header())))
        assert "method 12" in refused(path)
        path.write_bytes(_member("header.json", header(), 0, len(header()), flags=1))
        assert "encrypted" in refused(path)

    def test_a_list_that_claims_too_much(self, tmp_path: Path) -> None:
        """An archive whose list of members says that it is longer than the bound is not read into memory."""
        path = tmp_path / "list.eval"
        with path.open("wb") as file:
            file.write(b"PK\x03\x04")
            file.truncate(100_000_000)
            file.seek(0, 2)
            file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 90_000_000, 4, 0))
        assert "list of members is longer" in refused(path)

    def test_without_a_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where Python cannot unpack Zstandard, the error says what to install, or how to convert the log."""

        def missing(packed: bytes, limit: int) -> bytes:
            raise ImportError

        monkeypatch.setattr(reading, "_zstandard", missing)
        assert "pip install backports.zstd" in refused(DATA / "inspect.eval")


def test_memory(tmp_path: Path) -> None:
    """The worst document within the bounds takes less than a gigabyte and a half."""
    path = tmp_path / "worst.json"
    path.write_bytes(b'{"results": [' + b"{}," * 1_900_000 + b"{}]}")
    limit = 3 << 29
    code = (
        "import resource, sys; from pathlib import Path; from datetime import datetime, UTC;"
        f"resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}));"
        "from weighbridge.evidence.importers.importing import import_file; from weighbridge.errors import UsageError\n"
        "try: import_file(Path(sys.argv[1]), now=datetime.now(UTC))\n"
        "except UsageError as error: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == "refused\n", done.stderr[-500:]
    assert resource.RLIMIT_AS is not None


# Fuzzing: real files, changed. Whatever comes of it is a record that holds together, or a UsageError.

_DOCUMENTS = [name for name in TOOL_OF if name.endswith(".json")]
_JUNK: list[Any] = [
    None, True, False, 0, -1, 0.5, 1e308, float("nan"), float("inf"), 10**30, "", "N/A", "0.5", "\ud800", "x" * 400,
    [], [[]], [None], ["a"], {}, {"": None}, {"value": 1}, {"name": []}, {"a": {"b": {"c": []}}},
]  # fmt: skip


@cache
def _content(name: str) -> bytes:
    return (DATA / name).read_bytes()


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    """Collect every place of a document: (container, key)."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        _places(inner, found)


def _changed(value: Any, seed: int, times: int) -> Any:
    chosen = random.Random(seed)
    for _ in range(times):
        found: list[tuple[Any, Any]] = []
        _places(value, found)
        if not found:
            break
        holder, key = chosen.choice(found)
        if chosen.random() < 0.3:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(chosen.choice(_JUNK))
    return value


def _holds_together(record: MadeElsewhere) -> None:
    assert MadeElsewhere.model_validate_json(record.canonical()) == record
    assert record.results, "a file that was read says something, if only that nothing was measured"
    if record.complete:
        assert all(each.outcome.kind == "measured" for each in record.results)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(_DOCUMENTS), seed=st.integers(0, 2**32), times=st.integers(1, 6), said=st.booleans())
def test_changed_documents(
    name: str, seed: int, times: int, said: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A real document with some values replaced or removed is read, or refused with a UsageError; never anything else."""
    # inspect.json is mostly samples, of which nothing is read.
    whole = json.loads(_content(name))
    if name == "inspect.json":
        whole["samples"] = whole["samples"][:1]
    folder = tmp_path_factory.getbasetemp()
    try:
        record = imported_from(folder, _changed(whole, seed, times), TOOL_OF[name] if said else None)
    except UsageError as error:
        assert error.where and error.do
    else:
        _holds_together(record)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from([name for name in TOOL_OF if name.endswith(".jsonl")]),
    seed=st.integers(0, 2**32),
    times=st.integers(1, 6),
)
def test_changed_reports(name: str, seed: int, times: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """So is a report of lines, of which some are changed, lost or repeated."""
    chosen = random.Random(seed)
    report = [each for each in lines(name) if each["entry_type"] not in ("attempt", "plugin_cache", "digest")]
    report = _changed(report, seed, times)
    report = [each for each in report for _ in range(chosen.choice([1, 1, 1, 1, 0, 2]))]
    try:
        record = imported_from(tmp_path_factory.getbasetemp(), report, Tool.GARAK)
    except UsageError as error:
        assert error.where and error.do
    else:
        _holds_together(record)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(TOOL_OF)), seed=st.integers(0, 2**32), said=st.booleans())
def test_changed_bytes(name: str, seed: int, said: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """So is any real file with bytes flipped, cut out, repeated, or cut short."""
    chosen, data = random.Random(seed), bytearray(_content(name))
    for _ in range(chosen.randint(1, 4)):
        at = chosen.randrange(len(data) or 1)
        match chosen.randrange(4):
            case 0:
                data[at : at + 1] = bytes([chosen.randrange(256)])
            case 1:
                del data[at : at + chosen.choice([1, 8, 400])]
            case 2:
                data[at:at] = data[at : at + chosen.choice([1, 8, 400])]
            case _:
                del data[at if chosen.random() < 0.5 else len(data) - 1 :]
    try:
        record = imported_from(tmp_path_factory.getbasetemp(), bytes(data), TOOL_OF[name] if said else None)
    except UsageError as error:
        assert error.where and error.do
    else:
        _holds_together(record)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32), times=st.integers(1, 5), name=st.sampled_from(["header.json", "_journal/start.json"])
)
def test_changed_headers(seed: int, times: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """So is an archive whose header or plan was changed."""
    log = document("inspect.json")
    log.pop("samples")
    path = archive(
        tmp_path_factory.getbasetemp() / "changed.eval", {name: json.dumps(_changed(log, seed, times)).encode()}
    )
    try:
        record = import_file(path, now=NOW)
    except UsageError as error:
        assert error.where and error.do
    else:
        _holds_together(record)


def _member(name: str, packed: bytes, method: int, claimed: int, flags: int = 0) -> bytes:
    """A zip archive of one member, which claims to be so long."""
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, flags, method, 0, 0, 0, len(packed), claimed, len(name), 0)
    body = local + name.encode() + packed
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, flags, method, 0, 0, 0, len(packed), claimed, len(name), 0, 0, 0, 0, 0, 0
    )
    central += name.encode()
    return body + central + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(body), 0)
