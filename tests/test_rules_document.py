"""docs/rules.md is what the rules say now, and every rule says what it cannot see."""

from __future__ import annotations

import runpy
from pathlib import Path

from weighbridge.probes.checkpoint.catalogue import rules

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "rules_document.py"


def test_the_document_is_current() -> None:
    """After a rule was changed: `python scripts/rules_document.py`."""
    made = runpy.run_path(str(SCRIPT))
    assert made["DOCUMENT"].read_text(encoding="utf-8") == made["document"]()


def test_every_rule_is_whole() -> None:
    """What, why, what to do, and what it cannot see: none is empty, and none claims to see everything."""
    for rule in rules().values():
        assert all((rule.title, rule.what, rule.why, rule.fix, rule.cannot_see)), rule.id
        assert rule.cannot_see != "Nothing.", rule.id
