"""Make the folder that ModelScan reads: a harmless pickle, one that would run a harmless command, one cut short, a text file.

python scripts/other_tools/model_folder.py FOLDER
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path


class Runs:
    """What pickle calls when it is loaded: `echo`, and only if somebody loads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo loaded",)


def main(folder: Path) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = pickle.dumps({"weights": [0.0] * 16})
    folder.joinpath("plain.pkl").write_bytes(plain)
    folder.joinpath("runs.pkl").write_bytes(pickle.dumps(Runs()))
    folder.joinpath("torn.pkl").write_bytes(plain[: len(plain) // 2])
    folder.joinpath("notes.txt").write_text("not a model\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
