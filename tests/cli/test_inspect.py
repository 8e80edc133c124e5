"""`weighbridge inspect`: what is printed and how it ends, as a person or a gate in CI meets it."""

from __future__ import annotations

import io
import json
import os
import pickle
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from tests.attacks.directories import model
from tests.test_cli import assert_one_clear_line, run
from weighbridge.cli.inspect import command
from weighbridge.cli.inspected import COLUMNS, summary
from weighbridge.errors import UsageError
from weighbridge.probes.checkpoint.inspection import inspect_here
from weighbridge.probes.checkpoint.report import Report

COMMAND = [sys.executable, "-m", "weighbridge", "inspect"]
CRITICAL = b"cos\nsystem\n(S'true'\ntR."
UNKNOWN = bytes(range(256)) * 40
SCHEMA = {
    "type": "object",
    "required": ["subject", "components", "findings", "not_examined", "tensors"],
    "properties": {
        "subject": {
            "type": "object",
            "required": ["digest", "files"],
            "properties": {
                "digest": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}]},
                "files": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["path", "size", "sha256", "format"],
                        "properties": {
                            "path": {"type": "string"},
                            "size": {"type": "integer", "minimum": 0},
                            "sha256": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[0-9a-f]{64}$"}]},
                            "format": {"type": "string", "minLength": 1},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
        "components": {"type": "array", "minItems": 17, "maxItems": 17},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["rule", "severity", "path", "where", "message"],
                "properties": {
                    "severity": {"enum": ["critical", "high", "medium", "low", "info"]},
                    **{name: {"type": "string"} for name in ("rule", "path", "where", "message")},
                },
                "additionalProperties": False,
            },
        },
        "not_examined": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "reason"],
                "properties": {"path": {"type": "string"}, "reason": {"type": "string", "minLength": 1}},
                "additionalProperties": False,
            },
        },
        "tensors": {"type": "object", "required": ["count", "elements", "dtypes", "not_measured", "each"]},
    },
}


