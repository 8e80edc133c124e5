"""One file, or one directory of files, and what must be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """`files` maps relative paths to their bytes. `expect` names the rules that must be found, all of them; an ordinary case
    expects none, and then nothing of severity low or worse may be found and nothing be left unexamined.

    `unexamined` says that the case must (True) or must not (False) leave something unexamined; None where either is right.
    """

    name: str
    files: Mapping[str, bytes]
    expect: tuple[str, ...] = ()
    unexamined: bool | None = None

    @property
    def ordinary(self) -> bool:
        """Whether this is a file that nobody should be warned about."""
        return not self.expect and not self.unexamined

    def write(self, folder: Path) -> Path:
        """Write the files and return what to inspect: the file where it is one, else the folder."""
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder / next(iter(self.files)) if len(self.files) == 1 else folder
