"""Write a small aggregate file of Every Eval Ever: weighbridge's own export of a dossier, every eighteenth result of its smallest file.

python -m scripts.other_tools.every_eval_ever DOSSIER TO
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from weighbridge.dossier.exports.export import export_as
from weighbridge.dossier.exports.files import read_source

_EVERY = 18


def main(dossier: Path, target: Path) -> None:
    """Export, thin out, write."""
    export = export_as("every-eval-ever", read_source(dossier), at=datetime.now(UTC))
    document = json.loads(min(export.files.values(), key=len))
    document["evaluation_results"] = document["evaluation_results"][::_EVERY]
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