def inspect(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


def reports(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def with_nan(seed: int = 1) -> dict[str, bytes]:
    files = model(seed=seed)
    raw = files["model.safetensors"]
    return files | {"model.safetensors": raw[:-4] + struct.pack("<f", float("nan"))}


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write(tmp_path / "clean", model())


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return write(tmp_path / "hostile", model() | {"extra.pkl": CRITICAL})


def sparse(path: Path, size_bytes: int) -> Path:
    """A well-formed file of one tensor, mostly holes: as long to read as a real one, and no larger on disk than a page."""
    tensor = {"dtype": "F32", "shape": [(size_bytes - 4096) // 4], "data_offsets": [0, size_bytes - 4096]}
    header = json.dumps({"w": tensor}).encode().ljust(4096 - 8)
    with path.open("wb") as file:
        file.truncate(size_bytes)
        file.write(struct.pack("<Q", len(header)) + header)
    return path


def test_clean(clean: Path) -> None:
    """A model with nothing wrong ends with 0 and shows its digest, files, tensors and licence."""
    code, out = inspect(clean)
    assert code == 0
    assert out.splitlines()[:2] == [str(clean), "Nothing found."]
    for words in ("digest   sha256:", "files    8, ", "tensors  21 (21 f32)", "licence  MIT"):
        assert words in out


def test_found(hostile: Path) -> None:
    """A file that runs code when loaded ends with 1; what, where and what to do are told."""
    code, out = inspect(hostile)
    assert code == 1
    assert "Found: 1 critical" in out and "runs code when loaded" in out
    for words in ("CRITICAL  pickle.runs-code", "    extra.pkl [byte ", "system", "What to do: Do not load it"):
        assert words in out


@pytest.mark.parametrize(
    ("level", "code"), [("critical", 0), ("high", 0), ("medium", 1), ("low", 1), ("info", 1), (None, 0)]
)
def test_fail_on(level: str | None, code: int, tmp_path: Path) -> None:
    """A medium finding fails from `medium` on, and is shown in any case; the default is `high`."""
    damaged = write(tmp_path, with_nan())
    ended, out = inspect(damaged, *(["--fail-on", level] if level else []))
    assert ended == code
    assert "MEDIUM  weights.nan" in out
    assert out.splitlines()[1].startswith("Found: 1 medium." if code else "Nothing at or above")


@pytest.mark.parametrize(
    ("files", "fail_on", "code"),
    [
        ({"x.bin": UNKNOWN}, "high", 4),
        ({"x.bin": UNKNOWN, "y.pkl": CRITICAL}, "high", 1),
        ({"x.bin": UNKNOWN, **with_nan()}, "high", 4),
        ({"x.bin": UNKNOWN, **with_nan()}, "medium", 1),
    ],
)
def test_found_comes_before_not_examined(files: dict[str, bytes], fail_on: str, code: int, tmp_path: Path) -> None:
    """What counts as found gives 1 whatever else was not examined; else what was not examined gives 4, never 0."""
    ended, out = inspect(write(tmp_path, files), "--fail-on", fail_on)
    assert ended == code
    assert "so this is not a" in out and "NOT EXAMINED" in out and "x.bin" in out


def test_of_several_paths_the_worst_counts(clean: Path, hostile: Path, tmp_path: Path) -> None:
    """Each path has its own report in the order given, and the code is the worst: found, then not examined, then clean."""
    unknown = write(tmp_path / "unknown", {"x.bin": UNKNOWN})
    assert inspect(clean, clean)[0] == 0
    assert inspect(unknown, clean)[0] == inspect(clean, unknown)[0] == 4
    for paths in ((hostile, unknown), (unknown, hostile), (clean, hostile)):
        code, out = inspect(*paths)
        assert code == 1
        assert [line for line in out.splitlines() if line.startswith("/")] == [str(path) for path in paths]
    code, out = inspect(clean, hostile, unknown, "--json")
    assert code == 1
    assert [len(each["findings"]) > 0 for each in reports(out)] == [False, True, False]


def test_json(clean: Path, hostile: Path, tmp_path: Path) -> None:
    """`--json` prints one line a path, of the promised shape, whatever was found."""
    unknown = write(tmp_path / "unknown", {"x.bin": UNKNOWN, "many/deep/er/y": b""})
    file = clean / "model.safetensors"
    code, out = inspect(clean, hostile, unknown, file, "--json")
    told = reports(out)
    assert code == 1 and len(told) == 4
    for each in told:
        Draft202012Validator(SCHEMA).validate(each)
    assert [file["path"] for file in told[0]["subject"]["files"]] == sorted(set(model()) - {".gitattributes"})
    assert told[1]["findings"][0] | {"message": ""} == {
        "rule": "pickle.runs-code",
        "severity": "critical",
        "path": "extra.pkl",
        "where": told[1]["findings"][0]["where"],
        "message": "",
    }
    assert told[2]["not_examined"][0]["path"] == "x.bin"
    assert told[0]["tensors"]["count"] == told[3]["tensors"]["count"] == 21


def test_the_same_bytes_give_the_same_line(clean: Path) -> None:
    """The report has no time and no order of chance in it."""
    assert inspect(clean, "--json") == inspect(clean, "--json")


def test_nothing_is_written_or_run(hostile: Path, tmp_path: Path) -> None:
    """Reading a file that would make another one makes none, and leaves the directory as it was."""
    mark = tmp_path / "ran"
    (hostile / "extra.pkl").write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(mark) + b"'\ntR.")
    before = {path: path.stat().st_mtime_ns for path in hostile.rglob("*")}
    assert inspect(hostile)[0] == 1
    assert not mark.exists()
    assert {path: path.stat().st_mtime_ns for path in hostile.rglob("*")} == before


def test_against(clean: Path, tmp_path: Path) -> None:
    """`--against` says how the two are kin; one that is not there is the caller's mistake."""
    other = write(tmp_path / "other", with_nan())
    code, out = inspect(clean, "--against", other)
    assert code == 0 and "\nagainst  " in out
    with pytest.raises(UsageError, match="No such file"):
        inspect(clean, "--against", tmp_path / "nowhere")


@pytest.mark.parametrize(
    "arguments",
    [(), ("--fail-on", "worst", "."), ("--frobnicate", "."), ("/nowhere/at/all",), (".", "/nowhere/at/all")],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    """A mistake of the caller ends with 2 and one line of error, before anything is read."""
    result = run("inspect", *arguments)
    assert_one_clear_line(result, 2)
    assert result.stdout == ""


def test_a_directory_without_files(tmp_path: Path) -> None:
    """There is nothing to call clean: 4, also where only folders are, or what does not count."""
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / ".gitattributes").write_text("")
    code, out = inspect(tmp_path)
    assert code == 4 and "the directory holds no files" in out


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """Pipes, sockets, devices and links that lead round or away are named and not read, in a directory and by themselves."""
    whole = write(tmp_path / "m", model())
    os.mkfifo(whole / "pipe")
    (whole / "round").symlink_to("round")
    (whole / "here").symlink_to(".")
    (whole / "gone").symlink_to("nowhere")
    (whole / "away").symlink_to("/etc/hostname")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(whole / "sock"))
        code, out = inspect(whole, "--json")
    (told,) = reports(out)
    assert code == 1 and [each["rule"] for each in told["findings"]] == ["file.link-out"]
    assert {each["path"] for each in told["not_examined"]} == {"pipe", "round", "here", "gone", "away", "sock"}
    assert told["subject"]["digest"] is None
    code, out = inspect(whole / "pipe", "/dev/zero")
    assert code == 4 and out.count("neither a file nor a folder") == 2


def test_without_permission() -> None:
    """A file and a folder that may not be read are not examined: 4, and there is no digest."""
    with TemporaryDirectory() as folder:
        root = write(Path(folder), model())
        inspect_here(root)  # imports what reading needs, while the interpreter's own files may be read
        root.chmod(0o755)
        (root / "config.json").chmod(0)
        (root / "closed").mkdir(mode=0)
        if os.getuid() == 0:  # who may read everything: be somebody else
            os.seteuid(65534)
        try:
            code, out = inspect(root, "--json")
        finally:
            os.seteuid(os.getuid())
            (root / "closed").chmod(0o700)
    (told,) = reports(out)
    assert code == 4
    assert {each["path"] for each in told["not_examined"]} == {"config.json", "closed"}
    assert told["subject"]["digest"] is None
    (file,) = [each for each in told["subject"]["files"] if each["path"] == "config.json"]
    assert file["sha256"] is None and file["size"] == len(model()["config.json"])


def test_text_of_files_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    """Names, tensors, members and licences with escape sequences, line ends, half characters and other bytes are written out."""
    evil = "x\x1b[2J\x1b]0;t\x07\n\u202e\x9b31m"
    half = json.dumps({"a\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "__metadata__": {evil: evil}})
    member = io.BytesIO()
    with zipfile.ZipFile(member, "w") as archive:
        archive.writestr(evil, CRITICAL)
    write(
        tmp_path,
        {
            "w.safetensors": struct.pack("<Q", len(half)) + half.encode() + bytes(4),
            "a.zip": member.getvalue(),
            "config.json": json.dumps({"license": evil, "auto_map": {evil: "a\ud800.B"}}).encode(),
            "README.md": f'---\nlicense: "{json.dumps(evil)[1:-1]}\\ud800"\n---\n'.encode(),
            evil: CRITICAL,
        },
    )
    named = os.fsencode(tmp_path) + b"/\xff\x1b[31m.pkl"
    with open(named, "wb") as file:
        file.write(CRITICAL)
    for extra in ([], ["--json"]):
        result = subprocess.run([*COMMAND, str(tmp_path), named, *extra], capture_output=True, check=False, timeout=60)
        assert result.returncode == 1 and result.stderr == b""
        text = result.stdout.decode("ascii" if extra else "utf-8")
        bad = {letter for letter in text if not letter.isprintable()} - {"\n"}
        assert bad == set()
    assert len(text.splitlines()) == 2
    missing = subprocess.run([*COMMAND, b"/no\xff\x1b[31m\nwhere"], capture_output=True, check=False, timeout=60)
    assert missing.returncode == 2
    assert missing.stderr.count(b"\n") == 1 and b"\x1b" not in missing.stderr


def test_lines_fit_a_terminal_and_long_lists_are_counted(tmp_path: Path) -> None:
    """No line is longer than 80 columns, and many places of one rule are counted, not printed."""
    files = {f"runs/{number:03}.pkl": CRITICAL for number in range(50)}
    code, out = inspect(write(tmp_path, files))
    lines = out.removeprefix(str(tmp_path)).splitlines()
    assert code == 1 and len(lines) < 25
    assert max(map(len, lines)) <= COLUMNS
    assert "(50 places)" in out and "and 46 more (--json lists all)" in out


def test_findings_stand_first_and_worst_first() -> None:
    """The worst is read first, one rule at a time; facts about the model come last."""
    places = [
        {"rule": "a.b", "severity": "critical", "path": "p", "where": "w", "message": "same"},
        {"rule": "c.d", "severity": "critical", "path": "q", "where": "", "message": "other"},
        {"rule": "a.b", "severity": "critical", "path": "r", "where": "w", "message": "same"},
        {"rule": "e.f", "severity": "info", "path": "", "where": "w", "message": "about it all"},
    ]
    rules = {name: {"title": f"T {name}", "why": "", "fix": f"Fix {name}."} for name in ("a.b", "c.d", "e.f")}
    text = summary("m", Report({"digest": None, "files": []}, findings=places, rules=rules))
    order = [text.index(words) for words in ("T a.b (2 places)", "Fix a.b.", "T c.d", "T e.f", "the whole", "digest")]
    assert order == sorted(order)
    assert text.count("same") == text.count("Fix a.b.") == 1


def test_the_digest_fits_in_a_line(clean: Path) -> None:
    """The digest can be copied in one piece from a terminal of 80 columns."""
    (line,) = [line for line in inspect(clean)[1].splitlines() if line.startswith("digest")]
    assert len(line) == 80


def test_a_reader_that_is_killed(tmp_path: Path) -> None:
    """When the child is killed (as for memory by the system), the file is not examined, and the command ends with 4."""
    large = sparse(tmp_path / "w.safetensors", 200 << 30)
    with subprocess.Popen([*COMMAND, str(large), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        child = _child(process.pid)
        while not any(os.path.realpath(link) == str(large) for link in Path(f"/proc/{child}/fd").iterdir()):
            time.sleep(0.01)  # before it has begun there is no file that it died at
        time.sleep(0.2)
        os.kill(child, signal.SIGKILL)
        out, errors = process.communicate(timeout=60)
    (told,) = reports(out.decode())
    assert (process.returncode, errors) == (4, b"")
    assert told["not_examined"] == [{"path": "w.safetensors", "reason": "the reader was ended by SIGKILL"}]
    assert told["subject"]["files"] == [
        {"path": "w.safetensors", "size": 200 << 30, "sha256": None, "format": "unknown"}
    ]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends at once with 130 and one line, and nothing keeps running."""
    large = sparse(tmp_path / "w.safetensors", 200 << 30)
    with subprocess.Popen(
        [*COMMAND, str(large)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        _child(process.pid)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
        out, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert (out, errors.split(b"\n")) == (b"", [b"", b"interrupted", b""])
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def _child(process: int) -> int:
    """Wait for the reader to be at work and return its id."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        found = Path(f"/proc/{process}/task/{process}/children")
        if not found.exists():
            pytest.skip("the system does not tell the children of a process")
        if children := found.read_text().split():
            return int(children[0])
        time.sleep(0.02)
    raise AssertionError("no reader was started")


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_closed_pipe(extra: tuple[str, ...], clean: Path, hostile: Path) -> None:
    """When nobody listens any more (`| head`) it says nothing, and the code is still about what was read: the rest is not clean."""
    for paths, code in (((clean,), 0), ((hostile,), 1), ((clean, clean), 4), ((hostile, clean), 1)):
        read_end, write_end = os.pipe()
        os.close(read_end)
        result = subprocess.run(
            [*COMMAND, *map(str, paths), *extra], stdout=write_end, stderr=subprocess.PIPE, check=False, timeout=60
        )
        os.close(write_end)
        assert (result.returncode, result.stderr) == (code, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(clean: Path) -> None:
    """A report that cannot be written is no verdict: 4, and one line."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run([*COMMAND, str(clean)], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert result.returncode == 4
    assert result.stderr.decode() == "error: standard output: cannot be written (No space left on device)\n"


def test_progress_only_on_a_terminal(tmp_path: Path) -> None:
    """A terminal sees one line that rewrites itself, and is cleared; a log sees none of it; there are no colours anywhere."""
    large = sparse(tmp_path / ("a name that is so long that it would not fit in any line " * 3), 30 << 30)
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, str(large)], stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen, deadline_s = b"", time.monotonic() + 30
        while seen.count(b"\r") < 2 and time.monotonic() < deadline_s and process.poll() is None:
            if select.select([ours], [], [], 0.5)[0]:
                seen += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    os.close(ours)
    assert b" left" in seen and out == b"" and b"\x1b" not in seen
    assert max(map(len, seen.decode().split("\r"))) <= COLUMNS
    silent = subprocess.Popen([*COMMAND, str(large)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(3)
    silent.send_signal(signal.SIGINT)
    _, errors = silent.communicate(timeout=20)
    assert errors == b"\ninterrupted\n"


def test_an_ordinary_pickle_is_not_accused(tmp_path: Path) -> None:
    """A dictionary of a user's own is clean, and so is the same in several protocols."""
    for protocol in range(6):
        (tmp_path / f"{protocol}.pkl").write_bytes(pickle.dumps({"a": [1, 2.5, "os.system"]}, protocol))
    assert inspect(tmp_path)[0] == 0
