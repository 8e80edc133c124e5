"""Protocol files: TOML or YAML in, a checked `AssessmentProtocol` out, and back to TOML. The format: `docs/formats/protocol.md`.

A file is refused with every problem at once, each with its place. Nothing is guessed: a text is not taken for a number, an
unknown key is an error, and so is a key that is there twice.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from weighbridge.errors import ProtocolError
from weighbridge.protocol.model import AssessmentProtocol
from weighbridge.protocol.typed_files import TypedFile, toml_entry

BUILTIN = ("default", "demo")
_KIND = TypedFile("protocol", AssessmentProtocol, ProtocolError, BUILTIN)


def load_protocol(name_or_path: str) -> AssessmentProtocol:
    """Return a builtin protocol ("default", "demo") or the one in a TOML or YAML file.

    A builtin's name wins over a file of that name: write `./demo` for the file. A relative `prompts.suite` or
    `grading.calibration` is taken from the file's folder. Raises `ProtocolError` with all that is wrong in the file, `UsageError` when there is no such file.

    >>> load_protocol("default") == AssessmentProtocol()
    True
    """
    if name_or_path in BUILTIN:
        return _KIND.check(tomllib.loads(_builtin_text(name_or_path)), where=name_or_path)
    path = Path(name_or_path)
    protocol = _KIND.check(_KIND.parse(_KIND.read(path), str(path)), where=str(path))
    prompts, grading = protocol.prompts, protocol.grading
    if prompts.suite != "builtin":
        prompts = prompts.model_copy(update={"suite": _beside(path, prompts.suite)})
    if grading.calibration is not None:
        grading = grading.model_copy(update={"calibration": _beside(path, grading.calibration)})
    return protocol.model_copy(update={"prompts": prompts, "grading": grading})


def _beside(path: Path, named: str) -> str:
    """Return a path that a protocol file names, taken from the file's folder where it is relative."""
    return named if Path(named).is_absolute() else str((path.parent / named).resolve())


def default_protocol_text() -> str:
    """Return the default protocol as TOML in which every field is explained. It loads to `AssessmentProtocol()`."""
    return _builtin_text("default")


def dump_protocol(protocol: AssessmentProtocol) -> str:
    """Return the protocol as TOML that loads to one of the same digest. Fields without a value are left out.

    >>> tomllib.loads(dump_protocol(AssessmentProtocol()))["ladder"]["prefills"]
    2
    """
    data = protocol.model_dump(mode="json", by_alias=True, exclude_none=True)
    lines = [toml_entry(key, value) for key, value in data.items() if not isinstance(value, dict)]
    for key, table in data.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]"]
            lines += [toml_entry(field, value) for field, value in table.items()]
    return "\n".join(lines) + "\n"


def _builtin_text(name: str) -> str:
    return files("weighbridge.protocol").joinpath("builtin", f"{name}.toml").read_text("utf-8")
