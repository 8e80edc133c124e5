"""The data sheet: findings first with what to do, the weights as a picture, nothing of a file's text unescaped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from weighbridge.dossier.datasheet import SHOWN_A_RULE, files_read, render_datasheet, report_bytes
from weighbridge.dossier.figures.weights import grid_of, weights_figure
from weighbridge.dossier.inspection import TensorFacts
from weighbridge.dossier.svg import Plots
from weighbridge.dossier.write import write_inspections


def tensor(layer: int | None, role: str | None, **changed: Any) -> dict[str, Any]:
    return {
        "path": "m.gguf",
        "tensor": f"{layer}.{role}",
        "dtype": "f32",
        "shape": [4, 4],
        "elements": 16,
        "layer": layer,
        "role": role,
        "measured": True,
        "minimum": -0.1,
        "maximum": 0.1,
        "mean": 0.0,
        "deviation": 0.02,
        "nan": 0,
        "inf": 0,
        "zeros": 0,
        **changed,
    }


def report(**changed: Any) -> dict[str, Any]:
    return {
        "subject": {
            "digest": "sha256:" + "ab" * 32,
            "files": [{"path": "m.gguf", "size": 5, "sha256": "cd" * 32, "format": "gguf"}],
        },
        "components": [{"name": "Model card", "files": ["README.md"], "licence": None}],
        "licences": [{"expression": "MIT", "path": "LICENSE"}],
        "findings": [],
        "rules": {
            "weights.nan": {"title": "Values that are no numbers", "why": "They spread.", "fix": "Download it again."}
        },
        "not_examined": [],
        "tensors": {"count": 1, "elements": 16, "dtypes": {"f32": 1}, "not_measured": 0, "each": [tensor(0, "attn_q")]},
        "fingerprint": None,
        "against": None,
        **changed,
    }


def finding(**changed: Any) -> dict[str, Any]:
    return {"rule": "weights.nan", "severity": "medium", "path": "m.gguf", "where": "w", "message": "a NaN", **changed}


def test_findings_come_worst_first_each_with_what_to_do() -> None:
    """A critical finding stands before a medium one, and the rule's advice beside each."""
    found = [finding(), finding(rule="pickle.call", severity="critical", message="calls it")]
    page = render_datasheet([("A", "a", report(findings=found))])
    assert page.index("calls it") < page.index("a NaN")
    assert "Download it again." in page
    assert page.index("a NaN") < page.index("The weights</h3>")


def test_text_from_files_is_escaped_and_made_visible() -> None:
    """Markup, control and bidirectional characters in paths, messages and licences do nothing on the page."""
    nasty = "<script>alert(1)</script>\u202e\x07"
    changed = report(
        findings=[finding(path=nasty, where=nasty, message=nasty)], licences=[{"name": nasty, "path": nasty}]
    )
    page = render_datasheet([(nasty, "a", changed)])
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x07" not in page


def test_many_places_of_one_rule_are_counted_not_dropped() -> None:
    """Places beyond those listed are counted on the page."""
    found = [finding(where=str(i)) for i in range(SHOWN_A_RULE + 7)]
    assert "and 7 more" in render_datasheet([("A", "a", report(findings=found))])


def test_what_was_not_examined_is_never_silent() -> None:
    """Unexamined parts are named with their reason, a subject without files says so, and no digest reads as none."""
    left = report(not_examined=[{"path": "x.bin", "reason": "not understood"}])
    left["subject"] = {"digest": None, "files": [{"path": "x.bin", "size": 1, "sha256": None, "format": "unknown"}]}
    page = render_datasheet([("A", "a", left), ("B", "endpoint:b", None)])
    assert "not understood" in page
    assert "not every file could be read" in page
    assert "Not examined: this subject is reached through an interface" in page


def test_damage_has_a_sign_of_its_own() -> None:
    """NaN, one value throughout, a wild spread and unmeasured values are each told apart without colour."""
    facts = [tensor(layer, "attn_q") for layer in range(8)]
    facts[2] |= {"nan": 3, "minimum": None, "maximum": None, "mean": None, "deviation": None}
    facts[3] |= {"minimum": 0.0, "maximum": 0.0, "deviation": 0.0}
    facts[4] |= {"deviation": 0.5}
    facts[5] |= {"measured": False, "deviation": None, "nan": None, "inf": None}
    grid = grid_of([TensorFacts.model_validate(json.loads(json.dumps(each))) for each in facts])
    signs = [grid.cells[layer, "attn_q"].sign for layer in range(8)]
    assert signs == ["", "", "nan", "constant", "", "unmeasured", "", ""]
    figure = weights_figure(grid, Plots())
    assert all(sign in figure for sign in ("✕", "○", "+", 'class="cell unmeasured"'))
    assert "2 cells are damaged" in figure


def test_tensors_outside_of_layers_are_counted_as_not_drawn() -> None:
    """What has no layer is left out of the picture, and the picture says how many."""
    facts = [tensor(0, "attn_q"), tensor(None, "embedding"), tensor(None, None)]
    assert grid_of([TensorFacts.model_validate_json(json.dumps(each)) for each in facts]).left_out == 2


def test_an_unknown_statistic_is_no_zero() -> None:
    """A tensor whose values were not measured has no number anywhere, and its cell says why."""
    bare = TensorFacts(
        path="m", tensor="w", dtype="iq2_xs", shape=(2, 2), elements=4, layer=0, role="q", measured=False
    )
    assert grid_of([bare]).cells[0, "q"].doublings is None
    assert "not measured" in grid_of([bare]).cells[0, "q"].said


def test_both_files_are_written_or_none(tmp_path: Path) -> None:
    """The JSON holds the reports as they were made; without any report nothing is written and there is no digest."""
    reports = [("A", "a", report())]
    assert write_inspections(tmp_path / "none", [("B", "b", None)]) is None
    assert not (tmp_path / "none").exists()
    digest = write_inspections(tmp_path, reports)
    assert digest is not None
    assert json.loads((tmp_path / "inspection.json").read_bytes())["subjects"][0]["report"] == report()
    assert (tmp_path / "inspection.json").read_bytes() == report_bytes(reports)
    assert "What is in the files" in (tmp_path / "datasheet.html").read_text(encoding="utf-8")


def test_the_record_counts_what_was_found_by_severity() -> None:
    """Counts name only the severities that there are; a subject without files has no row, which is not a row of zeros."""
    (read,) = files_read([("A", "a", report(findings=[finding(), finding(severity="high")])), ("B", "b", None)])
    assert (read.findings, read.not_examined, read.tensors) == ({"high": 1, "medium": 1}, 0, 1)


@pytest.mark.parametrize("changed", [{"findings": [{"rule": 3}]}, {"subject": {}}])
def test_a_report_of_another_format_is_refused(changed: dict[str, Any]) -> None:
    """A report that does not fit the format is an error, not an empty page."""
    with pytest.raises(ValueError, match="validation error"):
        render_datasheet([("A", "a", report(**changed))])
